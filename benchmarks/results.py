"""What a benchmark gives: rows of numbers, targets, and the JSON they are written to."""

from __future__ import annotations

import fnmatch
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

SCHEMA = 1
TARGETS = Path(__file__).with_name("targets.yaml")

Measure = Literal["ratio", "value", "peak_memory_mb"]


@dataclass(frozen=True)
class Spread:
    """Median and range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """Of some values; None of none."""
        if not values:
            return None
        return cls(statistics.median(values), min(values), max(values))


@dataclass(frozen=True)
class Row:
    """One measured thing.

    Attributes:
        name: what was measured; targets find it by this name.
        group: rows of a group were measured in turns.
        unit: of ``values``, one value a window or repetition.
        against: name of the row that ``ratios`` compare with, window by window.
        busy: largest wall over CPU seconds of a window: well above 1, others used the machine.
    """

    name: str
    unit: str
    values: list[float]
    group: str = ""
    against: str | None = None
    ratios: list[float] = field(default_factory=list)
    peak_memory_mb: float | None = None
    busy: float | None = None

    def measured(self, measure: Measure) -> float | None:
        """The number that a target judges."""
        if measure == "peak_memory_mb":
            return self.peak_memory_mb
        spread = Spread.of(self.ratios if measure == "ratio" else self.values)
        return spread.median if spread else None


@dataclass(frozen=True)
class Target:
    """A bound on the rows of a benchmark; see ``targets.yaml``."""

    benchmark: str
    rows: str
    measure: Measure
    source: str
    at_least: float | None = None
    at_most: float | None = None
    needs: str | None = None

    def applies(self, benchmark: str, row: Row) -> bool:
        """Whether the bound is for this row."""
        named = benchmark == self.benchmark and fnmatch.fnmatchcase(row.name, self.rows)
        return named and row.measured(self.measure) is not None

    def reached(self, row: Row) -> bool:
        """Whether the median keeps the bound."""
        value = row.measured(self.measure)
        assert value is not None
        low = self.at_least is None or value >= self.at_least
        return low and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True)
class Judgement:
    """A row beside its bound. Only ``missed`` and ``below, not judged`` rows are profiled."""

    row: str
    group: str
    target: Target
    status: Literal["met", "missed", "below, not judged"]


@dataclass
class Result:
    """One benchmark."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    profiles: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    error: str | None = None

    def judgement(self, row: Row) -> Judgement | None:
        """What the targets say about a row."""
        found = (j for j in self.judgements if (j.row, j.group) == (row.name, row.group))
        return next(found, None)


def read_targets(path: Path = TARGETS) -> list[Target]:
    """All targets.

    Raises:
        TypeError: a key is missing or unknown.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [Target(**entry) for entry in content["targets"]]


def judge(
    benchmark: str, rows: Sequence[Row], targets: Sequence[Target], flags: set[str]
) -> list[Judgement]:
    """Every row beside the bound that applies to it; ``flags`` are the CPU's."""
    found = []
    for row in rows:
        for target in targets:
            if not target.applies(benchmark, row):
                continue
            able = target.needs is None or target.needs in flags
            below: Literal["missed", "below, not judged"]
            below = "missed" if able else "below, not judged"
            status = "met" if target.reached(row) else below
            found.append(Judgement(row.name, row.group, target, status))
    return found


def as_json(machine: dict[str, Any], results: Sequence[Result], quick: bool) -> dict[str, Any]:
    """Everything, as it is written to ``benchmarks.json``."""
    benchmarks = []
    for result in results:
        content = asdict(result)
        for row, entry in zip(result.rows, content["rows"], strict=True):
            entry["value"] = _asdict(Spread.of(row.values))
            entry["ratio"] = _asdict(Spread.of(row.ratios))
        benchmarks.append(content)
    return {"schema": SCHEMA, "quick": quick, "machine": machine, "benchmarks": benchmarks}


def _asdict(spread: Spread | None) -> dict[str, float] | None:
    return asdict(spread) if spread else None
