"""Metrics by name: numbers of a result, and numbers made of a run's evaluations during training.

| name | one run's value |
|---|---|
| `score`, `fit.dynamics.holdout_mse`, .. | as it stands in the result |
| `auc:NAME` | mean height of the curve of NAME over the training budget |
| `last:NAME` | mean of the last evaluations, as many as make up the run's score |
| `steps_to:NAME>=X` (or `<=`) | where on the axis of training NAME first reaches X; censored at the end |
| `solved:NAME>=X` (or `<=`) | 1 if NAME ever reaches X, else 0 |

The axis is that of the evaluations (`analysis.history.AXES`). Nothing is a maximum over training.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from analysis.errors import AnalysisError
from analysis.learning import Side, area_under_curve, steps_to_threshold
from analysis.records import Run
from analysis.statistics import Array

Form = Literal["plain", "auc", "last", "steps_to", "solved"]

#: Forms with a level to reach.
REACHING = ("steps_to", "solved")
FORMS = ("auc", "last", *REACHING)

_REACH = re.compile(r"^([^<>=]+?)\s*(>=|<=)\s*([-+0-9.eE]+)$")


@dataclass(frozen=True)
class Reading:
    """A metric of one run. `censored`: a level was not reached before the end of training.

    `end` is where training ended and `spacing` the distance of the last two evaluations (NaN for
    numbers that are not made of a curve). `absent` says why there is no value; it is NaN then.
    """

    value: float
    censored: bool = False
    absent: str = ""
    end: float = math.nan
    spacing: float = math.nan


def _absent(reason: str) -> Reading:
    return Reading(math.nan, absent=reason)


@dataclass(frozen=True)
class Metric:
    """A metric as spelled in a claim or table; `side` and `level` for forms that reach a level."""

    text: str
    form: Form
    name: str
    side: Side = ">="
    level: float = 0.0

    @property
    def of_curve(self) -> bool:
        """Whether it depends on how long training lasted."""
        return self.form in ("auc", *REACHING)

    def read(self, run: Run, last: int | None = None) -> Reading:
        """The metric of one finished run; `last` is how many evaluations make up its score."""
        if self.form == "plain":
            value = run.metrics.get(self.name)
            return _absent(self._unknown(run)) if value is None else Reading(value)
        history = run.evaluations
        if self.name not in history:
            return _absent(
                f"its evaluations have no '{self.name}'{_nearest(self.name, history.names)}"
            )
        if history.axis is None:
            return _absent("its evaluations do not say when they were made")
        x, y = history.column(history.axis), history.column(self.name)
        if not np.isfinite(y).all():
            return _absent(f"an evaluation of '{self.name}' is missing or not finite")
        if self.form == "last":
            if last is None:
                return _absent("its algorithm does not say how many evaluations make up a score")
            return Reading(float(y[-last:].mean()))
        if len(x) < 2:
            return _absent("fewer than two evaluations make no curve")
        return self._of_curve(x, y)

    def _of_curve(self, x: Array, y: Array) -> Reading:
        end, spacing = float(x[-1]), float(x[-1] - x[-2])
        if self.form == "auc":
            return Reading(float(area_under_curve(x, y)), end=end, spacing=spacing)
        steps, never = steps_to_threshold(x, y, self.level, self.side)
        value = float(not never) if self.form == "solved" else float(steps)
        return Reading(value, bool(never), end=end, spacing=spacing)

    def _unknown(self, run: Run) -> str:
        return f"its results have no metric '{self.name}'{_nearest(self.name, tuple(run.metrics))}"


def _nearest(name: str, known: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else ""


@lru_cache(maxsize=1024)
def parse_metric(text: str) -> Metric:
    """Read a metric's name.

    Raises:
        AnalysisError: unknown form, or a level that is missing or no number.
    """
    form, colon, rest = text.partition(":")
    if not colon:
        if not text or re.search(r"[<>=\s]", text):
            raise AnalysisError(f"metric '{text}' is not a name, nor one of {_forms()}")
        return Metric(text, "plain", text)
    if form not in FORMS:
        raise AnalysisError(
            f"metric '{text}': unknown form '{form}'{_nearest(form, FORMS)}; one of {_forms()}"
        )
    if form not in REACHING:
        if not rest or re.search(r"[<>=\s:]", rest):
            raise AnalysisError(f"metric '{text}' must be written {form}:NAME")
        return Metric(text, form, rest)  # type: ignore[arg-type]
    match = _REACH.match(rest)
    try:
        level = float(match[3]) if match else float("nan")
    except ValueError:
        level = float("nan")
    if match is None or not np.isfinite(level):
        raise AnalysisError(f"metric '{text}' must be written {form}:NAME>=X or {form}:NAME<=X")
    return Metric(text, form, match[1], match[2], level)  # type: ignore[arg-type]


def _forms() -> str:
    reach = ", ".join(f"{form}:NAME>=X" for form in REACHING)
    return f"auc:NAME, last:NAME, {reach}"
