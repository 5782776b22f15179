"""Layers of hyperparameters, cells, specs and digests."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from paper_tables.digest import canonical, sha256, spec_digest
from paper_tables.plan import Arm, Job, Plan

IMAGINER = "config/algos/imaginer.yaml"
LEARNER = "config/algos/learner.yaml"
PAPER = "paper_tables/made/experiments.yaml"


def arm(plan: Plan, algo: str, task: str = "maze-a", experiment: str = "main", **more: Any) -> Arm:
    found = [
        a
        for a in plan.arms
        if (a.algo, a.task, a.experiment) == (algo, task, experiment)
        and all(a.overrides.get(key) == value for key, value in more.items())
    ]
    assert len(found) == 1
    return found[0]


def job(plan: Plan, *parts: str) -> Job:
    return plan.jobs["results/tiny/" + "/".join(parts)]


def set_arms(project: Any, *arms: dict[str, Any], tasks: tuple[str, ...] = ("maze-a",)) -> None:
    def change(content: Any) -> None:
        main = content["experiments"]["main"]
        main["tasks"], main["arms"] = list(tasks), list(arms)
        content["experiments"] = {"main": main}

    project.edit(PAPER, change)


def test_each_layer_goes_over_the_one_before(project: Any) -> None:
    default = project.plan()
    assert arm(default, "learner").hyperparameters["mode"] == "plain"
    assert arm(default, "learner").hyperparameters["rate"] == 0.25  # the task's, not 0.5
    assert arm(default, "learner").hyperparameters["updates"] == 7  # the tier's, not 100
    set_arms(project, {"algorithms": ["learner"], "set": {"updates": 3, "rate": 0.75}})
    changed = arm(project.plan(), "learner").hyperparameters
    assert (changed["updates"], changed["rate"]) == (3, 0.75)


def test_later_task_patterns_win_and_inherit(project: Any) -> None:
    plan = project.plan()
    assert arm(plan, "imaginer", "maze-b").hyperparameters["hidden"] == [8]
    assert arm(plan, "imaginer", "maze-a").hyperparameters["hidden"] == [4, 4]
    assert arm(plan, "imaginer", "maze-b").hyperparameters["rate"] == 0.25


def test_a_key_declared_anew_forgets_inherited_task_overrides(project: Any) -> None:
    project.edit(
        IMAGINER,
        lambda c: c["keys"].update(rate={"default": 0.9, "type": "float", "source": "t"}),
    )
    plan = project.plan()
    assert arm(plan, "imaginer").hyperparameters["rate"] == 0.9
    assert arm(plan, "learner").hyperparameters["rate"] == 0.25


def test_task_budgets_go_over_budgets(project: Any) -> None:
    project.edit(
        "config/tiers.yaml",
        lambda c: c["tiers"]["tiny"].update(task_budgets={"*-b": {"learner": {"updates": 9}}}),
    )
    plan = project.plan()
    assert arm(plan, "learner", "maze-a").hyperparameters["updates"] == 7
    assert arm(plan, "learner", "maze-b").hyperparameters["updates"] == 9


def test_cell_holds_only_what_an_experiment_changes(project: Any) -> None:
    plan = project.plan()
    assert arm(plan, "learner").cell == "base"  # the tier's budget never enters
    assert arm(plan, "imaginer", experiment="length", horizon=5).cell == "base"
    assert arm(plan, "imaginer", experiment="length", horizon=1).cell == "horizon=1"
    assert arm(plan, "imaginer", experiment="length", horizon=5).overrides == {"horizon": 5}


def test_cell_is_sorted_and_spelled_plainly(project: Any) -> None:
    values = {"rate": 1, "mode": "fancy", "hidden": [2, 3], "clip": True, "extra": 1e-5}
    set_arms(project, {"algorithms": ["learner"], "set": values})
    only = arm(project.plan(), "learner")
    assert only.cell == "clip=true,extra=1e-05,hidden=2x3,mode=fancy,rate=1.0"
    assert only.results == (f"results/tiny/runs/learner/maze-a/{only.cell}/seeds0-1/result.json",)


def test_experiments_share_runs(project: Any) -> None:
    plan = project.plan()
    main = arm(plan, "imaginer")
    short, same = (arm(plan, "imaginer", experiment="length", horizon=h) for h in (1, 5))
    assert same.results == main.results and same.digest == main.digest
    assert short.results != main.results and short.digest != main.digest
    trains = [path for path, entry in plan.jobs.items() if entry.kind == "train"]
    assert len(trains) == 5  # learner and imaginer on two mazes, and horizon 1


def test_long_cells_become_a_hash(project: Any) -> None:
    def many(content: Any) -> None:
        for index in range(12):
            key = {"default": 0, "type": "int", "source": "t"}
            content["keys"][f"a_rather_long_name_{index}"] = key

    project.edit(LEARNER, many)
    settings = {f"a_rather_long_name_{index}": 1 for index in range(12)}
    set_arms(project, {"algorithms": ["learner"], "set": settings})
    plan = project.plan()
    only = arm(plan, "learner")
    assert len(only.cell) > 100 and only.cell.startswith("a_rather_long_name_0=1,")
    folder = "cell-" + hashlib.sha256(only.cell.encode()).hexdigest()[:16]
    assert only.results == (f"results/tiny/runs/learner/maze-a/{folder}/seeds0-1/result.json",)
    assert job(plan, "runs/learner/maze-a", folder, "seeds0-1").cell == only.cell


def test_train_spec_is_what_the_contract_says(project: Any) -> None:
    spec = job(project.plan(), "runs/imaginer/maze-a/base/seeds0-1").spec
    assert {key: value for key, value in spec.items() if key not in ("fits", "digest")} == {
        "stage": "train",
        "algo": "imaginer",
        "implementation": "algos.imaginer:Imaginer",
        "version": 1,
        "tier": "tiny",
        "task": "maze-a",
        "seeds": [0, 1],
        "data": {
            "task": "maze-a",
            "source": "local",
            "generator": "walk",
            "version": 1,
            "seed": "run",
            "transitions": 50,
            "options": {},
        },
        "precision": "float32",
        "hyperparameters": {
            "updates": 100,
            "rate": 0.25,
            "hidden": [4, 4],
            "mode": "plain",
            "clip": False,
            "horizon": 5,
            "guide": "none",
        },
    }


def test_digest_is_sha256_of_the_spec_without_digest_tier_and_seeds(project: Any) -> None:
    spec = dict(job(project.plan(), "runs/imaginer/maze-a/base/seeds0-1").spec)
    digest = spec.pop("digest")
    spec.pop("tier"), spec.pop("seeds")
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"))
    assert digest == hashlib.sha256(text.encode()).hexdigest()


def test_fit_spec_has_no_fits_and_its_own_cell(project: Any) -> None:
    plan = project.plan()
    fit = job(plan, "fits/model/maze-a/base/seeds0-1")
    assert "fits" not in fit.spec and fit.spec["stage"] == "fit"
    train = job(plan, "runs/imaginer/maze-a/base/seeds0-1")
    assert train.spec["fits"] == {"dynamics": fit.digest}
    assert train.fits == {"dynamics": fit.path}


def test_conditional_fits_follow_the_key_they_depend_on(project: Any) -> None:
    set_arms(project, {"algorithms": ["imaginer"], "set": {"guide": "model"}})
    train = job(project.plan(), "runs/imaginer/maze-a/guide=model/seeds0-1")
    assert train.fits == {
        "dynamics": "results/tiny/fits/model/maze-a/base/seeds0-1",
        "guide": "results/tiny/fits/model/maze-a/direction=forward/seeds0-1",
    }


def test_slot_overrides_address_the_fit(project: Any) -> None:
    set_arms(project, {"algorithms": ["imaginer"], "grid": {"dynamics.width": [3, 9]}})
    plan = project.plan()
    assert [a.cell for a in plan.arms] == ["base", "dynamics.width=9"]
    wide = job(plan, "runs/imaginer/maze-a/dynamics.width=9/seeds0-1")
    fit = plan.jobs[wide.fits["dynamics"]]
    assert fit.path == "results/tiny/fits/model/maze-a/width=9/seeds0-1"
    assert fit.spec["hyperparameters"] == {"direction": "backward", "updates": 10, "width": 9}
    assert "width" not in wide.spec["hyperparameters"]


def test_learner_settings_share_one_fit(project: Any) -> None:
    plan = project.plan()
    short = job(plan, "runs/imaginer/maze-a/horizon=1/seeds0-1")
    base = job(plan, "runs/imaginer/maze-a/base/seeds0-1")
    assert short.fits == base.fits and short.digest != base.digest


def test_precision_stands_beside_the_hyperparameters(project: Any) -> None:
    set_arms(project, {"algorithms": ["learner"], "set": {"precision": "bfloat16"}})
    spec = job(project.plan(), "runs/learner/maze-a/precision=bfloat16/seeds0-1").spec
    assert spec["precision"] == "bfloat16" and "precision" not in spec["hyperparameters"]


def _digest(project: Any, algo: str = "learner") -> str:
    return arm(project.plan(), algo).digest


def test_neutral_values_are_left_out_of_the_digest(project: Any) -> None:
    before = _digest(project)
    key = {"default": 0.0, "neutral": 0.0, "type": "float", "source": "t"}
    project.edit(LEARNER, lambda c: c["keys"].update(new=key))
    assert _digest(project) == before
    project.edit(LEARNER, lambda c: c["keys"]["new"].update(default=0.5))
    assert _digest(project) != before


def test_a_new_key_without_neutral_value_changes_the_digest(project: Any) -> None:
    before = _digest(project)
    key = {"default": 0.0, "type": "float", "source": "t"}
    project.edit(LEARNER, lambda c: c["keys"].update(new=key))
    assert _digest(project) != before


@pytest.mark.parametrize("key", ["rate", "mode"])  # batchable or not, a setting is an identity
def test_every_other_key_enters_the_digest(project: Any, key: str) -> None:
    value = {"rate": 0.3, "mode": "fancy"}[key]
    set_arms(
        project, {"algorithms": ["learner"], "grid": {key: [value]}}, {"algorithms": ["learner"]}
    )
    digests = {a.digest for a in project.plan().arms}
    assert len(digests) == 2


def test_version_of_an_algorithm_changes_its_digest_only(project: Any) -> None:
    learner, imaginer = _digest(project), _digest(project, "imaginer")
    project.edit(LEARNER, lambda c: c.update(version=2))
    assert _digest(project) != learner
    assert _digest(project, "imaginer") == imaginer


def test_digest_knows_the_data_but_no_place(project: Any, tmp_path: Any) -> None:
    before = _digest(project)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for name in ("config", "paper_tables", "algos", "envs"):
        (project.root / name).rename(moved / name)
    project.root = moved
    assert _digest(project) == before
    text = job(project.plan(), "runs/imaginer/maze-a/base/seeds0-1").json
    assert "/" not in text and "results" not in text
    project.replace("config/tasks.yaml", "version: 1", "version: 2")
    assert _digest(project) != before


def test_equal_values_give_equal_digests(project: Any) -> None:
    before = _digest(project)
    project.replace(LEARNER, "rate: 0.25", "rate: 2.5e-1")
    assert _digest(project) == before
    set_arms(project, {"algorithms": ["learner"], "set": {"rate": 1}})
    one = _digest(project)
    set_arms(project, {"algorithms": ["learner"], "set": {"rate": 1.0}})
    assert _digest(project) == one


def test_canonical_json_is_sorted_and_refuses_what_json_has_no_word_for() -> None:
    assert canonical({"b": [1, 2.5], "a": None}) == '{"a":null,"b":[1,2.5]}'
    assert sha256({}) == hashlib.sha256(b"{}").hexdigest()
    assert spec_digest({"a": 1, "tier": "x", "seeds": [1], "digest": "y"}) == sha256({"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))
