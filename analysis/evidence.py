"""What the runs say about a claim: its arms, its comparisons and their p values."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from analysis import statistics
from analysis.claim_file import ArmPattern, Claim
from analysis.load import ArmResult, Results
from analysis.statistics import Array, Welch
from analysis.verdicts import ArmState, Evidence

Pair = tuple[ArmResult, ArmResult | None]

#: Kinds of claims that there is a decision rule for.
JUDGED_KINDS = ("greater", "not_less", "count", "threshold")


@dataclass(frozen=True)
class Comparison:
    """One pair of arms on one task (or one arm against a bound).

    `p` tests the claim with its margin, `p_direction` the sign alone, `p_opposite` that the claim
    with its margin is wrong. `power_gap` is the difference beyond what the claim demands.
    """

    left: ArmResult
    right: ArmResult | None
    welch: Welch
    p: float
    p_direction: float
    p_opposite: float
    p_permutation: float
    p_smallest: float
    power_gap: float
    sd: tuple[float, float]

    @property
    def difference(self) -> float:
        """Left minus right, or distance from the bound on the claimed side."""
        return self.welch.difference


def find(
    results: Results, experiment: str, pattern: ArmPattern, task: str
) -> tuple[ArmResult | None, str]:
    """The arm of `experiment` that `pattern` names, or None with the reason.

    Settings may be part of the experiment for every arm (`networks=small`), so the pattern names
    only what singles its arm out; with no settings that is the arm with the fewest of its own.
    `experiment` is `paper/name`, or `paper/name+name` for arms that lie in several.
    """
    paper, _, names = experiment.partition("/")
    arms = [
        arm
        for name in names.split("+")
        for arm in results.select(f"{paper}/{name}", pattern.algo, task)
    ]
    fitting = [arm for arm in arms if arm.has(pattern.settings)]
    if not fitting:
        return None, f"tier {results.tier} has no such arm in experiment {names}"
    sizes = [arm.arm.cell.count("=") for arm in fitting]
    best = [arm for arm, size in zip(fitting, sizes, strict=True) if size == min(sizes)]
    if len({arm.arm.cell for arm in best}) > 1:
        cells = ", ".join(arm.arm.cell for arm in best)
        return None, f"several arms fit ({cells}); the claim must name the setting"
    return best[0], ""


def arms_of(claim: Claim, results: Results, experiment: str) -> tuple[list[ArmState], list[Pair]]:
    """States of all arms that a claim needs, and its pairs in order of tasks (if all exist)."""
    states: dict[str, ArmState] = {}
    found: dict[tuple[str, str], ArmResult] = {}
    for pattern, task in itertools.product((*claim.left, *claim.right), claim.tasks):
        name = f"{pattern} on {task}"
        result, reason = find(results, experiment, pattern, task)
        if result is None:
            states[name] = ArmState(name, 0, 0, 0, reason)
            continue
        found[str(pattern), task] = result
        states[name] = _state(name, result, claim.metric)
    if any(state.not_run for state in states.values()):
        return list(states.values()), []
    rights: Sequence[ArmPattern | None] = claim.right or (None,)
    pairs = [
        (found[str(left), task], found[str(right), task] if right else None)
        for task, left, right in itertools.product(claim.tasks, claim.left, rights)
    ]
    return list(states.values()), pairs


def _state(name: str, result: ArmResult, metric: str) -> ArmState:
    arm, not_run = result.arm, None
    if arm.status != "planned":
        not_run = arm.reason or arm.status
    elif result.problems and not result.runs and not result.failed:
        not_run = f"result left out: {result.problems[0].partition(': ')[2]}"
    elif result.runs and len(result.values(metric)) < len(result.runs):
        not_run = f"its results have no metric '{metric}'"
    return ArmState(
        name=name,
        planned=len(arm.seeds),
        finished=len(result.runs),
        failed=len(result.failed),
        not_run=not_run,
        sources=frozenset(result.sources),
    )


def compare(claim: Claim, pair: Pair) -> Comparison:
    """Compare one pair in the way of the claim's kind."""
    left, right = pair
    if right is None:
        return _against_bound(claim, left)
    a, b = left.values(claim.metric), right.values(claim.metric)
    demanded = -claim.margin if claim.kind == "not_less" else claim.margin
    # Being not worse by a margin has no weaker form; a gap of a size has: any gap at all.
    weaker = min(demanded, 0.0)
    welch = statistics.welch_greater(a, b)
    permutation = statistics.permutation_greater(a, b, demanded)
    return Comparison(
        left=left,
        right=right,
        welch=welch,
        p=_p(a, b, demanded),
        p_direction=_p(a, b, weaker),
        p_opposite=_p(b, a, -demanded),
        p_permutation=permutation.p,
        p_smallest=permutation.smallest,
        power_gap=welch.difference - demanded,
        sd=(float(a.std(ddof=1)), float(b.std(ddof=1))),
    )


