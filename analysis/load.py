"""Loading a tier's results through its plan, so that nothing is averaged that does not belong.

Every planned arm comes back, with the runs that finished, those that failed, those that are missing
and the files that were left out, each with its reason. A file that the plan does not name is never
read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import AnalysisError
from analysis.exported import ExportedRuns
from analysis.metrics import Reading, parse_metric
from analysis.records import Block, FailedRun, Record, Run, read_block
from analysis.statistics import Array
from paper_tables.paths import RESULT_FILE, TierPaths
from paper_tables.plan import Arm, Plan

ARM_COLUMNS = ["paper", "experiment", "algo", "task", "cell"]


@dataclass(frozen=True)
class ArmResult:
    """One arm of the plan with what its result files hold."""

    arm: Arm
    runs: tuple[Run, ...] = ()
    failed: tuple[FailedRun, ...] = ()
    missing: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()
    records: tuple[Record, ...] = ()

    @property
    def name(self) -> str:
        """Algorithm, task and cell in one phrase for messages."""
        return f"{self.arm.algo} on {self.arm.task} ({self.arm.cell})"

    @property
    def every(self) -> tuple[Run | FailedRun, ...]:
        """Finished runs, then failed ones."""
        return (*self.runs, *self.failed)

    def values(self, metric: str) -> Array:
        """`metric` of every finished run that has it, in order of seeds.

        Metrics made of evaluations (`auc:score`, ..) are spelled as in `analysis.metrics`.
        """
        found = (reading.value for reading in self.readings(metric) if not reading.absent)
        return np.fromiter(found, dtype=np.float64)

    def readings(self, metric: str) -> list[Reading]:
        """`metric` of every finished run, censored or absent where it is, in order of seeds."""
        parsed = parse_metric(metric)
        last = self.arm.hyperparameters.get("report_evaluations")
        return [parsed.read(run, last) for run in self.runs]

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row an evaluation during training: seed, status and its metrics."""
        runs = [run for run in self.every if len(run.evaluations)]
        names = tuple(dict.fromkeys(name for run in runs for name in run.evaluations.names))
        if not runs:
            return pd.DataFrame(columns=["seed", "status", "update"])
        table = pd.DataFrame(
            np.concatenate([run.evaluations.matrix(names) for run in runs]), columns=list(names)
        )
        sizes = [len(run.evaluations) for run in runs]
        status = ["finished" if isinstance(run, Run) else "failed" for run in runs]
        table.insert(0, "seed", np.repeat([run.seed for run in runs], sizes))
        table.insert(1, "status", np.repeat(status, sizes))
        return table

    @property
    def sources(self) -> set[str]:
        """Where the data of its runs came from."""
        return {source for record in self.records for source in record.sources}

    def exported(self) -> dict[Path, list[int]]:
        """Seeds of runs that were read from exports, by folder."""
        found: dict[Path, list[int]] = {}
        for record in self.records:
            if record.export:
                found.setdefault(record.export.folder, []).extend(sorted(record.seeds))
        return found

    @cached_property
    def declared(self) -> dict[str, Any]:
        """Hyperparameters and overrides that the arm was declared with."""
        return {**self.arm.hyperparameters, **self.arm.overrides}


@dataclass(frozen=True)
class Results:
    """All arms of a tier; `runs` and `evaluations` are tidy tables over them."""

    tier: str
    arms: tuple[ArmResult, ...]
    problems: tuple[str, ...] = field(default=())

    @cached_property
    def _index(self) -> dict[tuple[str, str, str], list[ArmResult]]:
        index: dict[tuple[str, str, str], list[ArmResult]] = {}
        for result in self.arms:
            arm = result.arm
            key = (f"{arm.paper}/{arm.experiment}", arm.algo, arm.task)
            index.setdefault(key, []).append(result)
        return index

    def select(self, experiment: str, algo: str, task: str) -> list[ArmResult]:
        """Arms of one algorithm on one task in `paper/experiment`."""
        return self._index.get((experiment, algo, task), [])

    @cached_property
    def runs(self) -> pd.DataFrame:
        """One row a run: the arm, seed, status, reason and every metric (NaN where failed)."""
        rows: list[dict[str, Any]] = []
        for result in self.arms:
            key = _key(result.arm)
            rows += [
                {**key, "seed": run.seed, "status": "finished", **run.metrics}
                for run in result.runs
            ]
            rows += [
                {**key, "seed": run.seed, "status": "failed", "reason": run.reason}
                for run in result.failed
            ]
        return pd.DataFrame(rows, columns=None if rows else [*ARM_COLUMNS, "seed", "status"])

    @cached_property
    def evaluations(self) -> pd.DataFrame:
        """One row an evaluation during training: the arm, seed, status, update and its metrics."""
        used = [arm for arm in self.arms if not arm.evaluations.empty]
        if not used:
            return pd.DataFrame(columns=[*ARM_COLUMNS, "seed", "status", "update"])
        table = pd.concat([arm.evaluations for arm in used], ignore_index=True)
        sizes = [len(arm.evaluations) for arm in used]
        for place, column in enumerate(ARM_COLUMNS):
            values = pd.Categorical([getattr(arm.arm, column) for arm in used])
            codes = np.repeat(values.codes, sizes)
            named = pd.Categorical.from_codes(codes, values.categories)
            table.insert(place, column, pd.Series(named))
        return table


