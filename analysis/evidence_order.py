"""Claims of order: an arm is above another, above all others, or on one side of a bound.

What is tested depends on the metric: means by Welch's test, steps to a level by a permutation of
Gehan scores (runs that never arrive are censored), runs that arrive at all by Fisher's exact test.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from analysis import learning, statistics
from analysis.claim_checks import sign
from analysis.claim_file import Claim
from analysis.evidence_types import Comparison, Effect, Found, conjunction, difference
from analysis.load import ArmResult
from analysis.metrics import parse_metric
from analysis.statistics import Array, Welch


def pairs(claim: Claim, found: Found) -> Iterator[tuple[ArmResult, ArmResult]]:
    """Every left arm with every right arm on every task."""
    for task, left, right in itertools.product(claim.tasks, claim.left, claim.right):
        yield found[str(left), task], found[str(right), task]


def greater(claim: Claim, found: Found) -> list[Comparison]:
    """`greater`, `count` and `not_less`: left above right by the margin, or not below by it."""
    demanded = -claim.margin if claim.kind == "not_less" else claim.margin
    return [
        pair_greater(claim.metric, left, right, demanded) for left, right in pairs(claim, found)
    ]


def pair_greater(metric: str, left: ArmResult, right: ArmResult, demanded: float) -> Comparison:
    """Left above right by more than `demanded`, in the way of the metric."""
    form = parse_metric(metric).form
    if form == "steps_to":
        return _later(metric, left, right)
    if form == "solved":
        return _more_often(metric, left, right)
    a, b = left.values(metric), right.values(metric)
    # Being not worse by a margin has no weaker form; a gap of a size has: any gap at all.
    weaker = min(demanded, 0.0)
    welch = statistics.welch_greater(a, b)
    permutation = statistics.permutation_greater(a, b, demanded)
    return Comparison(
        left=left,
        right=right,
        welch=welch,
        p=mean_p(a, b, demanded),
        p_direction=mean_p(a, b, weaker),
        p_opposite=mean_p(b, a, -demanded),
        p_permutation=permutation.p,
        p_smallest=permutation.smallest,
        power_gap=welch.difference - demanded,
        sd=deviations(a, b),
        effect=difference(welch),
    )


def mean_p(a: Array, b: Array, shift: float) -> float:
    """p of mean(a) - mean(b) > shift.

    Welch decides; where neither arm has any spread it cannot, and the exact p takes over.
    """
    p = statistics.welch_greater(a, b, shift).p
    return statistics.permutation_greater(a, b, shift).p if math.isnan(p) else p


def deviations(a: Array, b: Array) -> tuple[float, float]:
    """Sample standard deviations of two arms."""
    return float(a.std(ddof=1)), float(b.std(ddof=1))


def _later(metric: str, left: ArmResult, right: ArmResult) -> Comparison:
    """Left takes more steps to the level: Gehan scores, which know that some runs never arrive."""
    first, second = left.readings(metric), right.readings(metric)
    a, b = (np.array([r.value for r in side]) for side in (first, second))
    never_a, never_b = (np.array([r.censored for r in side]) for side in (first, second))
    test = learning.censored_greater(a, never_a, b, never_b)
    welch = statistics.welch_greater(a, b)
    censored = bool(never_a.any() or never_b.any())
    if censored:
        # The budget stands in for steps that nobody saw: a mean of it has no interval.
        welch = Welch(welch.difference, math.nan, math.nan, math.nan)
    name = "difference, runs that never arrive at the budget" if censored else "difference"
    # The order of ranks, not the difference of means, has the sign that is tested.
    scores = learning.gehan_scores(a, never_a, b, never_b)
    gap = float(scores[: a.size].mean() - scores[a.size :].mean())
    return Comparison(
        left=left,
        right=right,
        welch=welch,
        p=test.p,
        p_direction=test.p,
        p_opposite=learning.censored_greater(b, never_b, a, never_a).p,
        p_permutation=test.p,
        p_smallest=test.smallest,
        power_gap=gap,
        sd=deviations(scores[: a.size], scores[a.size :]),
        effect=difference(welch, name),
    )


def _more_often(metric: str, left: ArmResult, right: ArmResult) -> Comparison:
    """A larger share of left's runs reaches the level (Fisher's exact test)."""
    a, b = left.values(metric), right.values(metric)
    k_a, k_b = int(a.sum()), int(b.sum())
    gap = float(a.mean() - b.mean())
    p = learning.fisher_greater(k_a, a.size, k_b, b.size)
    return Comparison(
        left=left,
        right=right,
        welch=Welch(gap, math.nan, math.nan, math.nan),
        p=p,
        p_direction=p,
        p_opposite=learning.fisher_greater(k_b, b.size, k_a, a.size),
        p_permutation=p,
        p_smallest=learning.fisher_greater(a.size, a.size, 0, b.size),
        power_gap=gap,
        sd=deviations(a, b),
        effect=Effect("difference of shares", gap),
    )


def threshold(claim: Claim, found: Found) -> list[Comparison]:
    """The mean of every arm on every task is on the claimed side of a bound."""
    side, bound = claim.bound or (">", 0.0)
    turn = 1.0 if side == ">" else -1.0
    arms = itertools.product(claim.tasks, claim.left)
    return [_against_bound(found[str(arm), task], claim.metric, turn, bound) for task, arm in arms]


def _against_bound(arm: ArmResult, metric: str, turn: float, bound: float) -> Comparison:
    values = turn * arm.values(metric)
    welch = statistics.one_sample_greater(values, turn * bound)
    p = bound_p(values, turn * bound)
    return Comparison(
        left=arm,
        right=None,
        welch=welch,
        p=p,
        p_direction=p,
        p_opposite=bound_p(-values, -turn * bound),
        p_permutation=math.nan,
        p_smallest=sign_p(values),
        power_gap=welch.difference,
        sd=(float(values.std(ddof=1)), 0.0),
        effect=difference(welch, "distance from the bound"),
    )


def bound_p(values: Array, bound: float) -> float:
    """p of mean > bound by the t test; n equal values leave the sign test."""
    found = statistics.one_sample_greater(values, bound)
    if not math.isnan(found.p):
        return found.p
    return sign_p(values) if found.difference > 0 else 1.0


def sign_p(values: Array) -> float:
    """Smallest p that a sign test of n values can reach: 1/2^n."""
    return float(0.5**values.size)


def best(claim: Claim, found: Found) -> list[Comparison]:
    """One arm above every other one; or, on some tasks, one of the left above all of the right."""
    demanded = -claim.margin if sign(claim) == ">=" else claim.margin
    if claim.right:
        return [_best_on(task, claim, found, demanded) for task in claim.tasks]
    (winner,) = (arm for arm in claim.left if str(arm) == claim.value)
    return [
        pair_greater(claim.metric, found[str(winner), task], found[str(arm), task], demanded)
        for task in claim.tasks
        for arm in claim.left
        if arm != winner
    ]


def _best_on(task: str, claim: Claim, found: Found, demanded: float) -> Comparison:
    """On one task some left arm is above every right arm: a union of intersections."""
    rows = [
        [
            pair_greater(claim.metric, found[str(left), task], found[str(right), task], demanded)
            for right in claim.right
        ]
        for left in claim.left
    ]
    hardest = [min(row, key=lambda c: c.power_gap) for row in rows]
    leader = max(hardest, key=lambda c: c.power_gap)
    arms = {id(arm): arm for row in rows for c in row for arm in c.arms}
    rest = tuple(arm for key, arm in arms.items() if key not in map(id, leader.arms))
    return Comparison(
        left=leader.left,
        right=leader.right,
        welch=leader.welch,
        p=_union(rows, lambda c: c.p),
        p_direction=_union(rows, lambda c: c.p_direction),
        # Every left arm is below some right arm.
        p_opposite=max(conjunction([c.p_opposite for c in row], 1) for row in rows),
        p_permutation=_union(rows, lambda c: c.p_permutation),
        p_smallest=_union(rows, lambda c: c.p_smallest),
        power_gap=leader.power_gap,
        sd=leader.sd,
        effect=leader.effect,
        others=rest,
    )


def _union(rows: Sequence[Sequence[Comparison]], p: Callable[[Comparison], float]) -> float:
    """p of "one of the rows holds in all its comparisons", by Bonferroni over the rows."""
    return conjunction([conjunction([p(c) for c in row], len(row)) for row in rows], 1)
