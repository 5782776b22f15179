"""Damaged exports: what is wrong is named by file, line and column; nothing wrong passes for a result."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from export_sets import edit, exports, from_export, without_results
from result_sets import Bench, runs
from start_sets import space_of

from analysis import export
from analysis.errors import AnalysisError
from analysis.exported import read_exported
from analysis.starts import read_starts
from paper_tables.errors import PlanError
from paper_tables.exported import NEEDED


@pytest.mark.parametrize(
    ("cells", "reason"), [({"score": "nan"}, "score not finite"), ({"score": "inf"}, "score not")]
)
def test_a_number_that_is_not_finite_is_a_failed_run(
    bench: Bench, tmp_path: Path, cells: dict[str, str], reason: str
) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    out = exports(bench.space, tmp_path / "out")
    without_results(bench)
    edit(out / "runs.csv", 3, **cells)
    (failed,) = from_export(bench, out).arms[0].failed
    assert failed.seed == 1 and reason in failed.reason


def test_runs_without_metrics_are_failed_runs(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    out = exports(bench.space, tmp_path / "out")
    without_results(bench)
    path = out / "runs.csv"
    rows = [{n: row[n] for n in NEEDED} for row in csv.DictReader(path.open(newline=""))]
    path.write_text(export._csv(rows), encoding="utf-8")
    found = from_export(bench, out).arms[0]
    assert {run.reason for run in found.failed} == {"no metric recorded"} and not found.runs


def test_that_nothing_fits_is_said(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    out = exports(bench.space, tmp_path / "out")
    without_results(bench)
    bench.arms[0] = replace(bench.arms[0], digest="0" * 64)
    with pytest.raises(AnalysisError, match="none of the 3 exported runs is one of it"):
        from_export(bench, out)


BROKEN = [
    ("runs.csv", {"seed": "two"}, r"runs\.csv, line 3: seed is 'two', wanted a number"),
    ("runs.csv", {"seed": "0"}, r"runs\.csv, line 3: the run of line 2 again, seed 0; delete one"),
    ("runs.csv", {"score": "high"}, r"runs\.csv, line 3: score is 'high', wanted a number"),
    ("runs.csv", {"updates": "1k"}, r"runs\.csv, line 3: updates is '1k', wanted a number"),
    ("runs.csv", {"updates": ""}, r"runs\.csv, line 3: updates is empty, wanted a number"),
    ("runs.csv", {"updates": "nan"}, r"runs\.csv, line 3: updates is 'nan', wanted a whole number"),
    ("runs.csv", {"cores": "inf"}, r"runs\.csv, line 3: cores is 'inf', wanted a whole number"),
    (
        "runs.csv",
        {"data_learnt": "2.5"},
        r"runs\.csv, line 3: data_learnt is '2.5', wanted a whole",
    ),
    (
        "runs.csv",
        {"algo": "foo"},
        r"line 3: digest \w+ belongs to bcq on maze2d-umaze-v1, not to foo",
    ),
    ("evaluations.csv", {"score": "x"}, r"evaluations\.csv, line 3: score is 'x', wanted a number"),
    ("evaluations.csv", {"seed": ""}, r"evaluations\.csv, line 3: seed is '', wanted a number"),
    ("evaluations.csv", {"update": "1"}, r"bcq \S+ \S+, seed 0: evaluations are not in order"),
]


@pytest.mark.parametrize(("name", "cells", "message"), BROKEN)
def test_a_damaged_cell_is_named(
    standard: Bench, tmp_path: Path, name: str, cells: dict[str, str], message: str
) -> None:
    out = exports(standard.space, tmp_path / "out")
    edit(out / name, 3, **cells)
    without_results(standard)
    with pytest.raises(PlanError, match=message):
        from_export(standard, out)


BROKEN_STARTS = [
    ("starts.csv", {"start": "2"}, r"starts\.csv, line 3: start 2 of fetch-push-v0, wanted 1"),
    ("starts.csv", {"y": "inf"}, r"starts\.csv, line 3: '\S+', 'inf' is no place, wanted metres"),
    ("starts.csv", {"task": "x"}, r"starts\.csv, line 4: start 2 of fetch-push-v0, wanted 1"),
    ("outcomes.csv", {"seed": "x"}, r"outcomes\.csv, line 3: seed is 'x', wanted a number"),
    ("outcomes.csv", {"outcomes": "01"}, r"outcomes are not 40 digits 0 or 1"),
    ("scenes.csv", {"x": "left"}, r"scenes\.csv, line 3: x is 'left', wanted a number"),
]


@pytest.mark.parametrize(("name", "cells", "message"), BROKEN_STARTS)
def test_a_damaged_start_is_named(
    pushes: Bench, tmp_path: Path, name: str, cells: dict[str, str], message: str
) -> None:
    out = exports(space_of(pushes), tmp_path / "out")
    edit(out / name, 3, **cells)
    without_results(pushes)
    with pytest.raises((PlanError, AnalysisError), match=message):
        read_starts(from_export(pushes, out).arms[0], pushes.root)


def test_a_list_that_is_cut_off_is_told(pushes: Bench, tmp_path: Path) -> None:
    out = exports(space_of(pushes), tmp_path / "out")
    without_results(pushes)
    path = out / "starts.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-3]), encoding="utf-8")
    with pytest.raises(PlanError, match=r"starts\.csv: 37 of the 40 starts of fetch-push-v0"):
        read_starts(from_export(pushes, out).arms[0], pushes.root)


def test_files_but_runs_are_optional(pushes: Bench, tmp_path: Path) -> None:
    out = exports(space_of(pushes), tmp_path / "out")
    without_results(pushes)
    for name in ("scenes.csv", "starts.csv", "outcomes.csv"):
        (out / name).unlink()
        found = read_starts(from_export(pushes, out).arms[0], pushes.root)
        assert (found is None) == (name != "scenes.csv")


def test_other_files_are_refused_by_name(standard: Bench, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"nowhere: no runs\.csv in or below it"):
        read_exported([tmp_path / "nowhere"])
    out = exports(standard.space, tmp_path / "out")
    (out / "runs.csv").write_text("algo,seed\nbcq,0\n", encoding="utf-8")
    with pytest.raises(PlanError, match=r"runs\.csv: no column 'task'; wanted is a file of python"):
        read_exported([out])
