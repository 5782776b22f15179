"""The two registries planning reads: tasks and algorithms, each algorithm with inherited keys."""

from __future__ import annotations

import fnmatch
import functools
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paper_tables.errors import PlanError, unknown
from paper_tables.schema import (
    AlgoFile,
    FitSlot,
    KeyGroup,
    KeySpec,
    LocalData,
    PaperFile,
    Tier,
    TiersFile,
    parse,
    read_model,
)
from paper_tables.yamlio import read_yaml

#: Every algorithm has it; it stands at the top of the spec, not among the hyperparameters.
PRECISION = KeySpec(
    default="float32",
    type="choice",
    choices=["float32", "bfloat16"],
    source="matrix products only; parameters, targets and losses stay float32",
    help="precision of matrix products",
)

Overrides = dict[str, Any]


def is_pattern(text: str) -> bool:
    """Whether `text` is a shell pattern rather than a plain name."""
    return any(sign in text for sign in "*?[")


def select(
    wanted: Iterable[str],
    known: Iterable[str],
    where: str,
    kind: str,
    also: Iterable[str] = (),
) -> list[str]:
    """Names in the order of `known` that `wanted` (names or patterns) selects.

    Raises:
        PlanError: an entry that selects nothing; the hint counts the names in `also` too.
    """
    names = dict.fromkeys(known)
    chosen: set[str] = set()
    for entry in wanted:
        hits = fnmatch.filter(names, entry) if is_pattern(entry) else [entry]
        if not hits or hits[0] not in names:
            raise unknown(where, kind, entry, [*names, *also])
        chosen.update(hits)
    return [name for name in names if name in chosen]


@dataclass(frozen=True)
class Task:
    """What planning knows of a task."""

    name: str
    domain: str
    horizon: int
    implementation: str | None
    local: LocalData | None
    sources: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Algo:
    """One algorithm with all its keys, its own and the inherited ones."""

    file: AlgoFile
    where: str
    keys: Mapping[str, KeySpec]
    tasks: tuple[tuple[str, Overrides], ...]
    fits: Mapping[str, FitSlot]

    @property
    def name(self) -> str:
        """The registered name."""
        return self.file.algo

    @functools.cached_property
    def defaults(self) -> Overrides:
        """Every key at its default."""
        return {name: key.default for name, key in self.keys.items()}

    def key(self, name: str, where: str) -> KeySpec:
        """The key called `name`, or an error with the nearest one."""
        if name not in self.keys:
            raise unknown(where, f"key of {self.name}", name, self.keys)
        return self.keys[name]

    def check(self, values: Mapping[str, Any], where: str) -> Overrides:
        """Values in canonical types; unknown names, wrong types and ranges are errors."""
        return {
            name: self.key(name, where).check(f"{where}: {name}", value)
            for name, value in values.items()
        }

    def for_task(self, task: str) -> Overrides:
        """Defaults with the overrides of `task`; later patterns win."""
        values = dict(self.defaults)
        for pattern, settings in self.tasks:
            if fnmatch.fnmatchcase(task, pattern):
                values.update(settings)
        return values


@dataclass(frozen=True)
class Registry:
    """All files of the configuration, checked against each other."""

    config: Path
    tasks: Mapping[str, Task]
    algos: Mapping[str, Algo]
    tiers: Mapping[str, Tier]
    module_roots: tuple[Path, ...] = field(default=())

    def task(self, name: str, where: str) -> Task:
        """The task called `name`, or an error with the nearest one."""
        if name not in self.tasks:
            raise unknown(where, "task", name, self.tasks)
        return self.tasks[name]

    def algo(self, name: str, where: str) -> Algo:
        """The algorithm called `name`, or an error with the nearest one."""
        if name not in self.algos:
            raise unknown(where, "algorithm", name, self.algos)
        return self.algos[name]

    def tier(self, name: str) -> Tier:
        """The tier called `name`, or an error with the nearest one."""
        if name not in self.tiers:
            raise unknown(str(self.config / "tiers.yaml"), "tier", name, self.tiers)
        return self.tiers[name]

    def missing_module(self, implementation: str) -> str | None:
        """The file that would hold `module:Class` when it is absent; nothing is imported."""
        relative = Path(*implementation.split(":")[0].split("."))
        for root in self.module_roots:
            if (root / relative).with_suffix(".py").is_file() or (root / relative).is_dir():
                return None
        return str(relative.with_suffix(".py"))


def _read_algo_files(folder: Path) -> dict[str, AlgoFile | KeyGroup]:
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


def _inherit(
    name: str, files: Mapping[str, AlgoFile | KeyGroup], folder: Path, trail: tuple[str, ...] = ()
) -> tuple[dict[str, KeySpec], list[tuple[str, Overrides]]]:
    """Keys and task overrides of a file, the inherited ones first so that its own win."""
    where = str(folder / f"{trail[-1] if trail else name}.yaml")
    if name not in files:
        raise unknown(f"{where}: keys_from", "file", name, files)
    if name in trail:
        raise PlanError(f"{where}: keys_from: '{name}' takes over its own keys")
    file = files[name]
    keys: dict[str, KeySpec] = {}
    tasks: list[tuple[str, Overrides]] = []
    for parent in file.keys_from if isinstance(file, AlgoFile) else []:
        parent_keys, parent_tasks = _inherit(parent, files, folder, (*trail, name))
        keys |= parent_keys
        tasks += parent_tasks
    # A key declared anew has its own default: task overrides of the inherited one are forgotten.
    inherited = [
        (pattern, {key: value for key, value in settings.items() if key not in file.keys})
        for pattern, settings in tasks
    ]
    return keys | file.keys, [*inherited, *file.tasks.items()]


