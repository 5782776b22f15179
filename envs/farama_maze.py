"""BMIL's maze layouts with the ball of gymnasium-robotics' PointMaze: same maps, other dynamics.

The maintained variant of the paper's point mazes. A force drives a ball, cells have side 1, the goal is a disc of
radius 0.45: success rates cannot be compared with the paper's.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from envs import terminations
from envs.batch import BatchStep, DisplacedBatchEnv, Start
from envs.maze2d_batch import BallPhysics
from envs.mujoco_maze import goal_reward
from envs.mujoco_maze_layouts import START_MARGIN, get_map
from envs.point_batch import START_NOISE, check_batch, training_starts
from envs.simulator import mujoco
from envs.starts import StartList
from envs.tasks import RewardFunction, Task, get_task
from envs.terminations import MUJOCO_MAZE_REWARD

Array = NDArray[np.float64]
ENVIRONMENT = "gymnasium_robotics:PointMaze_UMaze-v3"
MAX_SPEED = 5.0  # gymnasium-robotics clips each component of the velocity before a step
SPEED_BOUND = MAX_SPEED + 0.25  # full force adds less than 0.24 in a step
BALL_RADIUS = 0.1
SITE = "particle_site"  # in the middle of the ball


def make_point_maze(maze: str) -> Any:
    """gymnasium-robotics' PointMaze (unwrapped) on one of BMIL's maps, without noise on cells, ending at the goal."""
    env, file = _make_with_file(maze)
    file.unlink()
    return env


def _make_with_file(maze: str) -> tuple[Any, Path]:
    """The PointMaze and the model file that it leaves in the folder for temporary files."""
    found = get_map(maze, "farama")
    cells: list[list[int | str]] = found.walls.astype(int).tolist()
    cells[found.start[0]][found.start[1]] = "r"
    cells[found.goal[0]][found.goal[1]] = "g"
    env: Any = gymnasium.make(
        ENVIRONMENT, maze_map=cells, continuing_task=False, disable_env_checker=True
    ).unwrapped
    env.position_noise_range = 0.0
    return env, Path(env.tmp_xml_file_path)


@functools.cache
def build_model(maze: str) -> Any:
    """Its compiled `mujoco.MjModel` with an accelerometer on the ball; shared, treat it as read-only."""
    _, file = _make_with_file(maze)
    spec = mujoco.MjSpec.from_file(str(file))
    file.unlink()
    spec.add_sensor(
        name="acceleration",
        type=mujoco.mjtSensor.mjSENS_ACCELEROMETER,
        objtype=mujoco.mjtObj.mjOBJ_SITE,
        objname=SITE,
    )
    return spec.compile()


class FaramaMazeEnv(gymnasium.Env[Array, NDArray[Any]]):
    """A force-driven ball in a maze of BMIL; the goal ends the episode and pays 1000.

    Observation ``[4]`` float64: x, y (cells, from the middle of the map, y upwards), vx, vy (cells/s). Action ``[2]``
    in [-1, 1]: force over 100 N. A step takes 0.01 s. ``info["in_goal"]`` says whether the state lies in the goal.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, task: str = "point-umaze-farama-v0") -> None:
        self.task = get_task(task)
        self.maze = get_map(self.task.options["maze"], "farama")
        self._env = make_point_maze(self.maze.name)
        self._reached = terminations.get(self.task.termination)
        low, high = self.observation_bounds(self.task)
        self.observation_space = Box(
            np.maximum(low, -SPEED_BOUND), np.minimum(high, SPEED_BOUND), dtype=np.float64
        )
        self.action_space = Box(-1.0, 1.0, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start in the middle of the start cell, position and velocity a little off."""
        super().reset(seed=seed)
        start = training_starts(self.np_random, 1, 2)[0]
        start[:2] += self.maze.centre(self.maze.start)
        return self.set_state(start)

    def set_state(self, state: np.ndarray) -> tuple[Array, dict[str, Any]]:
        """Start an episode at ``state [4]``: x, y, vx, vy."""
        cells = {"reset_cell": self.maze.start, "goal_cell": self.maze.goal}
        self._env.reset(options=cells)
        self._env.point_env.set_state(state[:2], state[2:])
        observation, _ = self._env.point_env._get_obs()
        return observation, {"in_goal": bool(self._reached(observation, np))}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One step of 0.01 s.

        Raises:
            ValueError: the action is not finite or not ``[2]``.
        """
        action = np.asarray(action, dtype=np.float64)
        check_batch(self.task, 1, action[None])
        found, _, in_goal, _, _ = self._env.step(action)
        reward = MUJOCO_MAZE_REWARD if in_goal else 0.0
        return found["observation"], reward, in_goal, False, {"in_goal": in_goal}

    @staticmethod
    def batch(task: Task, num_envs: int) -> DisplacedBatchEnv:
        """Many balls in the same maze, stepped together."""
        return FaramaBatch(task, num_envs)

    @staticmethod
    def displaced_starts(task: Task, count: int, seed: int = 0) -> StartList:
        """``count`` starts in every free cell, as in the paper's mazes.

        xy is uniform over the cell, a quarter of it away from walls that border it; velocities are 0.1 N(0, 1).
        State: x, y and their velocities.
        """
        maze = get_map(task.options["maze"], "farama")
        xy, cell = maze.spread_starts(task.name, count, START_MARGIN["farama"], BALL_RADIUS, seed)
        velocity = START_NOISE * maze.noise(task.name, count, "velocity", 2, normal=True, seed=seed)
        return StartList(
            task.name, np.concatenate([xy, velocity], axis=1), cell, maze.cell_names, maze.scene
        )

    @staticmethod
    def starts_at(task: Task, xy: np.ndarray) -> StartList:
        """Starts at rest at ``xy [M, 2]``.

        Raises:
            TaskError: a place outside the maze, in a wall or closer to one than the ball can be.
        """
        maze = get_map(task.options["maze"], "farama")
        cell = maze.require_free(xy, BALL_RADIUS)
        state = np.concatenate([xy, np.zeros((len(xy), 2))], axis=1)
        return StartList(task.name, state, cell, maze.cell_names, maze.scene)

    @staticmethod
    def observation_bounds(task: Task) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest observation, ``[4]`` each: xy of the free cells, velocities infinite."""
        low, high = np.full(4, -np.inf), np.full(4, np.inf)
        low[:2], high[:2] = get_map(task.options["maze"], "farama").bounds
        return low, high

    @staticmethod
    def data_reward(task: Task) -> RewardFunction:
        """1000 for a state reached in the goal, else 0; numpy and torch alike."""
        return goal_reward(task)


class FaramaBatch:
    """`envs.batch.DisplacedBatchEnv` of `FaramaMazeEnv`, which it equals bit for bit (the ball does not turn)."""

    num_starts = 1

    def __init__(self, task: Task, num_envs: int) -> None:
        self.task = task
        self.num_envs = num_envs
        self.start_names = ["start"]
        self.maze = get_map(task.options["maze"], "farama")
        self._reached = terminations.get(task.termination)
        self._physics = BallPhysics(build_model(self.maze.name), num_envs)
        self._steps = 0

    def reset(self, generator: np.random.Generator, start: Start = "random") -> np.ndarray:
        """Start all episodes in the start cell, ``[N, 4]``; there is one start, so ``start`` changes nothing."""
        if start not in ("random", "stratified"):
            raise ValueError(f"start must be 'random' or 'stratified', got '{start}'")
        state = training_starts(generator, self.num_envs, 2)
        state[:, :2] += self.maze.centre(self.maze.start)
        return self.reset_to(state)

    def reset_to(self, state: np.ndarray) -> np.ndarray:
        """Start all episodes at ``state [N, 4]`` (x, y and their velocities): ``[N, 4]``.

        Raises:
            ValueError: another shape, or not finite.
        """
        if state.shape != (self.num_envs, 4) or not np.isfinite(state).all():
            raise ValueError(
                f"starts of {self.task.name}: shape {state.shape}, wanted finite {(self.num_envs, 4)}"
            )
        self._steps = 0
        return self._physics.place(state[:, :2], state[:, 2:]).copy()

    def step(self, action: np.ndarray) -> BatchStep:
        """One step of 0.01 s for every ball; see `envs.batch.BatchStep`.

        Raises:
            ValueError: the actions have another shape than ``[N, 2]`` or are not finite.
        """
        check_batch(self.task, self.num_envs, action)
        observation = self._physics.step(action).copy()
        self._steps += 1
        in_goal: np.ndarray = self._reached(observation, np)
        truncated = np.full(self.num_envs, self._steps >= self.task.horizon)
        return BatchStep(
            observation, MUJOCO_MAZE_REWARD * in_goal, in_goal.copy(), truncated, in_goal
        )
