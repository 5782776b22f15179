"""Seeds in fixed blocks, data files of each seed, and what cannot run yet."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from paper_tables.digest import sha256
from paper_tables.errors import PlanError
from paper_tables.plan import make_plan
from paper_tables.registry import read_registry

TIERS = "config/tiers.yaml"
PAPER = "paper_tables/made/experiments.yaml"
LEARNER = "config/algos/learner.yaml"
ROOT = Path(__file__).resolve().parents[2]


def tier(project: Any, **changes: Any) -> None:
    project.edit(TIERS, lambda content: content["tiers"]["tiny"].update(changes))


def folders(plan: Any, kind: str, algo: str) -> list[str]:
    jobs = [job for job in plan.jobs.values() if job.kind == kind and job.spec["algo"] == algo]
    return sorted({job.path.rsplit("/", 1)[1] for job in jobs})


def test_more_seeds_add_blocks_and_change_no_finished_one(project: Any) -> None:
    before = project.plan().jobs
    tier(project, seeds=6)
    after = project.plan().jobs
    assert {path: job.json for path, job in before.items()}.items() <= {
        path: job.json for path, job in after.items()
    }.items()
    assert folders(project.plan(), "train", "learner") == ["seeds0-1", "seeds2-3", "seeds4-5"]


def test_block_is_the_largest_divisor_that_one_job_holds(project: Any) -> None:
    tier(project, seeds=6, seed_block=3)  # learner holds 2 on a cpu, 8 on cuda
    assert folders(project.plan(), "train", "learner") == [f"seeds{s}-{s}" for s in range(6)]
    assert folders(project.plan(device="cuda"), "train", "learner") == ["seeds0-2", "seeds3-5"]
    tier(project, runs_per_job={"learner": 3})
    assert folders(project.plan(), "train", "learner") == ["seeds0-2", "seeds3-5"]
    assert folders(project.plan(), "train", "imaginer") == [f"seeds{s}-{s}" for s in range(6)]


def test_blocks_can_differ_between_algorithms(project: Any) -> None:
    tier(project, seeds=6, seed_block={"*": 3, "learn*": 2})  # of two patterns the last counts
    plan = project.plan(device="cuda")
    assert folders(plan, "train", "learner") == ["seeds0-1", "seeds2-3", "seeds4-5"]
    assert folders(plan, "train", "imaginer") == ["seeds0-2", "seeds3-5"]
    tier(project, seed_block={"learner": 2})  # others: one by one
    assert folders(project.plan(device="cuda"), "train", "imaginer") == [
        f"seeds{s}-{s}" for s in range(6)
    ]


def test_fits_come_in_the_blocks_of_their_users(project: Any) -> None:
    plan = project.plan()  # the model itself says one run a job
    assert folders(plan, "fit", "model") == ["seeds0-1"]
    train = plan.jobs["results/tiny/runs/imaginer/maze-a/base/seeds0-1"]
    assert plan.jobs[train.fits["dynamics"]].seeds == train.seeds == (0, 1)


def test_fit_is_an_arm_of_its_own_and_shared(project: Any) -> None:
    def table(content: Any) -> None:
        group = {"algorithms": ["model"], "grid": {"direction": ["backward", "forward"]}}
        content["experiments"]["length"].update(arms=[group])

    before = set(project.plan().jobs)
    project.edit(PAPER, table)
    tier(project, runs_per_job={"model": 2})
    plan = project.plan()
    fits = [arm for arm in plan.arms if arm.stage == "fit"]
    assert [arm.results for arm in fits] == [
        ("results/tiny/fits/model/maze-a/base/seeds0-1/fit.json",),
        ("results/tiny/fits/model/maze-a/direction=forward/seeds0-1/fit.json",),
    ]
    forward = "results/tiny/fits/model/maze-a/direction=forward/seeds0-1"
    assert set(plan.jobs) - before == {forward}


def test_every_seed_has_its_own_data(project: Any) -> None:
    plan = project.plan()
    train = plan.jobs["results/tiny/runs/learner/maze-a/base/seeds0-1"]
    specs = [plan.jobs[file].spec for file in train.data]
    assert [spec["seed"] for spec in specs] == [0, 1]
    assert train.spec["data"] == {**specs[0], "seed": "run"}
    for file, spec in zip(train.data, specs, strict=True):
        assert file == f"data/maze-a/local-{sha256(spec)[:8]}.hdf5"


def test_a_fixed_data_seed_is_one_file_for_all_runs(project: Any) -> None:
    tier(project, data={"seed": 5})
    plan = project.plan()
    train = plan.jobs["results/tiny/runs/learner/maze-a/base/seeds0-1"]
    assert len(train.data) == 1
    assert plan.jobs[train.data[0]].spec["seed"] == train.spec["data"]["seed"] == 5
    assert train.spec["data"]["transitions"] == 500  # the task's own size


def test_later_data_sizes_win(project: Any) -> None:
    tier(project, data={"transitions": {"*": 10, "maze-b": 20}})
    sizes = {a.task: a for a in project.plan().arms}
    jobs = project.plan().jobs
    found = {task: jobs[a.results[0].rsplit("/", 1)[0]].spec["data"] for task, a in sizes.items()}
    assert {task: data["transitions"] for task, data in found.items()} == {
        "maze-a": 10,
        "maze-b": 20,
    }


def test_published_data_are_one_file_named_by_their_checksum(project: Any) -> None:
    project.edit(PAPER, lambda c: c["experiments"]["main"].update(tasks=["robot-a"]))
    local = [a for a in project.plan().arms if a.task == "robot-a"]
    assert {a.reason for a in local} == {
        "no generator makes data of task robot-a; needs the published file"
    }
    plan = project.plan(source="d4rl")
    train = plan.jobs["results/tiny/runs/learner/robot-a/base/seeds0-1"]
    spec = plan.jobs[train.data[0]].spec
    assert spec == train.spec["data"]
    assert (spec["source"], spec["seed"], spec["options"]["sha256"]) == ("d4rl", None, "abc")


def test_more_seeds_of_one_part_win_over_fewer(project: Any) -> None:
    parts = [{"tasks": ["mazes"]}, {"tasks": ["maze-a"], "seeds": 4}]
    tier(project, experiments={"made/main": parts})
    seeds = {(a.algo, a.task): a.seeds for a in project.plan().arms}
    assert seeds["learner", "maze-a"] == (0, 1, 2, 3)
    assert seeds["learner", "maze-b"] == (0, 1)


def test_selection_keeps_tasks_and_algorithms(project: Any) -> None:
    part = {"tasks": ["maze-b"], "algorithms": ["imag*"]}
    tier(project, experiments={"made/main": part})
    assert [(a.algo, a.task) for a in project.plan().arms] == [("imaginer", "maze-b")]


def test_missing_modules_are_declared_not_implemented(project: Any) -> None:
    (project.root / "algos/model.py").unlink()
    plan = project.plan()
    by_algo = {a.algo: a for a in plan.arms}
    assert by_algo["learner"].status == "planned"
    late = by_algo["imaginer"]
    assert (late.status, late.results) == ("not implemented", ())
    assert late.reason == "model is declared, not implemented (algos/model.py does not exist)"
    assert not [job for job in plan.jobs.values() if job.spec.get("algo") == "imaginer"]
    assert {job.spec.get("algo") for job in plan.blocked.values()} == {"imaginer", "model"}
    (project.root / "envs/maze.py").unlink()
    assert {a.status for a in project.plan().arms} == {"not implemented"}


@pytest.mark.parametrize(
    ("module", "text", "file"),
    [
        ("algos.imaginr:Imaginer", "", "algos/imaginr.py"),  # nearly the same name
        ("algos.new.way:Imaginer", "class Imaginer:\n", "algos/new/way.py"),  # the same class
    ],
)
def test_a_module_that_looks_misspelt_is_told(
    project: Any, module: str, text: str, file: str
) -> None:
    project.write("algos/imaginer.py", text)
    project.edit("config/algos/imaginer.yaml", lambda c: c.update(implementation=module))
    plan = project.plan()
    reason = f"imaginer: {file} does not exist; did you mean algos/imaginer.py?"
    late = [arm for arm in plan.arms if arm.reason]
    assert {(arm.algo, arm.status, arm.reason) for arm in late} == {
        ("imaginer", "not implemented", reason)
    }
    assert plan.warning == (
        f"tier tiny: {len(late)} arms cannot run ({reason}); "
        "see: python -m paper_tables.plan --tier tiny --missing"
    )


def test_a_method_that_is_only_declared_is_no_warning(project: Any) -> None:
    (project.root / "algos/imaginer.py").unlink()
    plan = project.plan()
    assert any(arm.reason for arm in plan.arms) and plan.warning is None


def test_no_method_of_the_papers_looks_misspelt() -> None:
    registry = read_registry(ROOT / "config", ROOT)
    modules = {algo.file.implementation for algo in registry.algos.values()}
    missing = [module for module in modules if registry.missing_module(module)]
    assert [(m, registry.likely_module(m)) for m in missing if registry.likely_module(m)] == []


def test_core_seconds_are_updates_times_rate(project: Any) -> None:
    job = project.plan().jobs["results/tiny/runs/learner/maze-a/base/seeds0-1"]
    assert job.core_seconds == 2 * 7 * 0.5


def test_core_seconds_by_the_value_of_a_key(project: Any) -> None:
    rates = {"update": {"mode": {"plain": 0.5, "fancy": 3}}}
    project.edit(LEARNER, lambda c: c.update(core_seconds=rates))
    arm = {"algorithms": ["learner"], "grid": {"mode": ["plain", "fancy"]}}
    project.edit(PAPER, lambda c: c["experiments"]["main"].update(arms=[arm]))
    jobs = project.plan().jobs
    found = {
        cell: jobs[f"results/tiny/runs/learner/maze-a/{cell}/seeds0-1"].core_seconds
        for cell in ("base", "mode=fancy")
    }
    assert found == {"base": 2 * 7 * 0.5, "mode=fancy": 2 * 7 * 3.0}


def given_file(project: Any, content: str = "rows") -> Any:
    project.write("mine.hdf5", content)
    tier(project, data={"source": "file", "path": {"maze-a": "mine.hdf5"}})
    return project.plan()


def test_a_file_of_the_users_is_known_by_its_content(project: Any) -> None:
    train = given_file(project).jobs["results/tiny/runs/learner/maze-a/base/seeds0-1"]
    spec = train.spec["data"]
    assert spec["path"] == "mine.hdf5"
    assert spec["options"] == {"sha256": hashlib.sha256(b"rows").hexdigest()}
    (file,) = train.data
    other = given_file(project, "other rows").jobs[train.path]
    assert other.digest != train.digest and other.data != train.data
    assert given_file(project).jobs[train.path].data == (file,)


def test_a_file_is_read_once_a_plan(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read, digest = [], hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *args: read.append(1) or digest(*args))
    given_file(project)
    assert len(read) == 1


def test_a_task_without_a_file_cannot_run(project: Any) -> None:
    reasons = {arm.task: arm.reason for arm in given_file(project).arms}
    assert reasons == {
        "maze-a": None,
        "maze-b": "data.path of the tier names no file for task maze-b",
    }


def test_a_missing_file_is_named(project: Any) -> None:
    given_file(project)
    (project.root / "mine.hdf5").unlink()
    with pytest.raises(
        PlanError, match=r"tiny: data.path: maze-a: mine.hdf5: cannot be read \(No such file"
    ):
        project.plan()


def test_data_jobs_understand_the_spec_of_a_file(tmp_path: Path) -> None:
    from envs.spec import DataSpec

    (tmp_path / "mine.hdf5").write_text("rows")
    tiers = {
        "mine": {"title": "t", "judged": "none", "seeds": 1, "experiments": {"romi/table3": {}}}
    }
    path = {"maze2d-umaze-v1": str(tmp_path / "mine.hdf5")}
    tiers["mine"]["data"] = {"source": "file", "path": path}
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "config/tiers.yaml").write_text(yaml.safe_dump({"tiers": tiers}))
    plan = make_plan("mine", root=ROOT, config=tmp_path / "config")
    (job,) = (job for job in plan.jobs.values() if job.kind == "data")
    spec = DataSpec.parse(job.json)
    assert spec.default_path == job.path
    assert spec.options == {"sha256": hashlib.sha256(b"rows").hexdigest()}


def test_budget_keys_that_differ_are_known(project: Any) -> None:
    budgets = {"learner": {"updates": 7}, "imaginer": {"updates": 100}, "model": {"updates": 3}}
    tier(project, budgets=budgets)
    found = {(a.algo, a.task): a.budget_changes for a in project.plan().arms if a.cell == "base"}
    assert found["learner", "maze-a"] == {"updates": (7, 100)}
    assert found["imaginer", "maze-a"] == {"dynamics.updates": (3, 10)}


def test_results_of_paper_experiment_and_axis(project: Any) -> None:
    plan = project.plan()
    length = [
        f"results/tiny/runs/imaginer/maze-a/{cell}/seeds0-1/result.json"
        for cell in ("horizon=1", "base")
    ]
    assert plan.results("made", "length") == length
    assert plan.results(axis="horizon") == length
    assert len(plan.results("made")) == len(set(plan.results())) == 5
