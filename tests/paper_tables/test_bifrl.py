"""BIFRL as declared: its settings, its arms, and the lengths that its schedules reach."""

from __future__ import annotations

import csv
import itertools
import math
from pathlib import Path
from typing import Any

import pytest

from paper_tables.plan import Plan, make_plan
from paper_tables.registry import Registry, read_registry

ROOT = Path(__file__).resolve().parents[2]
ROBOTS = ["hopper-v4", "hopper-nt-v4", "walker2d-v4", "walker2d-nt-v4", "ant-v4"]
TASKS = ["pendulum-v1", *ROBOTS]
METHODS = ["bifrl", "bmpo", "mbpo", "pets", "sac"]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return read_registry(ROOT / "config", ROOT)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan("paper", ["bifrl"], ROOT)


def settings(registry: Registry, algo: str, task: str, *keys: str) -> tuple[Any, ...]:
    values = registry.algos[algo].for_task(task)
    return tuple(values[key] for key in keys)


def arms(plan: Plan, experiment: str) -> set[tuple[str, str, str]]:
    return {(a.algo, a.task, a.cell) for a in plan.arms if a.experiment == experiment}


# Table I: final lengths of backward and forward rollouts, epochs of their growth, epoch of alpha.
TABLE_1 = {
    "pendulum-v1": (3, 5, [1, 5], 10),
    "hopper-v4": (10, 15, [20, 150], 20),
    "hopper-nt-v4": (10, 15, [20, 150], 20),
    "walker2d-v4": (1, 1, [20, 150], 40),
    "walker2d-nt-v4": (1, 1, [20, 150], 40),
    "ant-v4": (16, 25, [20, 100], 40),
}


@pytest.mark.parametrize("task", TASKS)
def test_settings_of_table_1(registry: Registry, task: str) -> None:
    keys = ("backward_horizon", "forward_horizon", "horizon_epochs", "value_share_epochs")
    assert settings(registry, "bifrl", task, *keys) == TABLE_1[task]
    expected = 1e-3 if task == "pendulum-v1" else 1e-4
    assert settings(registry, "bifrl", task, "regulariser_weight", "value_weight") == (
        expected,
        0.7,
    )


def test_backward_rollouts_are_two_thirds_of_forward_ones(registry: Registry) -> None:
    for task in ("pendulum-v1", "hopper-v4", "hopper-nt-v4", "ant-v4"):
        backward, forward = settings(registry, "bifrl", task, "backward_horizon", "forward_horizon")
        assert backward == math.floor(2 * forward / 3)


def length(epoch: int, final: int, epochs: list[int]) -> int:
    """Clipped linear growth from 1, rounded down (appendix B, with its sign corrected)."""
    first, last = epochs
    return math.floor(min(max(1 + (epoch - first) / (last - first) * (final - 1), 1), final))


# Longest rollouts (backward, forward) of a run: it ends before most schedules do.
REACHED = {
    "pendulum-v1": (3, 5),
    "hopper-v4": (6, 8),
    "hopper-nt-v4": (6, 8),
    "walker2d-v4": (1, 1),
    "walker2d-nt-v4": (1, 1),
    "ant-v4": (16, 25),
}


@pytest.mark.parametrize("task", TASKS)
def test_lengths_that_are_reached_within_the_budget(registry: Registry, task: str) -> None:
    keys = ("steps", "random_steps", "epoch_steps", "horizon_epochs")
    steps, random_steps, epoch_steps, epochs = settings(registry, "bifrl", task, *keys)
    last = (steps - random_steps) // epoch_steps - 1
    finals = settings(registry, "bifrl", task, "backward_horizon", "forward_horizon")
    assert tuple(length(last, final, epochs) for final in finals) == REACHED[task]


@pytest.mark.parametrize("task", TASKS)
def test_forward_rollouts_and_budgets_are_those_of_mbpo(registry: Registry, task: str) -> None:
    shared = set(registry.algos["mbpo"].keys) & set(registry.algos["bifrl"].keys)
    assert shared >= {"steps", "model_every", "rollout_batch", "updates_per_step", "target_entropy"}
    for key in sorted(shared):
        assert settings(registry, "bifrl", task, key) == settings(registry, "mbpo", task, key), key


