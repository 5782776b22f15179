"""Geometry of the report's drawings: where things stand, not what colour they have."""

from __future__ import annotations

import math

import pytest
from result_sets import Bench, failed_run, learning_curve, run, runs

from analysis import report_plots as plots
from analysis.load import ArmResult
from analysis.published import Value
from analysis.statistics import Interval
from analysis.tables import Row

LEFT, TOP, RIGHT, BOTTOM = plots.CURVE_FRAME


def arm(bench: Bench, content: list[dict[str, object]]) -> ArmResult:
    bench.arm("bcq", content, seeds=range(len(content)))  # type: ignore[arg-type]
    return bench.results().arms[0]


def places(points: str) -> list[tuple[float, ...]]:
    return [tuple(map(float, point.split(","))) for point in points.split()]


def test_a_curve_fills_its_frame(bench: Bench) -> None:
    curve = plots.learning_curve(arm(bench, runs([10.0, 40.0])))
    assert curve is not None and curve.metric == "score"
    # Scores 5 and 10, 20 and 40, at updates 500 and 1000: the frame runs from 5 to 40.
    middle = (LEFT + RIGHT) / 2
    assert places(curve.runs[0]) == [(middle, BOTTOM), (RIGHT, pytest.approx(123.1, abs=0.1))]
    assert places(curve.runs[1])[-1] == (RIGHT, TOP)
    mean = BOTTOM - (25.0 - 5.0) / 35.0 * (BOTTOM - TOP)
    assert places(curve.mean)[-1] == (RIGHT, pytest.approx(mean, abs=0.06))
    assert [tick.text for tick in curve.y_ticks] == ["10", "20", "30", "40"]
    assert [tick.text for tick in curve.x_ticks] == ["0", "500", "1k"]
    assert curve.text == "score during training of 2 runs, from 5 to 40"


def test_a_failed_run_ends_in_a_cross_and_flattens_nothing(bench: Bench) -> None:
    bad = failed_run(2)
    bad["evaluations"] = [{"update": 250, "score": 0.0}, {"update": 500, "score": 1e9}]
    curve = plots.learning_curve(arm(bench, [*runs([10.0, 40.0]), bad]))
    assert curve is not None
    assert curve.crosses == (((LEFT + RIGHT) / 2, TOP),)
    assert places(curve.failed[0])[0] == (pytest.approx(LEFT + (RIGHT - LEFT) / 4), BOTTOM)
    assert [tick.text for tick in curve.y_ticks] == ["10", "20", "30", "40"]
    assert "3 runs, 1 of which failed" in curve.text


def test_the_mean_ends_where_a_run_ends(bench: Bench) -> None:
    long, short = learning_curve(0, 30.0, 4.0), learning_curve(1, 40.0, 4.0)
    short["evaluations"] = short["evaluations"][:3]
    curve = plots.learning_curve(arm(bench, [long, short]))
    assert curve is not None
    assert [len(places(points)) for points in (*curve.runs, curve.mean)] == [5, 3, 3]


def test_long_histories_are_thinned_to_their_ends(bench: Bench) -> None:
    curve = plots.learning_curve(arm(bench, [learning_curve(0, 30.0, 4.0, points=1000)]))
    assert curve is not None
    found = places(curve.runs[0])
    assert len(found) == plots.MOST_POINTS and curve.mean == ""
    assert found[-1][0] == RIGHT


def test_an_arm_without_evaluations_has_no_curve(bench: Bench) -> None:
    content = [{**run(0, 1.0), "evaluations": []}]
    assert plots.learning_curve(arm(bench, content)) is None


def test_other_metrics_are_drawn_where_there_is_no_score(bench: Bench) -> None:
    content = [
        {**run(0, 1.0), "evaluations": [{"update": u, "distance": 1.0 * u} for u in (1, 2, 3)]}
    ]
    curve = plots.learning_curve(arm(bench, content))
    assert curve is not None and curve.metric == "distance"


def test_methods_that_act_are_drawn_along_their_steps(bench: Bench) -> None:
    points = [{"environment_step": 10.0 * u, "update": u, "return": 1.0 * u} for u in (1, 2)]
    curve = plots.learning_curve(arm(bench, [{**run(0, 1.0), "evaluations": points}]))
    assert curve is not None and (curve.metric, curve.axis) == ("return", "environment step")
    assert [tick.text for tick in curve.x_ticks] == ["0", "5", "10", "15", "20"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1000.0, [0, 500, 1000]),
        (-15.0, 44.0, [0, 20, 40]),
        (0.001, 0.0031, [0.001, 0.002, 0.003]),
        (-3.0, -1.0, [-3, -2.5, -2, -1.5, -1]),
    ],
)
def test_ticks_are_round(low: float, high: float, expected: list[float]) -> None:
    assert plots.ticks(low, high, 4) == pytest.approx(expected)


def test_tick_labels() -> None:
    values = (0.0, -20.0, 2500.0, 1e6, 0.30000000000000004)
    assert [plots.short(v) for v in values] == ["0", "\N{MINUS SIGN}20", "2.5k", "1M", "0.3"]


def row(values: list[float], paper: float | None = None) -> Row:
    value = Value("3", "t", "a", "base", "score", paper, 1.0, "sd", 3, "", "") if paper else None
    half = 2.0 if len(values) > 1 else math.nan
    ours = Interval(sum(values) / len(values), half, len(values)) if values else None
    return Row("s", "t", "a", ours=ours, runs=tuple(values), published=value)


def test_a_strip_places_runs_paper_and_interval_on_one_axis() -> None:
    rows = [row([0.0, 10.0], paper=100.0), row([50.0]), row([])]
    source = plots.shared_axis(rows)
    assert source == (0.0, 100.0)
    strip = plots.strip(rows[0], source)
    assert strip is not None
    low, width = plots.STRIP_MARGIN, plots.STRIP_SIZE[0] - 2 * plots.STRIP_MARGIN
    assert strip.runs == (low, low + 0.1 * width)
    assert strip.paper == low + width and strip.mean == low + 0.05 * width
    assert strip.interval == (pytest.approx(low + 0.03 * width), pytest.approx(low + 0.07 * width))
    assert plots.strip(rows[1], source).interval is None  # type: ignore[union-attr]
    assert plots.strip(rows[2], source) is None


def test_wide_intervals_are_cut_and_do_not_press_the_runs_together() -> None:
    wide = Row("s", "t", "a", ours=Interval(5.0, 1000.0, 2), runs=(4.0, 6.0))
    assert plots.shared_axis([wide]) == (4.0, 6.0)
    strip = plots.strip(wide, (4.0, 6.0))
    assert strip is not None
    assert strip.interval == (plots.STRIP_MARGIN, plots.STRIP_SIZE[0] - plots.STRIP_MARGIN)


def test_a_difference_shows_zero() -> None:
    difference = Row("s", "t", "a - b", ours=Interval(30.0, 10.0, 3))
    assert plots.shared_axis([difference]) == (0.0, 40.0)
    strip = plots.strip(difference, (0.0, 40.0))
    assert strip is not None and strip.zero == plots.STRIP_MARGIN


def test_equal_runs_stand_in_the_middle() -> None:
    assert plots.shared_axis([row([8.0, 8.0])]) == (4.0, 12.0)
    assert plots.shared_axis([row([0.0])]) == (-0.5, 0.5)
    assert plots.shared_axis([row([])]) is None
