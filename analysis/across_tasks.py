"""Aggregates over tasks, with bootstrap intervals stratified by task (Agarwal et al. 2021).

`Scores` of one algorithm is a list of arrays, one a task, with one score a run; tasks may differ
in their number of runs. Every statistic also takes arrays [..., n] and then returns [...]: that is
how all bootstrap draws are computed at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics import (
    BOOTSTRAP_DRAWS,
    CONFIDENCE,
    Array,
    Permutation,
    expanded_tail,
    group_sums,
    percentile_interval,
    smallest_permutation_p,
)

Scores = Sequence[npt.ArrayLike]
Statistic = Callable[..., Array]

#: D4RL-normalised scores: 100 is the reference policy of a task.
TARGET = 100.0
#: The interquartile mean leaves out this share of the runs at either end.
TRIMMED = 0.25


@dataclass(frozen=True)
class Estimate:
    """A statistic of the runs with its bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Band:
    """A performance profile with its pointwise bootstrap band, each [thresholds]."""

    thresholds: Array
    value: Array
    low: Array
    high: Array


def as_scores(scores: Scores) -> list[Array]:
    """Scores as float64 arrays [..., n]; ValueError if empty, not finite or of unlike shapes."""
    arrays = [np.asarray(task, dtype=np.float64) for task in scores]
    if not arrays or any(task.ndim < 1 or task.size == 0 for task in arrays):
        raise ValueError("scores are a list of tasks, each with at least one run")
    if not all(np.isfinite(task).all() for task in arrays):
        raise ValueError("scores must be finite")
    if len({task.shape[:-1] for task in arrays}) > 1:
        raise ValueError("all tasks must have the same leading axes")
    return arrays


def _task_means(arrays: Sequence[Array]) -> Array:
    return np.stack([task.mean(axis=-1) for task in arrays], axis=-1)


def mean(scores: Scores) -> Array:
    """Mean of the task means: every task weighs the same."""
    return np.asarray(_task_means(as_scores(scores)).mean(axis=-1))


def median(scores: Scores) -> Array:
    """Median of the task means; it ignores how well all but one or two tasks are solved."""
    return np.asarray(np.median(_task_means(as_scores(scores)), axis=-1))


def iqm(scores: Scores) -> Array:
    """Interquartile mean: 25 % trimmed mean over all runs of all tasks.

    As in rliable and `scipy.stats.trim_mean`, int(N / 4) of the N runs are left out at either end:
    whole runs, so with N not divisible by 4 slightly fewer than a quarter.
    """
    pooled = np.sort(np.concatenate(as_scores(scores), axis=-1), axis=-1)
    cut = int(TRIMMED * pooled.shape[-1])
    return np.asarray(pooled[..., cut : pooled.shape[-1] - cut].mean(axis=-1))


def optimality_gap(scores: Scores, target: float = TARGET) -> Array:
    """How far runs stay below `target` on average; what lies above it does not count."""
    if not math.isfinite(target):
        raise ValueError("target must be a finite number")
    capped = [np.minimum(task, target) for task in as_scores(scores)]
    return np.asarray(target - _task_means(capped).mean(axis=-1))


def performance_profile(scores: Scores, thresholds: npt.ArrayLike) -> Array:
    """Share of runs above each threshold [t], mean over tasks: [..., t]."""
    levels = np.asarray(thresholds, dtype=np.float64)
    if levels.ndim != 1 or levels.size == 0 or not np.isfinite(levels).all():
        raise ValueError("thresholds must be a list of at least one finite number")
    shares = [(task[..., None] > levels).mean(axis=-2) for task in as_scores(scores)]
    return np.asarray(np.mean(shares, axis=0))


def _same_tasks(x: Scores, y: Scores) -> tuple[list[Array], list[Array]]:
    first, second = as_scores(x), as_scores(y)
    if len(first) != len(second):
        raise ValueError(
            f"both algorithms need the same tasks, not {len(first)} and {len(second)} of them"
        )
    return first, second


def probability_of_improvement(x: Scores, y: Scores) -> Array:
    """Probability that a run of `x` beats a run of `y` on the same task, mean over tasks.

    Mann-Whitney U / (n m) of each task; equal runs count half.
    """
    shares = []
    for first, second in zip(*_same_tasks(x, y), strict=True):
        left, right = first[..., :, None], second[..., None, :]
        shares.append(((left > right) + 0.5 * (left == right)).mean(axis=(-2, -1)))
    return np.asarray(np.mean(shares, axis=0))


