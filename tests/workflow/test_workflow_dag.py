"""What runs, and what runs again after which change."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from analysis.claim_file import COLUMNS

TASK = "maze2d-umaze-v1"
PAPER = "paper_tables/romi/experiments.yaml"
TIERS = "config/tiers.yaml"
RUNS = "results/tiny/runs"
REPORT = ("tables", "results/tiny/claims.csv")


def run_jobs(algo: str, cell: str = "base", seeds: str = "seeds0-1") -> set[tuple[str, str]]:
    """The three jobs of one block of one arm."""
    folder = f"{RUNS}/{algo}/{TASK}/{cell}/{seeds}"
    files = {"train": "run.json", "evaluate": "evaluation.json", "result": "result.json"}
    return {(rule, f"{folder}/{name}") for rule, name in files.items()}


def fit_job(cell: str = "base", seeds: str = "seeds0-1") -> tuple[str, str]:
    return ("fit", f"results/tiny/fits/ensemble/{TASK}/{cell}/{seeds}/fit.json")


def add_arm(workflow: Any, arm: dict[str, Any]) -> None:
    workflow.edit(PAPER, lambda c: c["experiments"]["main"]["arms"].append(arm))


def option(call: list[str], name: str) -> list[str]:
    rest = call[call.index(name) + 1 :]
    end = next((i for i, word in enumerate(rest) if word.startswith("--")), len(rest))
    return rest[:end]


def test_every_job_runs_once_and_then_nothing(finished: Any) -> None:
    modules = [call[1] for call in finished.calls()]
    counts = {module: modules.count(module) for module in set(modules)}
    assert counts == {
        "envs.datasets": 2,
        "algos.fit": 1,
        "algos.train": 3,
        "algos.evaluate": 3,
        "algos.merge": 3,
        "analysis.report": 1,
    }
    assert finished.planned("all") == set()


def test_shell_lines_are_what_the_entry_points_take(finished: Any) -> None:
    (romi,) = (c for c in finished.calls("algos.train") if '"algo":"romi_bcq"' in c[3])
    spec = json.loads(option(romi, "--spec")[0])
    kept = {k: v for k, v in spec.items() if k not in ("digest", "tier", "seeds")}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"))
    assert spec["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert (spec["tier"], spec["task"], spec["seeds"]) == ("tiny", TASK, [0, 1])
    folder = f"{RUNS}/romi_bcq/{TASK}/base/seeds0-1"
    fit = Path(fit_job()[1]).parent
    assert option(romi, "--out") == [folder]
    assert option(romi, "--fits") == [f"dynamics={fit}"]
    (fitted,) = finished.calls("algos.fit")
    assert option(fitted, "--out") == [str(fit)]
    assert json.loads(option(fitted, "--spec")[0])["digest"] == spec["fits"]["dynamics"]
    made = {}
    for call in finished.calls("envs.datasets"):
        assert call[2] == "generate"
        made[json.loads(option(call, "--spec")[0])["seed"]] = option(call, "--out")[0]
    for call in (romi, fitted):
        assert option(call, "--data") == [made[0], made[1]]
    (bc,) = (c for c in finished.calls("algos.train") if '"algo":"bc"' in c[3])
    assert "--fits" not in bc
    merged = [call for call in finished.calls("algos.merge") if folder in call]
    assert merged == [["-m", "algos.merge", "--run", folder, "--out", f"{folder}/result.json"]]
    evaluated = [call for call in finished.calls("algos.evaluate") if folder in call]
    out = f"{folder}/evaluation.json"
    assert evaluated == [["-m", "algos.evaluate", "--run", folder, "--out", out]]
    assert finished.calls("analysis.report") == [["-m", "analysis.report", "--tier", "tiny"]]


def test_one_more_line_plans_the_new_runs_only(done: Any) -> None:
    add_arm(done, {"algorithms": ["bcq"], "set": {"phi": 0.1}})
    assert done.planned("all") == run_jobs("bcq", "phi=0.1") | {REPORT}


def test_runs_that_exist_under_another_experiment_are_found(done: Any) -> None:
    arm = {"algorithms": ["bcq"], "grid": {"phi": [0.05]}}  # the default, so the same cell
    done.edit(PAPER, lambda c: c["experiments"]["length"].update(arms=[arm]))
    done.edit(TIERS, lambda c: c["tiers"]["tiny"].update(experiments={"romi/*": {}}))
    assert done.planned("all") == {REPORT}


def test_a_second_learner_uses_the_same_fits_and_data(done: Any) -> None:
    done.replace("config/algos/romi_bcq.yaml", "algo: romi_bcq", "algo: second")
    text = (done.root / "config/algos/romi_bcq.yaml").read_text()
    (done.root / "config/algos/second.yaml").write_text(text)
    done.replace("config/algos/romi_bcq.yaml", "algo: second", "algo: romi_bcq")
    done.edit(TIERS, lambda c: c["tiers"]["tiny"]["runs_per_job"].update(second=2))
    add_arm(done, {"algorithms": ["second"]})
    assert done.planned("all") == run_jobs("second") | {REPORT}


def test_another_setting_of_the_learner_uses_the_same_fits(done: Any) -> None:
    add_arm(done, {"algorithms": ["romi_bcq"], "set": {"horizon": 9, "eta": 0.5}})
    assert done.planned("all") == run_jobs("romi_bcq", "eta=0.5,horizon=9") | {REPORT}


def test_the_forward_twin_needs_its_own_fit(done: Any) -> None:
    add_arm(done, {"algorithms": ["fomi_bcq"]})
    expected = run_jobs("fomi_bcq") | {fit_job("direction=forward"), REPORT}
    assert done.planned("all") == expected


def test_a_hyperparameter_reruns_exactly_its_algorithm(done: Any) -> None:
    done.edit("config/algos/bc.yaml", lambda c: c["keys"]["learning_rate"].update(default=0.002))
    assert done.planned("all") == run_jobs("bc") | {REPORT}


def test_a_version_reruns_exactly_its_algorithm(done: Any) -> None:
    done.edit("config/algos/romi_bcq.yaml", lambda c: c.update(version=99))
    assert done.planned("all") == run_jobs("romi_bcq") | {REPORT}


def test_a_hyperparameter_of_a_fit_reruns_what_uses_it(done: Any) -> None:
    done.edit("config/algos/ensemble.yaml", lambda c: c["keys"]["hidden"].update(default=50))
    assert done.planned("all") == run_jobs("romi_bcq") | {fit_job(), REPORT}


def test_more_seeds_add_blocks(done: Any) -> None:
    done.edit(TIERS, lambda c: c["tiers"]["tiny"].update(seeds=4))
    planned = done.planned("all")
    data = {job for job in planned if job[0] == "data"}
    new = set.union(*(run_jobs(algo, seeds="seeds2-3") for algo in ("bc", "bcq", "romi_bcq")))
    assert len(data) == 2
    assert planned == new | data | {fit_job(seeds="seeds2-3"), REPORT}


@pytest.mark.parametrize(("neutral", "rerun"), [(True, False), (False, True)])
def test_a_new_key_reruns_unless_it_is_neutral(done: Any, neutral: bool, rerun: bool) -> None:
    key = {"default": 0.0, "type": "float", "source": "t"} | ({"neutral": 0.0} if neutral else {})
    done.edit("config/algos/bc.yaml", lambda c: c["keys"].update(new=key))
    # The report is made again in any case: the new key is one of the arm's.
    assert done.planned("all") == (run_jobs("bc") if rerun else set()) | {REPORT}


def test_what_is_not_computed_differently_does_not_run_again(done: Any) -> None:
    """Text of shell lines, resources, threads, estimates, other tiers' settings."""
    done.replace("Snakefile", "python -m algos.train --spec", "python  -m algos.train --spec")
    done.replace("Snakefile", "threads: 1", "threads: 2", count=None)
    done.replace("Snakefile", "mem_mb=2000", "mem_mb=2500", count=None)
    done.edit("config/algos/bc.yaml", lambda c: c.update(resources={"mem_mb": 9}))
    done.edit(TIERS, lambda c: c["tiers"]["other"].update(seeds=7))
    assert done.planned("all") == set()


