"""The Fetch tasks as gymnasium environments: gymnasium-robotics' robots in fixed scenes, the goal not observed."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray

from envs.batch import DisplacedBatchEnv
from envs.errors import TaskError
from envs.fetch_batch import FetchBatch
from envs.fetch_scene import LARGEST_OFFSET, FetchScene, make_robot, shared_scene
from envs.randomness import numpy_generator
from envs.starts import StartList
from envs.tasks import RewardFunction, Task, get_task
from envs.terminations import FETCH_RADIUS

Array = NDArray[np.float64]


class FetchRobotEnv(gymnasium.Env[Array, NDArray[Any]]):
    """Push an object to a goal, or lift it there, from a start that is always the same.

    Observation ``[25]`` float64: gripper, object, object - gripper (metres), finger positions, Euler angles of the
    object, its velocity relative to the gripper and its turning, velocities of gripper and fingers (per step of
    0.04 s). Action ``[4]`` in [-1, 1]: how far the gripper is to move over 0.05 m, and the fingers. Reward 0 while the
    object is within 0.05 m of the goal, else -1. An episode never terminates.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012

    def __init__(self, task: str = "fetch-push-v0", render_mode: str | None = None) -> None:
        self.task = get_task(task)
        self.render_mode = render_mode
        self._robot = make_robot(self.task, render_mode=render_mode)
        self.scene = FetchScene(self.task, self._robot)
        self.observation_space = Box(-np.inf, np.inf, (25,), np.float64)
        self.action_space = Box(-1.0, 1.0, (4,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Go to the start; ``options={"offset": (dx, dy)}`` displaces the gripper (metres)."""
        super().reset(seed=seed)
        self.scene.start(self._robot.data, (options or {}).get("offset"))
        self._robot.goal = self.scene.goal
        seen = self._robot._get_obs()["observation"]
        return seen, {"in_goal": bool(self.scene.success(seen[3:6]))}

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """One step of 0.04 s.

        Raises:
            ValueError: the action is not finite.
        """
        if not np.isfinite(action).all():
            raise ValueError(f"action is not finite: {action}")
        seen, reward, _, _, info = self._robot.step(np.asarray(action))
        # adding 0.0 turns the robot's -0.0 into 0.0
        return (
            seen["observation"],
            float(reward) + 0.0,
            False,
            False,
            {"in_goal": info["is_success"] > 0},
        )

    def render(self) -> Any:
        """The robot at its table, uint8 ``[480, 480, 3]``; None without a render mode."""
        return None if self.render_mode is None else self._robot.render()

    def close(self) -> None:
        """Release the OpenGL context, if one was made."""
        self._robot.close()

    @staticmethod
    def batch(task: Task, num_envs: int) -> DisplacedBatchEnv:
        """Many robots in the same scene, stepped together."""
        return FetchBatch(task, num_envs)

    @staticmethod
    def displaced_starts(task: Task, count: int, seed: int = 0) -> StartList:
        """Offsets of the gripper, uniform within 0.15 m on both axes (BMIL's code): ``state [count, 2]`` metres.

        The same for all Fetch tasks.
        """
        generator = numpy_generator(seed, "fetch/displaced_starts")
        offset = generator.uniform(-LARGEST_OFFSET, LARGEST_OFFSET, (count, 2))
        return _start_list(task, offset)

    @staticmethod
    def starts_at(task: Task, xy: np.ndarray) -> StartList:
        """Starts with the gripper sent to ``xy [M, 2]`` (metres, the robot's own frame).

        Raises:
            TaskError: a place more than 0.15 m from the gripper's first one on an axis.
        """
        centre = shared_scene(task).grip[:2]
        offset = np.asarray(xy, dtype=np.float64) - centre
        for place in np.asarray(xy)[~(np.abs(offset) <= LARGEST_OFFSET).all(axis=1)]:
            low, high = centre - LARGEST_OFFSET, centre + LARGEST_OFFSET
            raise TaskError(
                f"({place[0]:g}, {place[1]:g}) is outside what is judged of the table, x"
                f" {low[0]:.3f} to {high[0]:.3f} and y {low[1]:.3f} to {high[1]:.3f}; choose a place inside"
            )
        return _start_list(task, offset)

    @staticmethod
    def data_reward(task: Task) -> RewardFunction:
        """The reward of a row of the data: that of the state reached."""
        goal = shared_scene(task).goal.tolist()

        def reward(_observation: Any, _action: Any, next_observation: Any) -> Any:
            squared = sum((next_observation[..., 3 + i] - goal[i]) ** 2 for i in range(3))
            return 1.0 * (squared < FETCH_RADIUS**2) - 1.0

        return reward


def _start_list(task: Task, offset: np.ndarray) -> StartList:
    scene = shared_scene(task)
    places = {"start": scene.grip[:2], "object": scene.object_xy, "goal": scene.goal[:2]}
    return StartList(
        task.name,
        offset,
        np.zeros(len(offset), dtype=np.int64),
        [""],
        {name: [round(float(each), 4) for each in place] for name, place in places.items()},
    )
