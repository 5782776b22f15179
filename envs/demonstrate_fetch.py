"""Generator of Fetch demonstrations: the scripted experts with noise on their actions, successful episodes in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from envs.errors import TaskError
from envs.experts import Measured
from envs.fetch_batch import FetchBatch
from envs.fetch_controller import CONTROLLERS
from envs.options import DemonstrationOptions
from envs.randomness import numpy_generator
from envs.tasks import Task

GENERATOR = "fetch_controller"
VERSION = 1
MAX_ROBOTS = 50  # robots that run side by side; the arrays do not depend on it
TRIES = 20  # episodes for each demonstration before giving up

Progress = Callable[[int], None]


def check_options(options: dict[str, Any]) -> None:
    """Check a data spec's options; see `DemonstrationOptions`.

    Raises:
        TaskError: unknown or unfit options.
    """
    DemonstrationOptions.parse(options, GENERATOR)


class _Episodes(NamedTuple):
    """N episodes of T steps: observation ``[N, T + 1, 25]``, action ``[N, T, 4]``, success ``[N, T + 1]``."""

    observation: np.ndarray
    action: np.ndarray
    success: np.ndarray


def generate(
    task: Task, seed: int, transitions: int | None, options: dict[str, Any], progress: Progress
) -> dict[str, np.ndarray]:
    """Arrays of a file of demonstrations, the same for the same arguments; more of them begin with the fewer.

    Each episode has T + 1 rows: its transitions, then the final observation with a zero action and a timeout.

    Args:
        task: a Fetch task.
        seed: seed of the keyed streams.
        transitions: None, the options decide on the size.
        options: see `DemonstrationOptions`.
        progress: called with 1 for each demonstration.

    Raises:
        TaskError: unknown or unfit options, or noise under which the expert hardly ever succeeds.
    """
    chosen = DemonstrationOptions.parse(options, GENERATOR)
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for block in _blocks(task, seed, TRIES * chosen.demonstrations, chosen):
        for episode in zip(*block, strict=True):
            if episode[2][-1] and len(kept) < chosen.demonstrations:
                kept.append(episode)
                progress(1)
        if len(kept) == chosen.demonstrations:
            return _rows(_Episodes(*map(np.stack, zip(*kept, strict=True))))
    raise TaskError(
        f"task {task.name}: only {len(kept)} of {TRIES * chosen.demonstrations} episodes succeed"
        f" at options.noise {chosen.noise}; lower it"
    )


def measure(task: Task, episodes: int, options: dict[str, Any], seed: int) -> Measured:
    """How often the expert succeeds, judged at the last step, and when it does so first; see `envs.experts`."""
    blocks = _blocks(task, seed, episodes, DemonstrationOptions.parse(options, GENERATOR))
    success = np.concatenate([block.success for block in blocks])
    first = success.argmax(axis=1)[success.any(axis=1)]
    return Measured("proportional controller", episodes, int(success[:, -1].sum()), first)


def _blocks(
    task: Task, seed: int, episodes: int, options: DemonstrationOptions
) -> Iterator[_Episodes]:
    size = min(MAX_ROBOTS, options.demonstrations)
    for first in range(0, episodes, size):
        yield _drive(task, seed, range(first, min(first + size, episodes)), options.noise)


def _drive(task: Task, seed: int, numbers: range, noise: float) -> _Episodes:
    """The episodes with these numbers, whose noise depends on seed and number alone."""
    count, steps = len(numbers), task.horizon
    streams = (numpy_generator(seed, f"fetch_controller/noise/{number}") for number in numbers)
    disturbance = noise * np.stack(
        [stream.standard_normal((steps, task.action_dim)) for stream in streams], axis=1
    )
    batch = FetchBatch(task, count)
    controller = CONTROLLERS[task.options["robot"]]
    observations = np.empty((count, steps + 1, task.observation_dim), dtype=np.float32)
    actions = np.empty((count, steps, task.action_dim), dtype=np.float32)
    success = np.empty((count, steps + 1), dtype=bool)
    seen = batch.reset(numpy_generator(seed, "fetch_controller/start"))
    observations[:, 0], success[:, 0] = seen, batch.scene.success(seen[:, 3:6])
    for t in range(steps):
        # Stored actions are the ones applied, in the file's precision.
        actions[:, t] = np.clip(controller(seen, batch.goal) + disturbance[t], -1.0, 1.0)
        step = batch.step(actions[:, t])
        seen = step.observation
        observations[:, t + 1], success[:, t + 1] = seen, step.in_goal
    return _Episodes(observations, actions, success)


def _rows(episodes: _Episodes) -> dict[str, np.ndarray]:
    """Episodes as rows; the reward of a row is paid for the state reached, the last one reaches none."""
    count, length = episodes.success.shape
    action = np.zeros((count, length, episodes.action.shape[2]), dtype=np.float32)
    reward = np.zeros((count, length), dtype=np.float32)
    end = np.zeros((count, length), dtype=bool)
    action[:, :-1] = episodes.action
    reward[:, :-1] = episodes.success[:, 1:] - 1.0
    end[:, -1] = True
    return {
        "observations": episodes.observation.reshape(count * length, -1),
        "actions": action.reshape(count * length, -1),
        "rewards": reward.reshape(-1),
        "terminals": np.zeros(count * length, dtype=bool),
        "timeouts": end.reshape(-1),
        "infos/success": episodes.success.reshape(-1),
    }
