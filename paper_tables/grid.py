"""What a plan is made of: arms (what is compared) and jobs (what is run)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from paper_tables import paths
from paper_tables.digest import canonical
from paper_tables.schema import Tier

Status = Literal["planned", "not implemented"]
Stage = Literal["train", "fit"]
Device = Literal["cpu", "cuda"]
Spec = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """One algorithm on one task in one experiment, over all its seeds.

    `overrides` are the experiment's own words (also where they equal the default), `cell` names
    those that change something, `hyperparameters` is everything resolved, `budget_changes` gives
    (value, the algorithm's own value) of budget keys that differ, `slot.key` for those of fits.
    `results` is empty when the arm is not implemented.
    """

    paper: str
    experiment: str
    algo: str
    task: str
    cell: str
    overrides: Mapping[str, Any]
    seeds: tuple[int, ...]
    status: Status
    reason: str | None
    results: tuple[str, ...]
    digest: str
    stage: Stage = "train"
    axis: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    budget_changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    diagnose: bool = False

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """What distinguishes one arm from another."""
        return (self.paper, self.experiment, self.algo, self.task, self.cell)

    @property
    def diagnoses(self) -> tuple[str, ...]:
        """Diagnosis files of every block, if the experiment asks for them."""
        if not self.diagnose or self.stage != "train":
            return ()
        return tuple(file for result in self.results for file in paths.diagnosis_files(result))


@dataclass(frozen=True)
class Job:
    """One job of the DAG. `path` is the file (data) or the folder (fit, train) that it makes."""

    kind: Literal["data", "fit", "train"]
    path: str
    spec: Spec
    digest: str
    seeds: tuple[int, ...] = ()
    cell: str = paths.BASE_CELL
    data: tuple[str, ...] = ()
    fits: Mapping[str, str] = field(default_factory=dict)
    mem_mb: int = 0
    runtime_min: int = 0
    core_seconds: float = 0.0

    @cached_property
    def json(self) -> str:
        """The spec as it stands in the shell line."""
        return canonical(self.spec)


@dataclass(frozen=True)
class Plan:
    """All arms of one tier, the jobs to run, and the declared jobs that cannot run yet.

    `misspelt` says of every arm that a misspelt module seems to keep from running what was meant.
    """

    tier: str
    settings: Tier
    arms: tuple[Arm, ...]
    jobs: Mapping[str, Job]
    blocked: Mapping[str, Job]
    misspelt: tuple[str, ...] = ()

    @property
    def warning(self) -> str | None:
        """One line on arms that a misspelt module keeps from running; methods only declared need none."""
        if not self.misspelt:
            return None
        arms = f"{len(self.misspelt)} arm{'s' if len(self.misspelt) > 1 else ''}"
        return (
            f"tier {self.tier}: {arms} cannot run ({'; '.join(dict.fromkeys(self.misspelt))}); "
            f"see: python -m paper_tables.plan --tier {self.tier} --missing"
        )

    def results(
        self, paper: str | None = None, experiment: str | None = None, axis: str | None = None
    ) -> list[str]:
        """Result files of a paper, an experiment or an ablation, each once, in order."""
        wanted = (arm.results for arm in self._arms(paper, experiment, axis))
        return list(dict.fromkeys(itertools.chain.from_iterable(wanted)))

    def diagnoses(
        self, paper: str | None = None, experiment: str | None = None, axis: str | None = None
    ) -> list[str]:
        """Diagnosis files, in the same way."""
        wanted = (arm.diagnoses for arm in self._arms(paper, experiment, axis))
        return list(dict.fromkeys(itertools.chain.from_iterable(wanted)))

    def _arms(self, paper: str | None, experiment: str | None, axis: str | None) -> Iterator[Arm]:
        for arm in self.arms:
            names = ((paper, arm.paper), (experiment, arm.experiment), (axis, arm.axis))
            if all(wanted in (None, own) for wanted, own in names):
                yield arm
