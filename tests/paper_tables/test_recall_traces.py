"""Recall Traces as declared: its settings, its arms and its tasks."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path
from typing import Any

import pytest

from envs.tasks import get_task
from paper_tables.plan import Plan, make_plan
from paper_tables.registry import Registry, read_registry

ROOT = Path(__file__).resolve().parents[2]
FOUR = ["halfcheetah-v5", "walker2d-v5", "hopper-v5", "ant-v5"]
FOURROOMS = [f"fourrooms-{side}-v0" for side in (11, 15, 19)]


@pytest.fixture(scope="module")
def registry() -> Registry:
    return read_registry(ROOT / "config", ROOT)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan("paper", ["recall_traces"], ROOT)


def arms(plan: Plan, experiment: str) -> set[tuple[str, str, str]]:
    return {(a.algo, a.task, a.cell) for a in plan.arms if a.experiment == experiment}


def every(algos: list[str], tasks: list[str], cells: tuple[str, ...] = ("base",)) -> set[Any]:
    return set(itertools.product(algos, tasks, cells))


def test_lengths_of_traces_are_those_of_the_tables(registry: Registry) -> None:
    path = ROOT / "paper_tables/recall_traces/reference.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["metric"] == "horizon" and r["task"] != "*"]
    found = {(r["algo"], r["task"]): int(r["mean"]) for r in rows}
    assert len(found) == 4 + 5 + 2
    for (algo, task), length in found.items():
        assert registry.algos[algo].for_task(task)["horizon"] == length, (algo, task)
    assert found["recall_trpo", "hopper-v5"] != found["recall_sac", "hopper-v5"]  # as printed


def test_arms_of_the_figures(plan: Plan) -> None:
    counts = "backward_model=counts"
    assert arms(plan, "figure2") == every(["a2c_gae", "recall_a2c"], FOURROOMS) | every(
        ["recall_a2c"], FOURROOMS, (counts,)
    )
    goals = ["goal_gan_trpo", "recall_goal_gan"]
    ant = every(goals, ["goal-ant-umaze-v0"])
    assert arms(plan, "figure3") == arms(plan, "figure4b") == arms(plan, "figure9") == ant
    assert arms(plan, "figure4a") == every(goals, ["goal-point-umaze-v0"])
    assert arms(plan, "figure8") == every(goals, [f"pointmass-{n}-v0" for n in range(2, 7)])
    assert arms(plan, "figure5") == every(["trpo", "recall_trpo"], FOUR)
    assert arms(plan, "figure6") == every(["sac2018", "recall_sac"], [*FOUR, "humanoid-v5"])
    random = tuple(f"backward_model=random,horizon={n}" for n in (1, 2, 3, 4, 5, 10))
    assert arms(plan, "figure10") == every(["a2c_gae", "recall_a2c"], ["fourrooms-15-v0"]) | every(
        ["recall_a2c"], ["fourrooms-15-v0"], (*random, "backward_model=random")
    )
    untrained = tuple(f"backward_model=untrained,horizon={n}" for n in (1, 2, 3, 4, 5, 10))
    for experiment, task in (("figure11", "walker2d-v5"), ("figure12", "ant-v5")):
        base = every(["sac2018", "recall_sac"], [task])
        assert arms(plan, experiment) == base | every(["recall_sac"], [task], untrained)


def test_every_robot_runs_with_traces_of_10_20_and_50(plan: Plan) -> None:
    assert arms(plan, "figure7") == arms(plan, "figure13")
    for task in FOUR:
        found = [a for a in plan.arms if (a.experiment, a.task) == ("figure7", task)]
        assert sorted(a.hyperparameters["horizon"] for a in found) == [10, 20, 50]
        assert {a.cell: a.hyperparameters["horizon"] for a in found}["base"] == (
            {"hopper-v5": 10, "ant-v5": 50}.get(task, 20)
        )


def test_a_learner_and_its_recalling_twin_differ_in_nothing_else(registry: Registry) -> None:
    twins = {"recall_a2c": "a2c_gae", "recall_trpo": "trpo", "recall_sac": "sac2018"}
    twins["recall_goal_gan"] = "goal_gan_trpo"
    for recalling, plain in twins.items():
        for task in registry.tasks:
            own = registry.algos[recalling].for_task(task)
            base = registry.algos[plain].for_task(task)
            assert {key: own[key] for key in base} == base, (recalling, task)


def test_the_smaller_trpo_is_a_cell_of_its_own(plan: Plan) -> None:
    cell = "batch_steps=5000,gae_lambda=0.97,max_kl=0.01,steps=1000000"
    assert arms(plan, "figure5_small") == every(["trpo", "recall_trpo"], FOUR, (cell,))


def free_cells(side: int) -> int:
    """Four square rooms and four doors."""
    return 4 * ((side - 3) // 2) ** 2 + 4


@pytest.mark.parametrize(("side", "cells"), [(11, 68), (15, 148), (19, 260)])
def test_four_rooms(side: int, cells: int) -> None:
    task = get_task(f"fourrooms-{side}-v0")
    assert (task.observation_dim, task.action_dim, task.discrete) == (cells, 4, True)
    assert cells == free_cells(side)
    assert task.horizon == 20 * (side - 1)


def test_observations_of_robots_have_no_contact_forces() -> None:
    sizes = {name: get_task(name).observation_dim for name in [*FOUR, "humanoid-v5", "ant-v4"]}
    assert sizes == {
        "halfcheetah-v5": 17,
        "walker2d-v5": 17,
        "hopper-v5": 11,
        "ant-v5": 27,
        "humanoid-v5": 45,
        "ant-v4": 27,
    }


def test_goals_stand_in_the_observation() -> None:
    for n in range(2, 7):
        task = get_task(f"pointmass-{n}-v0")
        assert (task.observation_dim, task.action_dim) == (3 * n, n)
    point, ant = get_task("goal-point-umaze-v0"), get_task("goal-ant-umaze-v0")
    assert (point.observation_dim, ant.observation_dim) == (4 + 2, 2 + 27 + 2)


def test_outer_iterations_of_goal_gan(registry: Registry) -> None:
    """200, 300 and 500 outer iterations of five batches, as in its code."""
    for task, outer in (
        ("pointmass-2-v0", 200),
        ("goal-point-umaze-v0", 300),
        ("goal-ant-umaze-v0", 500),
    ):
        values = registry.algos["goal_gan_trpo"].for_task(task)
        assert values["steps"] == outer * values["inner_iterations"] * values["batch_steps"]


def test_published_steps_are_outer_iterations_of_that_size(registry: Registry) -> None:
    path = ROOT / "paper_tables/recall_traces/reference.csv"
    with path.open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["metric"].startswith("steps_to:")]
    assert len(rows) == 6
    for row in rows:
        values = registry.algos[row["algo"]].for_task(row["task"])
        each = values["inner_iterations"] * values["batch_steps"]
        assert float(row["mean"]) == each * int(row["note"].split()[0])
