"""Maze layouts of D4RL and shortest ways through them.

A cell is (row, column); the x axis of maze2d runs along the rows and the y axis along the columns. The body's rest
position shifts the frame: the wall cell (r, c) is the unit square with centre (r - 0.2, c - 0.2) in observation
coordinates, so that the free cell (r, c) covers x in (r - 0.7, r + 0.3).
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.errors import TaskError, nearest

Cell = tuple[int, int]

#: Offset of the observation frame from the grid (the ball rests at world 1.2, walls stand at world r + 1).
FRAME_OFFSET = 0.2

#: Wall '#', free 'O', goal 'G' (the goal is free too); maze2d's own goals (D4RL, point maze layouts).
LAYOUTS: dict[str, tuple[str, ...]] = {
    "umaze": ("#####", "#GOO#", "###O#", "#OOO#", "#####"),
    "medium": (
        "########",
        "#OO##OO#",
        "#OO#OOO#",
        "##OOO###",
        "#OO#OOO#",
        "#O#OO#O#",
        "#OOO#OG#",
        "########",
    ),
    "large": (
        "############",
        "#OOOO#OOOOO#",
        "#O##O#O#O#O#",
        "#OOOOOO#OOO#",
        "#O####O###O#",
        "#OO#O#OOOOO#",
        "##O#O#O#O###",
        "#OO#OOO#OGO#",
        "############",
    ),
}

#: Order in which equally short ways are preferred: column - 1, column + 1, row - 1, row + 1.
MOVES: tuple[Cell, ...] = ((0, -1), (0, 1), (-1, 0), (1, 0))


@dataclass(frozen=True)
class Maze:
    """A layout with its cells.

    Attributes:
        name: ``umaze``, ``medium`` or ``large``.
        walls: bool ``[rows, columns]``.
        goal: the goal cell.
        start_cells: free cells in sorted order, then the goal cell; episodes start in one of them.
    """

    name: str
    walls: np.ndarray
    goal: Cell
    start_cells: tuple[Cell, ...]

    @functools.cached_property
    def step_towards(self) -> np.ndarray:
        """Next cell of the shortest way: int ``[rows, columns (target), rows, columns (here), 2]``.

        A wall cell next to free ones leads into the maze (a ball that touches a wall can round to it); cells with no
        way point at themselves.
        """
        shape = self.walls.shape
        here = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
        table = np.broadcast_to(here, (*shape, *shape, 2)).copy()
        for target in self.start_cells:
            distance = self.distances(target)
            for cell in np.ndindex(shape):
                if cell != target:
                    table[target][cell] = _best_move(distance, cell)
        return table

    def distances(self, target: Cell) -> np.ndarray:
        """Steps from every cell to ``target``, float ``[rows, columns]``; infinite for walls."""
        distance = np.full(self.walls.shape, np.inf)
        distance[target] = 0.0
        queue = deque([target])
        while queue:
            row, column = queue.popleft()
            for dr, dc in MOVES:
                neighbour = (row + dr, column + dc)
                if not self.walls[neighbour] and np.isinf(distance[neighbour]):
                    distance[neighbour] = distance[row, column] + 1
                    queue.append(neighbour)
        return distance

    def inside_wall(self, position: np.ndarray) -> np.ndarray:
        """Whether the centre of the ball would lie in a wall or outside the maze: ``[..., 2] -> bool [...]``."""
        cell = np.floor(np.asarray(position, dtype=np.float64) + 0.5 + FRAME_OFFSET).astype(int)
        inside = np.all((cell >= 0) & (cell < self.walls.shape), axis=-1)
        row, column = np.moveaxis(np.where(inside[..., None], cell, 0), -1, 0)
        wall: np.ndarray = ~inside | self.walls[row, column]
        return wall


def _best_move(distance: np.ndarray, cell: Cell) -> Cell:
    best, nearest_so_far = cell, np.inf
    for dr, dc in MOVES:
        neighbour = (cell[0] + dr, cell[1] + dc)
        inside = 0 <= neighbour[0] < distance.shape[0] and 0 <= neighbour[1] < distance.shape[1]
        if inside and distance[neighbour] < nearest_so_far:
            best, nearest_so_far = neighbour, distance[neighbour]
    return best


def parse(name: str, lines: Sequence[str]) -> Maze:
    """A maze from lines of ``#``, ``O`` and one ``G``."""
    letters = np.array([list(line) for line in lines])
    goal: Cell = tuple(map(int, np.argwhere(letters == "G")[0]))  # type: ignore[assignment]
    free: list[Any] = [tuple(map(int, cell)) for cell in np.argwhere(letters == "O")]
    return Maze(name, letters == "#", goal, (*sorted(free), goal))


@functools.cache
def get_maze(name: str) -> Maze:
    """The maze called ``name``.

    Raises:
        TaskError: there is no such maze.
    """
    if name not in LAYOUTS:
        raise TaskError(f"no maze '{name}'{nearest(name, LAYOUTS)}")
    return parse(name, LAYOUTS[name])
