"""Aggregates over tasks: values recorded from rliable, scipy, closed forms, bootstrap properties."""

from __future__ import annotations

import itertools
import math
import time

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from analysis import across_tasks, statistics
from analysis.across_tasks import Scores, bootstrap, iqm

# Runs x tasks; the values in `RECORDED` are what rliable 1.2.0 gives for them (its functions
# aggregate_*, probability_of_improvement and run_score_deviation; optimality gap at 100).
X = np.array(
    [
        [20.0, 56.0, 78.6, 73.3],
        [15.5, 30.2, 80.3, 140.2],
        [15.1, 37.6, 82.4, 110.7],
        [21.1, 31.4, 79.9, 120.9],
        [6.6, 40.8, 70.5, 61.3],
    ]
)
Y = np.array([[-3.4, 37.6, 63.7, 68.1], [16.6, 51.3, 78.6, 43.8], [14.5, 57.3, 62.3, 45.7]])
RECORDED = {
    "mean": (58.62, 44.675),
    "median": (58.77, 50.633333333333326),
    "iqm": (55.96, 49.666666666666664),
    "optimality_gap": (44.970000000000006, 55.324999999999996),
}
IMPROVEMENT = 0.7
PROFILE = {0.0: 1.0, 50.0: 0.55, 90.0: 0.15}


def tasks(runs: npt.NDArray[np.float64]) -> list[npt.NDArray[np.float64]]:
    return list(runs.T)


@pytest.mark.parametrize("name", RECORDED)
def test_aggregates_equal_recorded_values_of_rliable(name: str) -> None:
    found = [float(getattr(across_tasks, name)(tasks(runs))) for runs in (X, Y)]
    assert found == pytest.approx(RECORDED[name], rel=1e-12)


def test_improvement_and_profile_equal_recorded_values_of_rliable() -> None:
    found = across_tasks.probability_of_improvement(tasks(X), tasks(Y))
    assert float(found) == pytest.approx(IMPROVEMENT, rel=1e-12)
    profile = across_tasks.performance_profile(tasks(X), list(PROFILE))
    assert profile == pytest.approx(list(PROFILE.values()), rel=1e-12)


def test_probability_of_improvement_agrees_with_mann_whitney_and_counts_ties_half() -> None:
    shares = [
        stats.mannwhitneyu(x, y).statistic / (x.size * y.size)
        for x, y in zip(tasks(X), tasks(Y), strict=True)
    ]
    found = float(across_tasks.probability_of_improvement(tasks(X), tasks(Y)))
    assert found == pytest.approx(np.mean(shares), rel=1e-12)
    assert float(across_tasks.probability_of_improvement(tasks(X), tasks(X))) == 0.5


@pytest.mark.parametrize("runs", [1, 2, 3, 5, 7])
def test_iqm_is_scipys_trimmed_mean_for_any_number_of_runs(runs: int) -> None:
    scores = np.random.default_rng(runs).normal(size=(9, runs))
    expected = stats.trim_mean(scores, 0.25, axis=None)
    assert float(iqm(list(scores))) == pytest.approx(expected, rel=1e-12)


def test_tasks_may_differ_in_their_number_of_runs() -> None:
    scores: Scores = [[0.0, 10.0], [20.0, 20.0, 20.0, 60.0], [40.0]]
    assert float(across_tasks.mean(scores)) == pytest.approx((5 + 30 + 40) / 3)
    assert float(across_tasks.median(scores)) == 30.0
    # Seven runs, one left out at either end.
    assert float(iqm(scores)) == pytest.approx((10 + 20 + 20 + 20 + 40) / 5)
    assert float(across_tasks.optimality_gap(scores, 20.0)) == pytest.approx((15 + 0 + 0) / 3)
    profile = across_tasks.performance_profile(scores, [10.0, 20.0, 50.0])
    assert profile == pytest.approx([(0 + 1 + 1) / 3, (0 + 0.25 + 1) / 3, (0 + 0.25 + 0) / 3])


