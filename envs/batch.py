"""Many environments of one task in step: the only environment interface of training code."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np

from envs.tasks import get_task

Start = Literal["random", "stratified"]


class BatchStep(NamedTuple):
    """What a step of N environments gives.

    Attributes:
        observation: ``[N, S]`` float64, the states reached.
        reward: ``[N]`` float64.
        terminated: ``[N]`` bool, the episode is over for a reason of the task.
        truncated: ``[N]`` bool, the horizon is reached.
        in_goal: ``[N]`` bool, the state reached lies in the goal (false in tasks without one).
    """

    observation: np.ndarray
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray
    in_goal: np.ndarray


class BatchEnv(Protocol):
    """N environments of one task that run in step; nothing resets by itself.

    Attributes:
        num_envs: N.
        num_starts: number of start cells of the stratified reset (1 where a task has no cells).
        start_names: one name a start cell.
    """

    num_envs: int
    num_starts: int
    start_names: list[str]

    def reset(self, generator: np.random.Generator, start: Start = "random") -> np.ndarray:
        """Start N episodes; ``stratified``: environment i starts in cell i mod num_starts. ``[N, S]`` float64."""

    def step(self, action: np.ndarray) -> BatchStep:
        """Apply ``action [N, A]`` (clipped to [-1, 1])."""


class DisplacedBatchEnv(BatchEnv, Protocol):
    """A batch that can also start away from the task's own start; see `envs.starts`."""

    def reset_to(self, state: np.ndarray) -> np.ndarray:
        """Start N episodes at the starts ``state [N, K]`` of a `envs.starts.StartList`: ``[N, S]`` float64."""


def make_batch(task: str, num_envs: int) -> BatchEnv:
    """``num_envs`` environments of ``task``.

    Raises:
        TaskError: no such task, or it is declared, not implemented.
        ValueError: ``num_envs`` is not positive.
    """
    if num_envs < 1:
        raise ValueError(f"num_envs must be at least 1, got {num_envs}")
    found = get_task(task)
    env: BatchEnv = found.load().batch(found, num_envs)
    return env
