"""Where each policy succeeds: outcomes by start, as evaluations from displaced starts record them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.errors import AnalysisError
from analysis.exported_starts import exported_evaluation
from analysis.load import ArmResult
from analysis.records import Record
from analysis.statistics import Array

Outcomes = npt.NDArray[np.bool_]
Cell = tuple[int, int]

#: What a scene may name: places in metres, and cells.
PLACES = frozenset({"start", "object", "goal"})
CELLS = frozenset({"start_cell", "goal_cell"})
_CELL = re.compile(r"(\d+),(\d+)")


@dataclass(frozen=True)
class Starts:
    """The starts of one arm and which of its runs succeeded from them.

    `place` [M, 2] in metres; `cell` [M] indexes `names` (a single empty name where the task has no
    cells); `succeeded` [M] by seed. What is known of the training episode: `scene` has places (`start`,
    `object`, `goal`) in metres, `marked` cells (`start_cell`, `goal_cell`). `missing` are seeds of
    finished runs without outcomes.
    """

    place: Array
    cell: npt.NDArray[np.intp]
    names: tuple[str, ...]
    succeeded: Mapping[int, Outcomes]
    scene: Mapping[str, tuple[float, float]]
    marked: Mapping[str, Cell]
    missing: tuple[int, ...] = ()

    @property
    def first(self) -> int:
        """The seed of the first finished run."""
        return min(self.succeeded)

    @property
    def rates(self) -> Array:
        """Share of successes by cell, mean over runs, [cells]; NaN for a cell without a start."""
        counts = np.bincount(self.cell, minlength=len(self.names)).astype(float)
        counts[counts == 0] = np.nan
        mean = np.mean([*self.succeeded.values()], axis=0)
        return np.asarray(np.bincount(self.cell, weights=mean, minlength=len(self.names)) / counts)

    @property
    def on_map(self) -> bool:
        """Whether the task has cells, and so a map with rows that run downwards."""
        return any(self.names)

    def cells(self) -> list[Cell]:
        """Row and column of every cell, in the order of `names`.

        Raises:
            AnalysisError: the starts have no cells, or their names are not `row,column`.
        """
        return [parse_cell(name) for name in self.names]


def parse_cell(name: str) -> Cell:
    """Row and column of a cell called `row,column`."""
    match = _CELL.fullmatch(name)
    if match is None:
        raise AnalysisError(f"a map needs cells called 'row,column', not '{name}'")
    return int(match[1]), int(match[2])


def read_starts(result: ArmResult, root: Path) -> Starts | None:
    """Outcomes of an arm's finished runs; None if no evaluation has any.

    Raises:
        AnalysisError: outcomes that do not fit their starts, or blocks with different starts.
    """
    first: Starts | None = None
    succeeded: dict[int, Outcomes] = {}
    finished = {run.seed for run in result.runs}
    for record in result.records:
        evaluation = _evaluation(record, root)
        if not evaluation.get("starts"):  # another protocol, or no run that could be evaluated
            continue
        try:
            found = _block(evaluation, finished)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            reason = error if isinstance(error, AnalysisError) else f"no usable {error}"
            raise AnalysisError(f"{record.path}: evaluation.starts: {reason}") from None
        if first is not None and not _same(first, found):
            raise AnalysisError(f"{record.path}: other starts than in {result.records[0].path}")
        first = first or found
        succeeded |= found.succeeded
    if first is None or not succeeded:
        return None
    missing = tuple(sorted(finished - set(succeeded)))
    return replace(first, succeeded=succeeded, missing=missing)


def _evaluation(record: Record, root: Path) -> Mapping[str, Any]:
    """What a record's runs were judged from, with the starts."""
    if record.export:
        return exported_evaluation(record)
    content = json.loads((root / record.path).read_text(encoding="utf-8"))
    return content.get("evaluation") or {}


def _block(evaluation: Mapping[str, Any], finished: set[int]) -> Starts:
    """Starts and outcomes of one result file."""
    entry = evaluation["starts"]
    place = np.array([entry["x"], entry["y"]], dtype=np.float64).T
    cell, names = np.array(entry["cell"], dtype=np.intp), tuple(map(str, entry["cells"]))
    if len(place) == 0 or cell.shape != (len(place),):
        raise AnalysisError(f"{len(place)} places for {cell.size} cells")
    if cell.min() < 0 or cell.max() >= len(names):
        raise AnalysisError(f"a cell is not one of the {len(names)} that are named")
    succeeded = {
        int(run["seed"]): _outcomes(run, len(place))
        for run in evaluation["runs"]
        if int(run["seed"]) in finished
    }
    scene, marked = _scene(entry.get("scene") or {})
    return Starts(place, cell, names, succeeded, scene, marked)


def _outcomes(run: Mapping[str, Any], count: int) -> Outcomes:
    text = run["outcomes"]
    if len(text) != count or set(text) - set("01"):
        raise AnalysisError(f"seed {run['seed']}: outcomes are not {count} digits 0 or 1")
    return np.array([sign == "1" for sign in text])


def _scene(entry: Mapping[str, Any]) -> tuple[dict[str, tuple[float, float]], dict[str, Cell]]:
    """Places and cells of the training episode; names that no figure knows are left out."""
    places = {name: (float(entry[name][0]), float(entry[name][1])) for name in PLACES & set(entry)}
    return places, {name: parse_cell(str(entry[name])) for name in CELLS & set(entry)}


def _same(one: Starts, other: Starts) -> bool:
    """Whether two lists are one; exported places have six digits."""
    if one.place.shape != other.place.shape or one.names != other.names:
        return False
    places = np.allclose(one.place, other.place, rtol=1e-5, atol=1e-9)
    return places and np.array_equal(one.cell, other.cell)