def test_statistics_take_leading_axes() -> None:
    rng = np.random.default_rng(3)
    scores = [rng.normal(50, 30, (4, 2, n)) for n in (3, 5)]
    other = [rng.normal(40, 30, (4, 2, n)) for n in (4, 2)]
    one, two = [task[3, 1] for task in scores], [task[3, 1] for task in other]
    for name in RECORDED:
        found = getattr(across_tasks, name)(scores)
        assert found.shape == (4, 2)
        assert found[3, 1] == pytest.approx(float(getattr(across_tasks, name)(one)))
    found = across_tasks.probability_of_improvement(scores, other)
    assert found[3, 1] == float(across_tasks.probability_of_improvement(one, two))
    assert across_tasks.performance_profile(scores, [1.0, 2.0, 3.0]).shape == (4, 2, 3)


BAD: list[Scores] = [[], [[]], [[1.0], [math.nan]], [1.0], [[1.0], [[1.0], [2.0]]]]


@pytest.mark.parametrize("scores", BAD)
def test_scores_that_are_none_are_refused(scores: Scores) -> None:
    for call in (across_tasks.mean, across_tasks.median, iqm, across_tasks.optimality_gap):
        with pytest.raises(ValueError, match=r"^(scores|all tasks) ") as caught:
            call(scores)
        assert "\n" not in str(caught.value)


def test_other_bad_input_is_refused() -> None:
    x = tasks(X)
    with pytest.raises(ValueError, match="need the same tasks, not 4 and 3"):
        across_tasks.probability_of_improvement(x, x[:3])
    with pytest.raises(ValueError, match="thresholds must be"):
        across_tasks.performance_profile(x, [])
    with pytest.raises(ValueError, match="target must be"):
        across_tasks.optimality_gap(x, math.nan)
    with pytest.raises(ValueError, match="each a list of runs"):
        across_tasks.improvement_greater([X], [Y])
    with pytest.raises(ValueError, match="needs the scores"):
        bootstrap(iqm)
    with pytest.raises(ValueError, match="needs the scores"):
        bootstrap(iqm, [X])
    with pytest.raises(ValueError, match="at least two runs"):
        bootstrap(iqm, [[1.0], [1.0, 2.0]])
    with pytest.raises(ValueError, match="at least one draw"):
        bootstrap(iqm, x, draws=0)
    with pytest.raises(ValueError, match="a confidence between"):
        bootstrap(iqm, x, confidence=1.0)


def test_improvement_test_of_one_task_is_the_exact_rank_sum_test() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.normal(0.6, 1, 6), rng.normal(0, 1, 5)
    expected = stats.mannwhitneyu(x, y, alternative="greater", method="exact").pvalue
    found = across_tasks.improvement_greater([x], [y])
    assert found.p == pytest.approx(expected)
    assert found.smallest == statistics.smallest_permutation_p(6, 5)


def test_improvement_test_of_two_tasks_agrees_with_all_permutations() -> None:
    x, y = [[3.0, 7.0], [5.0, 5.0, 9.0]], [[1.0, 3.0, 4.0], [5.0, 8.0]]

    def relabelled(a: list[float], b: list[float]) -> list[float]:
        pooled, shares = np.array(a + b), []
        for chosen in itertools.combinations(range(pooled.size), len(a)):
            first, rest = pooled[list(chosen)], np.delete(pooled, chosen)
            shares.append(float(across_tasks.probability_of_improvement([first], [rest])))
        return shares

    pairs = itertools.product(*(relabelled(a, b) for a, b in zip(x, y, strict=True)))
    null = np.mean(list(pairs), axis=1)
    expected = (null >= float(across_tasks.probability_of_improvement(x, y)) - 1e-12).mean()
    found = across_tasks.improvement_greater(x, y)
    assert found.exact
    assert found.p == pytest.approx(expected)
    assert found.smallest == pytest.approx(1 / 100)


def test_improvement_test_reaches_its_smallest_p_and_one() -> None:
    high, low = [[5.0, 6.0, 7.0]] * 3, [[1.0, 2.0, 3.0]] * 3
    assert across_tasks.improvement_greater(high, low).p == pytest.approx(1 / 20**3)
    assert across_tasks.improvement_greater(low, high).p == pytest.approx(1.0)


def test_improvement_test_draws_where_it_cannot_enumerate() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(0.5, 1, 14), rng.normal(0, 1, 14)
    found = across_tasks.improvement_greater([x], [y])
    expected = stats.mannwhitneyu(x, y, alternative="greater", method="exact").pvalue
    assert not found.exact
    assert found.p == pytest.approx(expected, abs=0.004)


