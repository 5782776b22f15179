"""Algorithm files, each with the keys and task overrides that it takes over from others."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from paper_tables.errors import PlanError, is_pattern, select, unknown
from paper_tables.schema import AlgoFile, FitSlot, KeyGroup, KeySpec, read_model

Overrides = dict[str, Any]
TaskOverrides = list[tuple[str, Overrides]]

#: In overrides, `data.<option>` addresses the generator of the data, as `slot.<key>` does a fit.
DATA_SLOT = "data"

#: Every algorithm has it; it stands at the top of the spec, not among the hyperparameters.
PRECISION = KeySpec(
    default="float32",
    type="choice",
    choices=["float32", "bfloat16"],
    source="matrix products only; parameters, targets and losses stay float32",
    help="precision of matrix products",
)


def check_values(
    values: Mapping[str, Any],
    keys: Mapping[str, KeySpec],
    owner: str,
    where: str,
    kind: str = "key",
) -> Overrides:
    """Values in canonical types; unknown names, wrong types and ranges are errors."""
    checked = {}
    for name, value in values.items():
        if name not in keys:
            raise unknown(where, f"{kind} of {owner}", name, keys)
        checked[name] = keys[name].check(f"{where}: {name}", value)
    return checked


@dataclass(frozen=True)
class Algo:
    """One algorithm with all its keys, its own and the inherited ones."""

    file: AlgoFile
    where: str
    keys: Mapping[str, KeySpec]
    tasks: TaskOverrides

    @property
    def name(self) -> str:
        """The registered name."""
        return self.file.algo

    @property
    def fits(self) -> Mapping[str, FitSlot]:
        """Models that it needs fitted, by slot."""
        return self.file.fits

    @cached_property
    def defaults(self) -> Overrides:
        """Every key at its default."""
        return {name: key.default for name, key in self.keys.items()}

    def check(self, values: Mapping[str, Any], where: str) -> Overrides:
        """Values in canonical types; unknown names, wrong types and ranges are errors."""
        return check_values(values, self.keys, self.name, where)

    def for_task(self, task: str) -> Overrides:
        """Defaults with the overrides of `task`; later patterns win."""
        values = dict(self.defaults)
        for pattern, settings in self.tasks:
            if fnmatch.fnmatchcase(task, pattern):
                values.update(settings)
        return values


@dataclass(frozen=True)
class _Reader:
    """The files of one folder, with the names of the tasks that they may speak of."""

    folder: Path
    files: Mapping[str, AlgoFile | KeyGroup]
    tasks: tuple[str, ...]

    def algo(self, name: str) -> Algo:
        """One algorithm with everything it takes over."""
        file = self.files[name]
        assert isinstance(file, AlgoFile)
        keys, tasks = self._collect(name, ())
        return Algo(file, self._where(name), keys | {"precision": PRECISION}, tasks)

    def _where(self, name: str) -> str:
        return str(self.folder / f"{name}.yaml")

    def _collect(
        self, name: str, trail: tuple[str, ...]
    ) -> tuple[dict[str, KeySpec], TaskOverrides]:
        """Keys and task overrides of a file, the inherited ones first so that its own win.

        Each file is checked where it is read, so that a mistake is reported with its own file.
        """
        if name in trail:
            raise PlanError(
                f"{self._where(trail[-1])}: keys_from: '{name}' takes over its own keys"
            )
        if name not in self.files:
            raise unknown(f"{self._where(trail[-1])}: keys_from", "file", name, self.files)
        file = self.files[name]
        keys: dict[str, KeySpec] = {}
        tasks: TaskOverrides = []
        for parent in file.keys_from if isinstance(file, AlgoFile) else []:
            parent_keys, parent_tasks = self._collect(parent, (*trail, name))
            keys |= parent_keys
            tasks += parent_tasks
        # A key declared anew has its own default: task overrides of the inherited one are dropped.
        tasks = [
            (pattern, {key: value for key, value in settings.items() if key not in file.keys})
            for pattern, settings in tasks
        ]
        keys |= self._own_keys(name, file)
        return keys, tasks + self._own_tasks(name, file, keys)

    def _own_keys(self, name: str, file: AlgoFile | KeyGroup) -> dict[str, KeySpec]:
        """A file's keys with defaults and neutral values in canonical types."""
        checked = {}
        for key_name, key in file.keys.items():
            where = f"{self._where(name)}: keys.{key_name}"
            update = {"default": key.check(f"{where}.default", key.default)}
            if key.has_neutral:
                update["neutral"] = key.check(f"{where}.neutral", key.neutral)
            checked[key_name] = key.model_copy(update=update)
        return checked

    def _own_tasks(
        self, name: str, file: AlgoFile | KeyGroup, keys: Mapping[str, KeySpec]
    ) -> TaskOverrides:
        """A file's task overrides, checked; a plain name must be a task, a pattern may be empty."""
        where = f"{self._where(name)}: tasks"
        select([p for p in file.tasks if not is_pattern(p)], self.tasks, where, "task")
        return [
            (pattern, check_values(settings, keys, name, f"{where}.{pattern}"))
            for pattern, settings in file.tasks.items()
        ]


