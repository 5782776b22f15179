"""Displaced starts and outcomes of exported runs, in the layout of `evaluation.json`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from analysis.exported import key_of, numbers
from analysis.records import Record
from paper_tables.errors import PlanError
from paper_tables.exported import read_rows, seed_of

STARTS_FILE = "starts.csv"
OUTCOMES_FILE = "outcomes.csv"
SCENES_FILE = "scenes.csv"


def exported_evaluation(record: Record) -> dict[str, Any]:
    """Starts and outcomes of an exported record's runs; empty where they were not exported.

    Raises:
        PlanError: a file that is none of an export, or starts that are not those of the outcomes.
    """
    if record.export is None:
        return {}
    folder, (_, task, _) = record.export.folder, record.export.key
    outcomes, starts = folder / OUTCOMES_FILE, folder / STARTS_FILE
    if not outcomes.is_file() or not starts.is_file():
        return {}
    columns = ("algo", "task", "cell", "seed", "starts", "outcomes")
    found = [
        row
        for line, row in read_rows(outcomes, columns)
        if seed_of(row, f"{outcomes}, line {line}") in record.seeds
        and key_of(row) == record.export.key
    ]
    if not found:
        return {}
    listed = _starts(starts, task, found[0]["starts"])
    return {"starts": {**listed, "scene": _scene(folder / SCENES_FILE, task)}, "runs": found}


def _starts(path: Path, task: str, count: str) -> dict[str, list[Any]]:
    """The list of `count` starts of a task; its lines are numbered from 0 on."""
    places: list[tuple[float, float]] = []
    cells: list[str] = []
    for line, row in read_rows(path, ("task", "starts", "start", "x", "y", "cell")):
        if (row["task"], row["starts"]) != (task, count):
            continue
        if row["start"] != str(len(places)):
            raise PlanError(
                f"{path}, line {line}: start {row['start']} of {task}, wanted {len(places)}: "
                "lines are missing or out of order"
            )
        places.append(_place(row["x"], row["y"], f"{path}, line {line}"))
        cells.append(row["cell"])
    if str(len(places)) != count:
        raise PlanError(f"{path}: {len(places)} of the {count} starts of {task}")
    names = list(dict.fromkeys(cells))
    return {
        "x": [x for x, _ in places],
        "y": [y for _, y in places],
        "cell": [names.index(cell) for cell in cells],
        "cells": names,
    }


def _scene(path: Path, task: str) -> dict[str, Any]:
    """Places and cells of the training episode; none if there is no file."""
    scene: dict[str, Any] = {}
    if path.is_file():
        for line, row in read_rows(path, ("task", "name", "x", "y", "cell")):
            if row["task"] == task:
                where = f"{path}, line {line}"
                scene[row["name"]] = row["cell"] or [*_place(row["x"], row["y"], where)]
    return scene


def _place(x: str, y: str, where: str) -> tuple[float, float]:
    found = numbers({"x": x, "y": y}, where)
    if len(found) < 2 or not all(map(math.isfinite, found.values())):
        raise PlanError(f"{where}: '{x}', '{y}' is no place, wanted metres")
    return found["x"], found["y"]
