"""The plan: every arm that a tier runs, and every job that it takes.

``python -m paper_tables.plan --tier quick`` prints the whole grid. Nothing is imported but the
standard library, yaml and pydantic, so planning works where torch is not installed.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from paper_tables import paths
from paper_tables.digest import canonical, sha256
from paper_tables.errors import PlanError, unknown
from paper_tables.registry import Algo, Overrides, Registry, read_papers, read_registry, select
from paper_tables.resolve import Resolved, Resolver, Spec, check_tier
from paper_tables.schema import ArmGroup, Experiment, PaperFile, Selection, Tier

Status = Literal["planned", "not implemented"]
Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Arm:
    """One algorithm on one task in one experiment, over all its seeds.

    `overrides` are the experiment's own words (also where they equal the default), `cell` names
    those that change something, `hyperparameters` is everything resolved.
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
    stage: Literal["train", "fit"] = "train"
    axis: str | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)


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
    mem_mb: int = 1000
    runtime_min: int = 60
    core_seconds: float = 0.0

    @cached_property
    def json(self) -> str:
        """The spec as it stands in the shell line."""
        return canonical(self.spec)


@dataclass(frozen=True)
class Plan:
    """All arms and jobs of one tier."""

    tier: str
    settings: Tier
    arms: tuple[Arm, ...]
    jobs: Mapping[str, Job]

    def results(self, paper: str | None = None, experiment: str | None = None) -> list[str]:
        """Result files of the planned arms of a paper or an experiment, each once, in order."""
        wanted = (
            arm.results
            for arm in self.arms
            if paper in (None, arm.paper) and experiment in (None, arm.experiment)
        )
        return list(dict.fromkeys(itertools.chain.from_iterable(wanted)))


