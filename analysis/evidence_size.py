"""Claims of size: equality within a margin, ratios, and the scatter of runs."""

from __future__ import annotations

import itertools
import math

from analysis import equivalence, learning, statistics
from analysis.claim_file import Claim
from analysis.evidence_order import bound_p, deviations, mean_p, pairs, sign_p
from analysis.evidence_types import Comparison, Effect, Found, conjunction, difference
from analysis.load import ArmResult
from analysis.statistics import POWER, Array

#: A claim with two bounds holds if both do: each gets half of the error that POWER leaves.
POWER_OF_BOTH = 1 - (1 - POWER) / 2


def equivalent(claim: Claim, found: Found) -> list[Comparison]:
    """Equality within the margin by two one-sided tests; a larger difference is the opposite."""
    if claim.right:
        return [
            _alike(claim.metric, left, right, claim.margin) for left, right in pairs(claim, found)
        ]
    constant = claim.constant or 0.0
    arms = itertools.product(claim.tasks, claim.left)
    return [_near(claim.metric, found[str(a), task], constant, claim.margin) for task, a in arms]


def _alike(metric: str, left: ArmResult, right: ArmResult, margin: float) -> Comparison:
    a, b = left.values(metric), right.values(metric)
    p = equivalence.tost(a, b, margin).p
    inside = [statistics.permutation_greater(*two, -margin) for two in ((a, b), (b, a))]
    welch = statistics.welch_greater(a, b)
    return Comparison(
        left=left,
        right=right,
        welch=welch,
        p=p,
        p_direction=p,
        p_opposite=conjunction([mean_p(a, b, margin), mean_p(b, a, margin)], 1),
        p_permutation=max(test.p for test in inside),
        p_smallest=inside[0].smallest,
        power_gap=margin - abs(welch.difference),
        sd=deviations(a, b),
        power=POWER_OF_BOTH,
        effect=difference(welch),
    )


def _near(metric: str, arm: ArmResult, constant: float, margin: float) -> Comparison:
    values = arm.values(metric)
    p = equivalence.tost_constant(values, constant, margin).p
    welch = statistics.one_sample_greater(values, constant)
    outside = [bound_p(values, constant + margin), bound_p(-values, margin - constant)]
    return Comparison(
        left=arm,
        right=None,
        welch=welch,
        p=p,
        p_direction=p,
        p_opposite=conjunction(outside, 1),
        p_permutation=math.nan,
        p_smallest=sign_p(values),
        power_gap=margin - abs(welch.difference),
        sd=(float(values.std(ddof=1)), 0.0),
        power=POWER_OF_BOTH,
        effect=difference(welch, "distance from the constant"),
    )


def ratio(claim: Claim, found: Found) -> list[Comparison]:
    """The ratio of means lies in a range, on every task."""
    low, high = claim.range or (None, None)
    return [_ratio(claim.metric, left, right, low, high) for left, right in pairs(claim, found)]


def _ratio(
    metric: str, left: ArmResult, right: ArmResult, low: float | None, high: float | None
) -> Comparison:
    a, b = left.values(metric), right.values(metric)
    p = equivalence.ratio_within(a, b, low, high)
    outside = [equivalence.ratio_within(a, b, None, low)] if low is not None else []
    outside += [equivalence.ratio_within(a, b, high, None)] if high is not None else []
    # Each open bound is a contrast of means; the one that is harder to show limits the power.
    contrasts = [(a, low * b)] if low is not None else []
    contrasts += [(high * b, a)] if high is not None else []
    gap, sd = min(
        ((float(x.mean() - y.mean()), deviations(x, y)) for x, y in contrasts), key=_standardised
    )
    permutations = [statistics.permutation_greater(x, y) for x, y in contrasts]
    value = float(a.mean() / b.mean()) if b.mean() else math.nan
    return Comparison(
        left=left,
        right=right,
        welch=statistics.welch_greater(a, b),
        p=p,
        p_direction=_towards(a, b, low, high, p),
        p_opposite=conjunction(outside, 1),
        p_permutation=max(test.p for test in permutations),
        p_smallest=permutations[0].smallest,
        power_gap=gap,
        sd=sd,
        power=POWER if len(contrasts) == 1 else POWER_OF_BOTH,
        effect=Effect("ratio of means", value, *equivalence.ratio_interval(a, b)),
    )


def _standardised(contrast: tuple[float, tuple[float, float]]) -> float:
    gap, sd = contrast
    return gap / math.hypot(*sd) if any(sd) else math.copysign(math.inf, gap)


def _towards(a: Array, b: Array, low: float | None, high: float | None, p: float) -> float:
    """p of the weaker form: "at least twice" is in the direction of "more than once"."""
    if high is None and low is not None and low > 1:
        return equivalence.ratio_within(a, b, 1.0, None)
    if low is None and high is not None and high < 1:
        return equivalence.ratio_within(a, b, None, 1.0)
    return p


def spread(claim: Claim, found: Found) -> list[Comparison]:
    """The runs of left scatter more than those of right (Brown-Forsythe)."""
    return [_spread(claim.metric, left, right) for left, right in pairs(claim, found)]


def _spread(metric: str, left: ArmResult, right: ArmResult) -> Comparison:
    a, b = left.values(metric), right.values(metric)
    test = learning.spread_greater(a, b)
    sd = deviations(a, b)
    return Comparison(
        left=left,
        right=right,
        welch=statistics.welch_greater(a, b),
        p=test.p,
        p_direction=test.p,
        p_opposite=learning.spread_greater(b, a).p,
        p_permutation=test.permutation.p,
        p_smallest=test.permutation.smallest,
        power_gap=sd[0] - sd[1],
        # The spread of a standard deviation over repeated sets of runs is not known: no estimate.
        sd=(0.0, 0.0),
        effect=Effect("ratio of standard deviations", test.ratio),
    )
