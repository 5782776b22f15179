"""The run loop: updates, metrics, evaluation, failures of single runs, checkpoints, signals.

Noise and indices are functions of (seed, component, chunk), so a checkpoint holds no minibatches: the learner's state
(parameters, optimisers, counters, what it imagined) and the history, and may be taken after any update.
"""

from __future__ import annotations

import csv
import functools
import io
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from algos.core import checkpoint, files
from algos.core.progress import reported

CHECKPOINT_SECONDS = float(os.environ.get("HINDCAST_CHECKPOINT_SECONDS", "120"))


class Learner(Protocol):
    """What the loop needs of a method."""

    seeds: tuple[int, ...]
    chunk: int
    metrics: tuple[str, ...]

    @property
    def finished(self) -> bool:
        """Whether the method has decided to stop before its last update."""

    def draw(self, chunk: int) -> Any:
        """Minibatches and noise of one chunk of updates."""

    def update(self, drawn: Any, index: int) -> Tensor:
        """One update of all runs; returns metrics ``[M, R]`` in the order of ``metrics``."""

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""


@runtime_checkable
class WarmsUp(Protocol):
    """A learner with work to do before its first update, in steps that a signal may come between."""

    warm_up_steps: int

    def warm_up(self, step: int) -> None:
        """Do one of them."""


class MethodError(TypeError):
    """A method does not keep what ``docs/contracts.md`` asks of one."""


@dataclass(frozen=True)
class Failed:
    """What an evaluation returns for a run that cannot go on."""

    reason: str