def _check_keys(keys: Mapping[str, KeySpec], where: str) -> dict[str, KeySpec]:
    """Keys with defaults and neutral values in canonical types."""
    checked = {}
    for name, key in keys.items():
        update = {"default": key.check(f"{where}: keys.{name}.default", key.default)}
        if key.has_neutral:
            update["neutral"] = key.check(f"{where}: keys.{name}.neutral", key.neutral)
        checked[name] = key.model_copy(update=update)
    return checked


def _build_algo(
    name: str, files: Mapping[str, AlgoFile | KeyGroup], folder: Path, tasks: Iterable[str]
) -> Algo:
    file = files[name]
    assert isinstance(file, AlgoFile)
    where = str(folder / f"{name}.yaml")
    keys, overrides = _inherit(name, files, folder)
    algo = Algo(file, where, _check_keys(keys | {"precision": PRECISION}, where), (), file.fits)
    checked = []
    for pattern, settings in overrides:
        if not is_pattern(pattern):
            select([pattern], tasks, f"{where}: tasks", "task")
        checked.append((pattern, algo.check(settings, f"{where}: tasks.{pattern}")))
    return Algo(file, where, algo.keys, tuple(checked), file.fits)


def _check_slots(algos: Mapping[str, Algo]) -> None:
    for algo in algos.values():
        for name, slot in algo.fits.items():
            where = f"{algo.where}: fits.{name}"
            if slot.algo not in algos:
                raise unknown(where, "fit", slot.algo, algos)
            if algos[slot.algo].file.stage != "fit":
                raise PlanError(f"{where}: '{slot.algo}' is not a fit (its stage is train)")
            algos[slot.algo].check(slot.set, f"{where}.set")
            algo.check(slot.when, f"{where}.when")


def read_algos(folder: Path, tasks: Iterable[str]) -> dict[str, Algo]:
    """All algorithm files below `folder`, resolved."""
    files = _read_algo_files(folder)
    names = [name for name, file in files.items() if isinstance(file, AlgoFile)]
    known = list(tasks)
    algos = {name: _build_algo(name, files, folder, known) for name in names}
    _check_slots(algos)
    return algos


def read_tasks(path: Path) -> dict[str, Task]:
    """All tasks of `tasks.yaml`; only what planning needs is read, the rest belongs to envs."""
    content = read_yaml(path)
    entries = content.get("tasks", content)
    if not isinstance(entries, dict):
        raise PlanError(f"{path}: tasks: must be a mapping from names to tasks")
    return {name: _task(name, entry, path) for name, entry in entries.items()}


def _task(name: str, entry: Any, path: Path) -> Task:
    if not isinstance(entry, dict) or "domain" not in entry or "horizon" not in entry:
        raise PlanError(f"{path}: {name}: a task needs at least domain and horizon")
    data = entry.get("data") or {}
    local = data.get("local")
    return Task(
        name=name,
        domain=str(entry["domain"]),
        horizon=int(entry["horizon"]),
        implementation=entry.get("implementation"),
        local=parse(LocalData, local, f"{path}: {name}: data.local") if local else None,
        sources=data,
    )


@functools.lru_cache(maxsize=16)
def _read(config: Path, root: Path, stamp: tuple[tuple[str, int], ...]) -> Registry:
    tasks = read_tasks(config / "tasks.yaml")
    checkout = Path(__file__).resolve().parents[1]
    roots = (root.resolve(), checkout, *(Path(entry) for entry in sys.path if entry))
    return Registry(
        config=config,
        tasks=tasks,
        algos=read_algos(config / "algos", tasks),
        tiers=read_model(TiersFile, config / "tiers.yaml").tiers,
        module_roots=tuple(dict.fromkeys(roots)),
    )


def read_registry(config: Path, root: Path = Path()) -> Registry:
    """Read and check `config`; repeated calls are free while no file changes."""
    files = [*sorted((config / "algos").glob("*.yaml")), *sorted(config.glob("*.yaml"))]
    return _read(config, root, tuple((str(file), file.stat().st_mtime_ns) for file in files))


def read_papers(folder: Path, wanted: Iterable[str] | None = None) -> dict[str, PaperFile]:
    """Papers below `folder` (those `wanted`, or all), by name."""
    files = {path.parent.name: path for path in sorted(folder.glob("*/experiments.yaml"))}
    names = list(files) if wanted is None else list(wanted)
    papers = {}
    for name in names:
        if name not in files:
            raise unknown(str(folder), "paper", name, files)
        paper = read_model(PaperFile, files[name])
        if paper.paper != name:
            raise PlanError(f"{files[name]}: paper: '{paper.paper}' must be the folder's name")
        papers[name] = paper
    return papers