def _read_files(folder: Path) -> dict[str, AlgoFile | KeyGroup]:
    files: dict[str, AlgoFile | KeyGroup] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.stem.startswith("_"):
            files[path.stem] = read_model(KeyGroup, path)
            continue
        algo = read_model(AlgoFile, path)
        if algo.algo != path.stem:
            raise PlanError(f"{path}: algo: '{algo.algo}' must be the file's name '{path.stem}'")
        files[path.stem] = algo
    if not files:
        raise PlanError(f"{folder}: no algorithm file found")
    return files


def _check_rates(algo: Algo, tasks: Iterable[str]) -> None:
    """Rates name tasks that exist, or a choice key with a rate for each of its choices."""
    rates = algo.file.core_seconds
    for name, by_task in rates.by_task.items():
        plain = [pattern for pattern in by_task if not is_pattern(pattern)]
        select(plain, tasks, f"{algo.where}: core_seconds.{name}", "task")
    where = f"{algo.where}: core_seconds.update"
    for name, by_choice in rates.by_choice.items():
        choices = {key: entry for key, entry in algo.keys.items() if entry.type == "choice"}
        if name not in choices:
            raise unknown(where, f"choice key of {algo.name}", name, choices)
        for choice in by_choice:
            choices[name].check(f"{where}.{name}", choice)
        for choice in choices[name].choices:
            if choice not in by_choice:
                raise PlanError(f"{where}.{name}: no rate for '{choice}'")


def _check_fits(algos: Mapping[str, Algo]) -> None:
    for algo in algos.values():
        for name, slot in algo.fits.items():
            where = f"{algo.where}: fits.{name}"
            if name == DATA_SLOT:
                raise PlanError(f"{where}: the name '{DATA_SLOT}' means the data; choose another")
            if slot.algo not in algos:
                raise unknown(where, "fit", slot.algo, algos)
            if algos[slot.algo].file.stage != "fit":
                raise PlanError(f"{where}: '{slot.algo}' is not a fit (its stage is train)")
            algos[slot.algo].check(slot.set, f"{where}.set")
            algo.check(slot.when, f"{where}.when")


def read_algos(folder: Path, tasks: Iterable[str]) -> dict[str, Algo]:
    """All algorithm files of `folder`, resolved and checked against each other."""
    files = _read_files(folder)
    known = tuple(tasks)
    reader = _Reader(folder, files, known)
    algos = {name: reader.algo(name) for name in files if isinstance(files[name], AlgoFile)}
    for algo in algos.values():
        _check_rates(algo, known)
    _check_fits(algos)
    return algos
