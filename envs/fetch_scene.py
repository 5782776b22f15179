"""The fixed scenes of the Fetch tasks: where gripper, object and goal are when an episode starts."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np

from envs.errors import TaskError
from envs.simulator import mujoco
from envs.tasks import Task
from envs.terminations import FETCH_RADIUS

with contextlib.redirect_stderr(io.StringIO()):  # a notice on environments that are not used here
    from gymnasium_robotics.envs.fetch.pick_and_place import MujocoFetchPickAndPlaceEnv
    from gymnasium_robotics.envs.fetch.push import MujocoFetchPushEnv
    from gymnasium_robotics.utils.rotations import mat2euler

__all__ = ["FetchScene", "make_robot", "mat2euler", "shared_scene"]

ROBOTS = {"push": MujocoFetchPushEnv, "pick_and_place": MujocoFetchPickAndPlaceEnv}
GRIP, OBJECT, MOCAP, OBJECT_JOINT = "robot0:grip", "object0", "robot0:mocap", "object0:joint"
FINGERS = ("robot0:r_gripper_finger_joint", "robot0:l_gripper_finger_joint")
LARGEST_OFFSET = 0.15  # metres per axis, displaced starts (BMIL's code)
#: The grip site hangs 0.02 m under the link that is welded to the mocap body.
LINK_HEIGHT = 0.02
SETTLING_STEPS = (
    10  # steps in which the arm follows the mocap body to a displaced start (BMIL's code)
)
POINTING_DOWN = np.array([1.0, 0.0, 1.0, 0.0])  # quaternion (not normalised) of the gripper


def make_robot(task: Task, **arguments: Any) -> Any:
    """gymnasium-robotics' environment under a task, its arm settled at the first place.

    Raises:
        TaskError: the task names no such robot.
    """
    name = task.options["robot"]
    if name not in ROBOTS:
        raise TaskError(f"task {task.name}: robot '{name}' is not one of {', '.join(ROBOTS)}")
    return ROBOTS[name](**arguments)


class FetchScene:
    """One task's model and starts, all relative to the measured first place of the gripper.

    Attributes:
        robot: the gymnasium-robotics environment that the model belongs to.
        model: MuJoCo's model, to be shared.
        grip: the gripper's first place, ``[3]`` metres.
        object_xy: where the object starts, ``[2]``.
        goal: where it is to go, ``[3]``.
        blocked: the fingers stay closed.
    """

    def __init__(self, task: Task, robot: Any) -> None:
        self.robot = robot
        self.model = robot.model
        self.grip: np.ndarray = robot.initial_gripper_xpos.copy()
        self.object_xy = self.grip[:2] + task.options["object_offset"]
        height = robot.height_offset + task.options["goal_height"]
        self.goal = np.append(self.grip[:2] + task.options["goal_offset"], height)
        self.blocked: bool = robot.block_gripper
        self.finger_position = [self.model.joint(name).qposadr[0] for name in FINGERS]
        self._object_position = self.model.joint(OBJECT_JOINT).qposadr[0]
        self._settled: dict[bytes, np.ndarray] = {}

    def start(self, data: Any, offset: np.ndarray | None = None) -> None:
        """Put ``data`` at the training start, or with the gripper displaced by ``offset [2]`` metres.

        The object is written last, as in BMIL's code, so a displaced gripper may begin inside it and push it away.
        """
        self._rest(data)
        if offset is not None:
            self._displace(data, offset)
        data.qpos[self._object_position : self._object_position + 2] = self.object_xy
        mujoco.mj_forward(self.model, data)

    def settled(self, offset: np.ndarray | None = None) -> np.ndarray:
        """The whole state (see `restore`) of a start; each is computed once, since all runs share a start list."""
        key = b"" if offset is None else np.asarray(offset, dtype=np.float64).tobytes()
        if key not in self._settled:
            self.start(self.robot.data, offset)
            kind = mujoco.mjtState.mjSTATE_INTEGRATION
            state = np.empty(mujoco.mj_stateSize(self.model, kind))
            mujoco.mj_getState(self.model, self.robot.data, state, kind)
            self._settled[key] = state
        return self._settled[key]

    def restore(self, data: Any, state: np.ndarray) -> None:
        """Put ``data`` into a state of `settled`, with everything that follows from it computed."""
        mujoco.mj_resetData(self.model, data)
        mujoco.mj_setState(self.model, data, state, mujoco.mjtState.mjSTATE_INTEGRATION)
        mujoco.mj_forward(self.model, data)

    def success(self, object_position: np.ndarray) -> np.ndarray:
        """Whether objects at ``[.., 3]`` lie at the goal, bool ``[..]``."""
        reached: np.ndarray = np.linalg.norm(object_position - self.goal, axis=-1) < FETCH_RADIUS
        return reached

    def _rest(self, data: Any) -> None:
        mujoco.mj_resetData(self.model, data)
        data.time = self.robot.initial_time
        data.qpos[:] = self.robot.initial_qpos
        data.qvel[:] = self.robot.initial_qvel

    def _displace(self, data: Any, offset: np.ndarray) -> None:
        """Let the arm follow the mocap body."""
        mocap = self.model.body(MOCAP).mocapid[0]
        data.mocap_pos[mocap] = self.grip + np.array([offset[0], offset[1], LINK_HEIGHT])
        data.mocap_quat[mocap] = POINTING_DOWN
        for _ in range(SETTLING_STEPS):
            mujoco.mj_step(self.model, data, nstep=self.robot.n_substeps)
        if self.blocked:
            data.qpos[self.finger_position] = 0.0


_SCENES: dict[tuple[Any, ...], FetchScene] = {}


def shared_scene(task: Task) -> FetchScene:
    """The scene of a task that all its batches in this process share.

    Raises:
        TaskError: the task names no such robot.
    """
    key = tuple(sorted(task.options.items()))
    if key not in _SCENES:
        _SCENES[key] = FetchScene(task, make_robot(task))
    return _SCENES[key]