def test_resampling_stays_within_tasks_and_is_shared_by_leading_sets() -> None:
    scores = [np.array([[1.0, 2.0], [10.0, 20.0]]), np.array([[5.0], [7.0]])]
    first, second = across_tasks.resample(scores, 50, np.random.default_rng(6))
    assert (first.shape, second.shape) == ((2, 50, 2), (2, 50, 1))
    assert set(first[0].ravel()) == {1.0, 2.0}
    assert (first[1] == 10 * first[0]).all()
    assert (second[0] == 5.0).all()


def test_resampling_draws_every_run_of_a_large_task_equally() -> None:
    drawn = across_tasks.resample([np.arange(400.0)], 1000, np.random.default_rng(7))[0]
    counts = np.bincount(drawn.astype(int).ravel(), minlength=400)
    assert stats.chisquare(counts).pvalue > 1e-4


def test_raw_percentiles_are_those_of_all_resamples() -> None:
    # One task with three runs: 27 equally likely resamples, enumerated.
    runs = [0.0, 1.0, 10.0]
    every = np.array(list(itertools.product(runs, repeat=3))).mean(axis=1)
    found = bootstrap(across_tasks.mean, [runs], draws=50_000, confidence=0.8, expanded=False)
    assert found.value == pytest.approx(11 / 3)
    expected = np.quantile(every, [0.1, 0.9], method="inverted_cdf")
    assert (found.low, found.high) == pytest.approx(expected)


def test_expanded_percentiles_of_many_tasks_approach_the_t_interval() -> None:
    # Means of many tasks are nearly normal: width = normal quantile at the expanded tail x the
    # bootstrap's standard error.
    scores = list(np.random.default_rng(8).normal(size=(20, 8)))
    error = math.sqrt(sum(task.var() / 8 for task in scores)) / 20
    expected = 2 * stats.norm.isf(statistics.expanded_tail(8, 20 * 7)) * error
    found = bootstrap(across_tasks.mean, scores, draws=50_000)
    assert found.high - found.low == pytest.approx(expected, rel=0.04)


def test_bootstrap_is_seeded() -> None:
    x = tasks(X)
    assert bootstrap(iqm, x) == bootstrap(iqm, x)
    assert bootstrap(iqm, x) != bootstrap(iqm, x, seed=1)


def test_bootstrap_of_two_algorithms_resamples_both() -> None:
    def gap(x: Scores, y: Scores) -> npt.NDArray[np.float64]:
        return iqm(x) - iqm(y)

    both = bootstrap(gap, tasks(X), tasks(Y), expanded=False)
    alone = bootstrap(iqm, tasks(X), expanded=False)
    assert both.value == pytest.approx(float(iqm(tasks(X)) - iqm(tasks(Y))))
    assert both.high - both.low > alone.high - alone.low


def test_profile_band_is_the_bootstrap_of_every_threshold() -> None:
    band = across_tasks.profile_band(tasks(X), [0.0, 50.0, 90.0])
    assert band.value == pytest.approx(list(PROFILE.values()))
    assert (band.low <= band.value).all()
    assert (band.value <= band.high).all()
    alone = bootstrap(
        lambda scores: across_tasks.performance_profile(scores, [50.0])[..., 0], tasks(X)
    )
    assert (band.low[1], band.high[1]) == (alone.low, alone.high)
    # Every run is above 0, so no resample says otherwise.
    assert (band.low[0], band.high[0]) == (1.0, 1.0)


def test_fifty_thousand_draws_of_two_algorithms_are_a_matter_of_a_second() -> None:
    # 0.10 to 0.26 s of one core (AMD EPYC) were measured; the bound leaves room for slower machines.
    rng = np.random.default_rng(9)
    algorithms = [list(rng.normal(50, 20, (12, 5))) for _ in range(2)]
    bootstrap(iqm, algorithms[0], draws=1000)
    taken = []
    for _ in range(2):
        start = time.process_time()
        for scores in algorithms:
            bootstrap(iqm, scores, draws=50_000)
        taken.append(time.process_time() - start)
    # Two tries: other programs on the machine make CPU time longer, never shorter.
    assert min(taken) < 1.5
