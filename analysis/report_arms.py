"""What the report shows of one arm: its settings, single runs, data, machine and learning curves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from analysis import labels
from analysis.labels import DASH
from analysis.load import ArmResult, Results
from analysis.report_plots import Curve, curve_metric, learning_curve
from analysis.report_words import count, duration, plain, significant, with_spread
from analysis.statistics import t_interval
from analysis.workspace import Workspace
from paper_tables.digest import sha256
from paper_tables.paths import BASE_CELL

#: Metrics shown first, in this order; the others follow as the results hold them.
FIRST_METRICS = ("score", "return", "success", "holdout_mse", "goal_hold")
#: Letters of the readable part of an anchor.
ANCHOR_LETTERS = 80


@dataclass(frozen=True)
class Metric:
    """One metric of an arm: mean with interval, and one text for each planned seed."""

    name: str
    mean: str
    runs: tuple[str, ...]


@dataclass(frozen=True)
class Setting:
    """One hyperparameter with its value; `by_experiment` where the experiment set it."""

    key: str
    value: str
    by_experiment: bool


@dataclass(frozen=True)
class DataSet:
    """One data set: the seeds trained on it and where it came from."""

    seeds: str
    source: str
    transitions: str
    sha256: str


@dataclass(frozen=True)
class ArmView:
    """One arm as a panel of the report; `facts` are pairs of a label and its texts."""

    anchor: str
    title: str
    task: str
    cell: str
    counts: str
    headline: str
    facts: tuple[tuple[str, tuple[str, ...]], ...]
    deviations: tuple[tuple[str, str, str], ...]
    columns: tuple[str, ...]
    metrics: tuple[Metric, ...]
    failed: tuple[tuple[int, str], ...]
    settings: tuple[Setting, ...]
    data: tuple[DataSet, ...]
    problems: tuple[str, ...]
    curve: Curve | None


@dataclass(frozen=True)
class Catalogue:
    """All arms with results, each once however many experiments share its runs."""

    space: Workspace
    results: Results

    @cached_property
    def groups(self) -> dict[tuple[str, ...], list[ArmResult]]:
        """Arms by the result files they read; experiments that share them stand together."""
        found: dict[tuple[str, ...], list[ArmResult]] = {}
        for result in self.results.arms:
            if result.runs or result.failed or result.problems:
                found.setdefault(result.arm.results, []).append(result)
        return found

    def anchor(self, result: ArmResult) -> str | None:
        """Where the panel of an arm is, None if it has none."""
        arm = result.arm
        if arm.results not in self.groups:
            return None
        # The readable part alone could collide once its signs are replaced.
        words = "-".join((arm.algo, arm.task, arm.cell))[:ANCHOR_LETTERS]
        slug = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
        return f"runs-{slug}-{sha256(list(arm.results))[:8]}"

    def views(self) -> list[ArmView]:
        """The panels in order of task and plan."""
        tasks = list(dict.fromkeys(result.arm.task for result in self.results.arms))
        groups = sorted(self.groups.values(), key=lambda group: tasks.index(group[0].arm.task))
        return [self._view(group) for group in groups]

    def _view(self, group: Sequence[ArmResult]) -> ArmView:
        result = group[0]
        arm, seeds = result.arm, result.arm.seeds
        metrics = tuple(_metrics(result))
        counts = count(len(seeds), "run")
        if len(result.runs) != len(seeds):
            counts = f"{len(result.runs)} of {counts}"
        return ArmView(
            anchor=self.anchor(result) or "",
            title=self.space.title(arm.algo),
            task=arm.task,
            cell="" if arm.cell == BASE_CELL else arm.cell,
            counts=counts,
            headline=f"{metrics[0].name} {metrics[0].mean}" if metrics else "",
            facts=tuple(_facts(group)),
            deviations=tuple(_deviations(result)),
            columns=tuple(map(str, seeds)),
            metrics=metrics,
            failed=tuple((run.seed, run.reason) for run in result.failed),
            settings=tuple(_settings(result)),
            data=tuple(_data(result)),
            problems=tuple(problem for problem in result.problems if " failed: " not in problem),
            curve=learning_curve(result),
        )


def _metrics(result: ArmResult) -> Iterable[Metric]:
    """Every metric of the finished runs, the most telling first."""
    runs = {run.seed: run.metrics for run in result.runs}
    names = list(dict.fromkeys(name for metrics in runs.values() for name in metrics))
    shown = curve_metric(result)
    first = [name for name in (shown, *FIRST_METRICS) if name in names]
    for name in dict.fromkeys([*first, *names]):
        texts = tuple(
            significant(runs[seed][name]) if name in runs.get(seed, {}) else DASH
            for seed in result.arm.seeds
        )
        values = np.array([metrics[name] for metrics in runs.values() if name in metrics])
        yield Metric(name, with_spread(t_interval(values)), texts)


def _facts(group: Sequence[ArmResult]) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Where the numbers come from, as pairs of a label and one text or more."""
    result = group[0]
    records = result.records
    walls = [duration(record.wall_seconds) for record in records if record.wall_seconds]
    steps = sorted({record.environment_steps for record in records if record.environment_steps})
    metric = curve_metric(result) or "score"
    pairs: list[tuple[str, Iterable[str]]] = [
        ("Experiments", dict.fromkeys(f"{r.arm.paper}/{r.arm.experiment}" for r in group)),
        ("Seeds", [", ".join(map(str, result.arm.seeds))]),
        ("Missing seeds", [", ".join(map(str, result.missing))]),
        ("Updates a run", [labels.budget(result)]),
        ("Environment steps", [" / ".join(f"{step:,}" for step in steps)]),
        ("Evaluation", [labels.evaluation(result, metric)]),
        ("Wall time", [" + ".join(walls) + (", one for each job" if len(walls) > 1 else "")]),
        ("Precision", [labels.precision(result)]),
        ("Hardware", [labels.hardware(result)]),
        ("Versions", [_versions(result)]),
        ("Digest", [result.arm.digest]),
        ("Files", [record.path for record in records]),
    ]
    for label, texts in pairs:
        found = tuple(filter(None, texts))
        if found:
            yield label, found


