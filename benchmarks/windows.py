"""Subjects measured in turns: every one in a process of its own, a window of each, then again."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.processes import Worker
from benchmarks.results import Row

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Subject:
    """One thing to measure.

    Attributes:
        name: row name.
        factory: ``module:function`` that builds it, called with ``options``.
        against: row that its ratio is taken against.
        prepared: with the process settings of a job (denormals flushed, glibc keeps the heap).
        share: part of the comparison's window that it does; less where a step is several runs' work.
        needs: what it is skipped without: a package, or units of the CPU.
    """

    name: str
    factory: str
    options: Mapping[str, Any]
    against: str | None = None
    prepared: bool = True
    share: float = 1.0
    needs: str | None = None


@dataclass(frozen=True)
class Effort:
    """Steps of warm-up, steps of a window, number of windows."""

    warmup: int
    window: int
    windows: int


@dataclass(frozen=True)
class Comparison:
    """Subjects whose windows alternate."""

    group: str
    unit: str
    subjects: tuple[Subject, ...]
    full: Effort
    quick: Effort
    profile_steps: int = field(default=20, kw_only=True)


class Session:
    """The running workers of a comparison."""

    def __init__(
        self, comparison: Comparison, effort: Effort, workers: Mapping[str, Worker], told: Progress
    ) -> None:
        self.comparison, self.effort, self.workers, self.told = comparison, effort, workers, told
        self.subjects = [each for each in comparison.subjects if each.name in workers]

    def warm(self) -> None:
        """Warm up, on all cores: this part is not measured."""
        cores = max(1, min(os.cpu_count() or 1, len(self.workers)))
        self.told(f"{self.comparison.group}: warm-up, {self.effort.warmup} steps each")
        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda worker: worker.window(self.effort.warmup), self.workers.values()))

    def measure(self) -> list[Row]:
        """All windows, in turns; one row a subject."""
        samples: dict[str, list[dict[str, float]]] = {name: [] for name in self.workers}
        for index in range(self.effort.windows):
            for subject in self.subjects:
                number = f"{index + 1}/{self.effort.windows}"
                self.told(f"{self.comparison.group}: {subject.name}, window {number}")
                samples[subject.name].append(
                    self.workers[subject.name].window(self._steps(subject))
                )
        return [self._row(subject, samples) for subject in self.subjects]

    def profile(self, name: str) -> list[dict[str, Any]]:
        """Where a subject's time goes."""
        self.told(f"{self.comparison.group}: {name}, profile")
        return self.workers[name].profile(self.comparison.profile_steps)

    def _steps(self, subject: Subject) -> int:
        return max(1, round(self.effort.window * subject.share))

    def _row(self, subject: Subject, samples: Mapping[str, Sequence[dict[str, float]]]) -> Row:
        def rates(name: str) -> list[float]:
            return [each["units"] / each["cpu"] for each in samples[name]]

        against = subject.against if subject.against in samples else None
        mine, others = rates(subject.name), rates(against) if against else []
        own = samples[subject.name]
        return Row(
            name=subject.name,
            unit=self.comparison.unit,
            values=mine,
            group=self.comparison.group,
            against=against,
            ratios=[a / b for a, b in zip(mine, others, strict=True)] if against else [],
            peak_memory_mb=max(each["peak_mb"] for each in own),
            busy=max(each["wall"] / each["cpu"] for each in own),
        )


@contextmanager
def session(
    comparison: Comparison, quick: bool, missing: Collection[str | None], told: Progress
) -> Iterator[Session]:
    """Start the workers of a comparison, without the subjects that need what is ``missing``."""
    effort = comparison.quick if quick else comparison.full
    with ExitStack() as stack:
        workers = {
            subject.name: stack.enter_context(Worker(spec(subject)))
            for subject in comparison.subjects
            if subject.needs not in missing
        }
        yield Session(comparison, effort, workers, told)


def spec(subject: Subject) -> dict[str, Any]:
    """What a worker is told to build."""
    return {
        "factory": subject.factory,
        "options": dict(subject.options),
        "prepared": subject.prepared,
    }
