"""The arms that claims speak of: how they are written, and whether the experiments declare them.

`paper_tables/<paper>/claims.csv` belongs to the analysis; the plan reads only what it can check
before any run: that every arm of a claim is declared where the claim is judged. A declared arm that
is not implemented is no mistake: its claim is not run, with the reason.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paper_tables.algorithms import Overrides
from paper_tables.build import Builder, Wanted
from paper_tables.errors import PlanError, check_cells, unknown
from paper_tables.schema import PaperFile, Selection

CLAIMS_FILE = "claims.csv"
#: Columns that are read here; the analysis checks the rest.
COLUMNS = ("id", "arms", "tasks", "judged_on")

_ARM = re.compile(r"^([a-z0-9_]+)(?:\[([^\]]+)\])?$")
_SIDES = re.compile(r"\s(?:>=|>|/|=)\s")


@dataclass(frozen=True)
class ArmPattern:
    """An algorithm with the settings that single out one of its cells."""

    algo: str
    settings: Mapping[str, str]

    def __str__(self) -> str:
        inside = ",".join(f"{key}={value}" for key, value in self.settings.items())
        return f"{self.algo}[{inside}]" if inside else self.algo

    def fits(self, declared: Mapping[str, Any]) -> bool:
        """Whether an arm with these hyperparameters and overrides has all the settings."""
        return all(
            key in declared and str(declared[key]).lower() == value.lower()
            for key, value in self.settings.items()
        )


def parse_arm(text: str, where: str) -> ArmPattern:
    """Parse `algo` or `algo[key=value,...]`.

    Raises:
        PlanError: the text is no arm; one line that begins with `where`.
    """
    match = _ARM.match(text.strip())
    if not match:
        raise PlanError(
            f"{where}: '{text}' is not an arm (algo or algo[key=value]; blanks around >, >=, / and =)"
        )
    pairs = [item.partition("=") for item in (match[2] or "").split(",") if item]
    if not all(separator and value for _, separator, value in pairs):
        raise PlanError(f"{where}: '{text}' needs key=value inside the brackets")
    return ArmPattern(match[1], {key.strip(): value.strip() for key, _, value in pairs})


def parse_sides(text: str, where: str) -> tuple[tuple[ArmPattern, ...], tuple[ArmPattern, ...]]:
    """Both sides of `left > right` (or `>=`, `/`, `=`), each a list with `;`; a list has no right.

    Raises:
        PlanError: an item is no arm; one line that begins with `where`.
    """
    sides = [
        tuple(parse_arm(item, where) for item in side.split(";") if item.strip())
        for side in _SIDES.split(text, maxsplit=1)
    ]
    return sides[0], sides[1] if len(sides) > 1 else ()


@dataclass(frozen=True)
class _Row:
    """What the plan reads of one claim."""

    where: str
    arms: tuple[ArmPattern, ...]
    tasks: tuple[str, ...]
    places: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, row: Mapping[str, str], path: Path) -> _Row:
        where = f"{path}: {row['id']}"
        left, right = parse_sides(row["arms"], where)
        tasks = tuple(filter(None, row["tasks"].split(";")))
        items = [item.partition("=")[2] for item in row["judged_on"].split(";")]
        places = {tuple(item.partition(":")[0].split("+")) for item in items if item}
        return cls(where, (*left, *right), tasks, tuple(sorted(places)))


def _read(path: Path) -> list[_Row]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        for column in COLUMNS:
            if column not in (reader.fieldnames or ()):
                raise PlanError(f"{path}: there is no column '{column}'")
        rows = []
        for row in reader:
            check_cells(row, f"{path}: {row['id']}")
            rows.append(_Row.parse(row, path))
        return rows


@dataclass
class _Declared:
    """What the experiments of one paper declare, each expanded when it is first asked for."""

    builder: Builder
    paper: PaperFile
    where: str
    _arms: dict[str, dict[tuple[str, str], list[Overrides]]] = field(default_factory=dict)

    def check(self, row: _Row) -> None:
        """Raise at the first arm that no experiment of one of the claim's places declares."""
        registry = self.builder.registry
        for pattern in row.arms:
            registry.algo(pattern.algo, row.where)
        for task in row.tasks:
            if task not in registry.tasks:
                raise unknown(row.where, "task", task, registry.tasks)
        for place, task, pattern in itertools.product(row.places, row.tasks, row.arms):
            if not any(pattern.fits(arm) for arm in self._of(place, row.where, pattern.algo, task)):
                names = "+".join(place)
                raise PlanError(f"{row.where}: {pattern} on {task} is no arm of experiment {names}")

    def _of(self, place: tuple[str, ...], where: str, algo: str, task: str) -> Iterator[Overrides]:
        for name in place:
            if name not in self.paper.experiments:
                raise unknown(f"{where}: judged_on", "experiment", name, self.paper.experiments)
            if name not in self._arms:
                self._arms[name] = self._expand(name)
            yield from self._arms[name].get((algo, task), ())

    def _expand(self, name: str) -> dict[tuple[str, str], list[Overrides]]:
        """Every key of each arm, but for a tier's budget, with the experiment's own words on top."""
        arms: dict[tuple[str, str], list[Overrides]] = {}
        wanted = Wanted(self.paper, name, Selection(), self.where)
        for algo, task, overrides in self.builder.points(wanted):
            arms.setdefault((algo.name, task), []).append(algo.for_task(task) | overrides)
        return arms


def check_claims(builder: Builder, papers: Iterable[PaperFile], folder: Path) -> None:
    """Check that every arm of every claim is declared where the claim is judged.

    Args:
        builder: expands the experiments, whichever of them its tier runs.
        papers: the papers to check; one without claims has nothing to check.
        folder: the folder of the papers.

    Raises:
        PlanError: the first claim that speaks of an arm, a task or an experiment that is not declared.
    """
    for paper in papers:
        path = folder / paper.paper / CLAIMS_FILE
        if path.is_file():
            declared = _Declared(builder, paper, str(path.with_name("experiments.yaml")))
            for row in _read(path):
                declared.check(row)
