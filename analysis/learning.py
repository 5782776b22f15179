"""Statistics of learning: how fast, how surely, in what order, with how much spread.

Areas under curves and steps to a threshold are numbers of one run; the tests below compare runs.
All of them are exact where they can be, since arms have few runs.
"""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.statistics import (
    BOOTSTRAP_DRAWS,
    CONFIDENCE,
    Array,
    Permutation,
    as_samples,
    expanded_tail,
    percentile_interval,
    permutation_greater,
    variance,
)

Flags = npt.NDArray[np.bool_]
Side = Literal[">=", "<="]

#: Page's test is exact up to so many columns and blocks (8! orders of a block), normal above.
EXACT_COLUMNS = 8
EXACT_BLOCKS = 50


@dataclass(frozen=True)
class Ratio:
    """Ratio of two paired means with its 95 % interval."""

    ratio: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """Ratio of standard deviations, sd(a) / sd(b), and the p values of "a spreads more"."""

    ratio: float
    p: float
    permutation: Permutation


def _curves(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[Array, Array]:
    points, heights = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if points.ndim != 1 or points.size < 2 or not (np.diff(points) > 0).all():
        raise ValueError("x must be a list of at least two increasing numbers")
    if heights.shape[-1:] != points.shape or heights.size == 0:
        raise ValueError(f"y must end in an axis of {points.size}, not have shape {heights.shape}")
    if not (np.isfinite(points).all() and np.isfinite(heights).all()):
        raise ValueError("x and y must be finite")
    return points, heights


def area_under_curve(x: npt.ArrayLike, y: npt.ArrayLike) -> Array:
    """Mean height of curves `y` [..., n] over `x` [n]: trapezoid area over the range of x, [...]."""
    points, heights = _curves(x, y)
    return np.asarray(np.trapezoid(heights, points, axis=-1) / (points[-1] - points[0]))


def steps_to_threshold(
    x: npt.ArrayLike, y: npt.ArrayLike, threshold: float, side: Side
) -> tuple[Array, Flags]:
    """First `x` [n] at which curves `y` [..., n] reach the threshold, [...], and who never does.

    Nothing is interpolated: a run is known to have arrived only where it was evaluated. Curves
    that never arrive are censored at the last x: all that is known is "later than that".
    """
    if side not in (">=", "<="):
        raise ValueError(f"side must be '>=' or '<=', not '{side}'")
    if not math.isfinite(threshold):
        raise ValueError("threshold must be a finite number")
    points, heights = _curves(x, y)
    reached = heights >= threshold if side == ">=" else heights <= threshold
    censored = np.asarray(~reached.any(axis=-1))
    return np.where(censored, points[-1], points[reached.argmax(axis=-1)]), censored


def censored_greater(
    a: npt.ArrayLike, a_censored: npt.ArrayLike, b: npt.ArrayLike, b_censored: npt.ArrayLike
) -> Permutation:
    """One-sided permutation test of "a takes longer than b" on Gehan (1965) scores.

    A censored value is known to be later than every smaller value and every uncensored equal one.
    The permutation is valid if both arms are censored at the same point, as at a common budget.
    Without censoring it is the Wilcoxon rank-sum test.
    """
    scores = gehan_scores(a, a_censored, b, b_censored)
    split = np.asarray(a, dtype=np.float64).size
    return permutation_greater(scores[:split], scores[split:])


def gehan_scores(
    a: npt.ArrayLike, a_censored: npt.ArrayLike, b: npt.ArrayLike, b_censored: npt.ArrayLike
) -> Array:
    """Scores [n + m], a before b: how many runs are surely earlier, less how many surely later."""
    times = np.concatenate([as_samples(a, "times"), as_samples(b, "times")])
    flags = np.concatenate([np.asarray(a_censored).ravel(), np.asarray(b_censored).ravel()])
    sizes = (np.size(a), np.size(b)) == (np.size(a_censored), np.size(b_censored))
    if not sizes or flags.dtype != np.bool_:
        raise ValueError("censored must be one truth value for every time")
    gap = times[:, None] - times[None, :]
    later = ~flags[None, :] & ((gap > 0) | ((gap == 0) & flags[:, None]))
    return np.asarray(later.sum(axis=1) - later.sum(axis=0), dtype=np.float64)


def page_trend(values: npt.ArrayLike) -> float:
    """p value of Page's (1963) test that `values` [blocks, k] increase along the columns.

    L = sum_j j R_j with the ranks of each block (mean ranks for ties). Exact, given the ties, up to
    `EXACT_COLUMNS` columns and `EXACT_BLOCKS` blocks; above that the normal approximation.
    """
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] < 1 or table.shape[1] < 2 or not np.isfinite(table).all():
        raise ValueError("a trend needs finite values [blocks, columns], two columns or more")
    ranks = stats.rankdata(table, axis=1)
    blocks, columns = table.shape
    places = np.arange(1, columns + 1)
    statistic = float((ranks @ places).sum())
    if columns <= EXACT_COLUMNS and blocks <= EXACT_BLOCKS:
        return _page_exact(ranks, statistic)
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    mean = blocks * columns * (columns + 1) ** 2 / 4
    squared = float((centred**2).sum() * places.var() * columns / (columns - 1))
    return float(stats.norm.sf((statistic - mean) / math.sqrt(squared))) if squared > 0 else 1.0


