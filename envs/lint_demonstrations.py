"""Checks of demonstration files: whole episodes without jumps, each with a success, and rewards that agree with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from envs import terminations
from envs.mujoco_maze_layouts import TIME_UNIT
from envs.storage import SUCCESS
from envs.tasks import Task
from envs.terminations import FETCH_RADIUS, MUJOCO_MAZE_REWARD

#: Families of tasks whose data are demonstrations.
DEMONSTRATED = ("fetch", "mujoco_maze", "adroit")
TOLERANCE = 1e-3  # metres, around radius and places
#: Metres that no step of a demonstration is longer than: about twice what the grippers of our experts go at most,
#: a point's stride (0.2) and some drift, four times what balls go.
LONGEST_STEP = {"gripper": 0.1, "point": 0.25, "ball": 0.25}
TIMED = ("point", "ant")  # their observations end with the time

Problem = tuple[str, str, int | None]


def demonstrations(arrays: Mapping[str, np.ndarray], task: Task) -> Iterator[Problem]:
    """What is wrong with the episodes; T steps are T + 1 rows, the last with the final state and a timeout."""
    if SUCCESS not in arrays:
        yield (
            SUCCESS,
            "missing key; demonstrations say which states are a success of the task, add it",
            None,
        )
        return
    ends = arrays["timeouts"] != 0
    problems = list(_episodes(ends, arrays["terminals"] != 0, task))
    problems = problems or list(_jumps(arrays["observations"], ends, task))
    yield from problems or _successes(arrays, ends, task)


def _episodes(ends: np.ndarray, terminals: np.ndarray, task: Task) -> Iterator[Problem]:
    """Every episode has its end, and none is longer than the task allows."""
    if not ends[-1]:
        yield (
            "timeouts",
            "the last row ends no episode; add a row with the final state, a zero action and a timeout",
            len(ends) - 1,
        )
        return
    lost = terminals[:-1] & ~ends[1:]
    if lost.any():
        yield (
            "terminals",
            "the next row does not end the episode; add a row with the final state and a timeout",
            int(lost.argmax()),
        )
    lengths = np.diff(np.flatnonzero(ends), prepend=-1)
    if (lengths > task.horizon + 1).any():
        number = int((lengths > task.horizon + 1).argmax())
        yield (
            "timeouts",
            f"episode {number} has {lengths[number] - 1} steps, task {task.name} at most {task.horizon};"
            " set timeouts at the ends of episodes",
            int(lengths[:number].sum()),
        )


def _jumps(observations: np.ndarray, ends: np.ndarray, task: Task) -> Iterator[Problem]:
    """States of an episode follow one another: a lost end would make a step of two episodes."""
    agent = "gripper" if task.domain == "fetch" else task.options.get("agent", "")
    change = np.diff(observations.astype(np.float64), axis=0)
    length = np.linalg.norm(change[:, : 3 if agent == "gripper" else 2], axis=1)
    far = (length > LONGEST_STEP.get(agent, np.inf)) & ~ends[:-1]
    if far.any():
        row = int(far.argmax())
        message = f"the next row is {length[row]:.2g} m away, too far for a step; set timeouts at the ends of episodes"
        yield "observations", message, row
        return
    late = (np.abs(change[:, -1] - TIME_UNIT) > TIME_UNIT / 2) & ~ends[:-1]
    if agent in TIMED and late.any():
        message = f"the time (last number) does not rise by {TIME_UNIT:g} to the next row; keep steps in their order"
        yield "observations", message, int(late.argmax())


def _successes(arrays: Mapping[str, np.ndarray], ends: np.ndarray, task: Task) -> Iterator[Problem]:
    success = arrays[SUCCESS] != 0
    firsts = np.append(0, np.flatnonzero(ends)[:-1] + 1)
    failed = np.add.reduceat(success, firsts, dtype=np.int64) == 0
    if failed.any():
        number = int(failed.argmax())
        yield SUCCESS, f"episode {number} never succeeds; leave it out", int(firsts[number])
    if task.domain == "fetch":
        yield from _fetch_successes(arrays["observations"], success, ends, task)
    if task.domain == "mujoco_maze":
        yield from _maze_successes(arrays["observations"], success, task)
    if task.domain in ("fetch", "mujoco_maze"):
        scale, rest = (1.0, -1.0) if task.domain == "fetch" else (MUJOCO_MAZE_REWARD, 0.0)
        # the reward of a row is paid for the state reached, which is the next row's
        wrong = (arrays["rewards"][:-1] != scale * success[1:] + rest) & ~ends[:-1]
        if wrong.any():
            yield (
                "rewards",
                f"must be {rest:g}, or {scale + rest:g} where the next row's {SUCCESS} is set; correct one of them",
                int(wrong.argmax()),
            )


def _maze_successes(observations: np.ndarray, success: np.ndarray, task: Task) -> Iterator[Problem]:
    """Successes are where the maze's goal is; places on its edge may be rounded to either side of it."""
    reached = terminations.get(task.termination)
    places = observations.astype(np.float64)
    found = reached(places, np)
    clear = np.ones(len(found), dtype=bool)
    for axis in range(2):
        for shift in (-TOLERANCE, TOLERANCE):
            moved = places.copy()
            moved[:, axis] += shift
            clear &= reached(moved, np) == found
    yield from _misplaced((success != found) & clear, task)


def _misplaced(wrong: np.ndarray, task: Task) -> Iterator[Problem]:
    if wrong.any():
        yield (
            SUCCESS,
            f"does not fit the goal of {task.name}; is this another task's file?",
            int(wrong.argmax()),
        )


def _fetch_successes(
    observations: np.ndarray, success: np.ndarray, ends: np.ndarray, task: Task
) -> Iterator[Problem]:
    """Successes are where the task's goal is.

    An episode shows the goal by its start, since both are relative to the gripper's first place; one that starts
    elsewhere is not judged.
    """
    firsts = np.append(0, np.flatnonzero(ends)[:-1] + 1)
    start = observations[firsts].astype(np.float64)
    offset = start[:, 3:5] - start[:, :2]
    usual = (np.abs(offset - task.options["object_offset"]) < TOLERANCE).all(axis=1)
    goal = start[:, 3:6] + task.options["goal_offset"] - task.options["object_offset"]
    goal[:, 2] = start[:, 5] + task.options["goal_height"]
    episode = np.append(0, np.cumsum(ends)[:-1])
    distance = np.linalg.norm(observations[:, 3:6] - goal[episode], axis=1)
    clear = np.abs(distance - FETCH_RADIUS) > TOLERANCE
    yield from _misplaced((success != (distance < FETCH_RADIUS)) & clear & usual[episode], task)
