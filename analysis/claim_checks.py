"""What a claim of each kind must say to be judged: sides, value, margin and metric.

| kind | arms | value | margin |
|---|---|---|---|
| `greater` | `left > right` | | least difference that counts |
| `not_less` | `left >= right` | | loss forgiven |
| `count` | `left > right` | `k of m` comparisons | least difference that counts |
| `threshold` | list | `>0.5` or `<0.03` | |
| `equivalent` | `left = right`, or list | a constant with a list | half-width of equality |
| `ratio` | `left / right` | `0.5..2`, `>=2` or `<=2` | |
| `trend` | list of three or more, in order | `increasing` or `decreasing` | |
| `best` | list | the best of them | lead |
| `best` | `left > right`, `left >= right` | `k of m` tasks | lead, or loss forgiven |
| `spread`, `improvement` | `left > right` | | |
| `descriptive` | any | any | |
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.errors import AnalysisError
from analysis.metrics import Form, parse_metric

if TYPE_CHECKING:
    from analysis.claim_file import Claim

DIRECTIONS = ("increasing", "decreasing")
#: Fewer arms are a comparison, not a trend.
FEWEST_STEPS = 3

_SIGN = re.compile(r"\s(>=|>|/|=)\s")
#: Metrics whose means can be compared by size; the others are compared by tests of their own.
_MEANS: tuple[Form, ...] = ("plain", "auc", "last")
_ALL: tuple[Form, ...] = (*_MEANS, "steps_to", "solved")


@dataclass(frozen=True)
class Shape:
    """What a kind allows; an empty sign is a plain list of arms."""

    signs: tuple[str, ...]
    value: str = ""
    margin: bool = False
    forms: tuple[Form, ...] = _MEANS


SHAPES: Mapping[str, Shape] = {
    "greater": Shape((">",), margin=True, forms=_ALL),
    "not_less": Shape((">=",), margin=True),
    "count": Shape((">",), "k of m", margin=True, forms=_ALL),
    "threshold": Shape(("",), "bound"),
    "equivalent": Shape(("=", ""), "constant", margin=True),
    "ratio": Shape(("/",), "range", forms=(*_MEANS, "steps_to")),
    "trend": Shape(("",), "direction", forms=_ALL),
    "best": Shape(("", ">", ">="), "best", margin=True, forms=_ALL),
    "spread": Shape((">",)),
    "improvement": Shape((">",), forms=_ALL),
}


def sign(claim: Claim) -> str:
    """What stands between the two sides of a claim; empty for a list."""
    match = _SIGN.search(claim.arms)
    return match[1] if match else ""


def check_claim(claim: Claim, where: str) -> None:
    """Check what can be known before any run.

    Raises:
        AnalysisError: one line that says what the field must hold.
    """
    try:
        metric = parse_metric(claim.metric) if claim.metric or claim.kind in SHAPES else None
    except AnalysisError as error:
        raise AnalysisError(f"{where}: {error}") from None
    if not (math.isfinite(claim.margin) and claim.margin >= 0):
        raise AnalysisError(f"{where}: margin must be a number of at least 0")
    shape = SHAPES.get(claim.kind)
    if shape is None:
        return
    _check_arms(claim, shape, where)
    _check_value(claim, where)
    if metric and metric.form not in shape.forms:
        raise AnalysisError(
            f"{where}: a claim of kind {claim.kind} cannot be judged on '{metric.form}:'"
        )
    if claim.margin and not (shape.margin and metric and metric.form in _MEANS):
        what = f"kind {claim.kind}" if not shape.margin else f"'{claim.metric}'"
        raise AnalysisError(f"{where}: a claim of {what} has no margin; leave it empty")
    if claim.kind == "equivalent" and not claim.margin:
        raise AnalysisError(f"{where}: an equivalent claim needs a margin above 0")


def _check_arms(claim: Claim, shape: Shape, where: str) -> None:
    found = sign(claim)
    two_sides = bool(found)
    if found not in shape.signs:
        if not two_sides:
            raise AnalysisError(
                f"{where}: a claim of kind {claim.kind} compares two sides, left {shape.signs[0]} right"
            )
        allowed = " or ".join(f"'{item}'" if item else "a plain list" for item in shape.signs)
        raise AnalysisError(
            f"{where}: arms: a claim of kind {claim.kind} is written with {allowed}, not '{found}'"
        )
    if not claim.left or (two_sides and not claim.right):
        raise AnalysisError(f"{where}: arms: a side is empty")
    if not claim.tasks:
        raise AnalysisError(f"{where}: tasks: a claim to be judged names at least one")
    for task in claim.tasks:
        if claim.tasks.count(task) > 1:
            raise AnalysisError(f"{where}: tasks: {task} is given twice")
    for arm in claim.left:
        if arm in claim.right or claim.left.count(arm) > 1:
            raise AnalysisError(f"{where}: arms: {arm} is given twice")


def _check_value(claim: Claim, where: str) -> None:
    kind, names = claim.kind, [str(arm) for arm in claim.left]
    if claim.value and not SHAPES[kind].value:
        raise AnalysisError(f"{where}: a claim of kind {kind} has no value; leave it empty")
    if kind == "threshold" and claim.bound is None:
        raise AnalysisError(f"{where}: a threshold claim needs a value such as >0.5")
    if kind == "ratio":
        low, high = claim.range or (None, None)
        if claim.range is None or (low is not None and high is not None and low > high):
            raise AnalysisError(f"{where}: a ratio claim needs a value such as 0.5..2, >=2 or <=2")
    if kind == "equivalent" and (claim.constant is None) != bool(claim.right):
        raise AnalysisError(
            f"{where}: an equivalent claim compares two sides, or a list of arms with a value"
        )
    if kind == "trend" and (claim.value not in DIRECTIONS or len(names) < FEWEST_STEPS):
        raise AnalysisError(
            f"{where}: a trend claim needs a value ({' or '.join(DIRECTIONS)}) and at least "
            f"{FEWEST_STEPS} arms in order"
        )
    if kind == "best" and not claim.right and (claim.value not in names or len(names) == 1):
        raise AnalysisError(f"{where}: value must be the best of at least two arms, as listed")
    total = len(claim.tasks)
    if kind == "count":
        total *= len(claim.left) * len(claim.right)
    if (kind == "count" or (kind == "best" and claim.right)) and not _counts(claim, total):
        what = "comparison" if kind == "count" else "task"
        raise AnalysisError(f"{where}: value must be 'k of {total}', one for each {what}")


def _counts(claim: Claim, total: int) -> bool:
    return claim.count is not None and claim.count[1] == total and 1 <= claim.count[0] <= total