def improvement_greater(x: Scores, y: Scores) -> Permutation:
    """One-sided permutation test that the probability of improvement is above one half.

    Runs are permuted within each task and all tasks are combined exactly: the null distributions of
    the tasks are convolved. A task with too many splits to enumerate uses drawn ones.
    """
    first, second = _same_tasks(x, y)
    if any(task.ndim > 1 for task in first + second):
        raise ValueError("scores are a list of tasks, each a list of runs")
    # All values of U / (n m) are whole multiples of one unit: sums then compare exactly.
    unit = math.lcm(*(2 * a.size * b.size for a, b in zip(first, second, strict=True)))
    observed, exact, smallest = 0, True, 1.0
    total = np.ones(1)
    for a, b in zip(first, second, strict=True):
        wins, null, enumerated = _wins(a, b)
        scale = unit // (2 * a.size * b.size)
        observed += scale * wins
        total = _add(total, null, scale)
        exact = exact and enumerated
        smallest *= smallest_permutation_p(a.size, b.size)
    return Permutation(min(1.0, float(total[observed:].sum())), smallest, exact)


def _wins(a: Array, b: Array) -> tuple[int, Array, bool]:
    """Twice the Mann-Whitney U of a task, the null probabilities of 0, 1, .., and if exact."""
    # Twice the ranks are whole numbers, with ties too.
    ranks = np.rint(2 * stats.rankdata(np.concatenate([a, b])))
    sums, exact = group_sums(ranks, a.size)
    found = ranks[: a.size].sum()
    # Drawn splits count the observed one in (Phipson and Smyth 2010).
    sums = sums if exact else np.append(sums, found)
    least = a.size * (a.size + 1)
    null = np.bincount((sums - least).astype(np.intp), minlength=2 * a.size * b.size + 1)
    return int(found) - least, null / sums.size, exact


def _add(total: Array, null: Array, scale: int) -> Array:
    """Distribution of a sum: of `total` and of `scale` times a number distributed as `null`."""
    result = np.zeros(total.size + scale * (null.size - 1))
    for value in np.flatnonzero(null):
        start = scale * int(value)
        result[start : start + total.size] += null[value] * total
    return result


def resample(scores: Sequence[Array], draws: int, generator: np.random.Generator) -> list[Array]:
    """Resampled runs of every task, [..., n] -> [..., draws, n]; leading sets share the draws."""
    sizes = [task.shape[-1] for task in scores]
    # One byte an index: making the indices is the larger part of a bootstrap's time.
    kind = np.uint8 if max(sizes) <= np.iinfo(np.uint8).max else np.int64
    chosen = (generator.integers(0, n, size=(draws, n), dtype=kind) for n in sizes)
    return [task.take(index, axis=-1) for task, index in zip(scores, chosen, strict=True)]


def bootstrap(
    statistic: Statistic,
    *algorithms: Scores,
    draws: int = BOOTSTRAP_DRAWS,
    confidence: float = CONFIDENCE,
    expanded: bool = True,
    seed: int = 0,
) -> Estimate:
    """Percentile bootstrap interval of `statistic(*algorithms)`, runs resampled within tasks.

    `expanded` widens the percentiles as few runs demand (Hesterberg 2015): n is the smallest number
    of runs of a task, and the degrees of freedom are those of all tasks together, sum(n - 1), as
    for a mean over tasks of equal variance. (With the n - 1 of one task the intervals would be far
    too wide: coverage 0.97 to 0.99.) A difference of two algorithms is a statistic of both:
    `bootstrap(lambda x, y: iqm(x) - iqm(y), x, y)`.
    """
    value, low, high = _interval(statistic, algorithms, draws, confidence, expanded, seed)
    return Estimate(float(value), float(low), float(high))


def profile_band(
    scores: Scores,
    thresholds: npt.ArrayLike,
    draws: int = BOOTSTRAP_DRAWS,
    confidence: float = CONFIDENCE,
    expanded: bool = True,
    seed: int = 0,
) -> Band:
    """Performance profile with a pointwise bootstrap band, runs resampled within tasks."""
    levels = np.asarray(thresholds, dtype=np.float64)
    found = _interval(
        lambda x: performance_profile(x, levels), (scores,), draws, confidence, expanded, seed
    )
    return Band(levels, *found)


def _interval(
    statistic: Statistic,
    algorithms: Sequence[Scores],
    draws: int,
    confidence: float,
    expanded: bool,
    seed: int,
) -> tuple[Array, Array, Array]:
    arrays = [as_scores(scores) for scores in algorithms]
    if not arrays or any(task.ndim > 1 for scores in arrays for task in scores):
        raise ValueError("a bootstrap needs the scores of an algorithm: a list of runs for a task")
    if draws < 1 or not 0 < confidence < 1:
        raise ValueError("a bootstrap needs at least one draw and a confidence between 0 and 1")
    sizes = [task.size for scores in arrays for task in scores]
    if min(sizes) < 2:
        raise ValueError("a bootstrap needs at least two runs of every task")
    degrees = sum(sizes) - len(sizes)
    generator = np.random.default_rng(seed)
    drawn = statistic(*(resample(scores, draws, generator) for scores in arrays))
    expansion = expanded_tail(min(sizes), degrees, confidence)
    tail = expansion if expanded else (1 - confidence) / 2
    low, high = percentile_interval(np.moveaxis(drawn, 0, -1), tail)
    return np.asarray(statistic(*arrays)), low, high