def _page_exact(ranks: Array, statistic: float) -> float:
    """P(L >= statistic): the blocks are independent, so their distributions are convolved."""
    # Twice the ranks are whole numbers, with ties too.
    doubled = np.sort(np.rint(2 * ranks).astype(np.intp), axis=1)
    lowest, probability = 0, np.ones(1)
    for block in doubled:
        offset, part = _page_block(tuple(block.tolist()))
        lowest, probability = lowest + offset, np.convolve(probability, part)
    return float(min(1.0, probability[max(0, round(2 * statistic) - lowest) :].sum()))


@functools.lru_cache(maxsize=256)
def _page_block(doubled_ranks: tuple[int, ...]) -> tuple[int, Array]:
    """Smallest value of 2 L of one block, and the probabilities of it and the values above."""
    orders = np.array(list(itertools.permutations(doubled_ranks)))
    values = orders @ np.arange(1, len(doubled_ranks) + 1)
    offset = int(values.min())
    return offset, np.bincount(values - offset) / len(values)


def paired_ratio(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    draws: int = BOOTSTRAP_DRAWS,
    seed: int = 0,
    expanded: bool = True,
) -> Ratio:
    """mean(a) / mean(b) of paired runs (same seed), with a bootstrap interval over the pairs.

    `b` is above 0. Whole pairs are resampled; `expanded` widens the percentiles for few pairs
    (Hesterberg 2015). With three pairs that is the range of the three ratios, which covers far
    less than 95 %: see docs/statistics.md.
    """
    first, second = as_samples(a), as_samples(b)
    if first.size != second.size or first.size < 2:
        raise ValueError("paired runs come in two lists of the same length, at least 2")
    if (second <= 0).any():
        raise ValueError("the denominators of a paired ratio must be above 0")
    if draws < 1:
        raise ValueError("the number of draws must be at least 1")
    ratios = ratio_draws(first, second, draws, np.random.default_rng(seed))
    tail = expanded_tail(first.size) if expanded else (1 - CONFIDENCE) / 2
    low, high = percentile_interval(ratios, tail)
    return Ratio(float(first.mean() / second.mean()), float(low), float(high))


def ratio_draws(a: Array, b: Array, draws: int, generator: np.random.Generator) -> Array:
    """Resampled ratios [..., draws] of paired arrays [..., n]; all leading sets share the draws."""
    n = a.shape[-1]
    chosen = generator.integers(0, n, size=(draws, n))
    return np.asarray(a[..., chosen].sum(axis=-1) / b[..., chosen].sum(axis=-1))


def spread_greater(a: npt.ArrayLike, b: npt.ArrayLike) -> Spread:
    """One-sided Brown-Forsythe (1974) test that `a` spreads more than `b`, at least 3 runs each.

    Student's t test on the distances to the own median; `permutation` permutes these distances.
    In an arm with an odd number of runs one distance is 0 by construction, so the test is careful:
    with three runs each, p is never below 0.058 (permutation: 0.2).
    """
    first, second = as_samples(a), as_samples(b)
    n, m = first.size, second.size
    if min(n, m) < 3:
        raise ValueError("a test of spreads needs at least three runs in each arm")
    distances = np.abs(first - np.median(first)), np.abs(second - np.median(second))
    found = permutation_greater(*distances)
    # Every run of b, or the median of a itself, may stand in for the zero distance in a.
    smallest = found.smallest * (m + 1 if n % 2 else 1)
    pooled = sum(variance(d) * (d.size - 1) for d in distances) / (n + m - 2)
    # Runs at two values, or all equal: their distances do not vary and t is not defined.
    p = found.p
    if pooled > 0:
        gap = float(distances[0].mean() - distances[1].mean())
        p = float(stats.t.sf(gap / math.sqrt(pooled * (1 / n + 1 / m)), n + m - 2))
    sds = math.sqrt(variance(first)), math.sqrt(variance(second))
    ratio = sds[0] / sds[1] if sds[1] > 0 else (math.inf if sds[0] > 0 else math.nan)
    return Spread(ratio, p, Permutation(found.p, smallest, found.exact))


def clopper_pearson(k: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Exact interval of a share, `k` of `n` runs (Clopper and Pearson 1934): beta quantiles."""
    _check_count(k, n)
    tail = (1 - confidence) / 2
    low = float(stats.beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    high = float(stats.beta.isf(tail, k + 1, n - k)) if k < n else 1.0
    return low, high


def fisher_greater(k_a: int, n_a: int, k_b: int, n_b: int) -> float:
    """Fisher's (1935) exact one-sided p that `k_a` of `n_a` is a larger share than `k_b` of `n_b`."""
    _check_count(k_a, n_a)
    _check_count(k_b, n_b)
    return float(stats.hypergeom.sf(k_a - 1, n_a + n_b, k_a + k_b, n_a))


def _check_count(k: int, n: int) -> None:
    if k != int(k) or n != int(n) or not 0 <= k <= n or n < 1:
        raise ValueError(f"a count is k of n with 0 <= k <= n and n >= 1, not {k} of {n}")
