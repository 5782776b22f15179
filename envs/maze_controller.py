"""The expert of BMIL's point mazes: shortest ways over cells, and a controller that follows them.

The action is a function of the state alone (the cell decides where to go next), so that a policy can copy it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from envs.errors import TaskError
from envs.mujoco_maze_layouts import Frame, MazeMap, get_map
from envs.point_robot import STRIDE, TURN
from envs.tasks import Task

POSITION_GAIN = 8.0  # of the force on the ball, 1 / cell
VELOCITY_GAIN = 2.0  # s / cell
#: In the U maze of the paper only a quadrant of the goal cell succeeds: aim at its middle, this far from the centre.
QUADRANT = np.array([-0.25, 0.25])  # cells


class Controller(Protocol):
    """Drives all points of a batch."""

    def act(self, observation: np.ndarray) -> np.ndarray:
        """Actions ``[N, 2]`` for observations ``[N, S]``, each in [-1, 1]."""


class Waypoints:
    """Where to go: the middle of the next cell on the shortest way, and in the goal cell the goal itself."""

    def __init__(self, maze: MazeMap, goal: np.ndarray) -> None:
        """``goal [2]``: the place to end at."""
        self._maze = maze
        self._places = maze.centre(maze.next_cell)
        self._places[maze.goal] = goal

    def next(self, xy: np.ndarray) -> np.ndarray:
        """The next place of each point, ``[N, 2] -> [N, 2]``."""
        cell = self._maze.cell_of(xy)
        row, column = np.clip(cell, 0, np.array(self._maze.walls.shape) - 1).T
        places: np.ndarray = self._places[row, column]
        return places


class HeadingController:
    """Turns the paper's point towards the next place and walks as far as it looks there, cos(error) of full speed."""

    def __init__(self, waypoints: Waypoints) -> None:
        self._waypoints = waypoints

    def act(self, observation: np.ndarray) -> np.ndarray:
        """See `Controller`; observations are (x, y, yaw, ..)."""
        way = self._waypoints.next(observation[:, :2]) - observation[:, :2]
        error = np.arctan2(way[:, 1], way[:, 0]) - observation[:, 2]
        error = (error + np.pi) % (2 * np.pi) - np.pi
        turn = np.clip(error / TURN, -1.0, 1.0)
        left = error - TURN * turn
        length = np.hypot(way[:, 0], way[:, 1]) / STRIDE
        return np.stack([np.clip(length, 0.0, 1.0) * np.maximum(np.cos(left), 0.0), turn], axis=1)


class ForceController:
    """Pushes gymnasium-robotics' ball to the next place: a = 8 (w - xy) - 2 v, clipped."""

    def __init__(self, waypoints: Waypoints) -> None:
        self._waypoints = waypoints

    def act(self, observation: np.ndarray) -> np.ndarray:
        """See `Controller`; observations are (x, y, vx, vy)."""
        xy, velocity = observation[:, :2], observation[:, 2:4]
        action = POSITION_GAIN * (self._waypoints.next(xy) - xy) - VELOCITY_GAIN * velocity
        found: np.ndarray = np.clip(action, -1.0, 1.0)
        return found


def controller_of(task: Task) -> Controller:
    """The controller of a task.

    Raises:
        TaskError: it is not a point maze.
    """
    agent = task.options.get("agent")
    if agent not in ("point", "ball"):
        raise TaskError(
            f"task {task.name}: the maze controller drives point and ball, not '{agent}'"
        )
    frame: Frame = "paper" if agent == "point" else "farama"
    maze = get_map(task.options["maze"], frame)
    goal = maze.centre(maze.goal)
    if agent == "ball":
        return ForceController(Waypoints(maze, goal))
    if maze.name == "umaze":
        goal = goal + maze.scale * QUADRANT
    return HeadingController(Waypoints(maze, goal))