@dataclass(frozen=True)
class Clock:
    """A moment in wall time and in CPU time of this process, seconds."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Clock:
        """The present moment."""
        return cls(time.monotonic(), time.process_time())


Evaluation = Callable[[int, list[bool]], list[dict[str, Any] | Failed | None]]


@dataclass
class History:
    """What a training job has recorded so far; JSON values only."""

    update: int = 0
    warmed_up: int = 0
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    evaluations: list[list[dict[str, Any]]] = field(default_factory=list)
    failures: list[dict[str, Any] | None] = field(default_factory=list)


class Interrupted(SystemExit):
    """SIGTERM or SIGINT arrived; the state has been saved."""


@dataclass
class Loop:
    """Trains a learner for ``updates`` updates, evaluating every ``evaluate_every`` and at the end.

    Attributes:
        learner: the method.
        updates: updates to make.
        evaluate_every: updates between evaluations.
        evaluate: measures the runs that are alive; None for a run that is not measured, `Failed` for one that broke.
        scratch: folder of the checkpoint.
        digest: of the spec; a checkpoint of another one is refused.
        inputs: fingerprint of data and fits; a checkpoint made on others is put aside.
        label: for progress.
        failures: runs that have failed before they began.
        started: when the job began, so that the times include what came before the first update.
    """

    learner: Learner
    updates: int
    evaluate_every: int
    evaluate: Evaluation
    scratch: Path
    digest: str
    inputs: str
    label: str = "train"
    failures: list[dict[str, Any] | None] | None = None
    started: Clock = field(default_factory=Clock.now)
    _saved: float = field(default=0.0, init=False, repr=False)

    def run(self) -> History:
        """Train to the end, from the checkpoint in ``scratch`` when there is one."""
        history, pending = self._resume()
        before = Clock(history.wall_seconds, history.cpu_seconds)
        self._saved = time.monotonic()
        with _signals() as stop:
            between = functools.partial(self._between, history, before, stop)
            self._warm_up(history, lambda: between(pending))
            with reported(
                self.scratch, self.label, self.updates, "updates", history.update
            ) as tell:
                while self._goes_on(history):
                    done = history.update
                    pending = self._chunk(history, pending, stop)
                    tell(history.update - done)
                    between(pending)
        self._save(history, pending)
        return history

    def _between(self, history: History, before: Clock, stop: list[int], pending: Tensor) -> None:
        """Between two steps: count the time since ``before``, stop if a signal came, save now and then."""
        now = Clock.now()
        history.wall_seconds = before.wall + now.wall - self.started.wall
        history.cpu_seconds = before.cpu + now.cpu - self.started.cpu
        if stop:
            self._save(history, pending)
            self._say_goodbye(history, stop[0])
            raise Interrupted(128 + stop[0])
        if now.wall - self._saved > CHECKPOINT_SECONDS:
            self._save_if_possible(history, pending)
            self._saved = time.monotonic()

    def _say_goodbye(self, history: History, number: int) -> None:
        files.tell(
            f"{self.label}: stopped by {signal.Signals(number).name} at update {history.update:,}; "
            f"the same command goes on from {self.scratch / checkpoint.CHECKPOINT}"
        )

    def _goes_on(self, history: History) -> bool:
        some_alive = None in history.failures
        return history.update < self.updates and some_alive and not self.learner.finished

    def _warm_up(self, history: History, between: Callable[[], None]) -> None:
        """Do what comes before the first update."""
        learner = self.learner
        if not isinstance(learner, WarmsUp) or history.warmed_up >= learner.warm_up_steps:
            return
        label, steps = f"{self.label}, before its updates", learner.warm_up_steps
        with reported(self.scratch, label, steps, "steps", history.warmed_up) as tell:
            while history.warmed_up < steps and self._goes_on(history):
                learner.warm_up(history.warmed_up)
                history.warmed_up += 1
                tell(1)
                between()

    def _chunk(self, history: History, pending: Tensor, stop: list[int]) -> Tensor:
        """Updates up to the end of the chunk, the next evaluation or a signal; returns metric sums ``[M+1, R]``."""
        size = self.learner.chunk
        drawn = self.learner.draw(history.update // size)
        end = min((history.update // size + 1) * size, self.updates, self._next_evaluation(history))
        recorded: list[Tensor] = []
        while history.update < end and not stop:
            found = self.learner.update(drawn, history.update % size)
            if not recorded:
                self._require_metrics(found)
            recorded.append(found)
            history.update += 1
        if recorded:
            values = torch.stack(recorded).double().cpu()
            self._record_failures(history, values)
            # one by one: the sum must not depend on where a checkpoint cut the chunk
            for value in values:
                pending = pending + torch.cat([value, torch.ones_like(value[:1])])
        if history.update == end and end in (self._next_evaluation(history, end), self.updates):
            self._evaluate(history, pending)
            pending = torch.zeros_like(pending)
        return pending

    def _require_metrics(self, found: object) -> None:
        """Means over runs would pass for metrics of each, and the failure of one run for another's."""
        names, wanted = self.learner.metrics, (len(self.learner.metrics), len(self.learner.seeds))
        shape = tuple(found.shape) if isinstance(found, Tensor) else None
        if shape != wanted:
            what = type(found).__name__ if shape is None else f"a tensor of shape {shape}"
            raise MethodError(
                f"{type(self.learner).__name__}.update returned {what}, wanted a tensor of shape {wanted}: "
                f"a row for each of metrics {names}, a column for each run"
            )

    def _next_evaluation(self, history: History, at: int | None = None) -> int:
        done = history.update if at is None else at - 1
        return (done // self.evaluate_every + 1) * self.evaluate_every

    def _record_failures(self, history: History, values: Tensor) -> None:
        """A run whose metrics are not finite is stopped, with the update and the metric that broke; others go on."""
        bad = ~torch.isfinite(values)
        for run in range(values.shape[2]):
            if history.failures[run] is None and bool(bad[:, :, run].any()):
                step = int(bad[:, :, run].any(dim=1).nonzero()[0])
                metric = self.learner.metrics[int(bad[step, :, run].nonzero()[0])]
                first = history.update - values.shape[0] + 1
                history.failures[run] = {
                    "update": first + step,
                    "reason": f"{metric} is not finite",
                }

    def _evaluate(self, history: History, pending: Tensor) -> None:
        alive = [failure is None for failure in history.failures]
        found = self.evaluate(history.update, alive)
        for run, evaluation in enumerate(found):
            if evaluation is None:
                continue
            if isinstance(evaluation, Failed):
                history.failures[run] = {"update": history.update, "reason": evaluation.reason}
                continue
            means = (pending[:-1, run] / pending[-1, run]).tolist()
            entry = {"update": history.update, **evaluation}
            entry |= dict(zip(self.learner.metrics, means, strict=True))
            history.evaluations[run].append(entry)

    def _resume(self) -> tuple[History, Tensor]:
        path = self.scratch / checkpoint.CHECKPOINT
        if not path.exists():
            return self._beginning()
        saved = checkpoint.load(path)
        if saved["digest"] != self.digest:
            raise checkpoint.CheckpointError(
                f"{path}: belongs to another spec (digest {saved['digest'][:12]}, this job is "
                f"{self.digest[:12]}); delete its folder to start this job afresh"
            )
        if saved["inputs"] != self.inputs:
            files.tell(f"{path}: made on other data or fits; starting afresh")
            return self._beginning()
        self.learner.restore(saved["learner"])
        return History(**saved["history"]), saved["pending"]

    def _beginning(self) -> tuple[History, Tensor]:
        runs = len(self.learner.seeds)
        failures = list(self.failures or [None] * runs)
        history = History(evaluations=[[] for _ in range(runs)], failures=failures)
        return history, torch.zeros(len(self.learner.metrics) + 1, runs, dtype=torch.float64)

    def _save_if_possible(self, history: History, pending: Tensor) -> None:
        """A checkpoint that finds no room must not end a run that can go on: the old one stays."""
        try:
            self._save(history, pending)
        except OSError as error:
            files.tell(f"no checkpoint at update {history.update}: {files.explain(error)}")

    def _save(self, history: History, pending: Tensor) -> None:
        state = {
            "digest": self.digest,
            "inputs": self.inputs,
            "learner": self.learner.state(),
            "history": vars(history),
            "pending": pending,
        }
        checkpoint.save(self.scratch / checkpoint.CHECKPOINT, state)


@contextmanager
def _signals() -> Iterator[list[int]]:
    """A list that receives the number of the first SIGTERM or SIGINT."""
    received: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(number)

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield received
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def progress_csv(seeds: tuple[int, ...], evaluations: list[list[dict[str, Any]]]) -> str:
    """One line per run and evaluation; scalar values only, in a fixed column order."""
    rows = [
        {"seed": seed, **{k: v for k, v in entry.items() if not isinstance(v, dict | list)}}
        for seed, entries in zip(seeds, evaluations, strict=True)
        for entry in entries
    ]
    columns = list(dict.fromkeys(key for row in rows for key in row)) or ["seed", "update"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
