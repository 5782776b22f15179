"""What one result file says: its runs, its failures and where they come from."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.histories import with_history
from analysis.history import History, is_number, not_finite, read_history
from paper_tables.digest import spec_digest
from paper_tables.paths import DIAGNOSIS_FILES, seed_folder

#: The layout of `result.json` that this module reads.
SCHEMA = 1
#: The layout of `diagnosis.json` that this module reads.
DIAGNOSIS_SCHEMA = 1

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """One seed that finished: final metrics by name, and its evaluations during training."""

    seed: int
    metrics: Metrics
    evaluations: History = field(default_factory=History)


@dataclass(frozen=True)
class FailedRun:
    """One seed without a usable result, and why."""

    seed: int
    reason: str
    evaluations: History = field(default_factory=History)


@dataclass(frozen=True)
class Export:
    """The folder of an export, and what its files call the arm: algorithm, task and cell."""

    folder: Path
    key: tuple[str, str, str]


@dataclass(frozen=True)
class Record:
    """Provenance of one block of runs, as its result file states it; `version` is the algorithm's.

    `evaluation` is the protocol of the evaluation after training, without its list of starts, which is
    read where it is drawn (`analysis.starts`); that of the evaluations during training stands in the
    hyperparameters. Of exported runs `export` says where they were read, and what is not known is None;
    `seeds` are then those that were taken, which may be fewer than the job had.
    """

    path: str
    seeds: tuple[int, ...]
    version: int | None
    updates: int
    environment_steps: int | None
    hyperparameters: Mapping[str, Any]
    precision: str
    evaluation: Mapping[str, Any]
    data: tuple[Mapping[str, Any], ...]
    hardware: Mapping[str, Any]
    versions: Mapping[str, str]
    wall_seconds: float | None
    cpu_seconds: float | None
    runs_of_the_job: int | None = None
    export: Export | None = None

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the data came from (`local`, `d4rl` or `file`), one a data set."""
        return tuple(str(entry["source"]) for entry in self.data)


@dataclass(frozen=True)
class Block:
    """Everything read from one result file; `problem` says why a file cannot be used."""

    path: str
    runs: tuple[Run, ...] = ()
    failed: tuple[FailedRun, ...] = ()
    record: Record | None = None
    problem: str | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def seeds(self) -> set[int]:
        """Seeds of its runs, failed ones too."""
        return {run.seed for run in self.runs} | {run.seed for run in self.failed}


def read_numbers(path: Path, digest: str) -> dict[str, Any] | None:
    """`diagnosis.json`, or None if it is not there, not readable, or of another run than `digest`."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fits = content["schema"] == DIAGNOSIS_SCHEMA and content["digest"] == digest
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return content if fits else None


class _UnusableError(Exception):
    """The file is there, but its content must not be used."""


def read_block(path: Path, name: str, tier: str, digest: str) -> Block | None:
    """Read the result file `path`, called `name` in messages; None if it does not exist.

    A file that is malformed, of another schema or tier, altered after it was written or made from
    another specification than the plan's `digest` comes back without runs and with its `problem`.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return Block(name, problem="cannot be read as JSON")
    try:
        _check_identity(content, tier, digest)
        if content["spec"].get("stage") == "fit":
            content = with_history(content, path)
        content["diagnosis"] = read_numbers(path.with_name(DIAGNOSIS_FILES[0]), digest)
        return _block(content, name)
    except (_UnusableError, AnalysisError) as error:
        return Block(name, problem=str(error))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return Block(name, problem=f"not a complete result: {type(error).__name__} {error}")


def _check_identity(content: Any, tier: str, digest: str) -> None:
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else None
        raise _UnusableError(f"schema {found!r}, this version reads schema {SCHEMA}")
    if content["tier"] != tier:
        raise _UnusableError(f"made in tier '{content['tier']}', not in '{tier}'")
    if content["digest"] != spec_digest(content["spec"]):
        raise _UnusableError("digest does not fit the specification in the file: it was altered")
    if content["digest"] != digest:
        raise _UnusableError("made from another specification than the plan's: run it again")


