"""Algorithms that act in their task instead of learning from a data set."""

from __future__ import annotations

from typing import Any

import pytest

from paper_tables.plan import Plan

TASKS = "config/tasks.yaml"
TIERS = "config/tiers.yaml"
EXPLORER = """
algo: explorer
title: Explorer
stage: train
implementation: algos.explorer:Explorer
version: 1
source: "test"
online: true
runs_per_job: {cpu: 2, cuda: 8}
core_seconds: {step: {"*": 0.5, "walk*": 2.0, "walk-far": 3.0}, environment_step: 0.001}
keys:
  steps: {default: 1000, type: int, min: 1, budget: true, source: "t"}
  evaluate_every: {default: 100, type: int, min: 1, budget: true, source: "t"}
  evaluation_episodes: {default: 4, type: int, min: 1, budget: true, source: "t"}
"""


@pytest.fixture
def online(project: Any) -> Any:
    """A task without any data set, an algorithm that acts, and one that needs data."""
    project.write("config/algos/explorer.yaml", EXPLORER)
    project.write("algos/explorer.py", "")
    project.write("envs/walk.py", "")
    walk = {"domain": "walk", "horizon": 20, "implementation": "envs.walk:Walk"}
    project.edit(TASKS, lambda c: c["tasks"].update({"walk-near": walk, "walk-far": walk}))

    def arms(content: Any) -> None:
        main = content["experiments"]["main"]
        main["tasks"] = ["walk-near", "walk-far", "maze-a"]
        main["arms"] = [{"algorithms": ["explorer", "learner"]}]
        content["experiments"] = {"main": main}

    project.edit("paper_tables/made/experiments.yaml", arms)
    return project


def reasons(plan: Plan) -> dict[tuple[str, str], str | None]:
    return {(arm.algo, arm.task): arm.reason for arm in plan.arms}


@pytest.mark.parametrize("source", [None, "local", "d4rl", "file"])
def test_an_online_algorithm_asks_for_no_data(online: Any, source: Any) -> None:
    plan = online.plan(source=source)
    jobs = [job for job in plan.jobs.values() if job.spec.get("algo") == "explorer"]
    assert {job.spec["task"] for job in jobs} == {"walk-near", "walk-far", "maze-a"}
    assert all(job.data == () and job.spec["data"] is None for job in jobs)
    assert not any("walk" in path for path in plan.jobs if path.startswith("data/"))


def test_digests_of_an_online_algorithm_do_not_depend_on_data(online: Any) -> None:
    before = {(a.algo, a.task): a.digest for a in online.plan().arms}
    online.edit(
        TASKS,
        lambda c: c["tasks"]["maze-a"]["data"]["local"].update(version=2),
    )
    after = {(a.algo, a.task): a.digest for a in online.plan().arms}
    assert {key for key in before if before[key] != after[key]} == {("learner", "maze-a")}


def test_a_task_without_data_stops_only_algorithms_that_need_them(online: Any) -> None:
    found = reasons(online.plan())
    assert found["explorer", "walk-near"] is None
    assert found["learner", "maze-a"] is None
    assert found["learner", "walk-near"] == (
        "task walk-near has no data set; only an online algorithm can learn it"
    )


def test_data_that_are_generated_only_cannot_be_downloaded(online: Any) -> None:
    found = reasons(online.plan(source="d4rl"))
    assert found["learner", "maze-a"] == (
        "no file is published for task maze-a; its data are generated"
    )


def test_declared_only_arms_are_listed_with_their_reason(online: Any) -> None:
    (online.root / "algos/explorer.py").unlink()
    plan = online.plan()
    assert reasons(plan)["explorer", "walk-far"] == (
        "explorer is declared, not implemented (algos/explorer.py does not exist)"
    )
    assert sum(arm.status == "not implemented" for arm in plan.arms) == 5
    assert any("explorer" in path for path in plan.blocked)


def test_costs_are_those_of_steps_and_of_evaluation(online: Any) -> None:
    """1,000 steps and 10 evaluations of 4 episodes of the task's horizon, for 2 runs a job."""
    jobs = {job.spec["task"]: job for job in online.plan().jobs.values() if "algo" in job.spec}
    costs = {task: jobs[task].core_seconds for task in ("walk-near", "walk-far")}
    evaluation = 10 * 4 * 20 * 0.001
    assert costs == pytest.approx(
        {"walk-near": 2 * (2000 + evaluation), "walk-far": 2 * (3000 + evaluation)}
    )
    online.edit(TIERS, lambda c: c["tiers"]["tiny"].update(budgets={"explorer": {"steps": 100}}))
    jobs = {job.spec["task"]: job for job in online.plan().jobs.values() if "algo" in job.spec}
    assert jobs["walk-near"].core_seconds == pytest.approx(2 * (200 + 4 * 20 * 0.001))