def _p(a: Array, b: Array, shift: float) -> float:
    """Welch decides; where neither arm has any spread it cannot, and the exact p takes over."""
    p = statistics.welch_greater(a, b, shift).p
    return statistics.permutation_greater(a, b, shift).p if math.isnan(p) else p


def _against_bound(claim: Claim, arm: ArmResult) -> Comparison:
    side, bound = claim.bound or (">", 0.0)
    sign = 1.0 if side == ">" else -1.0
    values = sign * arm.values(claim.metric)
    welch = statistics.one_sample_greater(values, sign * bound)
    p, opposite = welch.p, 1.0 - welch.p
    # n equal values: the sign test is what is left; its smallest p is 1/2^n.
    smallest = 0.5**values.size
    if math.isnan(p):
        p = smallest if welch.difference > 0 else 1.0
        opposite = smallest if welch.difference < 0 else 1.0
    sd = float(values.std(ddof=1))
    return Comparison(
        left=arm,
        right=None,
        welch=welch,
        p=p,
        p_direction=p,
        p_opposite=opposite,
        p_permutation=math.nan,
        p_smallest=smallest,
        power_gap=welch.difference,
        sd=(sd, 0.0),
    )


@dataclass(frozen=True)
class Combined:
    """All comparisons of one claim as one statement: at least `at_least` of them hold."""

    comparisons: tuple[Comparison, ...]
    at_least: int

    def p(self, field: Callable[[Comparison], float]) -> float:
        """Raw p value of the statement from one p value of each comparison."""
        values = [field(comparison) for comparison in self.comparisons]
        if any(math.isnan(value) for value in values):
            return math.nan
        return statistics.partial_conjunction(values, self.at_least)

    @property
    def p_opposite(self) -> float:
        """Raw p value of "so many comparisons fail that the statement is false"."""
        failing = len(self.comparisons) - self.at_least + 1
        return statistics.partial_conjunction([c.p_opposite for c in self.comparisons], failing)

    @property
    def favourable(self) -> int:
        """How many differences have the claimed sign."""
        return sum(comparison.power_gap > 0 for comparison in self.comparisons)

    def seeds_needed(self, alpha: float) -> int | None:
        """Runs per arm at which enough comparisons would reach their power at level `alpha`.

        More than every arm has now; None if the observed differences do not allow an estimate.
        """
        needed = [
            statistics.needed_seeds(comparison.power_gap, comparison.sd, alpha)
            for comparison in self.comparisons
        ]
        known = sorted(n for n in needed if n is not None)
        if len(known) < self.at_least:
            return None
        now = max(len(comparison.left.runs) for comparison in self.comparisons)
        return max(known[self.at_least - 1], now + 1)


def combine(claim: Claim, pairs: Sequence[Pair]) -> Combined:
    """Compare every pair of a claim; without `k of m` all of them must hold."""
    comparisons = tuple(compare(claim, pair) for pair in pairs)
    return Combined(comparisons, claim.count[0] if claim.count else len(comparisons))


def to_evidence(
    combined: Combined, adjusted: tuple[float, float, float], seeds_needed: int | None
) -> Evidence:
    """Evidence for `verdicts.judge` from the adjusted p of claim, direction and opposite."""
    return Evidence(*adjusted, combined.favourable, len(combined.comparisons), seeds_needed)
