"""Many maze2d balls in step, on one thread, with MuJoCo's batched rollout."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.batch import BatchStep, Start
from envs.maze2d_physics import GOAL_RADIUS, MAX_SPEED, build_model, goal_distance
from envs.mazes import get_maze
from envs.simulator import mujoco, rollout
from envs.tasks import Task

START_JITTER = 0.1  # start position: cell + U(-START_JITTER, START_JITTER) per axis
START_SPEED = 0.1  # standard deviation of the start velocity


class BallPhysics:
    """N force-driven balls in one maze without goals or episodes, equal to a simulator of each bit for bit.

    A rollout forgets the solver's warm start between calls, and without it some contacts differ in their last bits.
    The warm start is the last acceleration, and that is what the model's accelerometer measures.

    Args:
        model: of a ball on two sliders with two motors and an accelerometer.
        count: N.
    """

    def __init__(self, model: Any, count: int) -> None:
        self._model = model
        self._models = [self._model] * count
        self._data = [mujoco.MjData(self._model)]
        size = mujoco.mj_stateSize(self._model, mujoco.mjtState.mjSTATE_FULLPHYSICS)
        # A full state is (time, qpos, qvel, ..); the rest does not exist in this model.
        self._before = np.zeros((count, size))
        self._after = np.zeros((count, 1, size))
        self._acceleration = np.zeros((count, 1, self._model.nsensordata))
        self._warmstart = np.zeros((count, self._model.nv))
        self._control = np.zeros((count, 1, self._model.nu))
        self._rollout = rollout.Rollout(nthread=0)

    @property
    def state(self) -> np.ndarray:
        """The states ``[N, 4]``, (x, y, vx, vy) float64; a view that changes with every step."""
        return self._before[:, 1:5]

    def place(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Put the balls at ``position [N, 2]`` with ``velocity [N, 2]``; returns the states."""
        self.state[:, :2] = position
        self.state[:, 2:] = velocity
        self._warmstart[:] = 0.0
        return self.state

    def step(self, action: np.ndarray) -> np.ndarray:
        """Clip velocities and actions ``[N, 2]``, step all balls, return the new states (a view)."""
        velocity = self._before[:, 3:5]
        np.clip(velocity, -MAX_SPEED, MAX_SPEED, out=velocity)
        np.clip(action, -1.0, 1.0, out=self._control[:, 0])
        self._rollout.rollout(
            self._models,
            self._data,
            self._before,
            self._control,
            skip_checks=True,
            nstep=1,
            state=self._after,
            initial_warmstart=self._warmstart,
            sensordata=self._acceleration,
        )
        self._warmstart[:] = self._acceleration[:, 0, :2]
        state = self.state
        state[:] = self._after[:, 0, 1:5]
        return state


class Maze2dBatch:
    """`envs.batch.BatchEnv` of a maze2d task; see `Maze2dEnv` for observations, actions and rewards."""

    def __init__(self, task: Task, num_envs: int) -> None:
        self.task = task
        self.num_envs = num_envs
        self.maze = get_maze(task.options["maze"])
        self.num_starts = len(self.maze.start_cells)
        self.start_names = [f"{row},{column}" for row, column in self.maze.start_cells]
        self._dense = task.options["reward"] == "dense"
        self._physics = BallPhysics(build_model(self.maze.name), num_envs)
        self._steps = 0

    def reset(self, generator: np.random.Generator, start: Start = "random") -> np.ndarray:
        """Start all episodes: ``[N, 4]``."""
        count = self.num_envs
        cells = np.array(self.maze.start_cells, dtype=np.float64)
        if start == "stratified":
            chosen = np.arange(count) % self.num_starts
        elif start == "random":
            chosen = generator.integers(self.num_starts, size=count)
        else:
            raise ValueError(f"start must be 'random' or 'stratified', got '{start}'")
        jitter = generator.uniform(-START_JITTER, START_JITTER, (count, 2))
        velocity = START_SPEED * generator.standard_normal((count, 2))
        return self.set_state(cells[chosen] + jitter, velocity)

    def set_state(self, position: np.ndarray, velocity: np.ndarray) -> np.ndarray:
        """Put the balls at ``position [N, 2]`` with ``velocity [N, 2]`` and restart the clock: ``[N, 4]``."""
        self._steps = 0
        return self._physics.place(position, velocity).copy()

    def step(self, action: np.ndarray) -> BatchStep:
        """One step of 0.01 s for every ball; see `envs.batch.BatchStep`.

        Raises:
            ValueError: the actions have another shape than ``[N, 2]`` or are not finite.
        """
        if action.shape != (self.num_envs, 2) or not np.isfinite(action).all():
            shape = f"shape {action.shape}, wanted {(self.num_envs, 2)}"
            wrong = shape if action.shape != (self.num_envs, 2) else "not finite"
            raise ValueError(f"actions of {self.task.name}: {wrong}")
        observation = self._physics.step(action).copy()
        self._steps += 1
        distance = goal_distance(observation, self.maze.goal)
        in_goal = distance <= GOAL_RADIUS
        reward = np.exp(-distance) if self._dense else in_goal.astype(np.float64)
        never = np.zeros(self.num_envs, dtype=bool)
        truncated = np.full(self.num_envs, self._steps >= self.task.horizon)
        return BatchStep(observation, reward, never, truncated, in_goal)
