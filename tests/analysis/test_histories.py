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
    assert found.values("holdout_mse").size == 1 and found.values("plateau_epochs").size == 0


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
    assert found["plateau_epochs"] == 7.0 and found["plateau_kept_mse"] == 0.006


def test_early_stopping_that_does_not_fire_says_nothing() -> None:
    found = histories.metrics({}, falling(2.0), SPEC)
    assert "early_stop_mse" not in found and found["plateau_epochs"] == 0.0


def test_an_epoch_follows_from_the_declared_rows() -> None:
    larger = {**SPEC, "data": {"transitions": 2 * ROWS}}
    assert "early_stop_mse" not in histories.metrics({}, PLATEAU, larger)
    assert histories.metrics({}, PLATEAU, larger)["plateau_epochs"] == 3.5


def test_the_plateau_is_the_longest_time_without_an_improvement() -> None:
    """From the best at 200 to 900: 6.0, 7.5, 7.501, .., 8.1 e-3; the jump at 1,000 is not part of it."""
    found = histories.metrics({}, PLATEAU, SPEC)
    assert found["plateau_mse"] == pytest.approx((0.0077 + 0.0078) / 2)
    assert found["plateau_kept_mse"] == 0.006


def test_a_shorter_plateau_does_not_count() -> None:
    early = [point(50, 0.02, 0.02), point(75, 0.03, 0.02), *PLATEAU]
    assert histories.metrics({}, early, SPEC)["plateau_kept_mse"] == 0.006
    kept = [point(1100, 0.5, 0.001), point(1800, 0.7, 0.001)]
    later = histories.metrics({}, [*PLATEAU, *kept], SPEC)
    assert later["plateau_epochs"] == 8.0 and later["plateau_mse"] == 0.5
