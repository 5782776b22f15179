"""The maze2d tasks as gymnasium environments."""

from __future__ import annotations

import math
import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from envs.batch import BatchEnv
from envs.maze2d_batch import START_JITTER, START_SPEED, Maze2dBatch
from envs.maze2d_physics import (
    GOAL_RADIUS,
    MAX_SPEED,
    build_model,
    maze_reward,
)
from envs.mazes import Maze, get_maze
from envs.rendering import TopView
from envs.simulator import mujoco
from envs.tasks import RewardFunction, Task, get_task

Array = NDArray[np.float64]
#: A step starts from at most 5 and full force adds less than 0.24 (100 N on 4.19 kg for 0.01 s).
SPEED_BOUND = MAX_SPEED + 0.25


class Maze2dEnv(gymnasium.Env[Array, NDArray[Any]]):
    """A force-driven ball in a maze; rewards are those of the state reached.

    Observation ``[4]`` float64: x, y (cells; x is the row axis), vx, vy (cells/s). Action ``[2]`` in [-1, 1]: force
    over 100 N. An episode never terminates; gymnasium truncates it at the horizon. The goal cell is fixed.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 100}  # noqa: RUF012

    def __init__(
        self,
        task: str = "maze2d-umaze-v1",
        render_mode: str | None = None,
        width: int = 480,
        height: int = 480,
    ) -> None:
        """``width`` and ``height`` are those of rendered frames, in pixels."""
        self.task = get_task(task)
        self.maze: Maze = get_maze(self.task.options["maze"])
        self._dense: bool = self.task.options["reward"] == "dense"
        self.render_mode = render_mode
        self._frame_size = (width, height)
        self._view: TopView | None = None
        self.model = build_model(self.maze.name)
        self.data = mujoco.MjData(self.model)
        self._qpos, self._qvel, self._ctrl = self.data.qpos, self.data.qvel, self.data.ctrl
        low, high = np.array([0.0, 0.0, -SPEED_BOUND, -SPEED_BOUND]), np.empty(4)
        high[:] = (*self.maze.walls.shape, SPEED_BOUND, SPEED_BOUND)
        self.observation_space = Box(low, high, dtype=np.float64)
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start in a free cell (or the goal cell) drawn uniformly, jittered, with a little velocity."""
        super().reset(seed=seed)
        cells = np.array(self.maze.start_cells, dtype=np.float64)
        cell = cells[self.np_random.integers(len(cells))]
        position = cell + self.np_random.uniform(-START_JITTER, START_JITTER, 2)
        self.set_state(position, START_SPEED * self.np_random.standard_normal(2))
        observation = self._observation()
        return observation, {"in_goal": self._goal_distance(observation) <= GOAL_RADIUS}

    def set_state(self, position: Any, velocity: Any) -> None:
        """Put the ball at ``position [2]`` with ``velocity [2]``."""
        mujoco.mj_resetData(self.model, self.data)
        self._qpos[:] = position
        self._qvel[:] = velocity

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One step of 0.01 s; the velocity is clipped per axis before it.

        Raises:
            ValueError: the action is not finite.
        """
        if not np.isfinite(action).all():
            raise ValueError(f"action is not finite: {action}")
        np.clip(self._qvel, -MAX_SPEED, MAX_SPEED, out=self._qvel)
        self._ctrl[:] = action  # the motors clip it to [-1, 1]
        mujoco.mj_step(self.model, self.data)
        observation = self._observation()
        distance = self._goal_distance(observation)
        in_goal = distance <= GOAL_RADIUS
        reward = math.exp(-distance) if self._dense else float(in_goal)
        return observation, reward, False, False, {"in_goal": in_goal}

    def render(self) -> Any:
        """The maze from above, uint8 ``[height, width, 3]``; rows run downwards.

        Raises:
            RenderingError: no OpenGL back end works.
        """
        if self.render_mode != "rgb_array":
            return None
        if self._view is None:
            self._view = TopView(self.model, *self._frame_size)
        mujoco.mj_forward(self.model, self.data)
        return self._view.frame(self.data)

    def close(self) -> None:
        """Release the OpenGL context, if one was made."""
        if self._view is not None:
            self._view.close()
            self._view = None

    def _observation(self) -> Array:
        return np.concatenate((self._qpos, self._qvel))

    def _goal_distance(self, observation: Array) -> float:
        # plain floats: numpy on two numbers would take longer than the physics
        x, y, *_ = observation.tolist()
        return math.sqrt((x - self.maze.goal[0]) ** 2 + (y - self.maze.goal[1]) ** 2)

    @staticmethod
    def batch(task: Task, num_envs: int) -> BatchEnv:
        """Many balls in the same maze, stepped together."""
        return Maze2dBatch(task, num_envs)

    @staticmethod
    def data_reward(task: Task) -> RewardFunction:
        """The reward of a row of the data: that of its own state (as in the published files)."""
        goal, kind = get_maze(task.options["maze"]).goal, task.options["reward"]

        def reward(observation: Any, _action: Any, _next_observation: Any) -> Any:
            # numpy.ndarray and torch.Tensor name their array namespace; torch need not be imported here
            xp = sys.modules[type(observation).__module__.partition(".")[0]]
            return maze_reward(observation, goal, kind, xp)

        return reward