def _block(content: Mapping[str, Any], name: str) -> Block:
    spec, entries = content["spec"], content["runs"]
    seeds = [int(entry["seed"]) for entry in entries]
    repeated = sorted(seed for seed, count in Counter(seeds).items() if count > 1)
    if repeated:
        raise _UnusableError(f"seeds given twice: {', '.join(map(str, repeated))}")
    if sorted(seeds) != sorted(int(seed) for seed in spec["seeds"]):
        raise _UnusableError(f"holds seeds {seeds}, its specification says {spec['seeds']}")
    if seed_folder(spec["seeds"]) != Path(name).parent.name:
        raise _UnusableError(f"holds seeds {seeds}: copied from another folder")
    extra = _extra_metrics(content)
    found = [_run(entry, extra.get(int(entry["seed"]), {})) for entry in entries]
    runs = tuple(run for run in found if isinstance(run, Run))
    failed = tuple(run for run in found if isinstance(run, FailedRun))
    record = _record(content, name)
    if len(set(record.sources)) > 1:
        raise _UnusableError(f"mixes data sources ({', '.join(sorted(set(record.sources)))})")
    notes = tuple(
        f"seed {run.seed}: an evaluation holds a value that is not finite"
        for run, entry in zip(found, entries, strict=True)
        if isinstance(run, Run) and _broken(run, entry)
    )
    return Block(name, runs, failed, record, None, notes)


def _broken(run: Run, entry: Mapping[str, Any]) -> bool:
    """Whether an evaluation is not finite; only then are nulls told apart from NaN."""
    if np.isfinite(run.evaluations.values).all():
        return False
    return not_finite(entry["evaluations"])


def _run(entry: Mapping[str, Any], extra: Metrics) -> Run | FailedRun:
    seed = int(entry["seed"])
    evaluations = read_history(entry.get("evaluations") or [])
    if entry["status"] != "finished":
        failure = entry.get("failure") or {}
        at = f" at update {failure['update']:,}" if failure.get("update") is not None else ""
        reason = f"{failure.get('reason', 'no reason recorded')}{at}"
        return FailedRun(seed, reason, evaluations)
    # A fit has no evaluations to sum up: its numbers stand in the entry itself.
    final = entry.get("final", {**entry, "seed": None})
    return checked_run(seed, {**_numbers(final), **extra}, evaluations)


def checked_run(seed: int, metrics: Metrics, evaluations: History) -> Run | FailedRun:
    """A finished run, or a failed one if a final number is not finite or there is none."""
    broken = sorted(key for key, value in metrics.items() if not math.isfinite(value))
    if broken or not metrics:
        reason = f"{', '.join(broken)} not finite" if broken else "no metric recorded"
        return FailedRun(seed, reason, evaluations)
    return Run(seed, metrics, evaluations)


def _numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    """The numeric items; a metric that a task does not have is null and left out."""
    return {key: float(value) for key, value in entry.items() if is_number(value)}


def _extra_metrics(content: Mapping[str, Any]) -> dict[int, dict[str, float]]:
    """By seed: metrics of the run's fits (`fit.<slot>.<key>`), its evaluation and its diagnosis."""
    sources = {f"fit.{slot}": fit for slot, fit in (content.get("fits") or {}).items()}
    for name in ("evaluation", "diagnosis"):
        sources[name] = content.get(name) or {}
    metrics: dict[int, dict[str, float]] = {}
    for prefix, source in sources.items():
        for entry in source.get("runs") or []:
            values = _numbers({key: value for key, value in entry.items() if key != "seed"})
            named = {f"{prefix}.{key}": value for key, value in values.items()}
            metrics.setdefault(int(entry["seed"]), {}).update(named)
    return metrics


def _updates(content: Mapping[str, Any]) -> int:
    """Gradient updates of one run; the file counts those of all its runs together."""
    hyperparameters = content["spec"]["hyperparameters"]
    if "updates" in hyperparameters:
        return int(hyperparameters["updates"])
    return int(content["gradient_updates"]) // max(1, len(content["runs"]))


def _protocol(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in evaluation.items() if key not in ("runs", "starts")}


def _data(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    """The data sets; of demonstrations `learnt` counts the transitions that were kept of each file."""
    data, paths = content.get("data") or (), content.get("paths")
    if not paths:
        return tuple(data)
    return tuple({**entry, "learnt": len(path)} for entry, path in zip(data, paths, strict=True))


def _record(content: Mapping[str, Any], name: str) -> Record:
    spec = content["spec"]
    return Record(
        path=name,
        seeds=tuple(map(int, spec["seeds"])),
        version=spec.get("version"),
        updates=_updates(content),
        environment_steps=int(content["environment_steps"]),
        hyperparameters=spec["hyperparameters"],
        precision=str(content["precision"]),
        evaluation=_protocol(content.get("evaluation") or {}),
        data=_data(content),
        hardware=content["hardware"],
        versions=content["versions"],
        wall_seconds=float(content["wall_seconds"]),
        cpu_seconds=content.get("cpu_seconds"),
        runs_of_the_job=len(spec["seeds"]),
    )
