"""Numbers about states and trajectories of a maze task."""

from __future__ import annotations

import numpy as np

from envs.maze2d_physics import GOAL_RADIUS, goal_distance
from envs.mazes import Maze, get_maze
from envs.tasks import get_task


def _maze_of(task: str) -> Maze:
    return get_maze(get_task(task).options["maze"])


def wall_fraction(task: str, observation: np.ndarray) -> float:
    """Share of states ``[.., S]`` whose position lies in a wall or outside; a sound model of a maze gives 0.

    A state that is not finite counts as inside a wall.
    """
    position = np.asarray(observation, dtype=np.float64)[..., :2]
    finite = np.isfinite(position).all(axis=-1, keepdims=True)
    inside = _maze_of(task).inside_wall(np.where(finite, position, -1.0))
    return float(inside.mean())


def goal_fraction(task: str, observation: np.ndarray) -> float:
    """Share of states ``[.., S]`` within 0.5 of the goal."""
    distance = goal_distance(np.asarray(observation, dtype=np.float64), _maze_of(task).goal)
    return float((distance <= GOAL_RADIUS).mean())
