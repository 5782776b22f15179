"""Demonstrations of BMIL's point mazes: episodes of the maze controller under noise, successful ones kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from envs.batch import BatchEnv, DisplacedBatchEnv, make_batch
from envs.errors import TaskError
from envs.experts import Measured
from envs.maze_controller import Controller, controller_of
from envs.options import DemonstrationOptions
from envs.randomness import numpy_generator
from envs.storage import SUCCESS
from envs.tasks import Task
from envs.terminations import MUJOCO_MAZE_REWARD

GENERATOR = "maze_controller"
VERSION = 1
BATCH = 20  # episodes driven side by side; part of what a seed means
LARGEST_SHARE = 10  # the expert may fail in nine of ten episodes before the options are to blame

Progress = Callable[[int], None]


def check_options(options: dict[str, Any]) -> None:
    """Check a data spec's options; see `DemonstrationOptions`.

    Raises:
        TaskError: unknown or unfit options.
    """
    DemonstrationOptions.parse(options, GENERATOR)


class Episode(NamedTuple):
    """One driven episode of T steps.

    Attributes:
        observation: ``[T + 1, S]`` float32, the last one is the state reached.
        action: ``[T, A]`` float32, as applied.
        success: the goal was reached, with the last step.
    """

    observation: np.ndarray
    action: np.ndarray
    success: bool


def drive(
    env: BatchEnv,
    observation: np.ndarray,
    controller: Controller,
    horizon: int,
    noise: float,
    generator: np.random.Generator,
) -> list[Episode]:
    """Episodes of all environments of a batch that has just started at ``observation [N, S]``, in their order.

    An episode ends with the step that reaches the goal, or after ``horizon`` steps.
    """
    observations = [observation]
    actions: list[np.ndarray] = []
    reached: list[np.ndarray] = []
    done = np.zeros(env.num_envs, dtype=bool)
    while not done.all() and len(actions) < horizon:
        action = controller.act(observations[-1])
        action = action + noise * generator.standard_normal(action.shape)
        # Stored actions are the ones applied, in the file's precision.
        actions.append(np.clip(action, -1.0, 1.0).astype(np.float32))
        step = env.step(actions[-1])
        observations.append(step.observation)
        reached.append(step.in_goal & ~done)
        done |= step.in_goal
    states = np.stack(observations, axis=1).astype(np.float32)
    moves = np.stack(actions, axis=1)
    first = np.stack(reached, axis=1)
    lengths = np.where(done, first.argmax(axis=1) + 1, len(actions))
    return [
        Episode(states[i, : length + 1], moves[i, :length], bool(done[i]))
        for i, length in enumerate(lengths.tolist())
    ]


def episodes(task: Task, noise: float, seed: int) -> Iterator[Episode]:
    """Episodes of the expert from the start of training, without end: a function of task, noise and seed."""
    start = numpy_generator(seed, "maze_controller/start")
    moves = numpy_generator(seed, "maze_controller/noise")
    env, controller = make_batch(task.name, BATCH), controller_of(task)
    while True:
        first = env.reset(start, "random")
        yield from drive(env, first, controller, task.horizon, noise, moves)


def success_from(task: Task, state: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """Whether the expert reaches the goal from each displaced start ``state [N, K]``, bool ``[N]``."""
    env: DisplacedBatchEnv = task.load().batch(task, len(state))
    moves = numpy_generator(seed, "maze_controller/noise")
    first = env.reset_to(state)
    driven = drive(env, first, controller_of(task), task.horizon, noise, moves)
    return np.array([episode.success for episode in driven])


def measure(task: Task, episodes_driven: int, options: dict[str, Any], seed: int) -> Measured:
    """How often and how soon the expert reaches the goal in its first episodes, failed ones among them.

    Raises:
        TaskError: unknown or unfit options.
    """
    chosen = DemonstrationOptions.parse(options, GENERATOR)
    stream = episodes(task, chosen.noise, seed)
    driven = [next(stream) for _ in range(episodes_driven)]
    steps = np.array([len(each.action) for each in driven if each.success], dtype=np.int64)
    return Measured("maze controller", episodes_driven, len(steps), steps)


def generate(
    task: Task, seed: int, transitions: int | None, options: dict[str, Any], progress: Progress
) -> dict[str, np.ndarray]:
    """Arrays of a demonstration file in D4RL's layout; the same for the same arguments.

    An episode of T steps takes T + 1 rows: its transitions, then the state reached with a zero action and a timeout.
    The reward of a row is that of the state reached, ``infos/success`` says whether the row's own state is in the goal.

    Args:
        task: a point maze.
        seed: seed of the keyed streams.
        transitions: not used; the size follows from the episodes.
        options: see `DemonstrationOptions`.
        progress: called with the number of new demonstrations.

    Raises:
        TaskError: unknown or unfit options, or an expert that hardly ever succeeds under them.
    """
    chosen = DemonstrationOptions.parse(options, GENERATOR)
    kept: list[Episode] = []
    for number, episode in enumerate(episodes(task, chosen.noise, seed)):
        if number >= LARGEST_SHARE * max(chosen.demonstrations, BATCH):
            raise TaskError(
                f"options.noise: {len(kept)} of {number} episodes of {task.name} reach the goal; lower it"
            )
        if episode.success:
            kept.append(episode)
            progress(1)
        if len(kept) == chosen.demonstrations:
            break
    return {name: np.concatenate(parts) for name, parts in _rows(kept).items()}


def _rows(kept: list[Episode]) -> dict[str, list[np.ndarray]]:
    arrays: dict[str, list[np.ndarray]] = {
        name: []
        for name in ("observations", "actions", "rewards", "terminals", "timeouts", SUCCESS)
    }
    for episode in kept:
        states, moves = episode.observation, episode.action
        last = np.zeros(len(states), dtype=bool)
        last[-1] = True
        terminal = np.roll(last, -1)
        parts = (
            states,
            np.concatenate([moves, np.zeros_like(moves[:1])]),
            (MUJOCO_MAZE_REWARD * terminal).astype(np.float32),
            terminal,
            last,  # of timeouts, and of successes: the goal ends the episode
            last,
        )
        for name, part in zip(arrays, parts, strict=True):
            arrays[name].append(part)
    return arrays
