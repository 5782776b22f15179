"""From evidence to a verdict: pure functions, no files.

A claim is judged in two steps. `gate` decides whether there is anything to judge; then the p values
of the claim and of its opposite, both adjusted for all claims judged together, decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from analysis.statistics import ALPHA

#: Fewer runs in an arm carry no verdict: two runs have an interval of 12.7 standard errors.
FEWEST_RUNS = 3

#: How far a judgement may go: the claim itself, or only the sign of its difference.
Level = Literal["full", "direction"]


class Verdict(StrEnum):
    """What can be said of a claim."""

    REPRODUCED = "reproduced"
    DIRECTION_ONLY = "direction only"
    NOT_REPRODUCED = "not reproduced"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"
    NOT_JUDGED = "not judged"


@dataclass(frozen=True)
class Judgement:
    """A verdict with its reason in one line; `seeds_needed` per arm where it can be estimated."""

    verdict: Verdict
    reason: str
    seeds_needed: int | None = None


@dataclass(frozen=True)
class ArmState:
    """What the gate must know of an arm: counts of runs, and why it does not run, if so."""

    name: str
    planned: int
    finished: int
    failed: int
    not_run: str | None = None
    sources: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Evidence:
    """What decides: adjusted p values of the claim, its bare direction and its opposite.

    `favourable` of `comparisons` differences have the claimed sign.
    """

    p_claim: float
    p_direction: float
    p_opposite: float
    favourable: int
    comparisons: int
    seeds_needed: int | None = None


def gate(arms: Sequence[ArmState]) -> Judgement | None:
    """Say why there is nothing to judge, or return None when the runs are complete.

    Incomplete arms are not judged: a look at the first seeds would let luck choose the stopping
    point. Failed runs leave a claim open: leaving them out would favour the arm that diverges.
    """
    for arm in arms:
        if arm.not_run:
            return Judgement(Verdict.NOT_RUN, f"{arm.name}: {arm.not_run}")
    for arm in arms:
        absent = arm.planned - arm.finished - arm.failed
        if absent:
            return Judgement(
                Verdict.NOT_RUN, f"{arm.name}: {absent} of {arm.planned} runs are missing"
            )
    for arm in arms:
        if arm.planned < FEWEST_RUNS:
            return Judgement(
                Verdict.NOT_JUDGED,
                f"{arm.name}: runs planned: {arm.planned}; at least {FEWEST_RUNS} are needed",
            )
    for arm in arms:
        if arm.failed:
            return Judgement(
                Verdict.INCONCLUSIVE, f"{arm.name}: {arm.failed} of {arm.planned} runs failed"
            )
    sources = sorted(set().union(*(arm.sources for arm in arms)))
    if len(sources) > 1:
        return Judgement(
            Verdict.NOT_JUDGED, f"arms were trained on different data ({', '.join(sources)})"
        )
    return None


def judge(evidence: Evidence, level: Level, alpha: float = ALPHA) -> Judgement:
    """Judge a claim of direction, `p <= alpha` deciding.

    At level `direction` (reduced networks or budget) the best verdict is `direction only`: the
    sign is shown, but in a setting that cannot speak for the paper's numbers.
    """
    share = _share(evidence)
    if evidence.p_claim <= alpha and level == "full":
        return Judgement(Verdict.REPRODUCED, f"the claim holds{share}")
    if evidence.p_direction <= alpha:
        why = "with reduced networks or budget" if level == "direction" else "short of its margin"
        return Judgement(Verdict.DIRECTION_ONLY, f"the direction holds {why}{share}")
    if evidence.p_opposite <= alpha:
        return Judgement(Verdict.NOT_REPRODUCED, f"the opposite holds{share}")
    needed = evidence.seeds_needed
    if needed is not None:
        reason = f"too few runs to tell; about {needed} an arm might"
    elif evidence.favourable < evidence.comparisons:
        reason = "the observed direction does not support the claim, nor refute it"
    else:
        reason = "too few runs to tell"
    return Judgement(Verdict.INCONCLUSIVE, f"{reason}{share}", needed)


def _share(evidence: Evidence) -> str:
    if evidence.comparisons == 1:
        return ""
    return f" ({evidence.favourable} of {evidence.comparisons} comparisons in its direction)"
