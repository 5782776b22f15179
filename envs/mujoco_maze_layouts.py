"""Layouts of BMIL's mazes, where their cells lie, and where displaced episodes start (Park and Wong 2022, section 4.2).

A cell is (row, column). The layouts are those of the paper's fork of mujoco-maze; two back ends draw them in frames
of their own, so a `MazeMap` knows its frame. Not to be mixed up with `envs.mazes`, the mazes of D4RL.
"""

from __future__ import annotations

import functools
import heapq
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from envs.errors import TaskError, nearest
from envs.randomness import numpy_generator

Cell = tuple[int, int]
Frame = Literal["paper", "farama"]

#: Wall '#', start 'S', goal 'G', other free cells '.'.
LAYOUTS: dict[str, tuple[str, ...]] = {
    "umaze": ("#####", "#S..#", "#...#", "###.#", "#...#", "#G..#", "#####"),
    "room5x11": (
        "#############",
        "#.....#.....#",
        "#.....#.....#",
        "#S.........G#",
        "#.....#.....#",
        "#.....#.....#",
        "#############",
    ),
    "corridor7x7": (
        "#########",
        "#S.#....#",
        "#..#....#",
        "#.....###",
        "#.......#",
        "###.....#",
        "#....#..#",
        "#....#.G#",
        "#########",
    ),
}
PAPER_SCALE = {"umaze": 8.0, "room5x11": 4.0, "corridor7x7": 4.0}  # side of a cell, metres
FARAMA_SCALE = 1.0  # gymnasium-robotics fixes it for its PointMaze

TIME_UNIT = 0.001  # the last number of the paper's observations is this times the step

#: Displaced starts keep this far from a wall that borders their cell (the paper's code, for cells of 8 and of 4);
#: a quarter of the smaller cell, and as much of gymnasium-robotics' cell.
START_MARGIN: dict[Frame, float] = {"paper": 1.0, "farama": 0.25}

#: Steps to a neighbour and their lengths in cells; straight ones first, so that they win ties.
_MOVES = tuple(
    (row, column, math.hypot(row, column))
    for row, column in ((0, -1), (0, 1), (-1, 0), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1))
)


