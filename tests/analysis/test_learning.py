"""Statistics of learning against hand counts, scipy and closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from analysis import learning
from analysis.learning import censored_greater, page_trend, spread_greater, steps_to_threshold

X = [0.0, 100.0, 300.0]


def test_area_is_the_mean_height() -> None:
    # Trapezoids by hand: (0 + 10) / 2 * 100 + (10 + 40) / 2 * 200 = 5500, over a range of 300.
    assert float(learning.area_under_curve(X, [0.0, 10.0, 40.0])) == pytest.approx(5500 / 300)
    assert float(learning.area_under_curve([5.0, 6.0, 9.0], [7.0] * 3)) == pytest.approx(7.0)


def test_area_takes_any_leading_axes() -> None:
    curves = np.random.default_rng(1).normal(size=(4, 2, 3))
    found = learning.area_under_curve(X, curves)
    assert found.shape == (4, 2)
    assert found[3, 1] == pytest.approx(float(learning.area_under_curve(X, curves[3, 1])))


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([0.0], [1.0]),
        ([0.0, 0.0], [1.0, 1.0]),
        ([1.0, 0.0], [1.0, 1.0]),
        ([0.0, math.nan], [1.0, 1.0]),
        ([0.0, 1.0], [1.0, math.nan]),
        ([0.0, 1.0], [1.0, 1.0, 1.0]),
        ([0.0, 1.0], 1.0),
        ([0.0, 1.0], np.zeros((0, 2))),
        ([[0.0, 1.0]], [0.0, 1.0]),
    ],
)
def test_curves_that_are_none_are_refused(x: npt.ArrayLike, y: npt.ArrayLike) -> None:
    with pytest.raises(ValueError, match=r"^[xy] .*must") as caught:
        learning.area_under_curve(x, y)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match=r"^[xy] "):
        steps_to_threshold(x, y, 0.5, ">=")


def test_steps_to_threshold_in_both_directions() -> None:
    curves = [[0.0, 5.0, 9.0], [0.0, 9.0, 0.0], [0.0, 1.0, 2.0], [5.0, 0.0, 0.0]]
    steps, censored = steps_to_threshold(X, curves, 5.0, ">=")
    assert steps.tolist() == [100.0, 100.0, 300.0, 0.0]
    assert censored.tolist() == [False, False, True, False]
    steps, censored = steps_to_threshold(X, curves, -0.5, "<=")
    assert steps.tolist() == [300.0] * 4
    assert censored.all()
    assert steps_to_threshold(X, [9.0, 4.0, 1.0], 4.0, "<=") == (100.0, False)
    # Arriving at the very last evaluation is arriving.
    assert steps_to_threshold(X, [0.0, 0.0, 5.0], 5.0, ">=") == (300.0, False)


def test_threshold_and_side_are_checked() -> None:
    with pytest.raises(ValueError, match="side must be '>=' or '<=', not 'above'"):
        steps_to_threshold(X, [1.0, 2.0, 3.0], 2.0, "above")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="threshold must be"):
        steps_to_threshold(X, [1.0, 2.0, 3.0], math.nan, ">=")


def test_gehan_scores_and_their_test_agree_with_a_count_by_hand() -> None:
    # a: 3, more than 5; b: 1, 5, more than 4. "More than 5" is later than 5; 5 and "more than 4"
    # cannot be ordered.
    sample = ([3.0, 5.0], [False, True], [1.0, 5.0, 4.0], [False, False, True])
    assert learning.gehan_scores(*sample).tolist() == [-2.0, 3.0, -4.0, 1.0, 2.0]
    # Of the ten pairs of scores, (-2, 3), (3, 1), (3, 2) and (1, 2) reach the observed sum of 1.
    found = censored_greater(*sample)
    assert found.p == pytest.approx(4 / 10)
    assert found.exact


def test_without_censoring_gehan_is_the_rank_sum_test() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(0.5, 1.0, 5), rng.normal(0.0, 1.0, 6)
    expected = stats.mannwhitneyu(a, b, alternative="greater", method="exact").pvalue
    assert censored_greater(a, [False] * 5, b, [False] * 6).p == pytest.approx(expected)


def test_runs_censored_at_one_budget_are_tied() -> None:
    never = censored_greater([9.0] * 3, [True] * 3, [9.0] * 3, [True] * 3)
    assert never.p == 1.0
    # Five that never arrive against five that do: the smallest p of ten runs.
    clear = censored_greater([9.0] * 5, [True] * 5, np.arange(5.0), [False] * 5)
    assert (clear.p, clear.smallest) == pytest.approx((1 / 252, 1 / 252))


@pytest.mark.parametrize("flags", [[True], [1.0, 0.0], [True, False, True]])
def test_censoring_needs_a_truth_value_for_every_time(flags: list[bool]) -> None:
    with pytest.raises(ValueError, match="censored must be one truth value"):
        censored_greater([1.0, 2.0], flags, [1.0], [False])
    with pytest.raises(ValueError, match="times must be"):
        censored_greater([1.0, math.nan], [True, False], [1.0], [False])


@pytest.mark.parametrize(("blocks", "columns"), [(1, 3), (3, 3), (5, 4), (8, 3), (2, 6)])
def test_page_agrees_with_the_exact_test_of_scipy(blocks: int, columns: int) -> None:
    rng = np.random.default_rng(blocks * 10 + columns)
    values = rng.normal(size=(blocks, columns)) + 0.3 * np.arange(columns)
    if blocks == 1:  # scipy wants two blocks; one block is a count of its orders.
        ranks = stats.rankdata(values[0])
        orders = np.array(list(itertools.permutations(ranks))) @ np.arange(1, columns + 1)
        expected = (orders >= ranks @ np.arange(1, columns + 1)).mean()
    else:
        expected = stats.page_trend_test(values, method="exact").pvalue
    assert page_trend(values) == pytest.approx(expected)


@pytest.mark.parametrize(("blocks", "columns"), [(6, 9), (51, 3)])
def test_page_agrees_with_the_normal_approximation_of_scipy(blocks: int, columns: int) -> None:
    values = np.random.default_rng(3).normal(size=(blocks, columns)) + 0.1 * np.arange(columns)
    expected = stats.page_trend_test(values, method="asymptotic").pvalue
    assert page_trend(values) == pytest.approx(expected)


def test_page_is_exact_with_ties_and_smallest_for_perfect_order() -> None:
    # One block 1, 1, 2: the larger value stands last in a third of the orders.
    assert page_trend([[1.0, 1.0, 2.0]]) == pytest.approx(1 / 3)
    assert page_trend([[1.0, 2.0, 3.0]] * 3) == pytest.approx(1 / 216)
    assert page_trend([[3.0, 2.0, 1.0]] * 3) == pytest.approx(1.0)
    assert page_trend([[1.0, 1.0, 1.0]] * 2) == 1.0
    assert page_trend(np.ones((60, 3))) == 1.0


def test_page_exact_and_normal_meet() -> None:
    values = np.random.default_rng(4).normal(size=(50, 4)) + 0.15 * np.arange(4)
    expected = stats.page_trend_test(values, method="asymptotic").pvalue
    assert page_trend(values) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize("values", [[1.0, 2.0], [[1.0], [2.0]], [[1.0, math.nan]], np.ones((0, 3))])
def test_a_trend_needs_a_finite_table(values: npt.ArrayLike) -> None:
    with pytest.raises(ValueError, match="a trend needs"):
        page_trend(values)


def test_paired_ratio_of_proportional_runs_is_sure() -> None:
    b = np.array([1.0, 5.0, 2.0, 9.0])
    found = learning.paired_ratio(3 * b, b)
    assert (found.ratio, found.low, found.high) == pytest.approx((3.0, 3.0, 3.0))


def test_paired_ratio_resamples_pairs() -> None:
    rng = np.random.default_rng(5)
    b = rng.uniform(1.0, 5.0, 8)
    a = 2 * b + rng.normal(0, 0.1, 8)
    found = learning.paired_ratio(a, b)
    assert found.ratio == pytest.approx(a.mean() / b.mean())
    assert found.low < found.ratio < found.high
    # Unpaired, the spread of b alone would move the ratio by 40 %.
    assert found.high - found.low < 0.2
    assert found == learning.paired_ratio(a, b)
    raw = learning.paired_ratio(a, b, expanded=False)
    assert found.low < raw.low < raw.high < found.high


def test_paired_ratio_of_three_is_capped_by_the_range() -> None:
    found = learning.paired_ratio([2.0, 6.0, 12.0], [1.0, 2.0, 3.0])
    assert (found.low, found.high) == pytest.approx((2.0, 4.0))


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([1.0], [1.0], "paired runs"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], "paired runs"),
        ([1.0, 2.0], [1.0, 0.0], "must be above 0"),
        ([1.0, math.inf], [1.0, 1.0], "samples must be"),
    ],
)
def test_paired_ratio_checks_its_input(a: list[float], b: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        learning.paired_ratio(a, b)
    with pytest.raises(ValueError, match="number of draws"):
        learning.paired_ratio([1.0, 2.0], [1.0, 2.0], draws=0)


def test_spread_agrees_with_the_brown_forsythe_test_of_scipy() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(0, 3, 7), rng.normal(5, 1, 6)
    two_sided = stats.levene(a, b, center="median").pvalue
    assert spread_greater(a, b).p == pytest.approx(two_sided / 2)
    assert spread_greater(b, a).p == pytest.approx(1 - two_sided / 2)
    assert spread_greater(a, b).ratio == pytest.approx(a.std(ddof=1) / b.std(ddof=1))


def test_spread_permutation_agrees_with_scipy() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(0, 3, 5), rng.normal(5, 1, 4)
    expected = stats.permutation_test(
        (np.abs(a - np.median(a)), np.abs(b - np.median(b))),
        lambda x, y: np.mean(x) - np.mean(y),
        alternative="greater",
        n_resamples=np.inf,
    ).pvalue
    assert spread_greater(a, b).permutation.p == pytest.approx(expected)


def test_the_smallest_p_values_of_a_spread_are_as_documented() -> None:
    # t = 2 with 4 degrees of freedom: the bound for three runs each.
    three = spread_greater([-1.0, 0.0, 1.0], [5.0, 5.0, 5.0])
    assert three.p == pytest.approx(stats.t.sf(2.0, 4))
    assert three.p == pytest.approx(0.058, abs=0.0005)
    assert (three.permutation.p, three.permutation.smallest) == pytest.approx((0.2, 0.2))
    five = spread_greater([-9.0, -8.0, 0.0, 8.0, 9.0], [5.0, 5.1, 5.2, 5.3, 5.4])
    assert (five.permutation.p, five.permutation.smallest) == pytest.approx((6 / 252, 6 / 252))
    even = spread_greater([-9.0, -8.0, 8.0, 9.0], [5.0, 5.1, 5.3, 5.4])
    assert (even.permutation.p, even.permutation.smallest) == pytest.approx((1 / 70, 1 / 70))


def test_spread_of_runs_without_any() -> None:
    none = spread_greater([1.0] * 3, [0.1] * 3)
    assert (none.p, none.permutation.p) == (1.0, 1.0)
    assert math.isnan(none.ratio)
    # Distances that do not vary have no t: the permutation p takes over.
    split = spread_greater([0.0, 0.0, 1.0, 1.0], [3.0] * 4)
    assert (split.p, split.permutation.p) == pytest.approx((1 / 70, 1 / 70))
    assert split.ratio == math.inf
    with pytest.raises(ValueError, match="at least three runs"):
        spread_greater([1.0, 2.0], [1.0, 2.0, 3.0])


@pytest.mark.parametrize(("k", "n"), [(0, 5), (3, 5), (5, 5), (80, 100)])
def test_clopper_pearson_agrees_with_scipy(k: int, n: int) -> None:
    expected = stats.binomtest(k, n).proportion_ci(0.95, method="exact")
    assert learning.clopper_pearson(k, n) == pytest.approx((expected.low, expected.high))


def test_clopper_pearson_of_no_failure_is_the_closed_form() -> None:
    # n successes of n: the lower end solves p^n = 0.025.
    assert learning.clopper_pearson(5, 5) == pytest.approx((0.025 ** (1 / 5), 1.0))


@pytest.mark.parametrize("counts", [(5, 5, 0, 5), (4, 5, 1, 5), (0, 3, 3, 3), (7, 10, 2, 12)])
def test_fisher_agrees_with_scipy(counts: tuple[int, int, int, int]) -> None:
    k_a, n_a, k_b, n_b = counts
    table = [[k_a, n_a - k_a], [k_b, n_b - k_b]]
    expected = stats.fisher_exact(table, alternative="greater").pvalue
    assert learning.fisher_greater(*counts) == pytest.approx(expected)


@pytest.mark.parametrize(("k", "n"), [(-1, 5), (6, 5), (0, 0), (1.5, 5)])
def test_counts_that_are_none_are_refused(k: int, n: int) -> None:
    with pytest.raises(ValueError, match="a count is k of n"):
        learning.clopper_pearson(k, n)
    with pytest.raises(ValueError, match="a count is k of n"):
        learning.fisher_greater(1, 2, k, n)
