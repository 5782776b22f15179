"""Exported runs stand in for missing ones: the same numbers, only where the digest fits, and said so."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from export_sets import edit, exports, from_export, without_results
from result_sets import Bench, failed_run, run, runs
from start_sets import (
    ARM,
    PICK,
    PUSH,
    ROOM,
    WON,
    evaluation,
    finished,
    maze_outcomes,
    maze_starts,
    space_of,
)

from analysis import claims, labels, report
from analysis.footnotes import footnotes
from analysis.load import read_elsewhere
from analysis.starts import read_starts


def test_exported_runs_have_the_numbers_of_the_runs_themselves(
    bench: Bench, tmp_path: Path
) -> None:
    bench.arm("bcq", [*runs([-9.0, -6.0]), failed_run(2)], blocks=3)
    hardware = {"cpu": "A", "cores": 16, "gpu": "G", "capability": "AVX512"}
    bench.arm("romi_bcq", runs([20.0, 22.5, 50.0], goal_hold=0.7), hardware=hardware)
    own = bench.results()
    out = exports(bench.space, tmp_path / "out")
    without_results(bench)
    found = from_export(bench, out)
    for mine, theirs in zip(own.arms, found.arms, strict=True):
        assert [run.seed for run in mine.runs] == [run.seed for run in theirs.runs]
        assert [dict(run.metrics) for run in mine.runs] == [
            pytest.approx(dict(run.metrics), rel=1e-5) for run in theirs.runs
        ]
        assert [(r.seed, r.reason) for r in mine.failed] == [
            (r.seed, r.reason) for r in theirs.failed
        ]
        assert (mine.missing, mine.sources) == (theirs.missing, theirs.sources)
        for describe in (labels.data, labels.precision, labels.hardware, labels.budget):
            assert describe(mine) == describe(theirs)
        for metric in ("score", "evaluation.score"):
            assert labels.evaluation(mine, metric) == labels.evaluation(theirs, metric)
        assert sum(r.wall_seconds for r in mine.records) == sum(
            r.wall_seconds for r in theirs.records
        )
        names = ["seed", "status", "update", "score", "goal_hold", "mean_q"]
        assert mine.evaluations[names].equals(theirs.evaluations[names])


def test_an_export_of_exported_runs_is_the_same_to_the_byte(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", [*runs([-9.0, 1 / 3]), failed_run(2)], blocks=3)
    first = exports(bench.space, tmp_path / "first")
    without_results(bench)
    again = exports(replace(bench.space, exports=(first,)), tmp_path / "again")
    names = sorted(path.name for path in first.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    for name in names:
        assert (first / name).read_bytes() == (again / name).read_bytes(), name


def test_starts_scenes_and_outcomes_come_back(pushes: Bench, tmp_path: Path) -> None:
    space = space_of(pushes)
    own = [read_starts(arm, space.root) for arm in space.load().arms]
    out = exports(space, tmp_path / "out")
    without_results(pushes)
    for mine, arm in zip(own, from_export(pushes, out).arms, strict=True):
        theirs = read_starts(arm, space.root)
        assert mine is not None and theirs is not None
        assert np.allclose(mine.place, theirs.place, rtol=1e-5)
        assert (mine.names, mine.scene, mine.marked) == (theirs.names, theirs.scene, theirs.marked)
        assert {s: [*won] for s, won in mine.succeeded.items()} == {
            s: [*won] for s, won in theirs.succeeded.items()
        }


def test_cells_of_mazes_come_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path, experiment="table1")
    starts = maze_starts(ROOM, 2)
    bench.arm("il_bc", runs([1.0, 2.0, 3.0]), task=ROOM,
              evaluation=evaluation(starts, maze_outcomes(starts, 4.0)))  # fmt: skip
    mine = read_starts(bench.results().arms[0], tmp_path)
    out = exports(space_of(bench), tmp_path / "out")
    without_results(bench)
    theirs = read_starts(from_export(bench, out).arms[0], tmp_path)
    assert mine is not None and theirs is not None
    assert theirs.marked == mine.marked == {"start_cell": (3, 1), "goal_cell": (3, 11)}
    assert np.array_equal(mine.cell, theirs.cell) and mine.names == theirs.names
    assert np.array_equal(mine.rates, theirs.rates)


def test_own_runs_come_first_and_exported_ones_fill_the_gaps(bench: Bench, tmp_path: Path) -> None:
    arm = bench.arm("bcq", runs([1.0, 2.0, 3.0]), blocks=3)
    out = exports(bench.space, tmp_path / "out")
    (bench.root / arm.results[0]).unlink()
    bench.change(replace(arm, results=arm.results[1:]), runs=runs([0.0, 7.0])[1:])
    found = from_export(bench, out).arms[0]
    assert [*found.values("score")] == [1.0, 7.0, 3.0]
    assert found.missing == ()
    assert found.exported() == {out: [0]}
    assert [record.export and record.export.folder for record in found.records] == [None, None, out]
    assert [record.path for record in found.records][2] == f"{out}/runs.csv, line 2"


def test_starts_of_own_and_exported_blocks_are_one_list(pushes: Bench, tmp_path: Path) -> None:
    out = exports(space_of(pushes), tmp_path / "out")
    (pushes.root / pushes.arms[0].results[1]).unlink()
    found = read_starts(from_export(pushes, out).arms[0], pushes.root)
    assert found is not None
    assert {seed: [*won] for seed, won in found.succeeded.items()} == dict(enumerate(WON["il_bc"]))
    edit(out / "starts.csv", 3, x=str(ARM["x"][1] + 0.01))
    with pytest.raises(ValueError, match="other starts than in"):
        read_starts(from_export(pushes, out).arms[0], pushes.root)


def test_runs_of_another_specification_are_not_taken(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    out = exports(bench.space, tmp_path / "out")
    bench.arms[0] = replace(bench.arms[0], digest="0" * 64)  # the result files no longer fit either
    found = from_export(bench, out).arms[0]
    assert found.missing == (0, 1, 2) and not found.records and len(found.problems) == 1


def test_only_planned_seeds_are_taken(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    out = exports(bench.space, tmp_path / "out")
    without_results(bench)
    bench.arms[0] = replace(bench.arms[0], seeds=(1, 2, 3))
    found = from_export(bench, out).arms[0]
    assert ([run.seed for run in found.runs], found.missing) == ([1, 2], (3,))
    # What the job cost is not divided, however often the runs are handed on.
    for name in ("again", "and_again"):
        out = exports(replace(bench.space, exports=(out,)), tmp_path / name)
        row = next(csv.DictReader((out / "runs.csv").open(newline="")))
        assert (row["seed"], row["runs_of_the_job"]) == ("1", "3")


def test_of_several_exports_the_first_is_taken(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    first = exports(bench.space, tmp_path / "exports" / "a")
    second = exports(bench.space, tmp_path / "exports" / "b")
    edit(second / "runs.csv", 3, score="9")
    without_results(bench)
    assert [*from_export(bench, first.parent).arms[0].values("score")] == [1.0, 2.0, 3.0]
    assert [*from_export(bench, second, first).arms[0].values("score")] == [1.0, 9.0, 3.0]


def test_pages_say_what_was_not_made_here(standard: Bench, tmp_path: Path) -> None:
    out = exports(standard.space, tmp_path / "out")
    (standard.root / standard.arms[0].results[0]).unlink()
    found = from_export(standard, out)
    assert read_elsewhere(found.arms) == [f"3 runs from {out}"]
    lines = footnotes(found.arms, "score").lines
    (line,) = (line for line in lines if line.startswith("Read from"))
    assert line == (
        f"Read from {out}, not made here: bcq on maze2d-umaze-v1 (networks=small), seeds 0 to 2."
    )
    (line,) = (n for n in footnotes(found.arms[:1], "score").lines if n.startswith("Read from"))
    assert line == f"Read from {out}, not made here: all runs."
    assert not any(
        line.startswith("Read from") for line in footnotes(found.arms[1:], "score").lines
    )


def test_claims_are_judged_alike(standard: Bench, tmp_path: Path) -> None:
    own = claims.render(claims.judge_all(standard.space, standard.results()))
    out = exports(standard.space, tmp_path / "out")
    without_results(standard)
    space = replace(standard.space, exports=(out,))
    assert claims.render(claims.judge_all(space, space.load())) == own
    text = report.write_report(space, space.load())
    assert f"Not made here: 6 runs from {out}." in text
    assert f"6 runs from {out}" in (standard.root / "results/quick/report.html").read_text()


def test_of_a_job_that_was_taken_in_part_the_rest_is_not_claimed(
    bench: Bench, tmp_path: Path
) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    whole = exports(bench.space, tmp_path / "whole")
    without_results(bench)
    bench.arms.clear()
    arm = bench.arm("bcq", runs([7.0, 8.0, 9.0]), blocks=3)
    (bench.root / arm.results[2]).unlink()
    found = from_export(bench, whole).arms[0]
    assert [*found.values("score")] == [7.0, 8.0, 3.0]
    assert found.exported() == {whole: [2]}
    (line,) = (n for n in footnotes([found], "score").lines if n.startswith("Read from"))
    assert "all runs" not in line and line.endswith("seeds 2.")
    # two exports, one of which has all: each run is counted where it was taken
    first = exports(bench.space, tmp_path / "first")
    without_results(bench)
    assert from_export(bench, first, whole).arms[0].exported() == {first: [0, 1], whole: [2]}


def test_a_report_counts_a_run_once_that_experiments_share(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]), blocks=3)
    bench.arm("bcq", runs([1.0])[:1], seeds=[0], experiment="smaller")
    report.write_report(bench.space, bench.results())
    own = (bench.root / "results/quick/report.html").read_text(encoding="utf-8")
    assert "Not made here" not in own and "exported=" not in own
    out = exports(bench.space, tmp_path / "out")
    without_results(bench)
    space = replace(bench.space, exports=(out,))
    assert f"Not made here: 3 runs from {out}." in report.write_report(space, space.load())
    page = (bench.root / "results/quick/report.html").read_text(encoding="utf-8")
    assert f"3 runs from {out}" in page and "4 runs from" not in page
    assert f"--config tier=quick exported={out}" in page


def test_lists_of_several_tasks_are_kept_apart(tmp_path: Path) -> None:
    """Both have 40 starts, other places and another scene."""
    bench = Bench(tmp_path, experiment="table1")
    other = {**ARM, "x": [x + 0.2 for x in ARM["x"]], "scene": {"start": [1.0, 2.0]}}
    for task, starts in ((PUSH, ARM), (PICK, other)):
        bench.arm("il_bc", finished(), task=task, evaluation=evaluation(starts, WON["il_bc"]))
    own = [read_starts(arm, tmp_path) for arm in bench.results().arms]
    out = exports(space_of(bench), tmp_path / "out")
    without_results(bench)
    for mine, arm in zip(own, from_export(bench, out).arms, strict=True):
        theirs = read_starts(arm, tmp_path)
        assert mine is not None and theirs is not None and mine.scene == theirs.scene
        assert np.allclose(mine.place, theirs.place, rtol=1e-5)
    again = exports(replace(space_of(bench), exports=(out,)), tmp_path / "again")
    assert (again / "starts.csv").read_bytes() == (out / "starts.csv").read_bytes()
    assert (again / "scenes.csv").read_bytes() == (out / "scenes.csv").read_bytes()
    assert (again / "outcomes.csv").read_bytes() == (out / "outcomes.csv").read_bytes()


def test_metrics_called_like_a_column_and_long_counts_come_back(
    bench: Bench, tmp_path: Path
) -> None:
    entries = [run(seed, 1.0, updates=100.0 + seed) for seed in range(3)]
    for entry in entries:
        entry["evaluations"][0]["update"], entry["evaluations"][1]["update"] = 1234567, 1234568
    bench.arm("bcq", entries, environment_steps=1234567)
    out = exports(bench.space, tmp_path / "out")
    without_results(bench)
    found = from_export(bench, out).arms[0]
    assert [*found.values("updates")] == [100.0, 101.0, 102.0]
    assert [record.updates for record in found.records] == [1000]
    assert [record.environment_steps for record in found.records] == [1234567]
    assert [record.version for record in found.records] == [None]
    assert [*found.evaluations["update"][:2]] == [1234567, 1234568]


def test_arms_that_cannot_run_here_take_no_runs(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    bench.arm("bc", runs([1.0, 2.0, 3.0]))
    out = exports(bench.space, tmp_path / "out")
    bench.arms[0] = replace(bench.arms[0], status="not implemented", reason="no", results=())
    assert exports(replace(bench.space, exports=(out,)), tmp_path / "again")
    assert not from_export(bench, out).arms[0].runs


@pytest.mark.parametrize(
    ("hardware", "text"),
    [
        ({"cpu": "A", "cores": 2, "capability": "AVX512"}, "A (2 cores, AVX512)"),
        ({"cpu": "A", "capability": "AVX2"}, "A (AVX2)"),
        ({"cpu": "A"}, "A"),
        ({"cpu": "A", "cores": 16, "gpu": "G"}, "A (16 cores), G"),
    ],
)
def test_processors_of_one_name_are_told_apart(
    bench: Bench, hardware: dict[str, object], text: str
) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]), hardware=hardware)
    assert labels.hardware(bench.results().arms[0]) == text


def test_a_report_lists_each_machine_once(bench: Bench, tmp_path: Path) -> None:
    """Also where an arm has runs of two machines."""
    arm = bench.arm("bcq", runs([1.0, 2.0, 3.0]), blocks=3)
    bench.arm("romi_bcq", runs([1.0, 2.0, 3.0]))
    bench.change(arm, hardware={"cpu": "Other CPU", "cores": 4}, versions={"hindcast": "other"})
    report.write_report(bench.space, bench.results())
    page = (bench.root / "results/quick/report.html").read_text(encoding="utf-8")
    facts = page[page.index(">Hardware<") : page.index(">Make it again<")]
    assert facts.count("Other CPU (4 cores)") == 1 and facts.count("Test CPU (2 cores)") == 1
    assert facts.count("hindcast other") == 1 and facts.count("hindcast abc1234") == 1
