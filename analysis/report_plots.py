"""Geometry of the report's small drawings, in the units of their SVG; the templates only draw it.

Two drawings: the learning curves of an arm, and the strip beside a number of a table that shows the
single runs, the mean with its interval, and the paper's value on one axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.history import AXES
from analysis.labels import MINUS
from analysis.load import ArmResult
from analysis.records import FailedRun, Run
from analysis.tables import Row

#: Metrics of evaluations in the order of preference; an arm without any of them shows its first one.
CURVE_METRICS = ("score", "return", "success", "holdout_mse")
#: What counts the length of training, the first that the evaluations have.
#: Points drawn of one run; more would not be seen at this width, and the file grows with them.
MOST_POINTS = 80

#: Size of the learning curves, and the frame inside it that leaves room for the tick labels.
CURVE_SIZE = (360.0, 168.0)
CURVE_FRAME = (44.0, 10.0, 350.0, 142.0)
#: Size of a strip and the margin that keeps its outermost mark whole.
STRIP_SIZE = (180.0, 18.0)
STRIP_MARGIN = 5.0
#: How far a tick may lie beyond the data, as a share of the step between ticks.
_TICK_SLACK = 1e-9

Range = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A mark on an axis: where it stands and what it says."""

    at: float
    text: str


@dataclass(frozen=True)
class Curve:
    """Learning curves of one arm: `runs` and `failed` are the points of an SVG polyline each."""

    metric: str
    axis: str
    runs: tuple[str, ...]
    mean: str
    failed: tuple[str, ...]
    crosses: tuple[tuple[float, float], ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    zero: float | None
    text: str


@dataclass(frozen=True)
class Strip:
    """One row's runs on an axis: places in SVG units; `interval` and `paper` where they exist."""

    runs: tuple[float, ...]
    mean: float
    interval: Range | None
    paper: float | None
    zero: float | None


def _place(value: float, source: Range, target: Range) -> float:
    """Map `value` from one range to another, rounded to a tenth of a unit and clipped to it."""
    share = (value - source[0]) / (source[1] - source[0])
    low, high = sorted(target)
    return round(min(max(target[0] + share * (target[1] - target[0]), low), high), 1)


def _padded(values: Iterable[float]) -> Range:
    """The range of finite values, never empty and never of width 0."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    if high > low:
        return low, high
    return low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2


def step(width: float, count: int) -> float:
    """The 1, 2 or 5 times a power of ten that cuts `width` into about `count` parts."""
    raw = width / count
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if raw <= power * factor)


def ticks(low: float, high: float, count: int) -> list[float]:
    """Round values inside `low` to `high`."""
    size = step(high - low, count)
    first, last = math.ceil(low / size - _TICK_SLACK), math.floor(high / size + _TICK_SLACK)
    return [index * size for index in range(first, last + 1)]


def short(value: float) -> str:
    """A tick label: thousands as k and M, a true minus sign."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}".replace("-", MINUS)
    return f"{round(value, 10):g}".replace("-", MINUS)


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most `MOST_POINTS` of the points, evenly chosen, with the first and the last."""
    if len(points) <= MOST_POINTS:
        return list(points)
    return [points[i] for i in np.linspace(0, len(points) - 1, MOST_POINTS).astype(int)]


def _points(run: Run | FailedRun, axis: str, metric: str) -> list[tuple[float, float]]:
    """Places on `axis` and values of a run's evaluations where both are finite."""
    pairs = [(e[axis], e[metric]) for e in run.evaluations if metric in e and axis in e]
    return [pair for pair in pairs if all(map(math.isfinite, pair))]


def _measured(arm: ArmResult) -> dict[str, None]:
    """Names of all that the evaluations of an arm hold, in their order."""
    return dict.fromkeys(key for run in arm.every for point in run.evaluations for key in point)


def curve_metric(arm: ArmResult) -> str | None:
    """The metric that an arm's learning curve shows, None where nothing was evaluated."""
    names = [name for name in _measured(arm) if name not in AXES]
    return next((name for name in CURVE_METRICS if name in names), next(iter(names), None))


def learning_curve(arm: ArmResult) -> Curve | None:
    """The learning curves of an arm; None unless some run was evaluated twice."""
    metric = curve_metric(arm)
    axis = next(filter(None, (run.evaluations.axis for run in arm.every)), None)
    if metric is None or axis is None:
        return None
    runs = [_points(run, axis, metric) for run in arm.runs]
    failed = [points for run in arm.failed if (points := _points(run, axis, metric))]
    if not any(len(points) > 1 for points in (*runs, *failed)):
        return None
    # A run that diverged must not flatten the others: its line is cut at the frame.
    shown = [points for points in runs if points] or failed
    y = _padded(value for points in shown for _, value in points)
    x = (0.0, max(update for points in (*shown, *failed) for update, _ in points) or 1.0)
    left, top, right, bottom = CURVE_FRAME

    def line(points: Sequence[tuple[float, float]]) -> str:
        places = [
            (_place(a, x, (left, right)), _place(b, y, (bottom, top))) for a, b in _thinned(points)
        ]
        return " ".join(f"{a:g},{b:g}" for a, b in places)

    ends = [points[-1] for points in failed]
    return Curve(
        metric=metric,
        axis=axis.replace("_", " "),
        runs=tuple(line(points) for points in runs if points),
        mean=line(_mean(runs)),
        failed=tuple(line(points) for points in failed),
        crosses=tuple((_place(a, x, (left, right)), _place(b, y, (bottom, top))) for a, b in ends),
        x_ticks=tuple(Tick(_place(v, x, (left, right)), short(v)) for v in ticks(*x, 4)),
        y_ticks=tuple(Tick(_place(v, y, (bottom, top)), short(v)) for v in ticks(*y, 4)),
        zero=_place(0.0, y, (bottom, top)) if y[0] < 0 < y[1] else None,
        text=_words(metric, arm, y),
    )


def _mean(runs: Sequence[Sequence[tuple[float, float]]]) -> list[tuple[float, float]]:
    """Mean over the runs where every run was evaluated; nothing for a run alone."""
    tables = [dict(points) for points in runs]
    if len(tables) < 2:
        return []
    common = [update for update in tables[0] if all(update in table for table in tables)]
    return [(update, float(np.mean([t[update] for t in tables]))) for update in common]


def _words(metric: str, arm: ArmResult, y: Range) -> str:
    """The drawing for those who do not see it."""
    failed = f", {len(arm.failed)} of which failed" if arm.failed else ""
    count = len(arm.runs) + len(arm.failed)
    runs = "1 run" if count == 1 else f"{count} runs"
    return f"{metric} during training of {runs}{failed}, from {short_range(y)}"


def short_range(values: Range) -> str:
    """`low to high` with three significant digits."""
    return " to ".join(f"{value:.3g}".replace("-", MINUS) for value in values)


def shared_axis(rows: Sequence[Row]) -> Range | None:
    """The range that the rows of one task share: runs, paper's values, and where two are equal.

    Intervals do not widen it: with few runs they would press the runs together.
    """
    values = [value for row in rows for value in row.runs]
    values += [row.published.mean for row in rows if row.published and row.ours]
    for row in rows:
        if row.ours and not row.runs:
            values += [row.neutral, *row.ends, row.ours.mean]
    known = [value for value in values if math.isfinite(value)]
    return _padded(known) if known else None


def strip(row: Row, source: Range | None) -> Strip | None:
    """The strip of a row on the axis of its task; None where nothing of ours is there."""
    if row.ours is None or source is None:
        return None
    target = (STRIP_MARGIN, STRIP_SIZE[0] - STRIP_MARGIN)
    value = row.published.mean if row.published else math.nan
    return Strip(
        runs=tuple(_place(run, source, target) for run in row.runs),
        mean=_place(row.ours.mean, source, target),
        interval=_ends(row.ends, source, target),
        paper=_place(value, source, target) if math.isfinite(value) else None,
        zero=_place(row.neutral, source, target) if _within(row.neutral, source) else None,
    )


def _within(value: float, source: Range) -> bool:
    return source[0] <= value <= source[1]


def _ends(ends: Range, source: Range, target: Range) -> Range | None:
    """An interval, as far as the axis goes; None where there is none."""
    if any(map(math.isnan, ends)):
        return None
    return _place(ends[0], source, target), _place(ends[1], source, target)