def _versions(result: ArmResult) -> str:
    """All recorded versions, the project's own first."""
    return labels.listed(
        ", ".join(
            f"{name} {record.versions[name]}"
            for name in sorted(record.versions, key=lambda name: (name != "hindcast", name))
        )
        for record in result.records
    )


def _deviations(result: ArmResult) -> Iterable[tuple[str, str, str]]:
    """What differs from the published setting: key, here, published."""
    arm = result.arm
    if arm.cell != BASE_CELL:
        yield "setting", arm.cell, "the configured defaults"
    for key, (value, own) in sorted(arm.budget_changes.items()):
        yield key, plain(value), plain(own)


def _settings(result: ArmResult) -> Iterable[Setting]:
    arm = result.arm
    values: Mapping[str, Any] = {**arm.hyperparameters, **arm.overrides}
    for key in sorted(values):
        yield Setting(key, plain(values[key]), key in arm.overrides)


def _data(result: ArmResult) -> Iterable[DataSet]:
    """Data sets by checksum, with the seeds that were trained on each."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for record in result.records:
        for entry in record.data:
            found.setdefault(str(entry.get("sha256", "not recorded")), []).append(entry)
    for checksum, entries in found.items():
        first = entries[0]
        generator, size = first.get("generator"), first.get("transitions")
        kept = f"{first['learnt']:,} of " if "learnt" in first else ""
        yield DataSet(
            seeds=", ".join(str(entry.get("seed", DASH)) for entry in entries),
            source=f"{first['source']} ({generator})" if generator else str(first["source"]),
            transitions=f"{kept}{int(size):,}" if size else DASH,
            sha256=checksum,
        )
