"""Loading a tier's results through its plan, so that nothing is averaged that does not belong.

Every planned arm comes back, with the runs that finished, those that failed, those that are missing
and the files that were left out, each with its reason. A file that the plan does not name is never
read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.errors import AnalysisError
from analysis.records import Block, FailedRun, Record, Run, read_block
from analysis.statistics import Array
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

    def values(self, metric: str) -> Array:
        """`metric` of every finished run that has it, in order of seeds."""
        found = [run.metrics[metric] for run in self.runs if metric in run.metrics]
        return np.array(found, dtype=np.float64)

    @property
    def sources(self) -> set[str]:
        """Where the data of its runs came from."""
        return {source for record in self.records for source in record.sources}

    def has(self, settings: Mapping[str, Any]) -> bool:
        """Whether the arm was declared with these settings, given as text."""
        known = {key: str(value).lower() for key, value in self.arm.hyperparameters.items()}
        known |= {key: str(value).lower() for key, value in self.arm.overrides.items()}
        return all(known.get(key) == str(value).lower() for key, value in settings.items())


@dataclass(frozen=True)
class Results:
    """All arms of a tier; `runs` and `evaluations` are tidy tables over them."""

    tier: str
    arms: tuple[ArmResult, ...]
    problems: tuple[str, ...] = field(default=())

    def select(self, experiment: str, algo: str, task: str) -> list[ArmResult]:
        """Arms of one algorithm on one task in `paper/experiment`."""
        wanted = (experiment, algo, task)
        return [
            result
            for result in self.arms
            if (f"{result.arm.paper}/{result.arm.experiment}", result.arm.algo, result.arm.task)
            == wanted
        ]

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
        rows: list[dict[str, Any]] = []
        for result in self.arms:
            key = _key(result.arm)
            groups: tuple[tuple[str, tuple[Run | FailedRun, ...]], ...]
            groups = (("finished", result.runs), ("failed", result.failed))
            for status, runs in groups:
                rows += [
                    {**key, "seed": run.seed, "status": status, **point}
                    for run in runs
                    for point in run.evaluations
                ]
        columns = [*ARM_COLUMNS, "seed", "status", "update"]
        return pd.DataFrame(rows, columns=None if rows else columns)


def _key(arm: Arm) -> dict[str, str]:
    return {column: getattr(arm, column) for column in ARM_COLUMNS}


def load(plan: Plan, root: Path = Path()) -> Results:
    """Read every result that `plan` names below `root`.

    Raises:
        AnalysisError: not one planned result exists.
    """
    cache: dict[str, Block | None] = {}
    arms = tuple(_load_arm(arm, plan.tier, root, cache) for arm in plan.arms)
    if not any(result.records or result.problems for result in arms):
        raise AnalysisError(
            f"no results of tier '{plan.tier}' below {root / 'results' / plan.tier}; "
            f"make them with: snakemake --cores 8 --config tier={plan.tier}"
        )
    problems = tuple(dict.fromkeys(text for result in arms for text in result.problems))
    return Results(plan.tier, arms, problems)


def _load_arm(arm: Arm, tier: str, root: Path, cache: dict[str, Block | None]) -> ArmResult:
    """Read an arm's blocks, each file once however many experiments share it."""
    blocks: list[Block] = []
    for path in arm.results:
        if path not in cache:
            cache[path] = read_block(root / path, path, tier, arm.digest)
        block = cache[path]
        if block is not None:
            blocks.append(block)
    problems = [f"{block.path}: {block.problem}" for block in blocks if block.problem]
    problems += [f"{block.path}: {note}" for block in blocks for note in block.notes]
    return _checked(arm, [block for block in blocks if not block.problem], problems)


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
