"""Histories of fits: how they are read, and what other rules of stopping would have kept."""

from __future__ import annotations

import pytest
from fit_sets import HYPERPARAMETERS, ROWS, falling, fit_arm, point
from result_sets import Bench

from analysis import histories

SPEC = {"hyperparameters": HYPERPARAMETERS, "data": {"transitions": ROWS}}


def test_evaluations_of_a_fit_reach_the_table(bench: Bench) -> None:
    fit_arm(bench, {0: falling(2.0), 1: falling(4.0, last=500)})
    table = bench.results().evaluations
    assert table["seed"].tolist() == [0] * 10 + [1] * 5
    assert table["update"].tolist() == [*range(100, 1001, 100), *range(100, 501, 100)]
    assert table.loc[9, "holdout_mse"] == pytest.approx(0.002)
    assert table.loc[14, "mse_reward"] == pytest.approx(4.5 * 4.0 / 500)
    assert set(table["cell"]) == {"base"} and set(table["status"]) == {"finished"}


def test_errors_of_each_output_are_metrics(bench: Bench) -> None:
    fit_arm(bench, {seed: falling(2.0 + seed) for seed in range(3)})
    (arm,) = bench.results().arms
    assert arm.values("mse_reward") == pytest.approx([0.009, 0.0135, 0.018])
    assert arm.values("mse_state_3") == pytest.approx([0.00025, 0.000375, 0.0005])
    assert arm.values("summed_mse") == pytest.approx(5 * arm.values("holdout_mse"))


def test_a_fit_without_its_history_is_still_a_result(bench: Bench) -> None:
    fit_arm(bench, {0: falling(2.0)}, progress=False)
    (arm,) = bench.results().arms
    assert arm.values("holdout_mse") == pytest.approx([0.002])
    assert arm.values("plateau_mse").size == 0 and bench.results().evaluations.empty


def test_a_damaged_history_is_left_out(bench: Bench) -> None:
    arm = fit_arm(bench, {0: falling(2.0)})
    (bench.root / arm.results[0]).with_name("progress.csv").write_text("seed,update\n0,x\n")
    (found,) = bench.results().arms
    assert found.values("holdout_mse").size == 1 and found.values("longest_wait").size == 0


#: Best at 200, a plateau until 900: more than five epochs of 100 updates after 200 is first at 800.
PLATEAU = [
    point(100, 0.010, 0.010),
    point(200, 0.006, 0.006),
    *(point(u, 0.0075 + (u - 300) * 1e-6, 0.006) for u in range(300, 901, 100)),
    point(1000, 0.001, 0.001),
]


def test_early_stopping_ends_on_the_plateau() -> None:
    found = histories.metrics({}, PLATEAU, SPEC)
    assert found["early_stop_update"] == 800 and found["early_stop_mse"] == 0.006
    assert found["longest_wait"] == 7.0 and found["longest_wait_mse"] == 0.006


def test_early_stopping_that_does_not_fire_says_nothing() -> None:
    found = histories.metrics({}, falling(2.0), SPEC)
    assert "early_stop_mse" not in found and found["longest_wait"] == 0.0


def test_an_epoch_follows_from_the_declared_rows() -> None:
    larger = {**SPEC, "data": {"transitions": 2 * ROWS}}
    assert "early_stop_mse" not in histories.metrics({}, PLATEAU, larger)
    assert histories.metrics({}, PLATEAU, larger)["longest_wait"] == 3.5


def test_the_plateau_is_read_at_the_constant_rate() -> None:
    """Decay begins at 700 of 1,000 updates; the first epoch does not count."""
    found = histories.metrics({}, PLATEAU, SPEC)
    assert found["plateau_mse"] == pytest.approx(0.00765)  # of 6.0, 7.5, 7.6, 7.7, 7.8, 7.9 e-3
    assert found["plateau_reward_mse"] == pytest.approx(5 * 0.00765)


def test_without_a_decay_the_whole_history_is_at_the_constant_rate() -> None:
    settings = {**HYPERPARAMETERS, "final_decay_fraction": 0.0}
    found = histories.metrics({}, PLATEAU, {**SPEC, "hyperparameters": settings})
    assert found["plateau_mse"] == pytest.approx(0.0077)  # of 6.0, 7.5 to 8.1, 1.0 e-3


def test_a_budget_below_one_epoch_is_read_from_its_start() -> None:
    settings = {**HYPERPARAMETERS, "max_updates": 60}
    points = [point(20, 0.03, 0.03), point(40, 0.02, 0.02), point(60, 0.01, 0.01)]
    found = histories.metrics({}, points, {**SPEC, "hyperparameters": settings})
    assert found["plateau_mse"] == 0.025
