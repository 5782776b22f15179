"""BMIL's point mazes as gymnasium environments."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from envs import terminations
from envs.batch import DisplacedBatchEnv
from envs.errors import TaskError
from envs.mujoco_maze_layouts import START_MARGIN, get_map
from envs.point_batch import START_NOISE, PointBatch, training_starts
from envs.point_robot import RADIUS, build_model
from envs.rendering import TopView
from envs.simulator import mujoco
from envs.starts import StartList
from envs.tasks import RewardFunction, Task, get_task
from envs.terminations import MUJOCO_MAZE_REWARD

Array = NDArray[np.float64]


class MujocoMazeEnv(gymnasium.Env[Array, NDArray[Any]]):
    """A point that walks where it looks, in a maze (Park and Wong 2022); the goal ends the episode and pays 1000.

    Observation ``[7]`` float64: x, y (m, from the middle of the start cell, y downwards), yaw (rad), their
    velocities, and 0.001 times the step. Action ``[2]`` in [-1, 1]: 0.2 m forward, 0.25 rad from x towards y.
    The goal is not observed; ``info["in_goal"]`` says whether the state lies in it.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012

    def __init__(
        self,
        task: str = "point-umaze-v0",
        render_mode: str | None = None,
        width: int = 480,
        height: int = 480,
    ) -> None:
        """``width`` and ``height`` are those of rendered frames, in pixels."""
        self.task = get_task(task)
        self._points = self.batch(self.task, 1)
        self._reached = terminations.get(self.task.termination)
        self.render_mode = render_mode
        self._frame_size = (width, height)
        self._view: TopView | None = None
        self._state = np.zeros(6)
        # yaw is wrapped before the drift of a step, so it can leave +-pi by a little
        low, high = np.full(7, -np.inf), np.full(7, np.inf)
        low[:2], high[:2] = get_map(self.task.options["maze"], "paper").bounds
        low[6], high[6] = 0.0, np.inf
        self.observation_space = Box(low, high, dtype=np.float64)
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start in the middle of the start cell, every joint and velocity a little off."""
        super().reset(seed=seed)
        return self.set_state(training_starts(self.np_random, 1, 3)[0])

    def set_state(self, state: np.ndarray) -> tuple[Array, dict[str, Any]]:
        """Start an episode at ``state [6]``: x, y, yaw and their velocities."""
        observation = self._points.reset_to(np.asarray(state, dtype=np.float64)[None])[0]
        self._state = observation[:6]
        return observation, {"in_goal": bool(self._reached(observation, np))}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One step of 0.02 s.

        Raises:
            ValueError: the action is not finite or not ``[2]``.
        """
        found = self._points.step(np.asarray(action, dtype=np.float64)[None])
        observation, in_goal = found.observation[0], bool(found.in_goal[0])
        self._state = observation[:6]
        return observation, float(found.reward[0]), in_goal, False, {"in_goal": in_goal}

    def render(self) -> Any:
        """The maze, uint8 ``[height, width, 3]``; x runs to the right and y downwards, as in the layouts.

        Raises:
            RenderingError: no OpenGL back end works.
        """
        if self.render_mode != "rgb_array":
            return None
        model = build_model(self.task.options["maze"])
        if self._view is None:
            self._view = TopView(model, *self._frame_size)
        data = mujoco.MjData(model)
        data.qpos[:], data.qvel[:] = self._state[:3], self._state[3:]
        mujoco.mj_forward(model, data)
        return self._view.frame(data)

    def close(self) -> None:
        """Release the OpenGL context, if one was made."""
        if self._view is not None:
            self._view.close()
            self._view = None

    @staticmethod
    def batch(task: Task, num_envs: int) -> DisplacedBatchEnv:
        """Many points in the same maze, stepped together.

        Raises:
            TaskError: the task's agent is not the point.
        """
        agent = task.options["agent"]
        if agent != "point":
            raise TaskError(
                f"task {task.name}: MujocoMazeEnv moves the point, not agent '{agent}';"
                " give that task another implementation"
            )
        return PointBatch(task, num_envs)

    @staticmethod
    def displaced_starts(task: Task, count: int, seed: int = 0) -> StartList:
        """``count`` starts in every free cell (section 4.3 of the paper, with the constants of its code).

        xy is uniform over the cell, 1 m away from walls that border it; yaw is U(-0.1, 0.1) and every velocity
        0.1 N(0, 1), as at the start of training. The code also starts within 0.4 m of a wall's corner, where its
        collision rule holds the point forever; here such places are drawn again. State: x, y, yaw, their velocities.
        """
        maze = get_map(task.options["maze"], "paper")
        xy, cell = maze.spread_starts(task.name, count, START_MARGIN["paper"], RADIUS, seed)
        yaw = START_NOISE * maze.noise(task.name, count, "yaw", 1, normal=False, seed=seed)
        velocity = START_NOISE * maze.noise(task.name, count, "velocity", 3, normal=True, seed=seed)
        state = np.concatenate([xy, yaw, velocity], axis=1)
        return StartList(task.name, state, cell, maze.cell_names, maze.scene)

    @staticmethod
    def starts_at(task: Task, xy: np.ndarray) -> StartList:
        """Starts at rest at ``xy [M, 2]``, yaw 0.

        Raises:
            TaskError: a place outside the maze, in a wall or closer to one than the point can be.
        """
        maze = get_map(task.options["maze"], "paper")
        cell = maze.require_free(xy, RADIUS)
        state = np.concatenate([xy, np.zeros((len(xy), 4))], axis=1)
        return StartList(task.name, state, cell, maze.cell_names, maze.scene)

    @staticmethod
    def observation_bounds(task: Task) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest observation, ``[7]`` each: xy of the free cells, yaw in +-pi, the rest infinite.

        BMIL keeps imagined states in this box (key ``bounded_obs`` of its code).
        """
        low, high = np.full(7, -np.inf), np.full(7, np.inf)
        low[:2], high[:2] = get_map(task.options["maze"], "paper").bounds
        low[2], high[2] = -np.pi, np.pi
        return low, high

    @staticmethod
    def data_reward(task: Task) -> RewardFunction:
        """1000 for a state reached in the goal, else 0; numpy and torch alike."""
        return goal_reward(task)


def goal_reward(task: Task) -> RewardFunction:
    """The reward of a maze's data: 1000 for a state reached in the goal, else 0; numpy and torch alike."""
    reached = terminations.get(task.termination)

    def reward(_observation: Any, _action: Any, next_observation: Any) -> Any:
        xp = namespace(next_observation)
        return MUJOCO_MAZE_REWARD * xp.where(reached(next_observation, xp), 1.0, 0.0)

    return reward


def namespace(array: Any) -> Any:
    """The array namespace of a ``numpy.ndarray`` or ``torch.Tensor``, which name it; torch is not imported here."""
    return sys.modules[type(array).__module__.partition(".")[0]]
