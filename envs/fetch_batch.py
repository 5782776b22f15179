"""Many Fetch robots in step, on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from envs.batch import BatchStep, Start
from envs.fetch_scene import (
    FINGERS,
    GRIP,
    MOCAP,
    OBJECT,
    POINTING_DOWN,
    FetchScene,
    mat2euler,
    shared_scene,
)
from envs.simulator import mujoco
from envs.tasks import Task

GRIPPER_LINK = "robot0:gripper_link"
ACTION_SCALE = (
    0.05  # metres that the gripper is asked to move for an action of 1 (gymnasium-robotics)
)


class _Robot:
    """Simulation state of one robot, with views of what every step reads or writes."""

    def __init__(self, scene: FetchScene) -> None:
        model = scene.model
        self.data: Any = mujoco.MjData(model)
        data = self.data
        mocap, link = model.body(MOCAP).mocapid[0], model.body(GRIPPER_LINK).id
        self.mocap_position, self.mocap_turn = data.mocap_pos[mocap], data.mocap_quat[mocap]
        self.link_position, self.link_turn = data.xpos[link], data.xquat[link]
        # neighbours in the state, so that slices are views
        joint = model.joint(FINGERS[0])
        first, dof = joint.qposadr[0], joint.dofadr[0]
        self.finger_position = data.qpos[first : first + 2]
        self.finger_velocity = data.qvel[dof : dof + 2]
        self.position, self.velocity, self.control = data.qpos, data.qvel, data.ctrl
        grip, thing = model.site(GRIP).id, model.site(OBJECT).id
        self.grip_position, self.object_position = data.site_xpos[grip], data.site_xpos[thing]
        self.object_turn = data.site_xmat[thing]


class FetchBatch:
    """`envs.batch.DisplacedBatchEnv` of a Fetch task, equal to `envs.fetch_robot.FetchRobotEnv` bit for bit.

    One model serves all robots; nearly all the time goes into MuJoCo's 20 substeps.
    """

    num_starts = 1

    def __init__(self, task: Task, num_envs: int) -> None:
        self.task = task
        self.num_envs = num_envs
        self.start_names = ["start"]
        self.scene = shared_scene(task)
        model = self.scene.model
        self._robots = [_Robot(self.scene) for _ in range(num_envs)]
        self._substeps = self.scene.robot.n_substeps
        self._time_step = self._substeps * model.opt.timestep
        self._grip, self._object = model.site(GRIP).id, model.site(OBJECT).id
        # positions of the joints that the actuators drive, in the actuators' order
        self._driven = model.jnt_qposadr[model.actuator_trnid[:, 0]]
        self._jacobians = np.zeros((3, 3, model.nv))
        self._steps = 0

    @property
    def goal(self) -> np.ndarray:
        """Where the object is to go, ``[3]`` metres; no observation shows it."""
        return self.scene.goal

    def reset(self, generator: np.random.Generator, start: Start = "random") -> np.ndarray:
        """Start all episodes at the one training start: ``[N, 25]``; nothing is drawn."""
        if start not in ("random", "stratified"):
            raise ValueError(f"start must be 'random' or 'stratified', got '{start}'")
        return self._restore([self.scene.settled()] * self.num_envs)

    def reset_to(self, state: np.ndarray) -> np.ndarray:
        """Start with the grippers displaced by ``state [N, 2]`` metres: ``[N, 25]``.

        Raises:
            ValueError: the states have another shape or are not finite.
        """
        self._check(state, 2, "starts")
        return self._restore([self.scene.settled(offset) for offset in state])

    def step(self, action: np.ndarray) -> BatchStep:
        """One step of 0.04 s for every robot; see `envs.batch.BatchStep`.

        Raises:
            ValueError: the actions have another shape than ``[N, 4]`` or are not finite.
        """
        self._check(action, 4, "actions")
        clipped = np.clip(action, -1.0, 1.0)
        move, squeeze = clipped[:, :3] * ACTION_SCALE, clipped[:, 3]
        model, blocked = self.scene.model, self.scene.blocked
        for robot, each, grasp in zip(self._robots, move, squeeze, strict=True):
            robot.mocap_position[:] = robot.link_position + each
            robot.mocap_turn[:] = robot.link_turn + POINTING_DOWN
            if not blocked:
                robot.control[:] = robot.position[self._driven] + grasp
            mujoco.mj_step(model, robot.data, nstep=self._substeps)
            if blocked:
                robot.finger_position[:] = 0.0
                mujoco.mj_forward(model, robot.data)
        self._steps += 1
        observation = self._observe()
        in_goal = self.scene.success(observation[:, 3:6])
        never = np.zeros(self.num_envs, dtype=bool)
        truncated = np.full(self.num_envs, self._steps >= self.task.horizon)
        return BatchStep(observation, in_goal - 1.0, never, truncated, in_goal)

    def _restore(self, states: list[np.ndarray]) -> np.ndarray:
        self._steps = 0
        for robot, state in zip(self._robots, states, strict=True):
            self.scene.restore(robot.data, state)
        return self._observe()

    def _observe(self) -> np.ndarray:
        """The 25 numbers in gymnasium-robotics' order: ``[N, 25]``."""
        robots = self._robots
        found = np.empty((self.num_envs, 25))
        turn = np.empty((self.num_envs, 9))
        moving, of_object, turning = self._jacobians
        for row, matrix, robot in zip(found, turn, robots, strict=True):
            mujoco.mj_jacSite(self.scene.model, robot.data, moving, None, self._grip)
            mujoco.mj_jacSite(self.scene.model, robot.data, of_object, turning, self._object)
            row[:3], row[3:6] = robot.grip_position, robot.object_position
            row[9:11] = robot.finger_position
            row[14:17], row[17:20] = of_object @ robot.velocity, turning @ robot.velocity
            row[20:23] = moving @ robot.velocity
            row[23:25] = robot.finger_velocity
            matrix[:] = robot.object_turn
        found[:, 6:9] = found[:, 3:6] - found[:, :3]
        found[:, 11:14] = mat2euler(turn.reshape(-1, 3, 3))
        found[:, 14:25] *= self._time_step
        found[:, 14:17] -= found[:, 20:23]
        return found

    def _check(self, array: np.ndarray, width: int, what: str) -> None:
        wanted = (self.num_envs, width)
        if array.shape != wanted:
            raise ValueError(f"{what} of {self.task.name}: shape {array.shape}, wanted {wanted}")
        if not np.isfinite(array).all():
            raise ValueError(f"{what} of {self.task.name}: not finite")
