"""Runs that ``python -m analysis.export`` wrote, read back where this checkout has none of its own.

``--exported docs/results/bmil`` of every command takes the planned runs that are missing below `results`
from the CSV files in and below that folder. A run fits if the digest of its specification is the plan's,
whatever the name of the folder or the tier; where several fit, the first is taken. Its lines say on which
machine and with which versions it was made, and so do the tables that it gets into.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from analysis.history import History, read_history
from analysis.records import Block, FailedRun, Record, Run
from paper_tables.errors import PlanError
from paper_tables.exported import DIGEST, NEEDED, Row, read_rows, run_files, seed_of
from paper_tables.plan import Arm

EVALUATIONS_FILE = "evaluations.csv"
STARTS_FILE = "starts.csv"
OUTCOMES_FILE = "outcomes.csv"
SCENES_FILE = "scenes.csv"

#: What a line of `runs.csv` says beside metrics: what the run is, what its job was, and of both where
#: the data came from. Files of earlier versions lack some of the last two.
NAMES = ("algo", "task", "cell", "experiments", "seed", "status", "reason", "digest")
JOB = (
    "updates",
    "precision",
    "version",
    "commit",
    "python",
    "torch",
    "mujoco",
    "hardware",
    "gpu",
    "cores",
    "capability",
    "evaluation_protocol",
    "episodes_per_start",
    "runs_of_the_job",
    "environment_steps_of_the_job",
    "cpu_seconds_of_the_job",
    "wall_seconds_of_the_job",
)
DATA = ("data_source", "data_generator", "data_transitions", "data_learnt", "data_sha256")

Key = tuple[str, str, str]


@dataclass(frozen=True)
class _Job:
    """Neighbouring lines of one file that one job made."""

    file: Path
    lines: tuple[tuple[int, Row], ...]
    evaluations: Mapping[tuple[Key, int], History]

    def block(self, arm: Arm, seeds: Collection[int]) -> Block:
        """Its runs of `seeds` as an arm's block."""
        first, last = self.lines[0][0], self.lines[-1][0]
        lines = f"lines {first} to {last}" if last > first else f"line {first}"
        name = f"{self.file}, {lines}"
        every = [self._run(line, row) for line, row in self.lines if int(row["seed"]) in seeds]
        record = self._record(name, arm, [row for _, row in self.lines])
        runs = tuple(run for run in every if isinstance(run, Run))
        return Block(name, runs, tuple(r for r in every if isinstance(r, FailedRun)), record)

    def _run(self, line: int, row: Row) -> Run | FailedRun:
        seed = int(row["seed"])
        history = self.evaluations.get((_key(row), seed), History())
        if row["status"] != "finished":
            return FailedRun(seed, row.get("reason") or "no reason recorded", history)
        texts = {name: row[name] for name in row if name not in (*NAMES, *JOB, *DATA)}
        return Run(seed, _numbers(texts, f"{self.file}, line {line}"), history)

    def _record(self, name: str, arm: Arm, rows: list[Row]) -> Record:
        row = rows[0]
        job = _numbers({key: row.get(key, "") for key in JOB if key not in _TEXTS}, name)
        names = {"hindcast": "commit", "python": "python", "torch": "torch", "mujoco": "mujoco"}
        protocol = {"protocol": row.get("evaluation_protocol")}
        if "episodes_per_start" in job:
            protocol["episodes_per_start"] = str(int(job["episodes_per_start"]))
        return Record(
            path=name,
            seeds=tuple(int(each["seed"]) for each in rows),
            version=int(job["version"]) if "version" in job else None,
            updates=int(job["updates"]),
            environment_steps=int(job.get("environment_steps_of_the_job", 0)),
            hyperparameters=arm.hyperparameters,
            precision=row["precision"],
            evaluation={key: value for key, value in protocol.items() if value},
            data=tuple(entry for each in rows for entry in _data(each, name)),
            hardware=_hardware(row, job),
            versions={to: row[key] for to, key in names.items() if row.get(key)},
            wall_seconds=job.get("wall_seconds_of_the_job", 0.0),
            cpu_seconds=job.get("cpu_seconds_of_the_job"),
            exported=self.file.parent,
        )


_TEXTS = {
    "precision",
    "commit",
    "python",
    "torch",
    "mujoco",
    "hardware",
    "gpu",
    "capability",
    "evaluation_protocol",
}


def _hardware(row: Row, job: Mapping[str, float]) -> dict[str, Any]:
    found = {"cpu": row.get("hardware") or "unknown processor"}
    found |= {name: row[name] for name in ("gpu", "capability") if row.get(name)}
    return {**found, **({"cores": int(job["cores"])} if "cores" in job else {})}


def _key(row: Row) -> Key:
    return row["algo"], row["task"], row["cell"]


