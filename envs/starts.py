"""Displaced starts: where policies learnt from demonstrations are judged (Park and Wong 2022, section 4.3)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from envs.errors import TaskError
from envs.tasks import Task, get_task


@dataclass(frozen=True)
class StartList:
    """M starts of a task, the same for every method and run.

    Attributes:
        task: name of the task.
        state: what the task's batch takes in ``reset_to``, ``[M, K]`` float64.
        cell: the cell each start lies in, ``[M]`` index into ``cell_names``; zeros where a task has no cells.
        cell_names: one name a cell.
        scene: where the training episode takes place: ``start``, ``object`` and ``goal`` as (x, y) in metres, or
            ``start_cell`` and ``goal_cell`` as names of cells.
    """

    task: str
    state: np.ndarray
    cell: np.ndarray
    cell_names: list[str]
    scene: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.state)


def displaced_starts(task: str, count: int, seed: int = 0) -> StartList:
    """A fixed start list of a task: ``count`` starts, in each free cell where the task has cells.

    A longer list begins with the shorter one (cell by cell). Policies are judged from the list of seed 0; settings
    are tuned on other ones.

    Raises:
        TaskError: no such task, it has no displaced starts, or fewer than one is asked for.
    """
    found = get_task(task)
    implementation = _implementation(found)
    if count < 1:
        raise TaskError(f"task {task}: {count} displaced starts; ask for at least 1")
    starts: StartList = implementation.displaced_starts(found, count, seed)
    return starts


def read_starts(path: Path, task: str) -> StartList:
    """Starts of a CSV file with the columns x and y (metres).

    Raises:
        TaskError: not such a file, or a start that the task does not allow; the message names the line.
    """
    found = get_task(task)
    implementation = _implementation(found)
    states, cells = [], []
    for number, line in _lines(path):
        try:
            place = np.array([[float(line["x"]), float(line["y"])]])
            if not np.isfinite(place).all():
                raise ValueError
        except (KeyError, TypeError, ValueError):
            raise TaskError(
                f"{path}: line {number}: x and y must be finite numbers (metres)"
            ) from None
        try:
            one: StartList = implementation.starts_at(found, place)
        except TaskError as error:
            raise TaskError(f"{path}: line {number}: {error}") from None
        states.append(one.state)
        cells.append(one.cell)
    return replace(one, state=np.concatenate(states), cell=np.concatenate(cells))


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Numbers and cells of the lines under the header; spreadsheets put a mark before it and blanks into it."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            header = [name.strip().lower() for name in reader.fieldnames or []]
            reader.fieldnames = header
            lines = [(reader.line_num, line) for line in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TaskError(f"{path}: not a readable CSV file ({error})") from None
    if header and not {"x", "y"} <= set(header):
        raise TaskError(
            f"{path}: the first line must name the columns x and y, with a comma between them; "
            f"found {', '.join(header)}"
        )
    for number, line in lines:
        if None in line:
            raise TaskError(
                f"{path}: line {number}: more cells than columns; write decimals with a point, 1.5 and not 1,5"
            )
    if not lines:
        raise TaskError(f"{path}: no starts; give the columns x and y and a line for each start")
    return lines


def _implementation(task: Task) -> Any:
    kind = task.load()
    if not hasattr(kind, "displaced_starts"):
        raise TaskError(
            f"task {task.name} has no displaced starts; it is judged from its own start"
        )
    return kind
