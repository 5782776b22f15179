"""Episodes of a policy in the real task, all runs of a block side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from algos.core.loop import Failed
from algos.core.progress import Advance
from algos.core.randomness import numpy_generator, torch_generator
from envs.batch import BatchEnv, make_batch
from envs.tasks import get_task

Start = Literal["random", "stratified"]


class Policy(Protocol):
    """What evaluation needs of a learner."""

    seeds: tuple[int, ...]

    @property
    def acting_noise(self) -> tuple[int, int]:
        """Rows of noise an observation needs, and their width."""

    def policy_state(self) -> dict[str, Tensor]:
        """What acting needs."""

    def restore_policy(self, tensors: dict[str, Tensor]) -> None:
        """Put `policy_state` back."""

    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions ``[R, N, A]`` and values ``[R, N]`` for ``state [R, N, S]``."""


@dataclass(frozen=True)
class Episodes:
    """Recorded episodes of one run.

    Attributes:
        reward: ``[T, N]``, 0 after the end.
        in_goal: ``[T, N]``, whether the state reached lies in the goal; False after the end.
        running: ``[T, N]``, whether the episode was still running before the step.
        start_value: ``[N]``, the critic's value of the first state and action (NaN without a critic).
        start_names: start cells in the order of the environments.
        observation: ``[T + 1, N, S]``, the states visited; those after the end mean nothing.
    """

    reward: np.ndarray
    in_goal: np.ndarray
    running: np.ndarray
    start_value: np.ndarray
    start_names: list[str]
    observation: np.ndarray

    def returns(self) -> np.ndarray:
        """Undiscounted return of each episode, ``[N]``."""
        total: np.ndarray = self.reward.sum(axis=0)
        return total

    def discounted(self, discount: float) -> np.ndarray:
        """Discounted return of each episode, ``[N]``."""
        total: np.ndarray = (discount ** np.arange(len(self.reward))[:, None] * self.reward).sum(
            axis=0
        )
        return total

    def visited(self) -> np.ndarray:
        """Which of the recorded states belong to the episode, bool ``[T + 1, N]``."""
        return np.concatenate([np.ones_like(self.running[:1]), self.running])

    def success(self) -> np.ndarray:
        """Whether the last state of each episode lies in the goal, bool ``[N]``."""
        last = self.running.sum(axis=0) - 1
        reached: np.ndarray = self.in_goal[last, np.arange(len(last))]
        return reached

    def first_hit(self) -> np.ndarray:
        """Steps until the goal is first reached, ``[N]``; NaN if it never is."""
        inside = self.in_goal & self.running
        steps: np.ndarray = np.where(inside.any(axis=0), inside.argmax(axis=0) + 1.0, np.nan)
        return steps

    def goal_hold(self) -> np.ndarray:
        """Share of the steps after the first hit of the goal that are spent in it, ``[N]``; 0 if it is never hit."""
        hit = np.logical_or.accumulate(self.in_goal, axis=0)
        after = (hit & self.running).sum(axis=0)
        inside = (self.in_goal & self.running).sum(axis=0)
        share: np.ndarray = inside / np.maximum(after, 1)
        return share


def run_episodes(
    policy: Policy,
    task: str,
    *,
    alive: list[bool],
    counter: int,
    episodes: int,
    start: Start,
    start_seed: int | None = None,
) -> list[Episodes | Failed | None]:
    """``episodes`` episodes of every run that is alive.

    Starts depend on (run seed, counter) only, so that every arm gets the same ones; with ``start_seed`` that seed
    takes the place of the run's, so that every run gets the same ones too. A run that is not
    alive gives None; one whose policy returns an action that is not finite gives `Failed` and is not stepped any
    further.
    """
    start_seeds = [seed if start_seed is None else start_seed for seed in policy.seeds]

    def begin(run: int, env: BatchEnv) -> np.ndarray:
        return env.reset(numpy_generator(start_seeds[run], "evaluation/start", counter), start)

    return roll(policy, task, alive=alive, counter=counter, episodes=episodes, begin=begin)


def make_fleet(task: str, episodes: int, alive: Sequence[bool]) -> list[BatchEnv | None]:
    """Environments of each living run for so many episodes."""
    return [make_batch(task, episodes) if ok else None for ok in alive]


