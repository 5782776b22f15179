"""Generator of maze2d data: balls under the waypoint controller, many trajectories side by side.

As D4RL's generator, without resets: start once, drive to a random target, choose the next one when it is reached or
after the horizon. D4RL drives one ball for the whole file, this drives up to 256; each ball's rows are consecutive and
its last row is flagged in ``timeouts``, like every row at which a target was reached (the published files flag those
as well), so that no pair of rows is ever mistaken for a transition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from envs.errors import TaskError
from envs.maze2d_batch import START_JITTER, START_SPEED, BallPhysics
from envs.maze2d_physics import build_model, maze_reward
from envs.mazes import get_maze
from envs.options import check_names, check_noise
from envs.randomness import numpy_generator
from envs.tasks import Task
from envs.waypoints import WaypointController

VERSION = 1
MAX_BALLS = 256
MIN_STEPS = 2000  # steps a ball drives at least, many times the way to a target
TARGET_JITTER = 0.1  # recorded target: cell + U(-TARGET_JITTER, TARGET_JITTER) per axis

Progress = Callable[[int], None]


@dataclass(frozen=True)
class WaypointOptions:
    """Options of the generator ``waypoint``.

    Attributes:
        noise: standard deviation of Gaussian noise on the action before clipping; 0 as in the published files,
            0.5 as in the remake that Minari distributes.
        quirks: copy a slip of the published files: after a target is reached the next row shows (and the controller
            sees) the state before, while the ball moves on.
        reward_at: ``observation``: the reward of a row is that of its own state, as in the published files;
            ``next_observation``: that of the state reached, as the live environment pays it.
    """

    noise: float = 0.0
    quirks: bool = False
    reward_at: Literal["observation", "next_observation"] = "observation"

    @classmethod
    def parse(cls, options: dict[str, Any]) -> WaypointOptions:
        """Options from a data spec.

        Raises:
            TaskError: an unknown name or a value that does not fit.
        """
        check_names(options, cls.__dataclass_fields__, "waypoint")
        found = cls(**options)
        check_noise(found.noise)
        if not isinstance(found.quirks, bool):
            raise TaskError(f"options.quirks: must be true or false, got {found.quirks!r}")
        if found.reward_at not in ("observation", "next_observation"):
            raise TaskError(
                f"options.reward_at: must be observation or next_observation, got {found.reward_at!r}"
            )
        return found


def check_options(options: dict[str, Any]) -> None:
    """Check a data spec's options; see `WaypointOptions`.

    Raises:
        TaskError: unknown or unfit options.
    """
    WaypointOptions.parse(options)


def layout(transitions: int) -> tuple[int, int]:
    """Number of balls and steps of each for a file of ``transitions`` rows; the last ball may stop early."""
    balls = max(1, min(MAX_BALLS, transitions // MIN_STEPS))
    return balls, -(-transitions // balls)


class _Targets:
    """The target of each ball: drawn from all start cells, again when reached or after ``horizon`` steps."""

    def __init__(self, cells: np.ndarray, horizon: int, count: int, rng: np.random.Generator):
        self._cells, self._horizon, self._rng = cells, horizon, rng
        self.position = np.zeros((count, 2))
        self._age = np.zeros(count, dtype=np.int64)
        self._draw(np.arange(count))

    def _draw(self, balls: np.ndarray) -> None:
        cells = self._cells[self._rng.integers(len(self._cells), size=len(balls))]
        jitter = self._rng.uniform(-TARGET_JITTER, TARGET_JITTER, (len(balls), 2))
        self.position[balls] = cells + jitter
        self._age[balls] = 0

    def finished(self, reached: np.ndarray) -> np.ndarray:
        """Which targets end with this row, ``[N]`` bool."""
        done: np.ndarray = reached | (self._age >= self._horizon)
        return done

    def step(self, done: np.ndarray) -> None:
        """Count the row and replace the targets that ended."""
        self._age += 1
        balls = np.flatnonzero(done)
        if len(balls):
            self._draw(balls)


def generate(
    task: Task, seed: int, transitions: int, options: dict[str, Any], progress: Progress
) -> dict[str, np.ndarray]:
    """Arrays of a maze2d file in D4RL's layout, one row a transition; the same for the same arguments.

    Args:
        task: a maze2d task.
        seed: seed of the keyed streams.
        transitions: rows.
        options: see `WaypointOptions`.
        progress: called now and then with the number of new rows.

    Raises:
        TaskError: unknown or unfit options.
    """
    chosen = WaypointOptions.parse(options)
    balls, steps = layout(transitions)
    states, actions, targets, ends = _drive(task, seed, (balls, steps), chosen, progress)
    shown = _shown_states(states[:, :-1], ends) if chosen.quirks else states[:, :-1]
    ends[:, -1] = True

    def rows(array: np.ndarray) -> np.ndarray:
        return array.reshape(balls * steps, *array.shape[2:])[:transitions]

    rewarded = shown if chosen.reward_at == "observation" else states[:, 1:]
    goal, kind = get_maze(task.options["maze"]).goal, task.options["reward"]
    reward = maze_reward(rows(rewarded).astype(np.float64), goal, kind, np)
    timeouts = rows(ends).copy()
    timeouts[-1] = True
    return {
        "observations": rows(shown),
        "actions": rows(actions),
        "rewards": reward.astype(np.float32),
        "terminals": np.zeros(transitions, dtype=bool),
        "timeouts": timeouts,
        "infos/goal": rows(targets),
        "infos/qpos": rows(states[:, :-1, :2]),
        "infos/qvel": rows(states[:, :-1, 2:]),
    }


def _drive(
    task: Task,
    seed: int,
    shape: tuple[int, int],
    options: WaypointOptions,
    progress: Progress,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """States ``[N, T + 1, 4]``, actions, targets ``[N, T, 2]`` (float32), ends of targets ``[N, T]`` (bool)."""
    balls, steps = shape
    maze = get_maze(task.options["maze"])
    cells = np.array(maze.start_cells, dtype=np.float64)
    start, ways, noise = (
        numpy_generator(seed, f"waypoint/{part}") for part in ("start", "ways", "noise")
    )
    targets = _Targets(cells, task.horizon, balls, numpy_generator(seed, "waypoint/targets"))
    controller = WaypointController(maze, balls)
    physics = BallPhysics(build_model(maze.name), balls)
    state = physics.place(
        cells[start.integers(len(cells), size=balls)]
        + start.uniform(-START_JITTER, START_JITTER, (balls, 2)),
        START_SPEED * start.standard_normal((balls, 2)),
    )
    states = np.empty((balls, steps + 1, 4), dtype=np.float32)
    actions = np.empty((balls, steps, 2), dtype=np.float32)
    goals = np.empty((balls, steps, 2), dtype=np.float32)
    ends = np.empty((balls, steps), dtype=bool)
    seen = state.copy()
    for t in range(steps):
        steering = controller.act(seen, targets.position, ways)
        action = steering.action
        if options.noise:
            action = action + options.noise * noise.standard_normal(action.shape)
        # Stored actions are the ones applied, in the file's precision.
        actions[:, t] = np.clip(action, -1.0, 1.0)
        states[:, t], goals[:, t] = state, targets.position
        ends[:, t] = done = targets.finished(steering.reached)
        physics.step(actions[:, t])
        seen = np.where(done[:, None], seen, state) if options.quirks else state
        targets.step(done)
        progress(balls)
    states[:, steps] = state
    return states, actions, goals, ends


def _shown_states(states: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """States with the slip of the published files: the row after an end repeats the row before it."""
    shown = states.copy()
    for t in range(1, states.shape[1]):
        repeated = ends[:, t - 1]
        shown[repeated, t] = shown[repeated, t - 1]
    return shown