#: The plan reads the arms of claims: a file of them has its columns.
EMPTY = {"claims.csv": f"{','.join(COLUMNS)}\n"}


@pytest.mark.parametrize("name", ["claims.csv", "reference.csv", "tables.yaml"])
def test_what_a_paper_says_rebuilds_the_tables(done: Any, name: str) -> None:
    path = done.root / "paper_tables/romi" / name
    before = path.read_text() if path.exists() else EMPTY.get(name, "")
    path.write_text(before if name in EMPTY else f"{before}# another line\n")
    assert done.planned("all") == {REPORT}


def test_what_is_judged_rebuilds_the_tables(done: Any) -> None:
    done.edit(TIERS, lambda c: c["tiers"]["tiny"].update(judged="all"))
    assert done.planned("all") == {REPORT}


def test_a_title_rebuilds_the_tables(done: Any) -> None:
    done.edit("config/algos/bc.yaml", lambda c: c.update(title="Cloning"))
    assert done.planned("all") == {REPORT}


def test_data_that_changed_rerun_everything_on_them(done: Any) -> None:
    sizes = {"transitions": {"maze2d-*": 77}}
    done.edit(TIERS, lambda c: c["tiers"]["tiny"].update(data=sizes))
    planned = done.planned("all")
    assert {job for job in planned if job[0] != "data"} == {fit_job(), REPORT}.union(
        *(run_jobs(algo) for algo in ("bc", "bcq", "romi_bcq"))
    )
    assert len([job for job in planned if job[0] == "data"]) == 2


