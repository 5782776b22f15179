"""`data.<option>` in an experiment: other data, another cell, and nothing else changes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from paper_tables.digest import sha256
from paper_tables.errors import PlanError
from paper_tables.plan import Arm, Plan

TASKS = "config/tasks.yaml"
PAPER = "paper_tables/made/experiments.yaml"
GENERATORS = """
walk:
  noise: {default: 0.0, type: float, min: 0.0, source: "t"}
  slip: {default: false, type: bool, source: "t"}
"""


@pytest.fixture
def walking(project: Any) -> Any:
    """The made-up project with two options of its generator."""
    project.edit(TASKS, lambda c: c.update(generators=yaml.safe_load(GENERATORS)))
    return project


def set_arms(project: Any, *arms: dict[str, Any], tasks: tuple[str, ...] = ("maze-a",)) -> None:
    def change(content: Any) -> None:
        main = content["experiments"]["main"]
        main["tasks"], main["arms"] = list(tasks), list(arms)
        content["experiments"] = {"main": main}

    project.edit(PAPER, change)


def only(plan: Plan) -> Arm:
    (arm,) = plan.arms
    return arm


def options(plan: Plan, kind: str) -> list[dict[str, Any]]:
    """Options in the data specs of all jobs of a kind."""
    jobs = [job for job in plan.jobs.values() if job.kind == kind]
    return [(job.spec if kind == "data" else job.spec["data"])["options"] for job in jobs]


def test_an_option_reaches_data_fit_and_training(walking: Any) -> None:
    set_arms(walking, {"algorithms": ["imaginer"], "set": {"data.slip": True, "horizon": 1}})
    plan = walking.plan()
    assert only(plan).cell == "data.slip=true,horizon=1"
    assert only(plan).overrides == {"data.slip": True, "horizon": 1}
    for kind in ("data", "fit", "train"):
        assert options(plan, kind) and all(o == {"slip": True} for o in options(plan, kind))
    folders = {job.path for job in plan.jobs.values() if job.kind == "fit"}
    assert folders == {"results/tiny/fits/model/maze-a/data.slip=true/seeds0-1"}
    for path, job in plan.jobs.items():
        if job.kind == "data":
            assert path == f"data/maze-a/local-{sha256(job.spec)[:8]}.hdf5"


def test_other_data_are_another_digest_and_another_fit(walking: Any) -> None:
    set_arms(walking, {"algorithms": ["imaginer"], "grid": {"data.slip": [False, True]}})
    plan = walking.plan()
    plain, slipped = plan.arms
    assert (plain.cell, slipped.cell) == ("base", "data.slip=true")
    assert plain.digest != slipped.digest
    kinds = [job.kind for job in plan.jobs.values()]
    assert [kinds.count(kind) for kind in ("data", "fit", "train")] == [4, 2, 2]


def test_asking_for_what_is_there_already_changes_nothing(walking: Any) -> None:
    set_arms(walking, {"algorithms": ["imaginer"]})
    before = walking.plan()
    set_arms(walking, {"algorithms": ["imaginer"], "set": {"data.slip": False, "data.noise": 0}})
    after = walking.plan()
    assert only(after).cell == "base" and only(after).digest == only(before).digest
    assert set(after.jobs) == set(before.jobs)


def test_the_tasks_own_option_is_the_default(walking: Any) -> None:
    walking.edit(
        TASKS, lambda c: c["tasks"]["maze-a"]["data"]["local"].update(options={"noise": 0.5})
    )
    set_arms(walking, {"algorithms": ["learner"], "grid": {"data.noise": [0.5, 0.0]}})
    plan = walking.plan()
    assert [arm.cell for arm in plan.arms] == ["base", "data.noise=0.0"]
    assert options(plan, "train") == [{"noise": 0.5}, {"noise": 0.0}]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"data.slib": True}, ["main: data", "option of generator walk 'slib'", "'slip'"]),
        ({"data.slip": "yes"}, ["main: data: slip", "'yes' is not of type bool"]),
        ({"data.noise": -1.0}, ["main: data: noise", "-1.0 is out of range [0, inf]"]),
        ({"date.slip": True}, ["main", "fit slot of learner 'date'", "'data'"]),
    ],
)
def test_mistakes_are_one_line(walking: Any, setting: dict[str, Any], words: list[str]) -> None:
    set_arms(walking, {"algorithms": ["learner"], "set": setting})
    with pytest.raises(PlanError) as caught:
        walking.plan()
    text = str(caught.value)
    assert text.startswith(str(walking.root / PAPER)) and "\n" not in text
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda c: c["generators"]["walk"]["slip"].update(default=1),
            ["walk.slip.default", "bool"],
        ),
        (
            lambda c: c["generators"]["walk"]["slip"].update(tipe="x"),
            ["walk.slip", "'tipe'", "'type'"],
        ),
        (
            lambda c: c["tasks"]["maze-a"]["data"]["local"].update(options={"nois": 1.0}),
            ["maze-a: data.local", "option of generator walk 'nois'", "'noise'"],
        ),
    ],
)
def test_mistakes_in_the_declaration(walking: Any, change: Any, words: list[str]) -> None:
    walking.edit(TASKS, change)
    with pytest.raises(PlanError) as caught:
        walking.plan()
    assert all(word in str(caught.value) for word in (TASKS, *words)), str(caught.value)


def test_a_task_without_a_generator_is_declared_only(walking: Any) -> None:
    set_arms(walking, {"algorithms": ["learner"], "set": {"data.slip": True}}, tasks=("robot-a",))
    arm = only(walking.plan())
    assert arm.status == "not implemented" and "no generator makes data of task" in str(arm.reason)
    set_arms(walking, {"algorithms": ["learner"], "set": {"data.slib": True}}, tasks=("robot-a",))
    with pytest.raises(PlanError, match="option of any generator 'slib'; nearest: 'slip'"):
        walking.plan()


def test_published_files_have_no_options(walking: Any) -> None:
    """Also where the option asked for is the default: nobody knows how those files were made."""
    set_arms(walking, {"algorithms": ["learner"], "grid": {"data.slip": [False, True]}})
    plan = walking.plan(source="d4rl")
    assert {arm.status for arm in plan.arms} == {"not implemented"} and not plan.jobs
    assert plan.arms[0].reason == (
        "data.slip: only generated data have options (data source: d4rl)"
    )


def test_the_name_of_the_slot_is_taken(walking: Any) -> None:
    def rename(content: Any) -> None:
        content["fits"]["data"] = content["fits"].pop("dynamics")

    walking.edit("config/algos/imaginer.yaml", rename)
    with pytest.raises(PlanError, match=r"fits\.data: the name 'data' means the data"):
        walking.plan()
