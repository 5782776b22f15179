"""Runs that ``python -m analysis.export`` wrote, read back where this checkout has none of its own.

``--exported docs/results/bmil`` of every command takes the planned runs that are missing below `results`
from the CSV files in and below that folder. A run fits if the digest of its specification is the plan's,
whatever the name of the folder or the tier; where several fit, the first is taken. Its lines say on which
machine and with which versions it was made, and so do the tables that it gets into.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from analysis.history import History, read_history
from analysis.records import Block, Export, FailedRun, Record, Run, checked_run
from paper_tables.errors import PlanError
from paper_tables.exported import DIGEST, NEEDED, Row, digest_of, read_rows, run_files, seed_of
from paper_tables.plan import Arm

EVALUATIONS_FILE = "evaluations.csv"

#: What a line of `runs.csv` says beside metrics: what the run is, what its job was, where its data came
#: from. Files of earlier versions lack some of the last two.
NAMES = ("algo", "task", "cell", "experiments", "seed", "status", "reason", "digest")
COSTS = ("cpu_seconds_of_the_job", "wall_seconds_of_the_job")
JOB_NUMBERS = (
    "updates",
    "version",
    "cores",
    "episodes_per_start",
    "runs_of_the_job",
    "environment_steps_of_the_job",
    *COSTS,
)
JOB_WORDS = (
    "precision",
    "commit",
    "python",
    "torch",
    "mujoco",
    "hardware",
    "gpu",
    "capability",
    "evaluation_protocol",
)
DATA = ("data_source", "data_generator", "data_transitions", "data_learnt", "data_sha256")
RESERVED = frozenset((*NAMES, *JOB_NUMBERS, *JOB_WORDS, *DATA))
#: Stands before the name of a metric that is called like one of them.
METRIC = "metric:"

Line = tuple[int, Row]
Evaluations = Mapping[tuple[tuple[str, str, str], int], History]


def key_of(row: Row) -> tuple[str, str, str]:
    """What a line calls its arm: algorithm, task and cell."""
    return row["algo"], row["task"], row["cell"]


def numbers(texts: Mapping[str, str], where: str) -> dict[str, float]:
    """The cells that are not empty as numbers; PlanError names the first that is none."""
    found: dict[str, float] = {}
    for name, text in texts.items():
        try:
            if text:
                found[name] = float(text)
        except ValueError:
            raise PlanError(f"{where}: {name} is '{text}', wanted a number") from None
    return found


def _whole(row: Row, name: str, where: str) -> int | None:
    """A cell as a whole number, None where it is empty or not there."""
    text = row.get(name, "")
    number = numbers({name: text}, where).get(name)
    if number is not None and not (math.isfinite(number) and number == int(number)):
        raise PlanError(f"{where}: {name} is '{text}', wanted a whole number")
    return None if number is None else int(number)


@dataclass(frozen=True)
class _Job:
    """Neighbouring lines of one file that one job made."""

    file: Path
    lines: tuple[Line, ...]
    evaluations: Evaluations

    @property
    def seeds(self) -> set[int]:
        return {int(row["seed"]) for _, row in self.lines}

    def block(self, arm: Arm, seeds: set[int]) -> Block:
        """Its runs of `seeds` as an arm's block."""
        lines = [(line, row) for line, row in self.lines if int(row["seed"]) in seeds]
        for line, row in lines:
            if key_of(row)[:2] != (arm.algo, arm.task):
                raise PlanError(
                    f"{self.file}, line {line}: digest {row['digest']} belongs to {arm.algo} on "
                    f"{arm.task}, not to {row['algo']} on {row['task']}"
                )
        first, last = lines[0][0], lines[-1][0]
        name = f"{self.file}, " + (f"lines {first} to {last}" if last > first else f"line {first}")
        every = [self._run(line, row) for line, row in lines]
        runs = tuple(run for run in every if isinstance(run, Run))
        failed = tuple(run for run in every if isinstance(run, FailedRun))
        return Block(name, runs, failed, self._record(name, arm, lines))

    def _run(self, line: int, row: Row) -> Run | FailedRun:
        seed = int(row["seed"])
        history = self.evaluations.get((key_of(row), seed), History())
        if row["status"] != "finished":
            return FailedRun(seed, row.get("reason") or "no reason recorded", history)
        texts = {name.removeprefix(METRIC): row[name] for name in row if name not in RESERVED}
        return checked_run(seed, numbers(texts, f"{self.file}, line {line}"), history)

    def _record(self, name: str, arm: Arm, lines: list[Line]) -> Record:
        line, row = lines[0]
        where = f"{self.file}, line {line}"
        costs = numbers({key: row.get(key, "") for key in COSTS}, where)
        updates = _whole(row, "updates", where)
        if updates is None:
            raise PlanError(f"{where}: updates is empty, wanted a number")
        names = {"hindcast": "commit", "python": "python", "torch": "torch", "mujoco": "mujoco"}
        return Record(
            path=name,
            seeds=tuple(int(each["seed"]) for _, each in lines),
            version=_whole(row, "version", where),
            updates=updates,
            environment_steps=_whole(row, "environment_steps_of_the_job", where),
            hyperparameters=arm.hyperparameters,
            precision=row["precision"],
            evaluation=_present(
                protocol=row.get("evaluation_protocol"),
                episodes_per_start=_whole(row, "episodes_per_start", where),
            ),
            data=tuple(
                entry for at, each in lines for entry in _data(each, f"{self.file}, line {at}")
            ),
            hardware=_present(
                cpu=row.get("hardware") or "unknown processor",
                gpu=row.get("gpu"),
                capability=row.get("capability"),
                cores=_whole(row, "cores", where),
            ),
            versions=_present(**{to: row.get(key) for to, key in names.items()}),
            wall_seconds=costs.get(COSTS[1]),
            cpu_seconds=costs.get(COSTS[0]),
            runs_of_the_job=_whole(row, "runs_of_the_job", where),
            export=Export(self.file.parent, key_of(row)),
        )


