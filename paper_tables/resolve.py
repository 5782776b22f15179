"""From an arm's overrides to what a job computes: hyperparameters, cell, spec and digest.

Each layer goes over the one before: defaults < per-task overrides < tier budget < experiment
overrides. The cell names only the experiment's overrides, and only those that change something.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paper_tables.algorithms import DATA_SLOT, Algo, Overrides
from paper_tables.data import DataSpecs
from paper_tables.digest import spec_digest
from paper_tables.errors import PlanError, select, unknown
from paper_tables.paths import cell_name
from paper_tables.registry import Registry, Task
from paper_tables.schema import Tier

Spec = dict[str, Any]


@dataclass(frozen=True)
class Resolved:
    """One algorithm on one task with everything decided but its seeds.

    `data` are the options of the data generator that the experiment asks for.
    """

    algo: Algo
    task: Task
    cell: str
    values: Overrides
    spec: Spec
    fits: Mapping[str, Resolved] = field(default_factory=dict)
    data: Overrides = field(default_factory=dict)

    @property
    def core_seconds(self) -> float:
        """Estimated CPU core-seconds of one run, from the rates in the algorithm's file."""
        rates, values = self.algo.file.core_seconds, self.values
        epochs = int(values.get("epochs", 0)) * int(values.get("epoch_updates", 0))
        updates = int(
            values.get("updates")
            or values.get("max_updates")
            or epochs
            or rates.updates_without_cap
        )
        trained = int(values.get("steps", 0)) if self.algo.file.online else 0
        every = int(values.get("evaluate_every") or 0)
        rounds = (trained or updates) // every if every else 0
        evaluated = int(values.get("evaluation_episodes", 0)) * rounds * self.task.horizon
        rows = int(values.get("model_buffer_size", 0))
        starts = int(values.get("robustness_starts", 0))
        task = self.task.name
        return (
            updates * rates.for_update(values, task)
            + trained * rates.on(task, "step")
            + evaluated * rates.on(task, "environment_step")
            + starts * rates.on(task, "robustness_start")
            + rows * rates.imagined_row
        )

    @property
    def budget_changes(self) -> dict[str, tuple[Any, Any]]:
        """Budget keys whose value is not the algorithm's own on this task: (value, own value).

        Keys of fits are called `slot.key`.
        """
        own = self.algo.for_task(self.task.name)
        changes = {
            name: (self.values[name], own[name])
            for name, key in self.algo.keys.items()
            if key.budget and self.values[name] != own[name]
        }
        for slot, fit in self.fits.items():
            changes |= {f"{slot}.{name}": pair for name, pair in fit.budget_changes.items()}
        return changes

    @property
    def digest(self) -> str:
        """Identity of what is computed, whoever asks for it and for whichever seeds."""
        return str(self.spec["digest"])


def check_tier(registry: Registry, name: str) -> None:
    """Check names, key kinds and block sizes of a tier; raise `PlanError` at the first mistake."""
    tier, where = registry.tier(name), f"{registry.config / 'tiers.yaml'}: {name}"
    for algo, settings in tier.budgets.items():
        _check_budget(registry, algo, settings, f"{where}: budgets.{algo}")
    for pattern, budgets in tier.task_budgets.items():
        select([pattern], registry.tasks, f"{where}: task_budgets", "task")
        for algo, settings in budgets.items():
            _check_budget(registry, algo, settings, f"{where}: task_budgets.{pattern}.{algo}")
    for pattern in [*tier.data.transitions, *tier.data.path]:
        select([pattern], registry.tasks, f"{where}: data", "task")
    for algo in tier.runs_per_job:
        registry.algo(algo, f"{where}: runs_per_job")
    if not isinstance(tier.seed_block, int):
        select(tier.seed_block, registry.algos, f"{where}: seed_block", "algorithm")


def _check_budget(registry: Registry, algo: str, settings: Mapping[str, Any], where: str) -> None:
    entry = registry.algo(algo, where)
    entry.check(settings, where)
    for key in settings:
        if not entry.keys[key].budget:
            budget = [name for name, spec in entry.keys.items() if spec.budget]
            error = unknown(where, "budget key", key, budget)
            raise PlanError(f"{error} (a tier sets budgets, never the method)")


def budget_of(tier: Tier, algo: Algo, task: str, where: str) -> Overrides:
    """The tier's budget for one algorithm on one task; later patterns win."""
    settings = dict(tier.budgets.get(algo.name, {}))
    for pattern, budgets in tier.task_budgets.items():
        if fnmatch.fnmatchcase(task, pattern):
            settings.update(budgets.get(algo.name, {}))
    return algo.check(settings, where)


def split_overrides(
    algo: Algo, overrides: Mapping[str, Any], where: str
) -> tuple[Overrides, dict[str, Overrides]]:
    """An arm's overrides, parted into the algorithm's own and those of each fit slot.

    Options of the data stand in the slot `DATA_SLOT`, which every algorithm has.
    """
    own: Overrides = {}
    slots: dict[str, Overrides] = {}
    for key, value in overrides.items():
        slot, dot, name = key.partition(".")
        if not dot:
            own[key] = value
        elif slot not in (*algo.fits, DATA_SLOT):
            raise unknown(where, f"fit slot of {algo.name}", slot, [*algo.fits, DATA_SLOT])
        else:
            slots.setdefault(slot, {})[name] = value
    return own, slots


