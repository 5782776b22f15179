"""What a paper reports: `paper_tables/<paper>/reference.csv`.

Published numbers are records, never runs of ours: they are printed beside ours and enter no test.
`spread_kind` says what stands behind a plus-minus: sd (over runs), se, ci95 (half-width), unknown,
or none where the paper prints no spread.
"""

from __future__ import annotations

import csv
import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from analysis.errors import AnalysisError
from analysis.statistics import CONFIDENCE
from paper_tables.errors import PlanError, check_cells

COLUMNS = (
    "table",
    "task",
    "algo",
    "cell",
    "metric",
    "mean",
    "spread",
    "spread_kind",
    "n",
    "role",
    "note",
)
SPREADS = ("sd", "se", "ci95", "unknown", "none")


@dataclass(frozen=True)
class Value:
    """One number of a paper; `task` may be a shell pattern, `mean` is NaN for a setting in words.

    `role` marks a number that the table prints as the best of a class of methods.
    """

    table: str
    task: str
    algo: str
    cell: str
    metric: str
    mean: float
    spread: float
    spread_kind: str
    n: int | None
    role: str
    note: str

    @property
    def sd(self) -> float | None:
        """Standard deviation over runs, where the paper's spread is or implies one."""
        return summary_sd(self.spread, self.spread_kind, self.n)


def summary_sd(spread: float | None, kind: str, n: int | None) -> float | None:
    """Standard deviation over `n` runs behind a published `mean +- spread`, None if not known.

    `kind` sd is the spread itself, se is sd / sqrt(n), ci95 the half-width of a Student-t interval,
    t(0.975, n - 1) sd / sqrt(n) (a normal quantile would give a larger sd). None for the kinds
    unknown and none, without a spread, and for se and ci95 without the number of runs.
    """
    if kind not in SPREADS:
        raise ValueError(f"kind of spread must be one of {', '.join(SPREADS)}, not '{kind}'")
    if kind in ("unknown", "none") or spread is None or math.isnan(spread):
        return None
    if spread < 0 or math.isinf(spread):
        raise ValueError(f"a spread is a finite number of at least 0, not {spread}")
    if kind == "sd":
        return spread
    if n is None or n < 2:
        return None
    error = spread if kind == "se" else spread / float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1))
    return error * math.sqrt(n)


@dataclass(frozen=True)
class Published:
    """All numbers of a paper."""

    values: tuple[Value, ...] = ()

    def find(
        self, table: str, task: str, metric: str, *, algo: str = "", cell: str = "", role: str = ""
    ) -> Value | None:
        """The number of a table for an algorithm and cell, or for a role; None if it has none."""
        for value in self.values:
            named = value.role == role if role else (value.algo, value.cell) == (algo, cell)
            here = (value.table, value.metric) == (table, metric)
            if named and here and fnmatch.fnmatchcase(task, value.task):
                return value
        return None


def _number(text: str, where: str) -> float:
    if not text:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise AnalysisError(f"{where}: '{text}' is not a number")
    return number


def _parse(row: Mapping[str, str], where: str) -> Value:
    kind = row["spread_kind"]
    if kind not in SPREADS:
        raise AnalysisError(f"{where}: spread_kind must be one of {', '.join(SPREADS)}")
    if (kind == "none") != (not row["spread"]):
        raise AnalysisError(f"{where}: spread_kind is none exactly where no spread is given")
    if row["n"] and not (row["n"].isdecimal() and int(row["n"])):
        raise AnalysisError(f"{where}: n '{row['n']}' is not a number of runs")
    spread = _number(row["spread"], where)
    if spread < 0:
        raise AnalysisError(f"{where}: a spread is at least 0, not {row['spread']}")
    return Value(
        table=row["table"],
        task=row["task"],
        algo=row["algo"],
        cell=row["cell"],
        metric=row["metric"],
        mean=_number(row["mean"], where),
        spread=spread,
        spread_kind=kind,
        n=int(row["n"]) if row["n"] else None,
        role=row["role"],
        note=row["note"],
    )


def read_published(path: Path) -> Published:
    """Read a paper's numbers; a paper without the file reports none.

    Raises:
        AnalysisError: wrong columns, or a field that cannot be read.
    """
    if not path.is_file():
        return Published()
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise AnalysisError(f"{path}: columns must be {','.join(COLUMNS)}")
    values: dict[tuple[str, ...], Value] = {}
    for line, row in enumerate(rows, start=2):
        where = f"{path}:{line}"
        try:
            check_cells(row, where)
        except PlanError as error:
            raise AnalysisError(str(error)) from None
        key = tuple(row[name] for name in ("table", "task", "algo", "cell", "metric", "role"))
        if key in values:
            raise AnalysisError(f"{where}: this number is given twice")
        values[key] = _parse(row, where)
    return Published(tuple(values.values()))
