"""Evaluation protocol with policies whose returns are known."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from algos import robustness
from algos.evaluation import Episodes, roll, run_episodes, summarise
from algos.robustness import BATCH, displaced_outcomes
from envs.batch import BatchEnv
from envs.starts import displaced_starts
from envs.tasks import get_task

TASK = "maze2d-umaze-v1"
GOAL = (1.0, 1.0)


class Asleep:
    """Does nothing, anywhere."""

    seeds = (0,)
    acting_noise = (1, 1)

    def policy_state(self) -> dict[str, Tensor]:
        return {"x": torch.zeros(1)}

    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        return torch.zeros(*state.shape[:2], 2), torch.zeros(state.shape[:2])


class Still:
    """Brakes: stays (almost) where it started; its value is always 2."""

    def __init__(self, seeds: tuple[int, ...] = (0,)) -> None:
        self.seeds = seeds
        self.acting_noise = (1, 1)

    def policy_state(self) -> dict[str, Tensor]:
        return {"x": torch.zeros(1)}

    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        return -state[..., 2:].clamp(-1, 1), torch.full(state.shape[:2], 2.0)


def test_stratified_starts_give_every_cell_its_share_and_the_goal_cell_scores() -> None:
    found = run_episodes(Still(), TASK, alive=[True], counter=0, episodes=14, start="stratified")[0]
    assert found is not None
    summary = summarise(found, TASK, "stratified", 0.99)
    by_start = summary["returns_by_start"]
    assert len(by_start) == 7
    # whoever starts in the goal cell and brakes stays in the goal for the whole episode
    assert by_start["1,1"] == 300.0 and summary["goal_hold_by_start"]["1,1"] == 1.0
    assert all(value == 0.0 for name, value in by_start.items() if name != "1,1")
    assert summary["return"] == pytest.approx(300 / 7)
    task = get_task(TASK)
    assert summary["score"] == pytest.approx(
        100 * (300 / 7 - task.ref_min) / (task.ref_max - task.ref_min)
    )
    discounted = (1 - 0.99**300) / 0.01 / 7
    assert summary["discounted_return"] == pytest.approx(discounted)
    assert summary["overestimation"] == pytest.approx(2.0 - discounted)


def test_starts_depend_on_seed_and_counter_only() -> None:
    def paths(seeds: tuple[int, ...], counter: int) -> np.ndarray:
        found = run_episodes(
            Still(seeds),
            TASK,
            alive=[True] * len(seeds),
            counter=counter,
            episodes=3,
            start="random",
        )
        assert found[-1] is not None
        return found[-1].returns()

    assert np.array_equal(paths((5,), 1), paths((4, 5), 1))


def test_runs_that_are_not_alive_are_left_out() -> None:
    found = run_episodes(
        Still((0, 1)), TASK, alive=[False, True], counter=0, episodes=2, start="random"
    )
    assert found[0] is None and found[1] is not None
    none = run_episodes(Still(), TASK, alive=[False], counter=0, episodes=2, start="random")
    assert none == [None]


def episodes(in_goal: list[list[bool]], running: list[list[bool]] | None = None) -> Episodes:
    flags = np.array(in_goal)
    alive = np.ones_like(flags) if running is None else np.array(running)
    path = np.zeros((len(flags) + 1, flags.shape[1], 4))
    return Episodes(flags * 1.0, flags, alive, np.zeros(flags.shape[1]), ["a"], path)


def test_goal_hold_counts_from_the_first_hit() -> None:
    t, f = True, False
    found = episodes([[f, f, t], [t, f, t], [f, f, t], [t, f, t]])
    # first episode: hit at step 1, then in the goal at steps 1 and 3 of 1..3
    assert found.goal_hold().tolist() == pytest.approx([2 / 3, 0.0, 1.0])
    ended = episodes([[t], [f]], [[t], [f]])
    assert ended.goal_hold().tolist() == [1.0]


def test_discounted_return() -> None:
    found = episodes([[True], [False], [True]])
    assert found.discounted(0.5).tolist() == [1.25]


@pytest.mark.parametrize("count", [3, BATCH + 3])
def test_steps_of_displaced_episodes_are_told_to_the_last(count: int) -> None:
    task, told = "point-corridor7x7-v0", list[int]()
    starts = displaced_starts(task, 10, 0)
    few = dataclasses.replace(starts, state=starts.state[:count], cell=starts.cell[:count])
    displaced_outcomes(Asleep(), few, [True], 0, told.append)
    assert sum(told) == count * get_task(task).horizon
    assert len(told) > get_task(task).horizon * 0.9


class Pushing(Asleep):
    """Moves a Fetch gripper to the object."""

    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        way = (10.0 * (state[..., 3:6] - state[..., :3])).clamp(-1, 1)
        return torch.nn.functional.pad(way, (0, 1)), torch.zeros(state.shape[:2])


def test_robots_that_are_used_again_give_what_new_ones_give(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    starts, made = displaced_starts("fetch-push-v0", 7), list[int]()
    alone = [
        displaced_outcomes(Pushing(), part, [True], number)[0]
        for number, part in enumerate(
            dataclasses.replace(
                starts, state=starts.state[at : at + 3], cell=starts.cell[at : at + 3]
            )
            for at in (0, 3, 6)
        )
    ]
    monkeypatch.setattr(robustness, "BATCH", 3)
    make = robustness.make_fleet
    monkeypatch.setattr(
        robustness, "make_fleet", lambda task, n, alive: made.append(n) or make(task, n, alive)
    )
    (together,) = displaced_outcomes(Pushing(), starts, [True], 0)
    assert made == [3, 1]
    for name in ("success", "ever", "steps", "place"):
        apart = np.concatenate([getattr(each, name) for each in alone])
        assert (getattr(together, name) == apart).all()
    assert 0 < together.ever.sum() < 7


def test_steps_that_need_not_be_driven_are_told_too() -> None:
    told: list[int] = []

    def begin(run: int, env: BatchEnv) -> np.ndarray:
        return np.zeros((2, 4))

    bad = Still()
    bad.act = lambda state, noise: (torch.full((1, 2, 2), torch.nan), torch.zeros(1, 2))  # type: ignore[method-assign]
    roll(bad, TASK, alive=[True], counter=0, episodes=2, begin=begin, advance=told.append)
    assert told == [2, 2 * (get_task(TASK).horizon - 1)]
