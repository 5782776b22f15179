"""From evidence to a verdict: pure functions, no files.

A claim is judged in two steps. `gate` decides whether there is anything to judge; then the p values
of the claim, of its weaker form and of its opposite, adjusted for all claims judged together, decide.
What these three mean for each kind of claim is in `RULES`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from analysis.statistics import ALPHA

#: Fewer runs in an arm carry no verdict: two runs have an interval of 12.7 standard errors.
FEWEST_RUNS = 3

#: p values of exact tests are ratios of whole numbers; rounding must not lift one over its level.
ROUNDING = 1e-9

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


#: Verdicts that no run was compared for, as they stand in a ledger.
SILENT = (Verdict.NOT_RUN.value, Verdict.NOT_JUDGED.value)


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
class Rule:
    """How a kind of claim is judged, in the words of its verdicts.

    `holds`, `weaker`, `opposite`: what is shown where the claim, its direction alone, or its opposite
    is. `sameness`: the claim says that something makes no difference, which a reduced setting cannot
    support: arms that have not learned yet are all alike.
    """

    holds: str = "the claim holds"
    weaker: str = "the direction holds short of its margin"
    opposite: str = "the opposite holds"
    sameness: bool = False


#: Kinds of claims with a decision rule. What their p values test is in `analysis.evidence`.
RULES: Mapping[str, Rule] = {
    "greater": Rule(),
    "count": Rule(),
    "threshold": Rule(),
    "not_less": Rule(holds="no worse by more than its margin", sameness=True),
    "equivalent": Rule(
        holds="equal within its margin",
        opposite="a difference beyond its margin is shown",
        sameness=True,
    ),
    "ratio": Rule(
        holds="the ratio is in its range",
        weaker="the ratio is on the claimed side of 1, short of its range",
        opposite="the ratio is shown to be outside its range",
    ),
    "trend": Rule(holds="the trend holds", opposite="the opposite trend holds"),
    "best": Rule(holds="it is the best", opposite="another one is shown to be better"),
    "spread": Rule(holds="the runs scatter more", opposite="the runs are shown to scatter less"),
    "improvement": Rule(
        holds="a run is more likely to be the better one",
        opposite="a run is more likely to be the worse one",
    ),
}


@dataclass(frozen=True)
class Evidence:
    """What decides: adjusted p values of the claim, its bare direction and its opposite.

    `favourable` of `comparisons` differences have the claimed sign. `smallest` is the smallest raw p
    that an exact test of so many runs can reach (NaN if there is none), to be held against
    alpha / `family`, the first step of Holm over the claims judged together; `exact`: such a test is
    the one that decides.
    """

    p_claim: float
    p_direction: float
    p_opposite: float
    favourable: int
    comparisons: int
    seeds_needed: int | None = None
    smallest: float = math.nan
    family: int = 1
    exact: bool = False


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


def judge(
    evidence: Evidence, level: Level, alpha: float = ALPHA, kind: str = "greater"
) -> Judgement:
    """Judge a claim, `p <= alpha` deciding.

    At level `direction` (reduced networks or budget) the best verdict is `direction only`: the
    sign is shown, but in a setting that cannot speak for the paper's numbers. Where the claim is
    that nothing differs, such a setting shows nothing in its favour.
    """
    rule, limits = RULES[kind], _limits(evidence, alpha)
    # An exact test that has decided (as a later step of Holm) needs no such warning.
    share = _share(evidence) + ("" if evidence.exact else limits)
    if _reaches(evidence.p_claim, alpha) and level == "full":
        return Judgement(Verdict.REPRODUCED, f"{rule.holds}{share}")
    if _reaches(evidence.p_direction, alpha) and not (level == "direction" and rule.sameness):
        reduced = "the direction holds with reduced networks or budget"
        reason = reduced if level == "direction" else rule.weaker
        return Judgement(Verdict.DIRECTION_ONLY, f"{reason}{share}")
    if _reaches(evidence.p_opposite, alpha):
        reduced = ", with reduced networks or budget" if level == "direction" else ""
        return Judgement(Verdict.NOT_REPRODUCED, f"{rule.opposite}{reduced}{share}")
    if _reaches(evidence.p_direction, alpha):
        reason = (
            f"{rule.holds}, but networks or budget are reduced, and what has not learned is alike"
        )
        return Judgement(Verdict.INCONCLUSIVE, f"{reason}{share}")
    needed = evidence.seeds_needed
    if needed is not None:
        reason = f"too few runs to tell; about {needed} an arm might"
    elif evidence.favourable < evidence.comparisons:
        reason = "what was observed does not support the claim, nor refute it"
    else:
        reason = "too few runs to tell"
    return Judgement(Verdict.INCONCLUSIVE, f"{reason}{_share(evidence)}{limits}", needed)


def undecidable(smallest: float, family: int, alpha: float = ALPHA) -> bool:
    """Whether the exact test cannot reject after Holm, whatever the runs say."""
    return not math.isnan(smallest) and not _reaches(smallest, alpha / family)


def _reaches(p: float, alpha: float) -> bool:
    return p <= alpha * (1 + ROUNDING)


def _share(evidence: Evidence) -> str:
    if evidence.comparisons == 1:
        return ""
    return f" ({evidence.favourable} of {evidence.comparisons} comparisons in its direction)"


def _limits(evidence: Evidence, alpha: float) -> str:
    """A warning that so few runs leave the verdict to the assumptions of the t distribution."""
    if not undecidable(evidence.smallest, evidence.family, alpha):
        return ""
    step = f"{alpha:g}/{evidence.family}" if evidence.family > 1 else f"{alpha:g}"
    return f"; no exact test of so few runs can decide it ({evidence.smallest:.2g} > {step})"