def estimate(arm: Resolved, runs: int) -> float:
    """CPU core-seconds of `runs` runs, from the measured rates in the algorithm's file."""
    rates, values = arm.algo.file.core_seconds, arm.values
    updates = values.get("updates") or values.get("max_updates") or rates.updates_without_cap
    every = values.get("evaluate_every") or 0
    episodes = values.get("evaluation_episodes", 0) * (updates // every if every else 0)
    return runs * (
        updates * rates.update
        + episodes * arm.task.horizon * rates.environment_step
        + values.get("model_buffer_size", 0) * rates.imagined_row
    )


@dataclass
class _Builder:
    """Collects arms and jobs; each distinct job is made once, whoever asks for it."""

    registry: Registry
    tier_name: str
    device: Device
    source: str | None
    jobs: dict[str, Job] = field(default_factory=dict)
    arms: dict[tuple[str, ...], Arm] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tier = self.registry.tier(self.tier_name)
        self.paths = paths.TierPaths(self.tier_name)
        self.resolver = Resolver(self.registry, self.tier_name, self.source)
        self._resolved: dict[tuple[str, str, str], Resolved] = {}

    def experiment(self, paper: PaperFile, name: str, chosen: Selection, where: str) -> None:
        """Add every arm of one experiment that the tier's selection leaves."""
        experiment = paper.experiments[name]
        at = f"{where}: {name}"
        tasks = self._tasks(paper, experiment.tasks, f"{at}: tasks")
        if chosen.tasks:
            tasks = [t for t in tasks if t in self._tasks(paper, chosen.tasks, self.resolver.where)]
        algorithms = None
        if chosen.algorithms:
            algorithms = set(
                select(chosen.algorithms, self.registry.algos, self.resolver.where, "algorithm")
            )
        for group in experiment.arms:
            own = self._tasks(paper, group.tasks, f"{at}: arms: tasks") if group.tasks else tasks
            names = select(
                group.algorithms, self.registry.algos, f"{at}: arms: algorithms", "algorithm"
            )
            for algo in names:
                if algorithms is not None and algo not in algorithms:
                    continue
                for task in (task for task in tasks if task in own):
                    for overrides in _settings(group):
                        self._arm(paper.paper, name, experiment, algo, task, overrides, chosen, at)

    def _tasks(self, paper: PaperFile, wanted: Iterable[str], where: str) -> list[str]:
        names: list[str] = []
        for entry in wanted:
            names += paper.task_groups.get(entry, [entry])
        known = [*self.registry.tasks]
        try:
            return select(names, known, where, "task")
        except PlanError:
            raise

    def _arm(
        self,
        paper: str,
        name: str,
        experiment: Experiment,
        algo_name: str,
        task_name: str,
        overrides: Overrides,
        chosen: Selection,
        where: str,
    ) -> None:
        algo, task = self.registry.algos[algo_name], self.registry.tasks[task_name]
        resolved = self._resolve(algo, task_name, overrides, where)
        reason = self.resolver.reason_missing(resolved)
        seeds = tuple(range(chosen.seeds or self.tier.seeds))
        results: list[str] = []
        if reason is None:
            results = [self._job(resolved, block) for block in self._blocks(algo, seeds)]
        key = (paper, name, algo_name, task_name, resolved.cell)
        self.arms.setdefault(
            key,
            Arm(
                *key,
                overrides={k: overrides[k] for k in sorted(overrides)},
                seeds=seeds,
                status="planned" if reason is None else "not implemented",
                reason=reason,
                results=tuple(results),
                digest=resolved.digest,
                stage=algo.file.stage,
                axis=experiment.axis,
                hyperparameters=resolved.values,
            ),
        )

    def _resolve(self, algo: Algo, task: str, overrides: Overrides, where: str) -> Resolved:
        key = (algo.name, task, canonical(overrides))
        if key not in self._resolved:
            self._resolved[key] = self.resolver.resolve(
                algo, self.registry.tasks[task], overrides, where
            )
        return self._resolved[key]

    def _blocks(self, algo: Algo, seeds: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """Seeds in blocks of fixed size: the largest divisor of the tier's block that fits."""
        most = self.tier.runs_per_job.get(algo.name) or getattr(algo.file.runs_per_job, self.device)
        whole = self.tier.seed_block
        size = max(n for n in range(1, whole + 1) if whole % n == 0 and n <= most)
        for start in range(0, len(seeds), size):
            yield tuple(seeds[start : start + size])

    def _job(self, arm: Resolved, seeds: tuple[int, ...]) -> str:
        """Add the job of one block with all that it needs; return its result file."""
        stage = arm.algo.file.stage
        place = self.paths.run if stage == "train" else self.paths.fit
        cell = paths.cell_folder(arm.cell)
        folder = place(arm.algo.name, arm.task.name, cell, paths.seed_folder(seeds))
        result = paths.RESULT_FILE if stage == "train" else paths.FIT_FILES[0]
        if folder not in self.jobs:
            fits = {}
            for slot, fit in arm.fits.items():
                fits[slot] = str(Path(self._job(fit, seeds)).parent)
            resources = arm.algo.file.resources
            self.jobs[folder] = Job(
                kind=stage,
                path=folder,
                spec={**arm.spec, "seeds": list(seeds)},
                digest=arm.digest,
                seeds=seeds,
                cell=arm.cell,
                data=tuple(self._data(arm, seeds)),
                fits=fits,
                mem_mb=resources.mem_mb + resources.mem_mb_per_run * len(seeds),
                runtime_min=resources.runtime_min,
                core_seconds=estimate(arm, len(seeds)),
            )
        return f"{folder}/{result}"

    def _data(self, arm: Resolved, seeds: tuple[int, ...]) -> list[str]:
        files = []
        for seed in seeds if arm.spec["data"]["seed"] == "run" else seeds[:1]:
            spec = self.resolver.data_spec(arm.task, seed)
            file = paths.data_file(spec)
            if file not in self.jobs:
                self.jobs[file] = Job("data", file, spec, sha256(spec))
            files.append(file)
        return files


def _settings(group: ArmGroup) -> Iterator[Overrides]:
    """The overrides of every point of a group's grid."""
    for point in itertools.product(*group.grid.values()):
        yield {**group.set, **dict(zip(group.grid, point, strict=True))}


def _chosen(
    tier: Tier, papers: Mapping[str, PaperFile], where: str
) -> Iterator[tuple[str, str, Selection]]:
    """(paper, experiment, selection) for each experiment the tier names, unknown names refused."""
    known = [f"{paper}/{name}" for paper, file in papers.items() for name in file.experiments]
    for pattern, selection in tier.experiments.items():
        for name in select([pattern], known, f"{where}: experiments", "experiment"):
            paper, _, experiment = name.partition("/")
            yield paper, experiment, selection


def make_plan(
    tier: str,
    papers: Iterable[str] | None = None,
    root: Path = Path(),
    *,
    config: Path | None = None,
    papers_dir: Path | None = None,
    device: Device = "cpu",
    source: str | None = None,
) -> Plan:
    """Plan one tier.

    Args:
        tier: a tier of `config/tiers.yaml`.
        papers: papers to keep; None keeps all.
        root: the checkout; `config` and `papers_dir` lie in it unless given.
        device: decides how many runs pack into one job.
        source: `local`, `d4rl` or `file` in place of the tier's own data source.

    Raises:
        PlanError: any mistake in the files, as one line with file, key and nearest name.
    """
    config = config or root / "config"
    folder = papers_dir or root / "paper_tables"
    registry = read_registry(config, root)
    check_tier(registry, tier)
    files = read_papers(folder)
    wanted = set(files) if papers is None else set(papers)
    for name in sorted(wanted - set(files)):
        raise unknown(str(folder), "paper", name, files)
    builder = _Builder(registry, tier, device, source)
    for paper, experiment, selection in _chosen(registry.tier(tier), files, builder.resolver.where):
        if paper in wanted:
            where = str(folder / paper / "experiments.yaml")
            builder.experiment(files[paper], experiment, selection, where)
    return Plan(tier, builder.tier, tuple(builder.arms.values()), builder.jobs)


if __name__ == "__main__":
    from paper_tables.overview import main

    sys.exit(main())