def _numbers(texts: Mapping[str, str], where: str) -> dict[str, float]:
    """The cells that are not empty as numbers."""
    try:
        return {name: float(text) for name, text in texts.items() if text}
    except ValueError:
        name, text = next((n, t) for n, t in texts.items() if t and not _is_float(t))
        raise PlanError(f"{where}: {name} is '{text}', wanted a number") from None


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _data(row: Row, where: str) -> Iterator[dict[str, Any]]:
    """The data sets of a run, one for each source and checksum that its line names."""
    columns = [row.get(name, "").split(" ") for name in DATA]
    most = max(map(len, columns))
    sources, *others = (column * (most if len(column) == 1 else 1) for column in columns)
    if not sources[0]:
        return
    for source, generator, size, learnt, checksum in zip(sources, *others, strict=True):
        numbers = _numbers({"transitions": size, "learnt": learnt}, where)
        texts = {"generator": generator, "sha256": checksum}
        yield {
            "seed": int(row["seed"]),
            "source": source,
            **{name: text for name, text in texts.items() if text},
            **{name: int(number) for name, number in numbers.items()},
        }


@dataclass(frozen=True)
class ExportedRuns:
    """All runs that were exported to some folders, by the written part of their digest."""

    jobs: Mapping[str, list[_Job]] = field(default_factory=dict)

    def blocks(self, arm: Arm, seeds: Iterable[int]) -> Iterator[Block]:
        """What there is of an arm's `seeds`; each seed comes once."""
        wanted = set(seeds)
        for job in self.jobs.get(arm.digest[:DIGEST], ()):
            found = wanted & {int(row["seed"]) for _, row in job.lines}
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
        for line, row in lines:
            seed_of(row, f"{file}, line {line}")
        for block in _blocks(lines):
            digest = block[0][1]["digest"]
            jobs.setdefault(digest, []).append(_Job(file, block, evaluations))
    return ExportedRuns(jobs)


def _blocks(lines: Iterable[tuple[int, Row]]) -> Iterator[tuple[tuple[int, Row], ...]]:
    """Neighbouring lines that say the same of their job, as many as it had runs."""
    for _, group in groupby(lines, lambda one: [one[1].get(name) for name in ("digest", *JOB)]):
        rows = tuple(group)
        text = rows[0][1].get("runs_of_the_job", "")
        size = int(text) if text.isdecimal() and int(text) else len(rows)
        yield from (rows[start : start + size] for start in range(0, len(rows), size))


def _evaluations(path: Path) -> dict[tuple[Key, int], History]:
    """Evaluations during training by arm and seed; none if there is no file."""
    if not path.is_file():
        return {}
    points: dict[tuple[Key, int], list[dict[str, float | None]]] = {}
    for line, row in read_rows(path, ("algo", "task", "cell", "seed")):
        where = f"{path}, line {line}"
        key = (_key(row), seed_of(row, where))
        texts = {name: text for name, text in row.items() if name not in (*NAMES,)}
        numbers = _numbers(texts, where)
        points.setdefault(key, []).append({name: numbers.get(name) for name in texts})
    return {key: read_history(found) for key, found in points.items()}


def exported_evaluation(record: Record, arm: Arm) -> dict[str, Any]:
    """Starts and outcomes of a record's runs, in the layout of `evaluation.json`; empty without.

    Raises:
        PlanError: a file that is none of an export, or outcomes whose starts are not listed.
    """
    folder = record.exported
    outcomes = folder / OUTCOMES_FILE if folder else None
    if folder is None or outcomes is None or not outcomes.is_file():
        return {}
    columns = ("algo", "task", "cell", "seed", "starts", "outcomes")
    found = [
        row
        for _, row in read_rows(outcomes, columns)
        if _key(row) == (arm.algo, arm.task, arm.cell) and int(row["seed"]) in record.seeds
    ]
    if not found:
        return {}
    starts = _starts(folder, arm.task, found[0]["starts"])
    if not starts["x"]:
        raise PlanError(f"{folder / STARTS_FILE}: no {found[0]['starts']} starts of {arm.task}")
    return {"starts": {**starts, "scene": _scene(folder, arm.task)}, "runs": found}


def _starts(folder: Path, task: str, count: str) -> dict[str, list[Any]]:
    rows = [
        row
        for _, row in read_rows(folder / STARTS_FILE, ("task", "starts", "x", "y", "cell"))
        if (row["task"], row["starts"]) == (task, count)
    ]
    names = list(dict.fromkeys(row["cell"] for row in rows))
    return {
        "x": [row["x"] for row in rows],
        "y": [row["y"] for row in rows],
        "cell": [names.index(row["cell"]) for row in rows],
        "cells": names,
    }


def _scene(folder: Path, task: str) -> dict[str, Any]:
    """Places and cells of the training episode; none if there is no file."""
    path = folder / SCENES_FILE
    rows = read_rows(path, ("task", "name", "x", "y", "cell")) if path.is_file() else ()
    return {
        row["name"]: row["cell"] or [row["x"], row["y"]] for _, row in rows if row["task"] == task
    }
