"""Exports of hand-made results, read back without them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

from result_sets import Bench

from analysis import export
from analysis.exported import read_exported
from analysis.load import Results, load
from analysis.workspace import Workspace


def exports(space: Workspace, out: Path) -> Path:
    export.export(space, out, [], [])
    return out


def without_results(bench: Bench) -> None:
    shutil.rmtree(bench.root / "results")


def from_export(bench: Bench, *folders: Path) -> Results:
    return load(bench.plan, bench.root, exported=read_exported(folders))


def edit(path: Path, line: int, **cells: str) -> None:
    """Change cells of a line (the first is 2, as an editor counts)."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows[line - 2] |= cells
    path.write_text(export._csv(rows), encoding="utf-8")
