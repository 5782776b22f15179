"""Metrics by name: what they read of a run, and names that mean nothing."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from claim_sets import curves
from result_sets import Bench

from analysis.errors import AnalysisError
from analysis.history import History, not_finite, read_history
from analysis.metrics import parse_metric
from analysis.records import Run

RUN = Run(
    0,
    {"score": 7.0, "fit.dynamics.holdout_mse": 0.5},
    read_history([{"update": u, "score": s} for u, s in [(100, 0.0), (200, 4.0), (400, 6.0)]]),
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("score", 7.0),
        ("fit.dynamics.holdout_mse", 0.5),
        # Trapezoids: 2 over 100 updates, 5 over 200: 1200 / 300.
        ("auc:score", 4.0),
        ("last:score", 5.0),
        ("steps_to:score>=4", 200.0),
        ("steps_to:score>=4.5", 400.0),
        ("steps_to:score<=0", 100.0),
        ("solved:score>=6", 1.0),
        ("solved:score>=6.1", 0.0),
    ],
)
def test_values_of_one_run(name: str, value: float) -> None:
    reading = parse_metric(name).read(RUN, last=2)
    assert reading.value == pytest.approx(value)
    assert reading.absent == ""


def test_a_level_that_is_not_reached_is_censored_at_the_end_of_training() -> None:
    reading = parse_metric("steps_to:score>=9").read(RUN)
    assert (reading.value, reading.censored, reading.end, reading.spacing) == (400, True, 400, 200)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scor", "no metric 'scor'; did you mean 'score'?"),
        ("auc:return", "its evaluations have no 'return'"),
        ("last:score", "does not say how many evaluations"),
    ],
)
def test_why_a_run_does_not_have_a_metric(name: str, message: str) -> None:
    reading = parse_metric(name).read(RUN)
    assert message in reading.absent
    assert math.isnan(reading.value)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([{"update": 1, "score": math.nan}, {"update": 2, "score": 1.0}], "missing or not finite"),
        ([{"update": 1, "score": None}, {"update": 2, "score": 1.0}], "missing or not finite"),
        ([{"update": 1, "score": 1.0}], "fewer than two evaluations"),
        ([{"score": 1.0}, {"score": 2.0}], "do not say when they were made"),
        ([], "no 'score'"),
    ],
)
def test_curves_with_holes_give_no_number(points: list[dict[str, Any]], message: str) -> None:
    reading = parse_metric("auc:score").read(Run(0, {}, read_history(points)))
    assert message in reading.absent


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acu:score", "unknown form 'acu'; did you mean 'auc'?"),
        ("auc:", "must be written auc:NAME"),
        ("auc:score>=1", "must be written auc:NAME"),
        ("steps_to:score", "must be written steps_to:NAME>=X or steps_to:NAME<=X"),
        ("solved:score>1", "must be written solved:NAME>=X"),
        ("solved:score>=1e", "must be written solved:NAME>=X"),
        ("solved:score>=1e999", "must be written solved:NAME>=X"),
        ("score>=1", "is not a name, nor one of auc:NAME"),
        ("", "is not a name"),
    ],
)
def test_names_that_mean_nothing(name: str, message: str) -> None:
    with pytest.raises(AnalysisError) as caught:
        parse_metric(name)
    assert message in str(caught.value)


def test_steps_of_the_task_are_the_axis_where_they_are_counted() -> None:
    steps = [{"update": 1, "step": 100, "x": 0.0}, {"update": 2, "step": 400, "x": 1.0}]
    assert parse_metric("steps_to:x>=1").read(Run(0, {}, read_history(steps))).value == 400
    # An offline method may write the count as 0 throughout: then updates are the axis.
    offline = [{"update": 1, "step": 0, "x": 0.0}, {"update": 2, "step": 0, "x": 1.0}]
    assert read_history(offline).axis == "update"


def test_histories_keep_numbers_and_holes() -> None:
    history = read_history([{"update": 1, "a": None, "b": "x"}, {"update": 2, "a": 3, "c": True}])
    assert history.names == ("update", "a")
    assert list(history) == [{"update": 1.0}, {"update": 2.0, "a": 3.0}]
    np.testing.assert_array_equal(history.matrix(("a", "z")), [[math.nan] * 2, [3.0, math.nan]])
    assert read_history([{"update": 1, "a": None}]).names == ("update",)
    assert read_history([{"update": 1, "a": math.nan}]).names == ("update", "a")
    assert (len(History()), History().axis) == (0, None)


def test_a_null_is_not_a_broken_number() -> None:
    assert not not_finite([{"a": None, "b": 1.0, "c": "x"}])
    assert not_finite([{"a": None}, {"a": math.inf}])


def test_training_goes_forward() -> None:
    with pytest.raises(ValueError, match="not in order of training"):
        read_history([{"update": 2, "score": 1.0}, {"update": 1, "score": 2.0}])


def test_tables_may_ask_for_them_too(bench: Bench) -> None:
    """`report_evaluations` is 3 in these results."""
    bench.arm("bcq", curves([0.0, 3.0, 6.0, 9.0], [1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 9.0]))
    (arm,) = bench.results().arms
    assert arm.values("last:score") == pytest.approx([6.0, 1.0, 3.0])
    assert arm.values("auc:score") == pytest.approx([4.5, 1.0, 1.5])
    assert arm.values("nothing").size == 0