def read_elsewhere(arms: Iterable[ArmResult]) -> list[str]:
    """One line for each export that runs of `arms`, each with runs of its own, were read from."""
    counts: Counter[Path] = Counter()
    for arm in arms:
        counts.update({folder: len(seeds) for folder, seeds in arm.exported().items()})
    return [f"{number} runs from {folder}" for folder, number in sorted(counts.items())]


def _key(arm: Arm) -> dict[str, str]:
    return {column: getattr(arm, column) for column in ARM_COLUMNS}


def load(
    plan: Plan,
    root: Path = Path(),
    may_be_empty: bool = False,
    exported: ExportedRuns | None = None,
) -> Results:
    """Read every result that `plan` names below `root`, and what is missing there from `exported`.

    `may_be_empty`: the plan is part of a tier, and it is enough that the tier has any result.

    Raises:
        AnalysisError: not one planned result exists.
    """
    cache: dict[tuple[str, str], Block | None] = {}
    arms = tuple(_load_arm(arm, plan.tier, root, cache, exported) for arm in plan.arms)
    folder = root / TierPaths(plan.tier).root
    found = any(result.records or result.problems for result in arms)
    if not found and not (may_be_empty and any(folder.rglob(RESULT_FILE))):
        also = f", and none of the {len(exported)} exported runs is one of it" if exported else ""
        raise AnalysisError(
            f"no results of tier '{plan.tier}' below {folder}{also}; "
            f"make them with: snakemake --cores 8 --config tier={plan.tier}"
        )
    problems = tuple(dict.fromkeys(text for result in arms for text in result.problems))
    return Results(plan.tier, arms, problems)


def distinct(arms: Iterable[ArmResult]) -> list[ArmResult]:
    """Arms with runs of their own: of those that share runs, whoever asks for them, the one with most.

    The first result file tells arms apart: seeds come in fixed blocks, so more seeds only add files.
    """
    found: dict[str, ArmResult] = {}
    for result in arms:
        files = result.arm.results
        if files and (files[0] not in found or len(files) > len(found[files[0]].arm.results)):
            found[files[0]] = result
    return list(found.values())


def _load_arm(
    arm: Arm,
    tier: str,
    root: Path,
    cache: dict[tuple[str, str], Block | None],
    exported: ExportedRuns | None,
) -> ArmResult:
    """Read an arm's blocks, each file once however many experiments share it."""
    blocks: list[Block] = []
    for path in arm.results:
        key = (path, arm.digest)
        if key not in cache:
            cache[key] = read_block(root / path, path, tier, arm.digest)
        block = cache[key]
        if block is not None:
            blocks.append(block)
    problems = [f"{block.path}: {block.problem}" for block in blocks if block.problem]
    problems += [f"{block.path}: {note}" for block in blocks for note in block.notes]
    used = [block for block in blocks if not block.problem]
    if exported is not None and arm.results:
        own = {seed for block in used for seed in block.seeds}
        used += exported.blocks(arm, set(arm.seeds) - own)
    return _checked(arm, used, problems)


def _checked(arm: Arm, blocks: list[Block], problems: list[str]) -> ArmResult:
    """Join blocks; seeds that appear twice or data of several sources make the arm unusable."""
    runs = sorted((run for block in blocks for run in block.runs), key=lambda run: run.seed)
    failed = sorted((run for block in blocks for run in block.failed), key=lambda run: run.seed)
    records = tuple(block.record for block in blocks if block.record)
    seeds = Counter([*(run.seed for run in runs), *(run.seed for run in failed)])
    repeated = sorted(seed for seed, count in seeds.items() if count > 1)
    sources = sorted({source for record in records for source in record.sources})
    where = f"{arm.algo} on {arm.task} ({arm.cell})"
    conflict = None
    if repeated:
        conflict = f"{where}: seeds in several files: {', '.join(map(str, repeated))}"
    elif len(sources) > 1:
        conflict = f"{where}: runs on data of several sources ({', '.join(sources)})"
    if conflict:
        return ArmResult(arm, missing=arm.seeds, problems=(*problems, f"{conflict}; left out"))
    problems += [f"{where}: seed {run.seed} failed: {run.reason}; left out" for run in failed]
    missing = tuple(seed for seed in arm.seeds if seed not in seeds)
    return ArmResult(arm, tuple(runs), tuple(failed), missing, tuple(problems), records)