@dataclass
class Resolver:
    """Resolves arms of one tier and remembers what it resolved."""

    registry: Registry
    tier_name: str
    source: str | None = None
    root: Path = Path()
    _fits: dict[tuple[str, str, str], Resolved] = field(default_factory=dict)
    _files: dict[str, str | None] = field(default_factory=dict)
    _meant: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tier = self.registry.tier(self.tier_name)
        self.where = f"{self.registry.config / 'tiers.yaml'}: {self.tier_name}"
        self.data = DataSpecs(self.registry, self.tier.data, self.source, self.root, self.where)

    def resolve(self, algo: Algo, task: Task, overrides: Mapping[str, Any], where: str) -> Resolved:
        """Decide everything about one arm; raise `PlanError` for an override without effect."""
        own, slots = split_overrides(algo, overrides, where)
        own = algo.check(own, where)
        data = self.data.check(task, slots.get(DATA_SLOT, {}), f"{where}: {DATA_SLOT}")
        base = algo.for_task(task.name)
        values = base | budget_of(self.tier, algo, task.name, self.where) | own
        changed = {key: value for key, value in own.items() if value != base[key]}
        changed |= self._data_changes(task, data)
        fits = {}
        for name, slot in algo.fits.items():
            if any(values[key] != wanted for key, wanted in slot.when.items()):
                if name in slots:
                    raise PlanError(f"{where}: {name}: not fitted on {task.name} in this arm")
                continue
            fit = self.registry.algos[slot.algo]
            extra = slots.get(name, {})
            at = f"{where}: {name}"
            fits[name] = self._fit(fit, task, {**slot.set, **extra}, data, at)
            plain = fit.for_task(task.name) | fit.check(slot.set, at)
            checked = fit.check(extra, at)
            changed |= {f"{name}.{k}": v for k, v in checked.items() if v != plain[k]}
        spec = self._spec(algo, task, values, fits, data)
        return Resolved(algo, task, cell_name(changed), values, spec, fits, data)

    def _data_changes(self, task: Task, data: Overrides) -> Overrides:
        """Options of the data as they stand in a cell."""
        changed = self.data.changed(task, data)
        return {f"{DATA_SLOT}.{name}": value for name, value in changed.items()}

    def _fit(
        self, algo: Algo, task: Task, settings: Mapping[str, Any], data: Overrides, where: str
    ) -> Resolved:
        values = algo.check(settings, where)
        base = algo.for_task(task.name)
        changed = {key: value for key, value in values.items() if value != base[key]}
        cell = cell_name(changed | self._data_changes(task, data))
        known = (algo.name, task.name, cell)
        if known not in self._fits:
            full = base | budget_of(self.tier, algo, task.name, self.where) | values
            spec = self._spec(algo, task, full, {}, data)
            self._fits[known] = Resolved(algo, task, cell, full, spec, data=data)
        return self._fits[known]

    def _spec(
        self,
        algo: Algo,
        task: Task,
        values: Overrides,
        fits: Mapping[str, Resolved],
        data: Overrides,
    ) -> Spec:
        hyperparameters = {
            key: value
            for key, value in sorted(values.items())
            if key != "precision"
            and not (algo.keys[key].has_neutral and value == algo.keys[key].neutral)
        }
        spec: Spec = {
            "stage": algo.file.stage,
            "algo": algo.name,
            "implementation": algo.file.implementation,
            "version": algo.file.version,
            "tier": self.tier_name,
            "task": task.name,
            "data": None if algo.file.online else self.data.spec(task, data),
            "precision": values["precision"],
            "hyperparameters": hyperparameters,
        }
        if algo.file.stage == "train":
            spec["fits"] = {slot: fit.digest for slot, fit in fits.items()}
        return {**spec, "digest": spec_digest(spec)}

    def reason_missing(self, arm: Resolved) -> str | None:
        """Why an arm cannot run yet (a module or a generator is not there), or None."""
        if meant := self.misspelt(arm):
            return meant
        parts = {part.algo.name: part.algo.file.implementation for part in _with_fits(arm)}
        if arm.task.implementation:
            parts[f"task {arm.task.name}"] = arm.task.implementation
        local, data = arm.task.local, arm.spec["data"]
        if data and data["source"] == "local" and local and local.implementation:
            parts[f"generator {local.generator}"] = local.implementation
        for name, implementation in parts.items():
            if file := self._missing(implementation):
                return f"{name} is declared, not implemented ({file} does not exist)"
        if data is None:  # an online algorithm
            return None
        return self.data.missing(arm.task, arm.data)

    def misspelt(self, arm: Resolved) -> str | None:
        """That an algorithm's module does not exist while one that it seems to mean does, or None."""
        for part in _with_fits(arm):
            module = part.algo.file.implementation
            if file := self._missing(module):
                if module not in self._meant:
                    self._meant[module] = self.registry.likely_module(module)
                if meant := self._meant[module]:
                    return f"{part.algo.name}: {file} does not exist; did you mean {meant}?"
        return None

    def _missing(self, implementation: str) -> str | None:
        if implementation not in self._files:
            self._files[implementation] = self.registry.missing_module(implementation)
        return self._files[implementation]


def _with_fits(arm: Resolved) -> tuple[Resolved, ...]:
    return (arm, *arm.fits.values())
