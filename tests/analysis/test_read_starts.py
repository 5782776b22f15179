"""Outcomes by start as they are read from result files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_sets import Bench, failed_run
from start_sets import ARM, WON, evaluation, finished

from analysis.errors import AnalysisError
from analysis.starts import Starts, read_starts


def test_outcomes_of_all_blocks_are_joined_by_seed(pushes: Bench) -> None:
    result = pushes.results().arms[0]
    assert len(result.records) == 3
    found = read_starts(result, pushes.root)
    assert found is not None
    assert {seed: [*won] for seed, won in found.succeeded.items()} == dict(enumerate(WON["il_bc"]))
    assert np.array_equal(found.place, np.array([ARM["x"], ARM["y"]]).T)
    assert found.scene["goal"] == (1.417, 0.824) and not found.marked and not found.on_map


def test_lists_and_words_in_a_run_leave_its_metrics_alone(pushes: Bench) -> None:
    (result, *_) = pushes.results().arms
    assert not result.problems
    expected = [100 * np.mean(won) for won in WON["il_bc"]]
    assert result.values("evaluation.robustness") == pytest.approx(expected)
    names = set(result.runs[0].metrics)
    assert {"evaluation.train_success", "evaluation.robustness_far"} <= names
    assert not names & {"evaluation.outcomes", "evaluation.reached_cells"}
    # Thousands of records stay in memory: none of them may hold its starts.
    assert result.records[0].evaluation == {"protocol": "displaced_starts"}


def test_a_failed_run_needs_no_outcomes(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    recorded = evaluation(ARM, WON["il_bc"][1:], first=1)
    bench.arm("il_bc", [failed_run(0), *finished()[1:]], evaluation=recorded)
    found = read_starts(bench.results().arms[0], tmp_path)
    assert found is not None and set(found.succeeded) == {1, 2} and found.first == 1


def test_evaluations_of_other_protocols_have_no_starts(standard: Bench) -> None:
    assert read_starts(standard.results().arms[0], standard.root) is None


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"y": ARM["y"][:-1]}, "no usable"),
    ({"cell": [0]}, "40 places for 1 cells"),
    ({"cell": [1] * 40}, "not one of the 1 that are named"),
    ({"scene": {"goal_cell": "north"}}, "'row,column', not 'north'"),
    ({"scene": {"goal": [1.0]}}, "no usable"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_starts_that_do_not_fit_are_one_line(
    pushes: Bench, changes: dict[str, Any], message: str
) -> None:
    pushes.change(pushes.arms[0], evaluation=evaluation({**ARM, **changes}, []))
    with pytest.raises(AnalysisError, match=message) as error:
        read_starts(pushes.results().arms[0], pushes.root)
    assert "result.json: evaluation.starts: " in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("01", "seed 0: outcomes are not 40 digits"), ("2" * 40, "digits 0 or 1")],
)
def test_outcomes_that_do_not_fit_are_one_line(pushes: Bench, text: str, message: str) -> None:
    found = {**evaluation(ARM, []), "runs": [{"seed": 0, "outcomes": text}]}
    pushes.change(pushes.arms[0], evaluation=found)
    with pytest.raises(AnalysisError, match=message):
        read_starts(pushes.results().arms[0], pushes.root)


def test_blocks_with_other_starts_are_not_joined(pushes: Bench) -> None:
    moved = {**ARM, "x": [x + 0.01 for x in ARM["x"]]}
    pushes.change(pushes.arms[0], evaluation=evaluation(moved, WON["il_bc"]))
    with pytest.raises(AnalysisError, match="other starts than in"):
        read_starts(pushes.results().arms[0], pushes.root)


def test_a_cell_without_starts_has_no_rate() -> None:
    won = {3: np.array([True, False, True]), 5: np.array([True, False, False])}
    names = ("1,1", "1,2", "2,1")
    starts = Starts(np.zeros((3, 2)), np.array([0, 0, 2]), names, won, {}, {})
    assert starts.rates == pytest.approx([0.5, np.nan, 0.5], nan_ok=True)
    assert starts.cells() == [(1, 1), (1, 2), (2, 1)] and starts.first == 3
