"""Expanding a tier's experiments into arms and jobs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from paper_tables import paths
from paper_tables.algorithms import Algo, Overrides
from paper_tables.digest import sha256
from paper_tables.errors import PlanError, select
from paper_tables.grid import Arm, Device, Job
from paper_tables.registry import Registry
from paper_tables.resolve import Resolved, Resolver
from paper_tables.schema import ArmGroup, PaperFile, Selection

#: So many names of an experiment stand in a message; the others are counted.
MOST_NAMED = 12


@dataclass(frozen=True)
class Wanted:
    """One experiment with the part of it that the tier selects."""

    paper: PaperFile
    name: str
    selection: Selection
    where: str

    @property
    def at(self) -> str:
        """The place in the file, for error messages."""
        return f"{self.where}: {self.name}"


@dataclass
class Builder:
    """Collects arms and jobs of one tier; each distinct job is made once, whoever asks for it.

    `misspelt` are the arms whose module looks misspelt, with what was meant.
    """

    registry: Registry
    tier_name: str
    device: Device
    source: str | None
    root: Path = Path()
    arms: dict[tuple[str, ...], Arm] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    blocked: dict[str, Job] = field(default_factory=dict)
    misspelt: dict[tuple[str, ...], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tier = self.registry.tier(self.tier_name)
        self.paths = paths.TierPaths(self.tier_name)
        self.resolver = Resolver(self.registry, self.tier_name, self.source, self.root)
        self._resolved: dict[tuple[str, str, str], Resolved] = {}

    def add(self, wanted: Wanted) -> None:
        """Add every arm of one experiment that the tier's selection leaves."""
        for algo, task, overrides in self.points(wanted):
            self._add_arm(wanted, algo, task, overrides)

    def check_part(self, entry: str, experiments: Sequence[Wanted]) -> None:
        """Refuse a tier's entry that names what none of its experiments has: it would run nothing.

        Args:
            entry: the name or pattern in the tier.
            experiments: what it stands for, all with the same selection.

        Raises:
            PlanError: one line with the key and what the experiments have.
        """
        chosen = experiments[0].selection
        if not chosen.tasks and not chosen.algorithms:
            return
        whole = [(one, self._whole(one)) for one in experiments]
        where = f"{self.resolver.where}: experiments.{entry}"
        for item in chosen.tasks:
            kept = {n for one, _ in whole for n in self._tasks(one.paper, [item], where)}
            _check_item(f"{where}: tasks", item, kept, [task for _, p in whole for _, task in p])
        for item in chosen.algorithms:
            kept = set(self._algorithms([item], where))
            _check_item(f"{where}: algorithms", item, kept, [a for _, p in whole for a, _ in p])
        both = chosen.tasks and chosen.algorithms
        if both and not any(True for one in experiments for _ in self.points(one)):
            raise PlanError(f"{where}: no arm has both one of these algorithms and these tasks")

    def _whole(self, wanted: Wanted) -> list[tuple[str, str]]:
        """(algorithm, task) of every arm of an experiment, whatever its tier selects."""
        every = self.points(replace(wanted, selection=Selection()))
        return [(algo.name, task) for algo, task, _ in every]

    def points(self, wanted: Wanted) -> Iterator[tuple[Algo, str, Overrides]]:
        """(algorithm, task, overrides) of every arm of an experiment that its selection leaves."""
        experiment = wanted.paper.experiments[wanted.name]
        tasks = self._tasks(wanted.paper, experiment.tasks, wanted.at)
        chosen = wanted.selection
        if chosen.tasks:
            kept = set(self._tasks(wanted.paper, chosen.tasks, self.resolver.where))
            tasks = [task for task in tasks if task in kept]
        kept_algos = self._algorithms(chosen.algorithms or ["*"], self.resolver.where)
        for group in experiment.arms:
            own = set(self._tasks(wanted.paper, group.tasks, wanted.at) if group.tasks else tasks)
            for algo in self._algorithms(group.algorithms, wanted.at):
                if algo not in kept_algos:
                    continue
                for task in tasks:
                    if task in own:
                        for overrides in _settings(group):
                            yield self.registry.algos[algo], task, overrides

    def _tasks(self, paper: PaperFile, entries: Iterable[str], where: str) -> list[str]:
        """Tasks that names, patterns and groups select, in the order of the registry."""
        names = [name for entry in entries for name in paper.task_groups.get(entry, [entry])]
        return select(names, self.registry.tasks, f"{where}: tasks", "task", paper.task_groups)

    def _algorithms(self, entries: Iterable[str], where: str) -> list[str]:
        return select(entries, self.registry.algos, f"{where}: algorithms", "algorithm")

    def _add_arm(self, wanted: Wanted, algo: Algo, task: str, overrides: Overrides) -> None:
        resolved = self._resolve(algo, task, overrides, wanted.at)
        reason = self.resolver.reason_missing(resolved)
        first = wanted.paper.experiments[wanted.name].first_seed
        seeds = tuple(range(first, first + (wanted.selection.seeds or self.tier.seeds)))
        jobs = self.jobs if reason is None else self.blocked
        blocks = self._blocks(algo, seeds, wanted.name)
        results = [self._job(resolved, block, jobs) for block in blocks]
        arm = Arm(
            paper=wanted.paper.paper,
            experiment=wanted.name,
            algo=algo.name,
            task=task,
            cell=resolved.cell,
            overrides={key: overrides[key] for key in sorted(overrides)},
            seeds=seeds,
            status="planned" if reason is None else "not implemented",
            reason=reason,
            results=tuple(results) if reason is None else (),
            digest=resolved.digest,
            stage=algo.file.stage,
            axis=wanted.paper.experiments[wanted.name].axis,
            hyperparameters=resolved.values,
            budget_changes=resolved.budget_changes,
            diagnose=wanted.paper.experiments[wanted.name].diagnose,
        )
        known = self.arms.get(arm.key)
        if known is None or len(known.seeds) < len(seeds):
            self.arms[arm.key] = arm
        if self.resolver.misspelt(resolved):
            self.misspelt[arm.key] = str(reason)

    def _resolve(self, algo: Algo, task: str, overrides: Overrides, where: str) -> Resolved:
        key = (algo.name, task, repr(sorted(overrides.items())))
        if key not in self._resolved:
            self._resolved[key] = self.resolver.resolve(
                algo, self.registry.tasks[task], overrides, where
            )
        return self._resolved[key]

    def _blocks(
        self, algo: Algo, seeds: Sequence[int], experiment: str
    ) -> Iterator[tuple[int, ...]]:
        """Seeds in blocks of one size: the largest divisor of the tier's block that one job holds.

        The size does not depend on the number of seeds, so more seeds only add blocks.
        """
        most = self.tier.runs_per_job.get(algo.name, algo.file.runs_per_job.on(self.device))
        whole = self.tier.block_of(algo.name)
        if len(seeds) % whole:
            raise PlanError(
                f"{self.resolver.where}: {experiment}: {len(seeds)} seeds are not a multiple of "
                f"{algo.name}'s seed_block {whole}"
            )
        size = max(n for n in range(1, whole + 1) if whole % n == 0 and n <= most)
        for start in range(0, len(seeds), size):
            yield tuple(seeds[start : start + size])

    def _job(self, arm: Resolved, seeds: tuple[int, ...], jobs: dict[str, Job]) -> str:
        """Add the job of one block with all that it needs; return its result file."""
        train = arm.algo.file.stage == "train"
        place = self.paths.run if train else self.paths.fit
        block = paths.seed_folder(seeds)
        folder = place(arm.algo.name, arm.task.name, paths.cell_folder(arm.cell), block)
        if folder not in jobs:
            fits = {slot: self._fit_folder(fit, seeds, jobs) for slot, fit in arm.fits.items()}
            resources = arm.algo.file.resources
            jobs[folder] = Job(
                kind=arm.algo.file.stage,
                path=folder,
                spec={**arm.spec, "seeds": list(seeds)},
                digest=arm.digest,
                seeds=seeds,
                cell=arm.cell,
                data=tuple(self._data(arm, seeds, jobs)),
                fits=fits,
                mem_mb=resources.mem_mb + resources.mem_mb_per_run * len(seeds),
                runtime_min=resources.runtime_min,
                core_seconds=arm.core_seconds * len(seeds),
            )
        return f"{folder}/{paths.RESULT_FILE if train else paths.FIT_FILES[0]}"

    def _fit_folder(self, fit: Resolved, seeds: tuple[int, ...], jobs: dict[str, Job]) -> str:
        return self._job(fit, seeds, jobs).removesuffix(f"/{paths.FIT_FILES[0]}")

    def _data(self, arm: Resolved, seeds: tuple[int, ...], jobs: dict[str, Job]) -> Iterator[str]:
        """Data files of a block: one a seed, or the one that all runs share; online: none."""
        if arm.spec["data"] is None:
            return
        own = arm.spec["data"]["seed"] == "run"
        for seed in seeds if own else seeds[:1]:
            spec = self.resolver.data.spec(arm.task, arm.data, seed)
            file = paths.data_file(spec)
            if file not in jobs:
                jobs[file] = Job("data", file, spec, sha256(spec))
            yield file


def _check_item(where: str, item: str, kept: set[str], has: Iterable[str]) -> None:
    """Raise if an entry of a selection keeps nothing of what the experiments have."""
    names = list(dict.fromkeys(has))
    if not kept.intersection(names):
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        known = ", ".join(names[:MOST_NAMED])
        raise PlanError(f"{where}: '{item}' selects nothing; the experiment has {known}{more}")


def _settings(group: ArmGroup) -> Iterator[Overrides]:
    """The overrides of every point of a group's grid."""
    for point in itertools.product(*group.grid.values()):
        yield {**group.set, **dict(zip(group.grid, point, strict=True))}