def _present(**values: Any) -> dict[str, Any]:
    """The values that are known."""
    return {name: value for name, value in values.items() if value not in (None, "")}


def _data(row: Row, where: str) -> Iterator[dict[str, Any]]:
    """The data set of a run, if it had one."""
    if row.get("data_source"):
        yield {
            "seed": int(row["seed"]),
            "source": row["data_source"],
            **_present(
                generator=row.get("data_generator"),
                transitions=_whole(row, "data_transitions", where),
                learnt=_whole(row, "data_learnt", where),
                sha256=row.get("data_sha256"),
            ),
        }


@dataclass(frozen=True)
class ExportedRuns:
    """All runs that were exported to some folders, by the written part of their digest."""

    jobs: Mapping[str, list[_Job]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(len(job.lines) for jobs in self.jobs.values() for job in jobs)

    def blocks(self, arm: Arm, seeds: Iterable[int]) -> Iterator[Block]:
        """What there is of an arm's `seeds`; each seed comes once."""
        wanted = set(seeds)
        for job in self.jobs.get(arm.digest[:DIGEST], ()):
            found = wanted & job.seeds
            if found:
                yield job.block(arm, found)
                wanted -= found


def read_exported(folders: Iterable[Path]) -> ExportedRuns:
    """Read every export in and below `folders`.

    Raises:
        PlanError: a folder without one, or a file that is none; one line with file, line and column.
    """
    jobs: dict[str, list[_Job]] = {}
    for file in (file for folder in folders for file in run_files(folder)):
        evaluations = _evaluations(file.with_name(EVALUATIONS_FILE))
        lines = [*read_rows(file, NEEDED)]
        _check_once(lines, file)
        for block in _blocks(lines):
            jobs.setdefault(digest_of(block[0][1]), []).append(_Job(file, block, evaluations))
    return ExportedRuns(jobs)


def _check_once(lines: Iterable[Line], file: Path) -> None:
    seen: dict[tuple[str, int], int] = {}
    for line, row in lines:
        run = (digest_of(row), seed_of(row, f"{file}, line {line}"))
        if run in seen:
            raise PlanError(
                f"{file}, line {line}: the run of line {seen[run]} again, seed {run[1]}; delete one"
            )
        seen[run] = line


def _blocks(lines: Iterable[Line]) -> Iterator[tuple[Line, ...]]:
    """Neighbouring lines that say the same of their job, as many as it had runs."""
    columns = ("digest", *JOB_NUMBERS, *JOB_WORDS)
    for _, group in groupby(lines, lambda one: [one[1].get(name) for name in columns]):
        rows = tuple(group)
        text = rows[0][1].get("runs_of_the_job", "")
        size = int(text) if text.isdecimal() and int(text) else len(rows)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _evaluations(path: Path) -> dict[tuple[tuple[str, str, str], int], History]:
    """Evaluations during training by arm and seed; none if there is no file."""
    if not path.is_file():
        return {}
    points: dict[tuple[tuple[str, str, str], int], list[dict[str, float | None]]] = {}
    for line, row in read_rows(path, ("algo", "task", "cell", "seed")):
        where = f"{path}, line {line}"
        texts = {name: text for name, text in row.items() if name not in NAMES}
        found = numbers(texts, where)
        own = points.setdefault((key_of(row), seed_of(row, where)), [])
        own.append({name: found.get(name) for name in texts})
    histories = {}
    for (key, seed), own in points.items():
        try:
            histories[key, seed] = read_history(own)
        except AnalysisError as error:
            raise PlanError(f"{path}: {' '.join(key)}, seed {seed}: {error}") from None
    return histories
