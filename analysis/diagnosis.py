"""What diagnose jobs left beside the results: paths, imagined rollouts and the maze they lie in."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.load import ArmResult
from analysis.records import read_numbers
from analysis.statistics import Array
from paper_tables.paths import diagnosis_files


@dataclass(frozen=True)
class Maze:
    """A maze in the frame of the observations: x runs along the rows, y along the columns.

    The wall cell (r, c) is the unit square with centre (r - offset, c - offset).
    """

    name: str
    walls: Array
    goal: tuple[float, float]
    goal_radius: float
    offset: float
    steps_to_goal: tuple[int, ...]

    @property
    def farthest_start(self) -> int:
        """Number of the start cell with the longest way to the goal."""
        return int(np.argmax(self.steps_to_goal))


@dataclass(frozen=True)
class Diagnosis:
    """All diagnosed runs of one arm, by seed.

    `paths` [N, H + 1, 2] are positions of episodes (episode i from start cell i mod cells), `chains`
    [M, h + 1, 2] those of imagined rollouts from their real start on, `data` [K, L, 2] pieces of the
    data of the first seed; NaN after an end.
    """

    maze: Maze | None
    starts: int
    paths: Mapping[int, Array]
    chains: Mapping[int, Array]
    data: Array


def read_diagnosis(result: ArmResult, root: Path) -> Diagnosis | None:
    """Read the diagnoses of an arm's blocks; None if there is not one for its present digest."""
    content: dict[str, Any] = {}
    arrays: dict[str, Array] = {}
    for path in result.arm.results:
        numbers, archive = (root / name for name in diagnosis_files(path))
        found = read_numbers(numbers, result.arm.digest)
        if found is None:
            continue
        try:
            with np.load(archive) as file:
                own = {name: np.asarray(file[name], dtype=np.float64) for name in file.files}
        except (OSError, ValueError, zipfile.BadZipFile):
            continue
        content = content or found
        arrays = own | arrays
    if not content:
        return None
    return Diagnosis(
        maze=_maze(content["maze"]) if content["maze"] else None,
        starts=len(content["start_names"]),
        paths=_by_seed(arrays, "paths"),
        chains=_by_seed(arrays, "chains"),
        data=arrays["data"],
    )


def _maze(entry: Mapping[str, Any]) -> Maze:
    return Maze(
        name=entry["name"],
        walls=np.array(entry["walls"], dtype=bool),
        goal=(float(entry["goal"][0]), float(entry["goal"][1])),
        goal_radius=float(entry["goal_radius"]),
        offset=float(entry["frame_offset"]),
        steps_to_goal=tuple(entry["steps_to_goal"]),
    )


def _by_seed(arrays: Mapping[str, Array], kind: str) -> dict[int, Array]:
    names = (name.partition("/") for name in arrays)
    seeds = sorted(int(seed) for found, _, seed in names if found == kind)
    return {seed: arrays[f"{kind}/{seed}"] for seed in seeds}