def roll(
    policy: Policy,
    task: str,
    *,
    alive: list[bool],
    counter: int,
    episodes: int,
    begin: Callable[[int, BatchEnv], np.ndarray],
    advance: Advance = lambda _: None,
    fleet: Sequence[BatchEnv | None] | None = None,
) -> list[Episodes | Failed | None]:
    """Episodes of every run that is alive, as `run_episodes`; ``begin`` starts those of a run in its environments.

    The policies of all runs are called once a step. It ends when every episode has. ``advance`` is told of the steps,
    ``episodes`` times the horizon in all. ``fleet``: environments to use again, those of `make_fleet` unless given.
    """
    horizon = get_task(task).horizon
    device = next(iter(policy.policy_state().values())).device
    envs = list(fleet or make_fleet(task, episodes, alive))
    noise = [torch_generator(s, "evaluation/acting", counter, device) for s in policy.seeds]
    observations = [None if env is None else begin(run, env) for run, env in enumerate(envs)]
    blank = next((o for o in observations if o is not None), None)
    if blank is None:
        return [None for _ in alive]
    state = np.stack([np.zeros_like(blank) if o is None else o for o in observations])
    shape = (horizon, len(envs), episodes)
    reward, in_goal = np.zeros(shape), np.zeros(shape, bool)
    running, ended = np.zeros(shape, bool), np.zeros(shape[1:], bool)
    start_value = np.zeros(shape[1:])
    failed: dict[int, Failed] = {}
    visited = np.zeros((horizon + 1, *state.shape))
    visited[0] = state
    rows, width = policy.acting_noise
    for step in range(horizon):
        drawn = torch.stack(
            [torch.randn(episodes * rows, width, generator=g, device=device) for g in noise]
        )
        action, value = policy.act(torch.from_numpy(state).float().to(device), drawn)
        actions = action.double().cpu().numpy()
        if step == 0:
            start_value = value.double().cpu().numpy()
        running[step] = ~ended
        for run, env in enumerate(envs):
            if env is None or ended[run].all():
                continue
            if not np.isfinite(actions[run]).all():
                envs[run] = None
                state[run] = 0.0
                failed[run] = Failed("action is not finite")
                continue
            result = env.step(actions[run])
            state[run] = result.observation
            reward[step, run] = np.where(ended[run], 0.0, result.reward)
            in_goal[step, run] = result.in_goal & running[step, run]
            ended[run] |= result.terminated | result.truncated
        visited[step + 1] = state
        advance(episodes)
        if all(env is None or ended[run].all() for run, env in enumerate(envs)):
            advance(episodes * (horizon - step - 1))
            break
    return [
        Episodes(
            reward[:, r],
            in_goal[:, r],
            running[:, r],
            start_value[r],
            env.start_names,
            visited[:, r],
        )
        if env is not None
        else failed.get(r)
        for r, env in enumerate(envs)
    ]


def summarise(found: Episodes, task: str, start: Start, discount: float | None) -> dict[str, Any]:
    """Metrics of one run's episodes: D4RL-normalised score, return, goal_hold, overestimation, returns by start cell.

    Tasks without reference scores have no score; their ``success`` is the share of episodes that end in the goal.
    ``overestimation``: mean value at the start states minus the mean realised discounted return (only with a
    discount, i.e. for methods with a critic). Rewards are counted as the environment pays them, for the state reached;
    a critic that learnt from data with the reward of the state left expects ``r(s0) - (1 - gamma) G`` more, about one
    percent of the return G.
    """
    returns = found.returns()
    found_task = get_task(task)
    summary: dict[str, Any] = (
        {"success": float(found.success().mean())}
        if found_task.ref_min is None
        else {"score": float(found_task.normalize(returns).mean())}
    )
    summary |= {
        "return": float(returns.mean()),
        "goal_hold": float(found.goal_hold().mean()),
        "in_goal": float(found.in_goal.sum() / found.running.sum()),
    }
    if discount is not None:
        realised = float(found.discounted(discount).mean())
        value = float(found.start_value.mean())
        summary |= {"start_value": value, "discounted_return": realised}
        summary["overestimation"] = value - realised
    if start == "stratified":
        summary["returns_by_start"] = _by_start(found.start_names, returns)
        summary["goal_hold_by_start"] = _by_start(found.start_names, found.goal_hold())
    return summary


def _by_start(names: list[str], values: np.ndarray) -> dict[str, float]:
    """Mean over the episodes that started in each cell; environment i starts in cell i mod cells."""
    return {
        name: float(values[i :: len(names)].mean())
        for i, name in enumerate(names)
        if i < len(values)
    }
