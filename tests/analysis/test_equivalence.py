"""Likeness, ratios and published means: worked examples, closed forms and error rates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis import equivalence, statistics
from analysis.equivalence import ratio_interval, ratio_within, tost

A, B = [20.0, 22.0, 50.0], [9.0, 6.0, 12.0]


def test_tost_is_the_closed_form() -> None:
    # Equal sizes n and equal variances: Welch is Student with 2 (n - 1) degrees of freedom.
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.5, 3.5])
    error = math.sqrt(2 / 3)
    found = tost(a, b, 2.0)
    assert found.difference == -0.5
    assert found.p == pytest.approx(stats.t.sf(1.5 / error, 4))
    # t(0.95, 4) = 2.131847 from tables.
    assert (found.low, found.high) == pytest.approx(
        (-0.5 - 2.131847 * error, -0.5 + 2.131847 * error)
    )


def test_tost_agrees_with_two_tests_of_scipy() -> None:
    found = tost(A, B, 30.0)
    above = stats.ttest_ind(np.array(A) + 30.0, B, equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(np.array(A) - 30.0, B, equal_var=False, alternative="less").pvalue
    assert found.p == pytest.approx(max(above, below))
    interval = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.90)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


@pytest.mark.parametrize("margin", [10.0, 45.0, 60.0, 80.0])
def test_tost_rejects_exactly_when_the_interval_is_inside_the_margins(margin: float) -> None:
    found = tost(A, B, margin)
    assert (found.p <= 0.05) == (-margin <= found.low and found.high <= margin)


def test_tost_holds_its_level_at_the_margin() -> None:
    rng = np.random.default_rng(1)
    pairs = zip(rng.normal(1.0, 0.3, (800, 5)), rng.normal(0.0, 0.3, (800, 5)), strict=True)
    rejected = np.mean([tost(a, b, 1.0).p <= 0.05 for a, b in pairs])
    # Three standard errors of a share of 0.05 in 800 draws.
    assert rejected == pytest.approx(0.05, abs=0.023)


def test_tost_from_summaries_equals_tost_from_samples() -> None:
    summary = (np.mean(A), np.std(A, ddof=1), 3, np.mean(B), np.std(B, ddof=1), 3)
    found, expected = equivalence.tost_summary(*summary, 40.0), tost(A, B, 40.0)
    assert (found.low, found.high, found.p) == pytest.approx(
        (expected.low, expected.high, expected.p)
    )


def test_tost_against_a_constant_agrees_with_scipy() -> None:
    found = equivalence.tost_constant(A, 30.0, 20.0)
    tests = [
        stats.ttest_1samp(A, 10.0, alternative="greater").pvalue,
        stats.ttest_1samp(A, 50.0, alternative="less").pvalue,
    ]
    interval = stats.ttest_1samp(A, 30.0).confidence_interval(0.90)
    assert found.difference == pytest.approx(np.mean(A) - 30.0)
    assert found.p == pytest.approx(max(tests))
    assert (found.low, found.high) == pytest.approx((interval.low - 30.0, interval.high - 30.0))


def test_tost_without_spread_falls_back_to_the_smallest_permutation_p() -> None:
    # The rounded mean of three times 0.1 is not 0.1: equal runs must still have no spread at all.
    assert tost([0.1] * 3, [0.2] * 3, 0.15).p == pytest.approx(1 / 20)
    assert tost([0.1] * 3, [0.4] * 3, 0.15).p == 1.0
    assert equivalence.tost_summary(5.0, 0.0, 4, 5.1, 0.0, 3, 1.0).p == pytest.approx(1 / 35)
    assert equivalence.tost_constant([0.0] * 5, 0.0, 1.0).p == pytest.approx(1 / 32)
    assert equivalence.tost_constant([0.0] * 5, 1.0, 1.0).p == 1.0


def test_a_single_run_shows_no_likeness() -> None:
    found = tost([1.0], [1.0, 1.1], 5.0)
    assert found.difference == pytest.approx(-0.05)
    assert math.isnan(found.p)
    assert math.isnan(found.low)
    assert math.isnan(equivalence.tost_constant([1.0], 1.0, 5.0).p)
    assert math.isnan(ratio_within([1.0], [1.0, 2.0], 0.1, None))
    assert all(math.isnan(end) for end in ratio_interval([1.0], [1.0, 2.0]))


@pytest.mark.parametrize("margin", [0.0, -1.0, math.nan, math.inf])
def test_a_margin_must_be_positive(margin: float) -> None:
    with pytest.raises(ValueError, match="margin must be"):
        tost(A, B, margin)
    with pytest.raises(ValueError, match="the constant must be"):
        equivalence.tost_constant(A, math.nan, 1.0)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0, 2.0]]])
def test_bad_samples_are_refused_everywhere(values: list[float]) -> None:
    calls = (
        lambda: tost(values, A, 1.0),
        lambda: equivalence.tost_constant(values, 0.0, 1.0),
        lambda: ratio_within(A, values, 1.0, None),
        lambda: ratio_interval(values, A),
        lambda: equivalence.prediction_check(values, 1.0),
    )
    for call in calls:
        with pytest.raises(ValueError, match="samples must be"):
            call()


def test_ratio_tests_are_welch_tests_of_the_contrasts() -> None:
    above = stats.ttest_ind(A, 2 * np.array(B), equal_var=False, alternative="greater").pvalue
    below = stats.ttest_ind(8 * np.array(B), A, equal_var=False, alternative="greater").pvalue
    assert ratio_within(A, B, 2.0, None) == pytest.approx(above)
    assert ratio_within(A, B, None, 8.0) == pytest.approx(below)
    assert ratio_within(A, B, 2.0, 8.0) == pytest.approx(max(above, below))
    # A ratio of at least 1 is the ordinary comparison.
    assert ratio_within(A, B, 1.0, None) == pytest.approx(statistics.welch_greater(A, B).p)


def test_ratio_without_spread_or_of_negative_quantities() -> None:
    assert ratio_within([4.0] * 3, [2.0] * 3, 1.5, 2.5) == pytest.approx(1 / 20)
    assert ratio_within([4.0] * 3, [2.0] * 3, 2.5, None) == 1.0
    # -10 / -1 is 10, but "ten times as much" is not what two losses of this kind say.
    assert ratio_within([-10.0, -11.0, -9.0], [-1.0, -1.1, -0.9], 2.0, None) == 1.0


@pytest.mark.parametrize(
    ("low", "high"), [(None, None), (2.0, 1.0), (math.nan, None), (None, math.inf)]
)
def test_ratio_bounds_are_checked(low: float | None, high: float | None) -> None:
    with pytest.raises(ValueError, match="a ratio needs bounds"):
        ratio_within(A, B, low, high)


def test_ratio_interval_is_the_tests_inverted() -> None:
    low, high = ratio_interval(A, B)
    assert low < np.mean(A) / np.mean(B) < high
    assert ratio_within(A, B, low, None) == pytest.approx(0.025)
    assert ratio_within(A, B, None, high) == pytest.approx(0.025)


def test_ratio_interval_is_fiellers_closed_form_where_degrees_do_not_depend_on_the_ratio() -> None:
    # A constant numerator: the ratio c / mean(b) is a monotone function of mean(b) alone.
    error = float(stats.sem(B))
    quantile = stats.t.ppf(0.975, 2)
    low, high = ratio_interval([36.0] * 3, B)
    assert (low, high) == pytest.approx((36 / (9 + quantile * error), 36 / (9 - quantile * error)))


def test_ratio_interval_at_its_edges() -> None:
    assert ratio_interval(A, [-1.0, 0.0, 1.1]) == (-math.inf, math.inf)
    assert ratio_interval([0.0] * 3, B) == (0.0, 0.0)
    assert ratio_interval([3.0] * 3, [2.0] * 3) == (1.5, 1.5)
    low, high = ratio_interval(A, np.negative(B))
    assert (-high, -low) == pytest.approx(ratio_interval(A, B))


def test_prediction_interval_is_the_closed_form() -> None:
    found = equivalence.prediction_check(A, 89.0)
    mean, error = np.mean(A), stats.sem(A)
    half = stats.t.ppf(0.975, 2) * error * math.sqrt(2)
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half))
    assert found.inside
    assert equivalence.prediction_check(A, 199.0).inside is False
    assert equivalence.prediction_check([1.0], 1.0).inside is None
    with pytest.raises(ValueError, match="the published mean must be"):
        equivalence.prediction_check(A, math.nan)


def test_prediction_interval_holds_new_means_in_95_of_100_cases() -> None:
    rng = np.random.default_rng(2)
    inside = [
        equivalence.prediction_check(rng.normal(size=4), float(rng.normal(size=4).mean())).inside
        for _ in range(1000)
    ]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.02)
