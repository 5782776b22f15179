"""Many points in one of BMIL's mazes, in step."""

from __future__ import annotations

import numpy as np

from envs import terminations
from envs.batch import BatchStep, Start
from envs.mujoco_maze_layouts import TIME_UNIT, get_map
from envs.point_robot import step_points, walls_of
from envs.tasks import Task
from envs.terminations import MUJOCO_MAZE_REWARD

START_NOISE = 0.1  # start: every joint U(-0.1, 0.1), every velocity 0.1 N(0, 1) (BMIL's code)


def training_starts(generator: np.random.Generator, count: int, joints: int) -> np.ndarray:
    """Noisy starts around the origin, ``[N, 2 joints]``: positions, then velocities."""
    position = generator.uniform(-START_NOISE, START_NOISE, (count, joints))
    velocity = START_NOISE * generator.standard_normal((count, joints))
    return np.concatenate([position, velocity], axis=1)


def check_batch(task: Task, num_envs: int, action: np.ndarray) -> None:
    """Raise a ValueError unless the actions are finite and ``[N, A]``."""
    wanted = (num_envs, task.action_dim)
    if action.shape != wanted:
        raise ValueError(f"actions of {task.name}: shape {action.shape}, wanted {wanted}")
    if not np.isfinite(action).all():
        raise ValueError(f"actions of {task.name}: not finite")


class PointBatch:
    """`envs.batch.DisplacedBatchEnv` of a point maze; see `MujocoMazeEnv` for observations and rewards."""

    num_starts = 1

    def __init__(self, task: Task, num_envs: int) -> None:
        self.task = task
        self.num_envs = num_envs
        self.start_names = ["start"]
        self.maze = get_map(task.options["maze"], "paper")
        self._walls = walls_of(self.maze.name)
        self._reached = terminations.get(task.termination)
        self._state = np.zeros((num_envs, 6))
        self._steps = 0

    def reset(self, generator: np.random.Generator, start: Start = "random") -> np.ndarray:
        """Start all episodes in the start cell, ``[N, 7]``; there is one start, so ``start`` changes nothing."""
        if start not in ("random", "stratified"):
            raise ValueError(f"start must be 'random' or 'stratified', got '{start}'")
        return self.reset_to(training_starts(generator, self.num_envs, 3))

    def reset_to(self, state: np.ndarray) -> np.ndarray:
        """Start all episodes at ``state [N, 6]`` (x, y, yaw and their velocities): ``[N, 7]``.

        Raises:
            ValueError: another shape, or not finite.
        """
        if state.shape != self._state.shape or not np.isfinite(state).all():
            raise ValueError(
                f"starts of {self.task.name}: shape {state.shape}, wanted finite {self._state.shape}"
            )
        self._state = np.array(state, dtype=np.float64)
        self._steps = 0
        return self._observation()

    def step(self, action: np.ndarray) -> BatchStep:
        """One step of 0.02 s for every point; see `envs.batch.BatchStep`.

        Raises:
            ValueError: the actions have another shape than ``[N, 2]`` or are not finite.
        """
        check_batch(self.task, self.num_envs, action)
        self._state = step_points(self._state, action, self._walls)
        self._steps += 1
        observation = self._observation()
        in_goal: np.ndarray = self._reached(observation, np)
        truncated = np.full(self.num_envs, self._steps >= self.task.horizon)
        return BatchStep(
            observation, MUJOCO_MAZE_REWARD * in_goal, in_goal.copy(), truncated, in_goal
        )

    def _observation(self) -> np.ndarray:
        time = np.full((self.num_envs, 1), TIME_UNIT * self._steps)
        return np.concatenate([self._state, time], axis=1)