@dataclass(frozen=True)
class MazeMap:
    """A layout drawn in a frame.

    Attributes:
        name: a name of `LAYOUTS`.
        walls: bool ``[rows, columns]``.
        start: cell in which episodes of training start.
        goal: cell that holds the goal.
        scale: side of a cell.
        corner: x and y of the centre of cell (0, 0).
        downwards: y grows with the row (the paper's frame), else it falls.
    """

    name: str
    walls: np.ndarray
    start: Cell
    goal: Cell
    scale: float
    corner: tuple[float, float]
    downwards: bool

    @functools.cached_property
    def free_cells(self) -> list[Cell]:
        """Cells without a wall, in sorted order."""
        return [(int(row), int(column)) for row, column in np.argwhere(~self.walls)]

    @property
    def cell_names(self) -> list[str]:
        """``row,column`` of the free cells."""
        return [f"{row},{column}" for row, column in self.free_cells]

    @property
    def _row_step(self) -> float:
        return self.scale if self.downwards else -self.scale

    def centre(self, cell: np.ndarray | Cell) -> np.ndarray:
        """Centres of cells ``[.., 2]``, as x and y ``[.., 2]``."""
        row, column = np.moveaxis(np.asarray(cell, dtype=np.float64), -1, 0)
        x, y = self.corner
        return np.stack([x + self.scale * column, y + self._row_step * row], axis=-1)

    def cell_of(self, xy: np.ndarray) -> np.ndarray:
        """Cells that positions ``[.., 2]`` lie in, int ``[.., 2]``; outside the maze too."""
        x, y = np.moveaxis(np.asarray(xy, dtype=np.float64), -1, 0)
        row = (y - self.corner[1]) / self._row_step
        column = (x - self.corner[0]) / self.scale
        return np.floor(np.stack([row, column], axis=-1) + 0.5).astype(np.int64)

    def blocked(self, xy: np.ndarray, radius: float) -> np.ndarray:
        """Whether positions ``[M, 2]`` are outside, or within ``radius`` of a wall on both axes: bool ``[M]``."""
        cell = self.cell_of(xy)
        outside = ((cell < 0) | (cell >= self.walls.shape)).any(axis=-1)
        offset = np.abs(np.asarray(xy)[:, None] - self.centre(np.argwhere(self.walls)))
        near = (offset.max(axis=-1) <= self.scale / 2 + radius).any(axis=-1)
        found: np.ndarray = near | outside
        return found

    @property
    def scene(self) -> dict[str, str]:
        """Names of the cells that an episode of training starts in and goes to."""
        return {
            f"{name}_cell": f"{cell[0]},{cell[1]}"
            for name, cell in (("start", self.start), ("goal", self.goal))
        }

    @property
    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest x and y of the free cells, ``[2]`` each."""
        centres = self.centre(np.argwhere(~self.walls))
        return centres.min(axis=0) - self.scale / 2, centres.max(axis=0) + self.scale / 2

    @functools.cached_property
    def next_cell(self) -> np.ndarray:
        """Next cell of the shortest way to the goal, int ``[rows, columns, 2]``; the goal and walls name themselves.

        A step leads to one of eight neighbours; a diagonal one only where the other two cells of its square are
        free, so that the straight line from anywhere in a cell to the next cell's centre meets no wall.
        """
        distance = np.full(self.walls.shape, np.inf)
        table = np.moveaxis(np.indices(self.walls.shape), 0, -1).copy()
        queue = [(0.0, self.goal)]
        distance[self.goal] = 0.0
        while queue:
            length, (row, column) = heapq.heappop(queue)
            for down, right, step in _MOVES:
                cell = (row + down, column + right)
                square = self.walls[[row, cell[0], cell[0]], [cell[1], column, cell[1]]]
                if not square.any() and length + step < distance[cell]:
                    distance[cell] = length + step
                    table[cell] = (row, column)
                    heapq.heappush(queue, (length + step, cell))
        return table

    def spread_starts(
        self, task: str, count: int, margin: float, radius: float, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """``count`` places in each free cell, uniform but for ``margin`` on every side that borders a wall.

        Places within ``radius`` of a wall's corner are drawn again: nobody could leave them. They are a function of
        the task's name and ``seed``, and more of them begin with the fewer, cell by cell.

        Returns:
            xy ``[M, 2]`` and the cell of each, ``[M]`` index into `free_cells`.
        """
        places = []
        for (row, column), name in zip(self.free_cells, self.cell_names, strict=True):
            low = self.centre((row, column)) - self.scale / 2
            high = low + self.scale
            up, down = (row - 1, row + 1) if self.downwards else (row + 1, row - 1)
            low = low + margin * self.walls[[row, up], [column - 1, column]]
            high = high - margin * self.walls[[row, down], [column + 1, column]]
            generator = numpy_generator(seed, f"displaced_starts/{task}/{name}/xy")
            drawn = 0
            while drawn < count:
                place = generator.uniform(low, high)
                if not self.blocked(place[None], radius)[0]:
                    places.append(place)
                    drawn += 1
        return np.array(places), np.repeat(np.arange(len(self.free_cells)), count)

    def noise(
        self, task: str, count: int, part: str, width: int, normal: bool, seed: int
    ) -> np.ndarray:
        """Numbers ``[M, width]`` for `spread_starts`: standard normal, or uniform in [-1, 1]."""
        found = []
        for name in self.cell_names:
            generator = numpy_generator(seed, f"displaced_starts/{task}/{name}/{part}")
            shape = (count, width)
            found.append(
                generator.standard_normal(shape) if normal else generator.uniform(-1, 1, shape)
            )
        return np.concatenate(found)

    def require_free(self, xy: np.ndarray, radius: float) -> np.ndarray:
        """The free cell of each position ``[M, 2]``, ``[M]`` index into `free_cells`.

        Raises:
            TaskError: a position outside the maze or closer to a wall than ``radius``.
        """
        places = np.asarray(xy, dtype=np.float64)
        for (x, y), wrong in zip(places, self.blocked(places, radius), strict=True):
            if wrong:
                (left, bottom), (right, top) = self.bounds
                raise TaskError(
                    f"({x:g}, {y:g}) lies in a wall of {self.name}, closer to one than {radius:g} or outside;"
                    f" free cells span x {left:g} to {right:g} and y {bottom:g} to {top:g}"
                )
        index = {cell: number for number, cell in enumerate(self.free_cells)}
        return np.array([index[tuple(cell)] for cell in self.cell_of(places).tolist()])


@functools.cache
def get_map(name: str, frame: Frame) -> MazeMap:
    """The maze called ``name`` in the frame of a back end.

    ``paper``: origin in the middle of the start cell, y downwards. ``farama``: origin in the middle of the map,
    y upwards.

    Raises:
        TaskError: there is no such maze.
    """
    if name not in LAYOUTS:
        raise TaskError(f"no maze '{name}'{nearest(name, LAYOUTS)}")
    letters = np.array([list(line) for line in LAYOUTS[name]])
    start, goal = (tuple(map(int, np.argwhere(letters == mark)[0])) for mark in "SG")
    rows, columns = letters.shape
    if frame == "paper":
        scale = PAPER_SCALE[name]
        corner = (-scale * start[1], -scale * start[0])
    else:
        scale = FARAMA_SCALE
        corner = (scale * (0.5 - columns / 2), scale * (rows / 2 - 0.5))
    return MazeMap(name, letters == "#", start, goal, scale, corner, frame == "paper")  # type: ignore[arg-type]
