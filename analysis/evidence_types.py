"""What a comparison of runs says, and how comparisons make one statement."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from analysis import statistics
from analysis.load import ArmResult
from analysis.statistics import POWER, Welch

#: The arms that a claim needs: by pattern (as written) and task.
Found = Mapping[tuple[str, str], ArmResult]


@dataclass(frozen=True)
class Effect:
    """The size that stands beside a verdict, with its 95 % interval (NaN where there is none)."""

    name: str
    value: float
    low: float = math.nan
    high: float = math.nan


def difference(welch: Welch, name: str = "difference") -> Effect:
    """A difference of means with its Welch interval."""
    half = welch.half_width
    return Effect(name, welch.difference, welch.difference - half, welch.difference + half)


@dataclass(frozen=True)
class Comparison:
    """One pair of arms on one task, one arm against a bound, or several arms taken together.

    `p` tests the claim with its margin, `p_direction` the sign alone, `p_opposite` that the claim
    with its margin is wrong. `power_gap` is the distance beyond what the claim demands, for
    standard deviations `sd` and a power of `power`; above 0 the observed sign is the claimed one.
    `arms` are all arms, `left` and `right` the first two that the claim names.
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
    power: float = POWER
    effect: Effect = field(default_factory=lambda: Effect("difference", math.nan))
    others: tuple[ArmResult, ...] = ()

    @property
    def difference(self) -> float:
        """Left minus right, or distance from the bound on the claimed side."""
        return self.welch.difference

    @property
    def arms(self) -> tuple[ArmResult, ...]:
        """All arms that were compared, in the order of the claim."""
        return (self.left, *([self.right] if self.right else []), *self.others)

    def seeds_needed(self, alpha: float) -> int | None:
        """Runs per arm at which the test would have its power at level `alpha`, if observed so."""
        return statistics.needed_seeds(self.power_gap, self.sd, alpha, self.power)


@dataclass(frozen=True)
class Combined:
    """All comparisons of one claim as one statement: at least `at_least` of them hold."""

    comparisons: tuple[Comparison, ...]
    at_least: int

    def p(self, field: Callable[[Comparison], float]) -> float:
        """Raw p value of the statement from one p value of each comparison."""
        return conjunction([field(comparison) for comparison in self.comparisons], self.at_least)

    @property
    def p_opposite(self) -> float:
        """Raw p value of "so many comparisons fail that the statement is false"."""
        failing = len(self.comparisons) - self.at_least + 1
        return conjunction([c.p_opposite for c in self.comparisons], failing)

    @property
    def arms(self) -> tuple[ArmResult, ...]:
        """All arms, each once."""
        found = {id(arm): arm for comparison in self.comparisons for arm in comparison.arms}
        return tuple(found.values())

    @property
    def favourable(self) -> int:
        """How many differences have the claimed sign."""
        return sum(comparison.power_gap > 0 for comparison in self.comparisons)

    def seeds_needed(self, alpha: float) -> int | None:
        """Runs per arm at which enough comparisons would reach their power at level `alpha`.

        More than every arm has now; None if the observed differences do not allow an estimate.
        """
        needed = [comparison.seeds_needed(alpha) for comparison in self.comparisons]
        known = sorted(n for n in needed if n is not None)
        if len(known) < self.at_least:
            return None
        now = max(len(arm.runs) for arm in self.arms)
        return max(known[self.at_least - 1], now + 1)


def conjunction(p: Sequence[float], at_least: int) -> float:
    """p value of "at least so many of these hold"; NaN where one of them is not defined."""
    if any(math.isnan(value) for value in p):
        return math.nan
    return statistics.partial_conjunction(p, at_least)
