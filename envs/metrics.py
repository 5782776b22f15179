"""Numbers about states and trajectories of a maze task."""

from __future__ import annotations

import numpy as np

from envs.errors import TaskError
from envs.maze2d_physics import GOAL_RADIUS, goal_distance
from envs.mazes import Maze, get_maze
from envs.tasks import get_task


def has_maze(task: str) -> bool:
    """Whether a task is one of the point mazes that these numbers are about."""
    return get_task(task).domain == "maze2d"


def maze_of(task: str) -> Maze:
    """The maze of a task.

    Raises:
        TaskError: no such task, or its states are not those of a point maze.
    """
    if not has_maze(task):
        raise TaskError(f"task {task} is not a point maze")
    return get_maze(get_task(task).options["maze"])


def in_wall(task: str, observation: np.ndarray) -> np.ndarray:
    """Whether the position of each state ``[.., S]`` lies in a wall or outside, bool ``[..]``.

    A state that is not finite counts as inside a wall.
    """
    position = np.asarray(observation, dtype=np.float64)[..., :2]
    finite = np.isfinite(position).all(axis=-1, keepdims=True)
    return maze_of(task).inside_wall(np.where(finite, position, -1.0))


def in_goal(task: str, observation: np.ndarray) -> np.ndarray:
    """Whether the position of each state ``[.., S]`` lies within 0.5 of the goal, bool ``[..]``."""
    distance = goal_distance(np.asarray(observation, dtype=np.float64), maze_of(task).goal)
    inside: np.ndarray = distance <= GOAL_RADIUS
    return inside


def wall_fraction(task: str, observation: np.ndarray) -> float:
    """Share of states ``[.., S]`` that are `in_wall`; a sound model of a maze gives 0."""
    return float(in_wall(task, observation).mean())


def longest_stay(inside: np.ndarray, trajectory: np.ndarray) -> int:
    """Most steps in a row that one trajectory spends inside.

    Args:
        inside: bool ``[N]``, consecutive steps.
        trajectory: number of the trajectory of each step, int ``[N]``; a stay never crosses into the next.
    """
    cuts = np.flatnonzero(np.diff(trajectory) != 0) + 1
    stays = np.zeros(len(inside) + len(cuts), dtype=bool)
    # A step outside between two trajectories ends every stay there.
    stays[np.arange(len(inside)) + np.searchsorted(cuts, np.arange(len(inside)), side="right")] = (
        inside
    )
    edges = np.diff(np.concatenate([[0], stays.astype(np.int8), [0]]))
    lengths = np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)
    return int(lengths.max(initial=0))
