"""Scripted experts of the Fetch tasks: proportional controllers of the gripper, functions of what is seen and the goal.

They keep nothing from step to step, so that a policy that sees the same can imitate them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Controller = Callable[[np.ndarray, np.ndarray], np.ndarray]

#: Action for each metre to go: 0.6 of the way in a step, since an action of 1 is 0.05 m (bounded by the action box).
GAIN = 0.6 / 0.05
OPEN, CLOSED = 1.0, -1.0

# push (metres)
BEHIND = 0.055  # from the object's centre to a gripper that is about to push it
LATERAL = 0.025  # how far off the line of the push the gripper may be
PUSH_HEIGHT = -0.005  # of the gripper over the object's centre
LOW = 0.03  # over the object's centre: fingers lower than this touch it
HIGH = 0.055  # over the object's centre: fingers higher than this pass over it
TRAVEL_HEIGHT = 0.08  # where the gripper moves sideways, and waits
PUSH_STEP = 0.07  # how far ahead the gripper is sent at most: a fast object slides past the goal
COAST = 2.0  # steps at its present speed that an object slides on
ARRIVED = 0.02  # the object is left alone when it will stop this close to the goal

# pick and place (metres)
ABOVE = 0.06  # over the object before going down
ALIGNED = 0.015  # horizontal distance at which the gripper may go down
GRASP = 0.015  # height over the object's centre at which the fingers begin to close
KEEP = 0.035  # distance at which closing fingers still have the object between them
OPEN_WIDTH = 0.095  # sum of both fingers' positions when they are open
HELD_WIDTH = 0.0515  # the same when they touch the object (0.05 wide)


def push(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Rise, go behind the object, down, push it along the line to the goal, then wait above it.

    Args:
        observation: ``[N, 25]``.
        goal: ``[3]``, metres.

    Returns:
        ``[N, 4]`` in [-1, 1].
    """
    grip, thing = observation[:, :3], observation[:, 3:6]
    speed = observation[:, 14:16] + observation[:, 20:22]  # of the object, metres a step
    way = goal[:2] - thing[:, :2] - COAST * speed
    distance = np.linalg.norm(way, axis=1, keepdims=True)
    forward = way / np.maximum(distance, 1e-6)
    offset = grip - thing
    along = (offset[:, :2] * forward).sum(axis=1, keepdims=True)
    across = np.linalg.norm(offset[:, :2] - along * forward, axis=1, keepdims=True)
    behind = -BEHIND * forward
    aside = np.linalg.norm(offset[:, :2] - behind, axis=1, keepdims=True)
    height = offset[:, 2:]

    # where the gripper is to go, relative to the object; later lines win
    target = _at(offset[:, :2], TRAVEL_HEIGHT)
    target = np.where(height > HIGH, _at(behind, TRAVEL_HEIGHT), target)
    target = np.where(aside < LATERAL, _at(behind, PUSH_HEIGHT), target)
    pushing = (along < 0.0) & (across < LATERAL) & (height < LOW)
    ahead = (along + np.minimum(distance, PUSH_STEP)) * forward
    target = np.where(pushing, _at(ahead, PUSH_HEIGHT), target)
    target = np.where(distance < ARRIVED, _at(offset[:, :2], TRAVEL_HEIGHT), target)
    return _action(target - offset, np.zeros(len(grip)))


def pick_and_place(observation: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Go above the object, down, close the fingers, carry it to the goal and hold it there.

    Args and result as in `push`.
    """
    offset = observation[:, :3] - observation[:, 3:6]
    aside = np.linalg.norm(offset[:, :2], axis=1, keepdims=True)
    height = np.abs(offset[:, 2:])
    width = observation[:, 9:11].sum(axis=1, keepdims=True)
    # fingers that have begun to close go on although noise moves the gripper
    reach = np.where(width < OPEN_WIDTH, KEEP, GRASP)
    between = (aside < reach) & (height < reach)
    held = between & (width < HELD_WIDTH)

    target = np.where(aside < ALIGNED, 0.0, _at(np.zeros_like(offset[:, :2]), ABOVE))
    target = np.where(between, offset, target)
    target = np.where(held, offset + goal - observation[:, 3:6], target)
    return _action(target - offset, np.where(between[:, 0], CLOSED, OPEN))


CONTROLLERS: dict[str, Controller] = {"push": push, "pick_and_place": pick_and_place}


def _at(xy: np.ndarray, height: float) -> np.ndarray:
    return np.concatenate([xy, np.full((len(xy), 1), height)], axis=1)


def _action(way: np.ndarray, fingers: np.ndarray) -> np.ndarray:
    action: np.ndarray = np.clip(np.concatenate([GAIN * way, fingers[:, None]], axis=1), -1.0, 1.0)
    return action
