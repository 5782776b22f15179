"""The waypoint controller of D4RL's maze2d data, for many balls at once.

It plans the shortest way over cells to the target's cell, steers by ``a = clip(10 (w - xy) - v, -1, 1)`` to one
waypoint w after the other and calls the target reached within 0.1 of its cell. Waypoints are cells moved by
-U(0, 0.2) per axis, which undoes the frame offset on average; the last one is the target's cell exactly.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from envs.mazes import FRAME_OFFSET, Maze

POSITION_GAIN = 10.0
VELOCITY_GAIN = 1.0
REACHED = 0.1  # distance at which a waypoint or the target counts as reached
MAX_STEP = 0.1  # .. if the ball moved less than this since the last call (matters right after planning only)


class Steering(NamedTuple):
    """What the controller decides: ``action [N, 2]`` in [-1, 1] and ``reached [N]`` bool."""

    action: np.ndarray
    reached: np.ndarray


class WaypointController:
    """Steers N balls, each to its own target cell; a way is planned when a ball's target changes."""

    def __init__(self, maze: Maze, count: int) -> None:
        self._table = maze.step_towards
        self._target = np.full((count, 2), -1)
        self._cell = np.zeros((count, 2), dtype=np.int64)
        self._waypoint = np.zeros((count, 2))
        self._previous = np.zeros((count, 2))

    def act(
        self, state: np.ndarray, target: np.ndarray, generator: np.random.Generator
    ) -> Steering:
        """Actions for ``state [N, 4]`` and target positions ``target [N, 2]`` (rounded to cells)."""
        position, velocity = state[:, :2], state[:, 2:]
        self._plan(position, np.rint(target).astype(np.int64), generator)
        still = _norm(self._previous - position) < MAX_STEP
        reached = still & (_norm(position - self._target) < REACHED)
        aim = np.where(reached[:, None], self._target, self._waypoint)
        action = np.clip(POSITION_GAIN * (aim - position) - VELOCITY_GAIN * velocity, -1.0, 1.0)
        advance = ~reached & still & (_norm(position - aim) < REACHED)
        self._advance(np.flatnonzero(advance), generator)
        self._previous[:] = position
        return Steering(action, reached)

    def _plan(
        self, position: np.ndarray, target: np.ndarray, generator: np.random.Generator
    ) -> None:
        changed = np.flatnonzero((target != self._target).any(axis=1))
        if len(changed):
            self._target[changed] = target[changed]
            self._cell[changed] = np.rint(position[changed])
            self._previous[changed] = self._cell[changed]
            self._advance(changed, generator)

    def _advance(self, balls: np.ndarray, generator: np.random.Generator) -> None:
        """Move the waypoint of some balls one cell on along their ways."""
        if not len(balls):
            return
        row, column = self._target[balls].T
        cell = self._table[row, column, *self._cell[balls].T]
        self._cell[balls] = cell
        shift = generator.uniform(0.0, FRAME_OFFSET, cell.shape)
        last = (cell == self._target[balls]).all(axis=1)
        self._waypoint[balls] = cell - np.where(last[:, None], 0.0, shift)


def _norm(vector: np.ndarray) -> np.ndarray:
    length: np.ndarray = np.sqrt(vector[:, 0] ** 2 + vector[:, 1] ** 2)
    return length
