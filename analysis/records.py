"""What one result file says: its runs, its failures and where they come from."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.histories import with_history
from paper_tables.digest import spec_digest
from paper_tables.paths import DIAGNOSIS_FILES

#: The layout of `result.json` that this module reads.
SCHEMA = 1
#: The layout of `diagnosis.json` that this module reads.
DIAGNOSIS_SCHEMA = 1

Metrics = Mapping[str, float]


@dataclass(frozen=True)
class Run:
    """One seed that finished: final metrics by name, evaluations in order of updates."""

    seed: int
    metrics: Metrics
    evaluations: tuple[Metrics, ...] = ()


@dataclass(frozen=True)
class FailedRun:
    """One seed without a usable result, and why."""

    seed: int
    reason: str
    evaluations: tuple[Metrics, ...] = ()


@dataclass(frozen=True)
class Record:
    """Provenance of one block of runs, as its result file states it.

    `evaluation` is the protocol of the evaluation after training; that of the evaluations during
    training stands in the hyperparameters.
    """

    path: str
    updates: int
    environment_steps: int
    hyperparameters: Mapping[str, Any]
    precision: str
    evaluation: Mapping[str, Any]
    data: tuple[Mapping[str, Any], ...]
    hardware: Mapping[str, Any]
    versions: Mapping[str, str]
    wall_seconds: float

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
    except _UnusableError as error:
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
    runs: list[Run] = []
    failed: list[FailedRun] = []
    for entry in entries:
        run = _run(entry, _extra_metrics(content, int(entry["seed"])))
        if isinstance(run, Run):
            runs.append(run)
        else:
            failed.append(run)
    record = _record(content, name)
    if len(set(record.sources)) > 1:
        raise _UnusableError(f"mixes data sources ({', '.join(sorted(set(record.sources)))})")
    notes = tuple(
        f"seed {run.seed}: an evaluation holds a value that is not finite"
        for run in runs
        if any(not math.isfinite(v) for point in run.evaluations for v in point.values())
    )
    return Block(name, tuple(runs), tuple(failed), record, None, notes)


def _run(entry: Mapping[str, Any], extra: Metrics) -> Run | FailedRun:
    seed = int(entry["seed"])
    evaluations = tuple(_numbers(point) for point in entry.get("evaluations") or [])
    if entry["status"] != "finished":
        failure = entry.get("failure") or {}
        at = f" at update {failure['update']:,}" if failure.get("update") is not None else ""
        reason = f"{failure.get('reason', 'no reason recorded')}{at}"
        return FailedRun(seed, reason, evaluations)
    # A fit has no evaluations to sum up: its numbers stand in the entry itself.
    final = entry.get("final", {**entry, "seed": None})
    metrics = {**_numbers(final), **extra}
    broken = sorted(key for key, value in metrics.items() if not math.isfinite(value))
    if broken or not metrics:
        reason = f"{', '.join(broken)} not finite" if broken else "no metric recorded"
        return FailedRun(seed, reason, evaluations)
    return Run(seed, metrics, evaluations)


def _numbers(entry: Mapping[str, Any]) -> dict[str, float]:
    """The numeric items; a metric that a task does not have is null and left out."""
    return {
        key: float(value)
        for key, value in entry.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _extra_metrics(content: Mapping[str, Any], seed: int) -> dict[str, float]:
    """Metrics of the run's fits (`fit.<slot>.<key>`), of its evaluation and of its diagnosis."""
    sources = {f"fit.{slot}": fit for slot, fit in (content.get("fits") or {}).items()}
    for name in ("evaluation", "diagnosis"):
        sources[name] = content.get(name) or {}
    metrics: dict[str, float] = {}
    for prefix, source in sources.items():
        for entry in source.get("runs") or []:
            if entry.get("seed") == seed:
                values = _numbers({k: v for k, v in entry.items() if k != "seed"})
                metrics |= {f"{prefix}.{key}": value for key, value in values.items()}
    return metrics


def _updates(content: Mapping[str, Any]) -> int:
    """Gradient updates of one run; the file counts those of all its runs together."""
    hyperparameters = content["spec"]["hyperparameters"]
    if "updates" in hyperparameters:
        return int(hyperparameters["updates"])
    return int(content["gradient_updates"]) // max(1, len(content["runs"]))


def _record(content: Mapping[str, Any], name: str) -> Record:
    spec = content["spec"]
    return Record(
        path=name,
        updates=_updates(content),
        environment_steps=int(content["environment_steps"]),
        hyperparameters=spec["hyperparameters"],
        precision=str(content["precision"]),
        evaluation={k: v for k, v in (content.get("evaluation") or {}).items() if k != "runs"},
        data=tuple(content["data"]),
        hardware=content["hardware"],
        versions=content["versions"],
        wall_seconds=float(content["wall_seconds"]),
    )