def test_a_lost_evaluation_never_retrains(done: Any) -> None:
    folder = done.root / f"{RUNS}/bcq/{TASK}/base/seeds0-1"
    (folder / "evaluation.json").unlink()
    (folder / "result.json").unlink()
    expected = {job for job in run_jobs("bcq") if job[0] != "train"} | {REPORT}
    assert done.planned("all") == expected


def test_a_newer_fit_retrains_its_users(done: Any) -> None:
    fit = done.root / fit_job()[1]
    fit.touch()  # newer, but the same: small files are compared by content
    assert done.planned("all") == set()
    fit.write_text("changed")
    assert done.planned("all") == run_jobs("romi_bcq") | {REPORT}


def test_one_failing_job_stops_only_what_needs_it(fresh: Any) -> None:
    done = fresh.snakemake("--cores", "2", "all", "--config", "tier=tiny", fail='"algo":"bcq"')
    assert done.returncode == 1
    text = done.stdout + done.stderr
    assert "made to fail" in text  # the log of the failed job is shown
    results = {path.parts[-5] for path in fresh.root.glob(f"{RUNS}/*/*/*/*/result.json")}
    assert results == {"bc", "romi_bcq"}
    assert fresh.planned("all") == run_jobs("bcq") | {REPORT}


def test_results_do_not_mix_between_tiers(done: Any) -> None:
    planned = done.planned("all", tier="other")
    assert {output.split("/")[1] for rule, output in planned if rule != "data"} == {"other"}
    # Data are shared: same size, same seeds.
    assert not [job for job in planned if job[0] == "data"]


def diagnose_jobs(algo: str) -> set[tuple[str, str]]:
    return {("diagnose", f"{RUNS}/{algo}/{TASK}/base/seeds0-1/diagnosis.json")}


def test_a_diagnosis_is_made_of_what_is_there(done: Any) -> None:
    done.edit(PAPER, lambda c: c["experiments"]["main"].update(diagnose=True))
    every = set.union(*(diagnose_jobs(algo) for algo in ("bc", "bcq", "romi_bcq")))
    assert done.planned("all") == every | {REPORT}
    assert done.planned("romi_main") == every | {("romi_main", "")}
    done.run("all")
    assert done.planned("all") == set()
    (romi,) = (c for c in done.calls("algos.diagnose") if "romi_bcq" in " ".join(c))
    (trained,) = (c for c in done.calls("algos.train") if '"algo":"romi_bcq"' in c[3])
    folder = f"{RUNS}/romi_bcq/{TASK}/base/seeds0-1"
    assert option(romi, "--run") == option(romi, "--out") == [folder]
    for name in ("--data", "--fits"):
        assert option(romi, name) == option(trained, name)
    (bc,) = (c for c in done.calls("algos.diagnose") if "/bc/" in " ".join(c))
    assert "--fits" not in bc
    for name in ("diagnosis.npz", "diagnosis.json"):
        (done.root / folder / name).unlink()
        assert done.planned("all") == diagnose_jobs("romi_bcq") | {REPORT}
        done.run("all")
