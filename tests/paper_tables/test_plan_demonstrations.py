"""Data counted in episodes, budgets in epochs, rates by task, and seeds kept for tuning."""

from __future__ import annotations

from typing import Any

import pytest

from paper_tables.errors import PlanError

TASKS = "config/tasks.yaml"
TIERS = "config/tiers.yaml"
LEARNER = "config/algos/learner.yaml"
PAPER = "paper_tables/made/experiments.yaml"
LOCAL = {
    "generator": "expert",
    "version": 3,
    "implementation": "envs.expert",
    "options": {"demonstrations": 20},
}


def demonstrations(project: Any, **changes: Any) -> None:
    data = {"local": {**LOCAL, **changes}}

    def change(content: Any) -> None:  # maze-b is an alias of it in the file
        content["tasks"]["maze-a"] = {**content["tasks"]["maze-a"], "data": data}
        content["generators"] = {
            "expert": {"demonstrations": {"default": 20, "type": "int", "source": "a test"}}
        }

    project.edit(TASKS, change)


def learner(project: Any, **changes: Any) -> None:
    project.edit(LEARNER, lambda c: c.update(changes))


def job(project: Any, task: str = "maze-a") -> Any:
    return project.plan().jobs[f"results/tiny/runs/learner/{task}/base/seeds0-1"]


def test_data_without_a_size_keep_none_whatever_the_tier_says(project: Any) -> None:
    project.write("envs/expert.py", "")
    demonstrations(project)
    spec = job(project).spec["data"]
    assert (spec["transitions"], spec["options"]) == (None, {"demonstrations": 20})
    assert job(project, "maze-b").spec["data"]["transitions"] == 50  # the tier's size
    assert "implementation" not in spec


def test_a_generator_that_is_missing_is_the_reason(project: Any) -> None:
    demonstrations(project)
    reasons = {(a.algo, a.task): a.reason for a in project.plan().arms}
    assert reasons["learner", "maze-a"] == (
        "generator expert is declared, not implemented (envs/expert.py does not exist)"
    )
    assert reasons["learner", "maze-b"] is None
    project.write("envs/expert.py", "")
    assert {a.reason for a in project.plan().arms} == {None}


def test_a_file_of_the_users_needs_no_generator(project: Any) -> None:
    demonstrations(project)
    project.write("mine.hdf5", "rows")
    data = {"source": "file", "path": {"maze-a": "mine.hdf5"}}
    project.edit(TIERS, lambda c: c["tiers"]["tiny"].update(data=data))
    assert {a.reason for a in project.plan().arms if a.task == "maze-a"} == {None}


def test_where_a_generator_lies_is_not_what_it_makes(project: Any) -> None:
    project.write("envs/expert.py", "")
    project.write("envs/other.py", "")
    demonstrations(project)
    before = job(project).digest
    demonstrations(project, implementation="envs.other")
    assert job(project).digest == before
    demonstrations(project, version=4)
    assert job(project).digest != before


def epochs(project: Any, **rates: Any) -> None:
    number = {"type": "int", "min": 1, "budget": True, "source": "t"}

    def change(content: Any) -> None:
        del content["keys"]["updates"]
        content["keys"]["epochs"] = {**number, "default": 4}
        content["keys"]["epoch_updates"] = {**number, "default": 25}
        content["keys"]["robustness_starts"] = {**number, "default": 10}
        content["core_seconds"] = rates

    project.edit(LEARNER, change)
    project.edit(TIERS, lambda c: c["tiers"]["tiny"].update(budgets={}))


def test_costs_of_epochs_and_of_starts(project: Any) -> None:
    epochs(project, update=0.5, robustness_start={"maze-*": 3.0, "maze-b": 7.0})
    assert job(project).core_seconds == 2 * (4 * 25 * 0.5 + 10 * 3.0)
    assert job(project, "maze-b").core_seconds == 2 * (4 * 25 * 0.5 + 10 * 7.0)


def test_rates_of_updates_by_task(project: Any) -> None:
    learner(project, core_seconds={"update": {"maze-*": 0.5, "maze-b": 2}})
    assert [job(project, task).core_seconds for task in ("maze-a", "maze-b")] == [7, 28]
    learner(project, core_seconds={"update": {"robot-*": 0.5}})
    assert job(project).core_seconds == 0


@pytest.mark.parametrize("name", ["update", "environment_step", "robustness_start", "step"])
def test_rates_of_no_task_are_refused(project: Any, name: str) -> None:
    learner(project, core_seconds={name: {"maze-c": 1.0}})
    with pytest.raises(
        PlanError, match=rf"learner.yaml: core_seconds.{name}: unknown task 'maze-c'; nearest"
    ):
        project.plan()


def test_an_experiment_may_start_at_other_seeds(project: Any) -> None:
    def tune(content: Any) -> None:
        content["experiments"]["length"]["first_seed"] = 101

    before = {key: j.digest for key, j in project.plan().jobs.items() if j.kind == "train"}
    project.edit(PAPER, tune)
    plan = project.plan()
    seeds = {(a.experiment, a.cell): a.seeds for a in plan.arms if a.algo == "imaginer"}
    assert seeds["length", "horizon=1"] == seeds["length", "base"] == (101, 102)
    assert seeds["main", "base"] == (0, 1)
    cell = "results/tiny/runs/imaginer/maze-a/horizon=1"
    assert f"{cell}/seeds101-102" in plan.jobs and f"{cell}/seeds0-1" not in plan.jobs
    train = plan.jobs[f"{cell}/seeds101-102"]
    assert train.digest == before[f"{cell}/seeds0-1"]
    assert [plan.jobs[file].spec["seed"] for file in train.data] == [101, 102]
