"""Results as CSV files: what each line says, what is left out, what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from result_sets import UMAZE, Bench, failed_run, runs
from start_sets import ARM, PUSH, WON, arm_outcomes, arm_starts, evaluation, finished, space_of

from analysis import export
from analysis.errors import AnalysisError
from paper_tables.errors import PlanError

Rows = list[dict[str, str]]


def exported(bench: Bench, out: Path, **chosen: list[str]) -> dict[str, Rows]:
    """Every file that is written, as rows by name."""
    papers, experiments = chosen.get("papers", []), chosen.get("experiments", [])
    paths = export.export(bench.space, out, papers, experiments)
    assert sorted(paths) == sorted(out.iterdir())
    return {path.name: list(csv.DictReader(path.open(newline=""))) for path in paths}


def test_a_run_has_a_line_with_its_metrics_and_where_it_comes_from(
    standard: Bench, tmp_path: Path
) -> None:
    found = exported(standard, tmp_path / "out")["runs.csv"]
    assert [(row["algo"], row["seed"]) for row in found] == [
        (algo, str(seed)) for algo in ("bcq", "romi_bcq") for seed in range(3)
    ]
    row = found[5]
    assert float(row["score"]) == 50.0
    assert float(row["goal_hold"]) == 0.7
    assert float(row["fit.dynamics.holdout_mse"]) == 0.002
    expected = {
        "task": UMAZE,
        "cell": "networks=small",
        "experiments": "romi/maze2d_small",
        "status": "finished",
        "reason": "",
        "updates": "1000",
        "data_source": "local",
        "commit": "abc1234",
        "hardware": "Test CPU",
        "runs_of_the_job": "3",
        "cpu_seconds_of_the_job": "55",
        "wall_seconds_of_the_job": "60",
        "digest": standard.arms[1].digest[:16],
    }
    assert {name: row[name] for name in expected} == expected


def test_data_of_each_run_are_its_own(bench: Bench, tmp_path: Path) -> None:
    data = [{"seed": s, "source": "local", "sha256": f"{s}" * 64} for s in range(3)]
    bench.arm("bcq", runs([1.0, 2.0, 3.0]), data=data)
    found = exported(bench, tmp_path / "out")["runs.csv"]
    assert [row["data_sha256"] for row in found] == ["0" * 16, "1" * 16, "2" * 16]


def test_runs_of_all_blocks_come_with_their_own_job(bench: Bench, tmp_path: Path) -> None:
    arm = bench.arm("bcq", runs([1.0, 2.0, 3.0]), blocks=3)
    bench.change(arm, cpu_seconds=7.25)  # the first file: seed 0
    found = exported(bench, tmp_path / "out")["runs.csv"]
    assert [row["cpu_seconds_of_the_job"] for row in found] == ["7.25", "55", "55"]
    assert {row["runs_of_the_job"] for row in found} == {"1"}


def test_a_run_that_experiments_share_has_one_line(standard: Bench, tmp_path: Path) -> None:
    standard.arm("bcq", runs([-9.0, -6.0, 2.0]), experiment="table3")
    standard.arm("bcq", runs([-9.0, -6.0, 2.0]), experiment="elsewhere", overrides={"eta": 0.5})
    found = exported(standard, tmp_path / "out")["runs.csv"]
    names = [(row["algo"], row["cell"], row["experiments"]) for row in found]
    assert names.count(("bcq", "networks=small", "romi/maze2d_small romi/table3")) == 3
    assert names.count(("bcq", "eta=0.5", "romi/elsewhere")) == 3
    assert len(names) == 9
    only = exported(standard, tmp_path / "one", experiments=["elsewhere"])["runs.csv"]
    assert [row["cell"] for row in only] == ["eta=0.5"] * 3


def test_of_an_arm_in_two_sizes_the_larger_is_kept(bench: Bench, tmp_path: Path) -> None:
    content = runs([1.0, 2.0, 3.0])
    bench.arm("bcq", content, blocks=3)
    bench.arm("bcq", content, blocks=1, seeds=[0], experiment="smaller")
    found = exported(bench, tmp_path / "out")["runs.csv"]
    assert [row["score"] for row in found] == ["1", "2", "3"]


def test_a_failed_run_says_why_and_has_no_metrics(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", [*runs([1.0, 2.0]), failed_run(2)])
    found = exported(bench, tmp_path / "out")["runs.csv"]
    assert [row["status"] for row in found] == ["finished", "finished", "failed"]
    assert found[2]["reason"]
    assert (found[2]["score"], found[1]["score"]) == ("", "2")


def test_evaluations_have_a_line_each(standard: Bench, tmp_path: Path) -> None:
    found = exported(standard, tmp_path / "out")["evaluations.csv"]
    source = standard.results().evaluations
    assert len(found) == len(source) > 6
    for row, score in zip(found, source["score"], strict=True):
        assert float(row["score"]) == pytest.approx(score, rel=1e-5)


def test_claims_are_those_that_were_judged(standard: Bench, tmp_path: Path) -> None:
    found = exported(standard, tmp_path / "out")["claims.csv"]
    assert found
    assert {row["paper"] for row in found} == {"romi"}
    assert not {"not run", "not judged"} & {row["verdict"] for row in found}
    assert [row["id"] for row in found] == ["R21"]
    standard.arm("bcq", runs([1.0, 2.0, 3.0]), experiment="elsewhere", overrides={"eta": 0.5})
    assert "claims.csv" not in exported(standard, tmp_path / "one", experiments=["elsewhere"])


def test_starts_stand_once_and_outcomes_by_run(pushes: Bench, tmp_path: Path) -> None:
    paths = export.export(space_of(pushes), tmp_path / "out", [], [])
    found = {path.name: list(csv.DictReader(path.open(newline=""))) for path in paths}
    starts = ARM
    assert [float(row["x"]) for row in found["starts.csv"]] == pytest.approx(starts["x"], rel=1e-5)
    assert [float(row["y"]) for row in found["starts.csv"]] == pytest.approx(starts["y"], rel=1e-5)
    assert [row["start"] for row in found["starts.csv"]] == [str(i) for i in range(40)]
    won = {(row["algo"], row["seed"]): row["outcomes"] for row in found["outcomes.csv"]}
    for algo, outcomes in WON.items():
        for seed, each in enumerate(outcomes):
            assert won[algo, str(seed)] == "".join("1" if one else "0" for one in each)


def test_arms_with_other_starts_are_not_mixed(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "two", experiment="table1")
    for algo, moved in (("il_bc", 0.0), ("bmil_code", 0.1)):
        starts = {**ARM, "x": [ARM["x"][0] + moved, *ARM["x"][1:]]}
        bench.arm(algo, finished(), task=PUSH, evaluation=evaluation(starts, WON[algo]))
    with pytest.raises(AnalysisError, match=r"bmil_code on fetch-push-v0.*40 other starts"):
        export.export(space_of(bench), tmp_path / "out", [], [])
    fewer = arm_starts(30)  # a list of its own
    bench.change(bench.arms[1], evaluation=evaluation(fewer, arm_outcomes(fewer, 0.07)))
    export.export(space_of(bench), tmp_path / "out", [], [])
    rows = list(csv.DictReader((tmp_path / "out" / "starts.csv").open(newline="")))
    assert [row["starts"] for row in rows] == ["40"] * 40 + ["30"] * 30


def test_the_same_results_give_the_same_bytes(standard: Bench, tmp_path: Path) -> None:
    first = export.export(standard.space, tmp_path / "a", [], [])
    again = export.export(standard.space, tmp_path / "b", [], [])
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_what_cannot_be_exported_is_one_line(standard: Bench, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"--experiment: unknown experiment 'maze2d_smal'"):
        exported(standard, tmp_path / "out", experiments=["maze2d_smal"])
    with pytest.raises(PlanError, match=r"--paper: unknown paper 'rome'"):
        exported(standard, tmp_path / "out", papers=["rome"])
    standard.arm("bcq", None, experiment="empty", overrides={"eta": 0.5})
    with pytest.raises(AnalysisError, match=r"tier 'quick' to export: no results of empty"):
        exported(standard, tmp_path / "out", experiments=["empty"])
    assert not (tmp_path / "out").exists()


def test_the_command_names_the_files_or_the_mistake(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--tier", "quick", "--root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert export.main(options) == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert text.count("\n") == 1
