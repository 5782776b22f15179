"""Every statistic against a closed form, scipy, or a published value."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis import statistics

A, B = [20.0, 22.0, 50.0], [-9.0, -6.0, 2.0]


def test_t_interval_is_the_closed_form() -> None:
    interval = statistics.t_interval([1.0, 2.0, 3.0])
    # sd 1, n 3, t(0.975, 2) = 4.302653 from tables.
    assert interval.mean == 2.0
    assert interval.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert interval.high - interval.low == pytest.approx(2 * interval.half_width)


def test_t_interval_agrees_with_scipy() -> None:
    low, high = stats.t.interval(0.95, 2, loc=np.mean(A), scale=stats.sem(A))
    interval = statistics.t_interval(A)
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_t_interval_of_one_run_has_no_width_and_of_equal_runs_zero() -> None:
    assert math.isnan(statistics.t_interval([4.0]).half_width)
    assert statistics.t_interval([4.0, 4.0, 4.0]).half_width == 0.0


def test_t_half_width_is_vectorised_over_any_axis() -> None:
    samples = np.random.default_rng(1).normal(size=(4, 6))
    expected = [statistics.t_interval(row).half_width for row in samples]
    assert statistics.t_half_width(samples, axis=1) == pytest.approx(expected)
    assert statistics.t_half_width(samples.T, axis=0) == pytest.approx(expected)


def test_t_interval_covers_as_promised_where_the_percentile_bootstrap_does_not() -> None:
    samples = np.random.default_rng(2).normal(size=(20_000, 3))
    covered = np.abs(samples.mean(axis=1)) <= statistics.t_half_width(samples, axis=1)
    assert covered.mean() == pytest.approx(0.95, abs=0.006)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [[1.0]]])
def test_samples_that_are_no_samples_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="samples must be"):
        statistics.t_interval(values)


@pytest.mark.parametrize("shift", [0.0, 5.0, -10.0])
def test_welch_agrees_with_scipy(shift: float) -> None:
    expected = stats.ttest_ind(np.array(A) - shift, B, equal_var=False, alternative="greater")
    found = statistics.welch_greater(A, B, shift)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.degrees == pytest.approx(expected.df)


def test_welch_interval_agrees_with_scipy_and_ignores_the_shift() -> None:
    expected = stats.ttest_ind(A, B, equal_var=False).confidence_interval(0.95)
    found = statistics.welch_greater(A, B, shift=7.0)
    assert found.difference - found.half_width == pytest.approx(expected.low)
    assert found.difference + found.half_width == pytest.approx(expected.high)


def test_welch_from_summary_equals_welch_from_samples() -> None:
    summary = (np.mean(A), np.std(A, ddof=1), 3, np.mean(B), np.std(B, ddof=1), 3)
    found, expected = statistics.welch_from_summary(*summary), statistics.welch_greater(A, B)
    assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(expected))


def test_welch_without_spread_or_with_one_run_is_undefined() -> None:
    assert math.isnan(statistics.welch_greater([1.0, 1.0], [0.0, 0.0]).p)
    single = statistics.welch_greater([5.0], [0.0, 1.0])
    assert single.difference == 4.5
    assert math.isnan(single.p)


def test_welch_with_one_arm_at_a_floor_has_the_degrees_of_the_other() -> None:
    assert statistics.welch_greater(A, [-2.5, -2.5, -2.5]).degrees == pytest.approx(2.0)


def test_equal_runs_have_no_spread_whatever_their_rounded_mean() -> None:
    # The float mean of 0.1, 0.1, 0.1 is 0.10000000000000002: a spread of 1e-17 would give p = 0.
    assert math.isnan(statistics.welch_greater([0.3] * 3, [0.1] * 3).p)
    assert math.isnan(statistics.one_sample_greater([0.1] * 3, 0.0).p)


def test_welch_from_summary_takes_a_shift_and_checks_its_input() -> None:
    summary = (np.mean(A), np.std(A, ddof=1), 3, np.mean(B), np.std(B, ddof=1), 3)
    found = statistics.welch_from_summary(*summary, shift=5.0)
    assert found.p == pytest.approx(statistics.welch_greater(A, B, 5.0).p)
    for wrong in ((1.0, -1.0, 3, 1.0, 1.0, 3), (1.0, 1.0, 0, 1.0, 1.0, 3)):
        with pytest.raises(ValueError, match="a summary has"):
            statistics.welch_from_summary(*wrong)
    with pytest.raises(ValueError, match="a summary must be"):
        statistics.welch_from_summary(1.0, math.nan, 3, 1.0, 1.0, 3)


def test_welch_standard_error_is_that_of_the_difference() -> None:
    expected = math.hypot(float(stats.sem(A)), float(stats.sem(B)))
    assert statistics.welch_greater(A, B).standard_error == pytest.approx(expected)


def test_one_sample_test_agrees_with_scipy() -> None:
    expected = stats.ttest_1samp(A, 10.0, alternative="greater").pvalue
    assert statistics.one_sample_greater(A, 10.0).p == pytest.approx(expected)
    assert math.isnan(statistics.one_sample_greater([1.0, 1.0], 0.0).p)


@pytest.mark.parametrize(("n", "two_sided"), [(3, 0.10), (4, 0.029), (5, 0.0079), (6, 0.0022)])
def test_smallest_permutation_p_of_the_published_table(n: int, two_sided: float) -> None:
    assert 2 * statistics.smallest_permutation_p(n, n) == pytest.approx(two_sided, rel=0.02)
    separated = statistics.permutation_greater(np.arange(n) + 100.0, np.arange(n))
    assert separated.p == statistics.smallest_permutation_p(n, n)


def test_permutation_agrees_with_a_count_by_hand() -> None:
    # All 10 ways to choose 2 of {1, 2, 3, 4, 10}: sums of at least 3 + 10 are 3+10 and 4+10.
    assert statistics.permutation_greater([3.0, 10.0], [1.0, 2.0, 4.0]).p == pytest.approx(2 / 10)


def test_permutation_agrees_with_scipy() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.normal(0.5, 1, 5), rng.normal(0, 1, 4)
    expected = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x) - np.mean(y), alternative="greater", n_resamples=np.inf
    )
    assert statistics.permutation_greater(a, b).p == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_shifts_and_bounds_must_be_finite(number: float) -> None:
    with pytest.raises(ValueError, match="the shift must be"):
        statistics.welch_greater(A, B, number)
    with pytest.raises(ValueError, match="the bound must be"):
        statistics.one_sample_greater(A, number)


def test_permutation_counts_ties_and_shifts() -> None:
    assert statistics.permutation_greater([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]).p == 1.0
    # 0.1 + 0.2 differs from 0.3 in the last bit; equal splits must stay equal.
    assert statistics.permutation_greater([0.1, 0.2], [0.2, 0.1]).p == pytest.approx(5 / 6)
    assert statistics.permutation_greater([6.0, 7.0], [5.0, 5.0], shift=5.0).p == 1.0


def test_large_permutations_are_drawn_reproducibly() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(0.8, 1, 15), rng.normal(0, 1, 15)
    found = statistics.permutation_greater(a, b)
    assert not found.exact
    assert found == statistics.permutation_greater(a, b)
    expected = stats.ttest_ind(a, b, alternative="greater").pvalue
    assert found.p == pytest.approx(expected, abs=0.004)


def test_holm_agrees_with_a_published_example() -> None:
    # Holm's procedure on the usual textbook values; R's p.adjust gives the same numbers.
    found = statistics.holm([0.01, 0.04, 0.03, 0.005])
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert statistics.holm([0.6, 0.7]).tolist() == [1.0, 1.0]
    assert statistics.holm([0.2]).tolist() == [0.2]


def test_holm_controls_the_family_wise_error() -> None:
    p = np.random.default_rng(5).uniform(size=(4000, 8))
    false = [bool((statistics.holm(row) <= 0.05).any()) for row in p]
    assert np.mean(false) == pytest.approx(0.05, abs=0.012)


def test_partial_conjunction_is_intersection_union_and_bonferroni_at_its_ends() -> None:
    p = [0.03, 0.001, 0.2]
    assert statistics.partial_conjunction(p, 3) == 0.2
    assert statistics.partial_conjunction(p, 1) == pytest.approx(0.003)
    assert statistics.partial_conjunction(p, 2) == pytest.approx(0.06)
    assert statistics.partial_conjunction([0.9, 0.9], 1) == 1.0
    for wrong in (0, 4):
        with pytest.raises(ValueError, match="between 1 and 3"):
            statistics.partial_conjunction(p, wrong)


@pytest.mark.parametrize("p", [[], [0.1, math.nan], [-0.1], [1.1], [[0.1]]])
def test_p_values_that_are_none_are_refused(p: list[float]) -> None:
    with pytest.raises(ValueError, match="p values must"):
        statistics.holm(p)
    with pytest.raises(ValueError, match="p values must"):
        statistics.partial_conjunction(p, 1)


def test_power_agrees_with_simulation() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(1.0, 1.0, (20_000, 6)), rng.normal(0.0, 2.0, (20_000, 6))
    p = stats.ttest_ind(a, b, axis=1, equal_var=False, alternative="greater").pvalue
    expected = statistics.welch_power(np.array([6]), 1.0, (1.0, 2.0), 0.05)[0]
    assert (p <= 0.05).mean() == pytest.approx(expected, abs=0.015)


def test_needed_seeds_is_the_first_size_with_enough_power() -> None:
    # Difference of one sd: the textbook answer for a one-sided t test at 0.05 and power 0.8 is 14.
    needed = statistics.needed_seeds(1.0, (1.0, 1.0))
    assert needed == 14
    power = statistics.welch_power(np.array([13, 14]), 1.0, (1.0, 1.0), 0.05)
    assert power[0] < 0.8 <= power[1]


def test_needed_seeds_grows_with_a_harder_level_and_gives_up_honestly() -> None:
    sizes = [statistics.needed_seeds(1.0, (1.0, 1.0), alpha) for alpha in (0.05, 0.01, 0.001)]
    assert all(a < b for a, b in itertools.pairwise(sizes))  # type: ignore[operator]
    assert statistics.needed_seeds(-1.0, (1.0, 1.0)) is None
    assert statistics.needed_seeds(1.0, (0.0, 0.0)) is None
    assert statistics.needed_seeds(0.001, (1.0, 1.0)) is None


@pytest.mark.parametrize("n", [2, 5, 10])
def test_expanded_percentiles_are_hesterbergs(n: int) -> None:
    tail = statistics.expanded_tail(n)
    # The normal interval at this tail, with the bootstrap's sd (divisor n), is Student's interval.
    normal = stats.norm.isf(tail) * math.sqrt((n - 1) / n)
    assert normal == pytest.approx(stats.t.isf(0.025, n - 1))
    with pytest.raises(ValueError, match="at least two runs"):
        statistics.expanded_tail(1)


def test_expanded_percentiles_tend_to_raw_ones() -> None:
    assert statistics.expanded_tail(3) < statistics.expanded_tail(10) < 0.025
    assert statistics.expanded_tail(10_000) == pytest.approx(0.025, rel=1e-3)


def test_percentile_interval_is_along_the_last_axis() -> None:
    draws = np.stack([np.arange(101.0), np.arange(101.0) + 1000])
    low, high = statistics.percentile_interval(draws, 0.05)
    assert low == pytest.approx([5.0, 1005.0])
    assert high == pytest.approx([95.0, 1095.0])
