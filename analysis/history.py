"""Evaluations during training, kept as one matrix a run.

A tier of thousands of runs holds millions of evaluations: as columns they take a tenth of the
memory of dictionaries.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.statistics import Array

#: What counts the length of training, the first that the evaluations have: methods that act in the
#: task count its steps, offline methods their gradient updates.
AXES = ("environment_step", "environment_steps", "step", "update")

_EMPTY = np.empty((0, 0))


@dataclass(frozen=True)
class History:
    """Evaluations in order of training: `values` [points, names], NaN where a point lacks a name."""

    names: tuple[str, ...] = ()
    values: Array = field(default_factory=lambda: _EMPTY)

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def __iter__(self) -> Iterator[dict[str, float]]:
        """Evaluations one by one, each with the numbers that it has."""
        for row in self.values:
            yield {n: float(v) for n, v in zip(self.names, row, strict=True) if not np.isnan(v)}

    def column(self, name: str) -> Array:
        """One quantity over training, [points]."""
        return np.asarray(self.values[:, self.names.index(name)])

    def matrix(self, names: tuple[str, ...]) -> Array:
        """Columns of these names in this order, [points, names]; NaN for names it does not have."""
        if names == self.names:
            return self.values
        wide = np.full((len(self), len(names)), np.nan)
        for place, name in enumerate(names):
            if name in self:
                wide[:, place] = self.column(name)
        return wide

    @property
    def axis(self) -> str | None:
        """The name of the column that training goes forward along; None if there is none."""
        known = (name for name in AXES if name in self.names)
        return next((name for name in known if (np.diff(self.column(name)) > 0).all()), None)


def is_number(value: object) -> bool:
    """Whether a JSON value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_history(points: Sequence[Mapping[str, Any]]) -> History:
    """Collect the numbers of evaluations as written in a result file; null means not measured.

    Raises:
        AnalysisError: training does not go forward from each evaluation to the next.
    """
    if not points:
        return History()
    first = points[0]
    # All points have the same keys, as written by one program: a getter is ten times faster.
    if all(point.keys() == first.keys() for point in points):
        names = [key for key, value in first.items() if value is None or is_number(value)]
    else:
        found = (key for point in points for key, value in point.items() if is_number(value))
        names = list(dict.fromkeys(found))
        points = [{name: point.get(name) for name in names} for point in points]
    values = _matrix(points, names)
    measured = np.asarray(~np.isnan(values).all(axis=0))
    never = [name for name, some in zip(names, measured, strict=True) if not some]
    keep = [i for i, name in enumerate(names) if name not in never or _is_nan(points, name)]
    history = History(tuple(names[i] for i in keep), values[:, keep])
    if history.axis is None and any(name in history for name in AXES):
        raise AnalysisError("evaluations are not in order of training")
    return history


def _matrix(points: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Array:
    if not names:
        return np.empty((len(points), 0))
    if len(names) == 1:
        return np.array([[point[names[0]]] for point in points], dtype=np.float64)
    return np.array([*map(itemgetter(*names), points)], dtype=np.float64)


def _is_nan(points: Sequence[Mapping[str, Any]], name: str) -> bool:
    """Whether a column without numbers was measured as NaN, rather than left open (null)."""
    return any(point[name] is not None for point in points)


def not_finite(points: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an evaluation holds a number that is infinite or NaN."""
    return any(
        is_number(value) and not math.isfinite(value)
        for point in points
        for value in point.values()
    )