def test_settings_of_the_baselines(registry: Registry) -> None:
    entropies = {t: settings(registry, "mbpo", t, "target_entropy")[0] for t in TASKS}
    assert list(entropies.values()) == [-1, -1, -1, -3, -3, -4]
    entropies = {t: settings(registry, "sac", t, "target_entropy")[0] for t in TASKS}
    assert list(entropies.values()) == [-1, -3, -3, -6, -6, -8]  # minus the length of an action
    planning = [settings(registry, "bmpo", t, "planning_horizon")[0] for t in TASKS]
    assert planning == [6, 6, 6, 1, 0, 0]
    backward = [settings(registry, "bmpo", t, "backward_horizon")[0] for t in TASKS]
    assert backward == [5, 15, 15, 1, 1, 1]
    variance = [settings(registry, "bmpo", t, "backward_policy_variance")[0] for t in TASKS]
    assert variance == [0.0] + [0.01] * 5
    keys = ("planning_horizon", "population", "elite_sequences")
    assert settings(registry, "pets", "pendulum-v1", *keys) == (25, 400, 40)
    assert settings(registry, "pets", "hopper-v4", *keys) == (30, 500, 50)


def test_budgets_are_those_of_figure_3(registry: Registry) -> None:
    expected = dict(zip(TASKS, (4000, 100000, 100000, 200000, 200000, 300000), strict=True))
    for algo, task in itertools.product(METHODS, TASKS):
        every = 200 if task == "pendulum-v1" else 1000
        assert settings(registry, algo, task, "steps", "evaluate_every") == (expected[task], every)


def test_arms_of_the_figures(plan: Plan) -> None:
    assert arms(plan, "figure3") == {(a, t, "base") for a in METHODS for t in TASKS}
    hopper = "hopper-v4"
    assert arms(plan, "figure4a") == {
        ("mbpo", hopper, "base"),
        ("bmpo", hopper, "base"),
        ("bifrl", hopper, "augmentation=none"),
        ("bifrl", hopper, "augmentation=gan"),
        ("bifrl", hopper, "base"),
    }
    cells = {"figure4b": ["high_value_percent=1", "base", "high_value_percent=50"]}
    cells["figure4c"] = [*(f"backward_horizon={n}" for n in (0, 5, 15)), "base"]
    for experiment, expected in cells.items():
        assert arms(plan, experiment) == {("bifrl", hopper, cell) for cell in expected}
    assert {a[0] for a in arms(plan, "theorem1")} == {"return_bound"}
    axes = {a.experiment: a.axis for a in plan.arms}
    assert (axes["figure4a"], axes["figure4b"], axes["figure4c"]) == ("components", "k", "kb_kf")


def test_nothing_asks_for_data(plan: Plan) -> None:
    assert not any(path.startswith("data/") for path in (*plan.jobs, *plan.blocked))
    jobs = (*plan.jobs.values(), *plan.blocked.values())
    assert jobs and all(job.data == () and job.spec["data"] is None for job in jobs)


def test_arms_without_code_say_which_file_is_missing(plan: Plan) -> None:
    for arm in plan.arms:
        if arm.status == "not implemented":
            assert arm.reason and "is declared, not implemented (" in arm.reason


def test_published_settings_are_those_of_the_configuration(registry: Registry) -> None:
    path = ROOT / "paper_tables/bifrl/reference.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["table"] in ("1", "appendix B")]
    found = 0
    for row in rows:
        tasks = TASKS if row["task"] == "*" else [row["task"]]
        for task in tasks:
            values = registry.algos["bifrl"].for_task(task)
            name, _, end = row["metric"].rpartition("_")
            if row["metric"] in values:
                assert values[row["metric"]] == float(row["mean"]), row
            elif end in ("first", "last"):
                pair = values.get(name)
                if isinstance(pair, list):
                    assert pair[end == "last"] == float(row["mean"]), row
                else:  # a length, which starts at 1
                    assert (end, float(row["mean"])) == ("first", 1.0), row
            else:
                place = row["metric"].split("_")[1] == "last"
                assert values["horizon_epochs"][place] == float(row["mean"]), row
            found += 1
    assert found == len(rows) + 4 * (len(TASKS) - 1)
