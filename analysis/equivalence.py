"""Tests that two things are alike, that a ratio lies in a range, and that a paper's mean fits ours.

"No significant difference" never shows that two arms are alike: few runs make it true of anything.
Likeness is a claim of its own, with a margin chosen before the runs: two one-sided tests (TOST).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from analysis.statistics import (
    CONFIDENCE,
    Array,
    Welch,
    as_samples,
    one_sample_greater,
    smallest_permutation_p,
    variance,
    welch_from_summary,
    welch_greater,
)

#: TOST at level 0.05 is the same as a 90 % interval inside the margins (Schuirmann 1987).
TOST_CONFIDENCE = 0.9


@dataclass(frozen=True)
class Tost:
    """Difference of two means, its 90 % interval, and the p value of `|difference| < margin`."""

    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Prediction:
    """95 % prediction interval of a new mean; `inside` is None with fewer than two runs."""

    low: float
    high: float
    inside: bool | None


def tost(a: npt.ArrayLike, b: npt.ArrayLike, margin: float) -> Tost:
    """Test that mean(a) and mean(b) differ by less than `margin`, in the Welch form.

    Schuirmann (1987): both `a - b > -margin` and `b - a > -margin` must hold, so the larger of the
    two p values counts. Without any spread Welch is not defined; then the smallest p value that
    a permutation of so many runs can reach stands in (1 if the difference is not inside). With a
    single run in an arm, p and the interval are NaN.
    """
    _check_margin(margin)
    sizes = (as_samples(a).size, as_samples(b).size)
    above, below = welch_greater(a, b, -margin), welch_greater(b, a, -margin)
    return _tost(above, below, margin, min(sizes), smallest_permutation_p(*sizes))


def tost_summary(
    mean: float,
    sd: float,
    n: int,
    other_mean: float,
    other_sd: float,
    other_n: int,
    margin: float,
) -> Tost:
    """`tost` from means, sample standard deviations and numbers of runs."""
    _check_margin(margin)
    above = welch_from_summary(mean, sd, n, other_mean, other_sd, other_n, -margin)
    below = welch_from_summary(other_mean, other_sd, other_n, mean, sd, n, -margin)
    return _tost(above, below, margin, min(n, other_n), smallest_permutation_p(n, other_n))


def tost_constant(values: npt.ArrayLike, constant: float, margin: float) -> Tost:
    """Test that the mean of one arm differs from `constant` by less than `margin`.

    n equal values have no t test; the sign test is what is left, and its smallest p is 1/2^n.
    """
    _check_margin(margin)
    samples = as_samples(values)
    as_samples([constant], "the constant")
    above = one_sample_greater(samples, constant - margin)
    below = one_sample_greater(-samples, -constant - margin)
    shifted = Welch(above.difference - margin, above.half_width, above.degrees, above.p)
    return _tost(shifted, below, margin, samples.size, 0.5**samples.size)


def _check_margin(margin: float) -> None:
    if not (math.isfinite(margin) and margin > 0):
        raise ValueError(f"margin must be a finite number above 0, not {margin}")


def _tost(above: Welch, below: Welch, margin: float, fewest: int, smallest: float) -> Tost:
    difference = above.difference
    if fewest < 2:
        return Tost(difference, math.nan, math.nan, math.nan)
    if math.isnan(above.p):
        return Tost(
            difference, difference, difference, smallest if abs(difference) < margin else 1.0
        )
    quantile = float(stats.t.ppf(0.5 + TOST_CONFIDENCE / 2, above.degrees))
    half = quantile * above.standard_error
    return Tost(difference, difference - half, difference + half, max(above.p, below.p))


def ratio_within(
    a: npt.ArrayLike, b: npt.ArrayLike, low: float | None, high: float | None
) -> float:
    """p value of `low <= mean(a) / mean(b) <= high`; None leaves that side open.

    Welch tests of the linear contrasts `a - low b > 0` and `high b - a > 0` (Sasabuchi 1980); both
    must hold, so the larger p value counts (intersection-union). This reads the ratio as one of
    positive quantities: p is 1 if the mean of `b` is below 0. Without any spread the smallest
    p value of a permutation stands in, as in `tost`; with a single run in an arm, p is NaN.
    """
    first, second = as_samples(a), as_samples(b)
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds or not np.isfinite(bounds).all() or sorted(bounds) != bounds:
        raise ValueError(f"a ratio needs bounds low <= high, not {low} and {high}")
    if min(first.size, second.size) < 2:
        return math.nan
    if second.mean() < 0:
        return 1.0
    parts = []
    if low is not None:
        parts.append(_contrast_p(first, low * second))
    if high is not None:
        parts.append(_contrast_p(high * second, first))
    return max(parts)


def _contrast_p(left: Array, right: Array) -> float:
    found = welch_greater(left, right)
    if not math.isnan(found.p):
        return found.p
    return smallest_permutation_p(left.size, right.size) if found.difference > 0 else 1.0


def ratio_interval(
    a: npt.ArrayLike, b: npt.ArrayLike, confidence: float = CONFIDENCE
) -> tuple[float, float]:
    """Interval of mean(a) / mean(b): the ratios r whose contrast `a - r b` Welch does not reject.

    This is Fieller's (1954) interval with Welch's degrees of freedom, which depend on r, so its
    ends are found by root search; the p of `ratio_within` and the interval always agree.
    Where mean(b) is not clearly different from 0 no bounded interval exists: (-inf, inf). NaN with
    a single run in an arm.
    """
    first, second = as_samples(a), as_samples(b)
    sizes = (first.size, second.size)
    if min(sizes) < 2:
        return math.nan, math.nan
    means = (first.mean(), second.mean())
    errors = (np.float64(variance(first) / sizes[0]), np.float64(variance(second) / sizes[1]))
    quantile = special.stdtrit(sizes[1] - 1, 0.5 + confidence / 2)
    if means[1] ** 2 <= quantile**2 * errors[1]:
        return -math.inf, math.inf
    centre = float(means[0] / means[1])
    step = math.sqrt(errors[0] + centre**2 * errors[1]) / abs(float(means[1]))
    if step == 0.0:
        return centre, centre

    def excess(ratio: float) -> float:
        return float(contrast_excess(means, errors, sizes, ratio, confidence))

    return _end(excess, centre, -step), _end(excess, centre, step)


def contrast_excess(
    means: tuple[Array | np.float64, Array | np.float64],
    errors: tuple[Array | np.float64, Array | np.float64],
    sizes: tuple[int, int],
    ratio: float,
    confidence: float = CONFIDENCE,
) -> Array:
    """|t| of the contrast `mean(a) - ratio mean(b)` less its quantile: above 0 where it is rejected.

    `means` and squared standard errors `errors` of both arms are numbers or arrays of one shape.
    """
    parts = (errors[0], ratio**2 * errors[1])
    total = parts[0] + parts[1]
    degrees = total**2 / (parts[0] ** 2 / (sizes[0] - 1) + parts[1] ** 2 / (sizes[1] - 1))
    statistic = np.abs(means[0] - ratio * means[1]) / np.sqrt(total)
    return np.asarray(statistic - special.stdtrit(degrees, 0.5 + confidence / 2))


def _end(excess: Callable[[float], float], centre: float, step: float) -> float:
    """Where `excess` first leaves 0 on one side of the centre, where it is below 0."""
    inner, outer = centre, centre + step
    while excess(outer) <= 0:
        inner, step = outer, 2 * step
        outer = centre + step
    return float(optimize.brentq(excess, inner, outer))


def prediction_check(values: npt.ArrayLike, published_mean: float) -> Prediction:
    """Whether a published mean lies where a new mean of runs like ours would lie in 95 of 100 cases.

    For a mean whose spread and number of runs are not published. Assumption: it is the mean of as
    many runs as ours, with our spread: mean +- t(0.975, n - 1) sd sqrt(1/n + 1/n). Inside does not
    show that both agree (few runs make the interval wide), and the check enters no verdict by p.
    """
    samples = as_samples(values)
    as_samples([published_mean], "the published mean")
    if samples.size < 2:
        return Prediction(math.nan, math.nan, None)
    mean, n = float(samples.mean()), samples.size
    quantile = float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1))
    half = quantile * math.sqrt(variance(samples) * 2 / n)
    return Prediction(mean - half, mean + half, abs(published_mean - mean) <= half)
