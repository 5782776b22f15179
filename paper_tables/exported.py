"""Runs that ``python -m analysis.export`` wrote as CSV: which there are, by digest and seed.

A run is found by the digest of its specification, wherever the files come from: what the digest does
not cover (machine, versions) stands in the files and is printed with the runs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from paper_tables.errors import PlanError, check_cells

#: The file with a line a run.
RUNS_FILE = "runs.csv"
#: So much of a digest is written.
DIGEST = 16
#: The columns that a run is found and printed by.
NEEDED = ("algo", "task", "cell", "seed", "status", "digest", "updates", "precision")

#: Metrics of a run's diagnosis begin with it.
DIAGNOSIS = "diagnosis."

Row = dict[str, str]


def read_rows(path: Path, columns: Iterable[str]) -> Iterator[tuple[int, Row]]:
    """Lines of a CSV file with their numbers.

    Raises:
        PlanError: it cannot be read, lacks one of `columns`, or a line has other cells than the first.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets write a mark
            reader = csv.DictReader(file)
            lacking = [name for name in columns if name not in (reader.fieldnames or ())]
            if lacking:
                raise PlanError(
                    f"{path}: no column '{lacking[0]}'; wanted is a file of python -m analysis.export"
                )
            for row in reader:
                check_cells(row, f"{path}, line {reader.line_num}")
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise PlanError(f"{path}: cannot be read as CSV: {error}") from None


def seed_of(row: Row, where: str) -> int:
    """The seed of a line; PlanError if it is not a number."""
    try:
        return int(row["seed"])
    except ValueError:
        raise PlanError(f"{where}: seed is '{row['seed']}', wanted a number") from None


def digest_of(row: Row) -> str:
    """The part of a line's digest that is compared."""
    return row["digest"][:DIGEST].lower()


def run_files(folder: Path) -> list[Path]:
    """Every `runs.csv` in and below a folder; PlanError if there is none."""
    found = sorted(folder.rglob(RUNS_FILE))
    if not found:
        raise PlanError(
            f"{folder}: no {RUNS_FILE} in or below it; python -m analysis.export writes it"
        )
    return found


@dataclass(frozen=True)
class ExportedSeeds:
    """Which runs were exported: seeds by the written part of the digest, and those with a diagnosis."""

    seeds: dict[str, set[int]]
    diagnosed: dict[str, set[int]]

    def has(self, digest: str, seeds: Iterable[int], diagnosed: bool) -> bool:
        """Whether all runs of a job are there, with the numbers of their diagnoses if it has some."""
        known = self.diagnosed if diagnosed else self.seeds
        return set(seeds) <= known.get(digest[:DIGEST], set())


def exported_seeds(folders: Iterable[Path]) -> ExportedSeeds:
    """The seeds of which runs, failed ones too, were exported to `folders`."""
    found = ExportedSeeds({}, {})
    for path in (file for folder in folders for file in run_files(folder)):
        for line, row in read_rows(path, NEEDED):
            seed = seed_of(row, f"{path}, line {line}")
            found.seeds.setdefault(digest_of(row), set()).add(seed)
            # a failed run has no diagnosis and never will
            if row["status"] != "finished" or any(
                text and name.startswith(DIAGNOSIS) for name, text in row.items()
            ):
                found.diagnosed.setdefault(digest_of(row), set()).add(seed)
    return found
