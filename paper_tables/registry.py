"""What planning reads: tasks, algorithms, tiers and papers."""

from __future__ import annotations

import difflib
import functools
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paper_tables.algorithms import Algo, check_values, read_algos
from paper_tables.errors import PlanError, unknown
from paper_tables.schema import (
    Generators,
    KeySpec,
    LocalData,
    PaperFile,
    Tier,
    TiersFile,
    parse,
    read_model,
)
from paper_tables.yamlio import read_yaml

#: Likeness of two names from which one is taken for a misspelling of the other (cql and bcq: 0.67,
#: mopo and mbpo: 0.75).
NEARLY_THE_SAME = 0.8
_CLASS = re.compile(r"^class (\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Task:
    """What planning knows of a task.

    `reference` are the returns that score 0 and 100, None where the file gives none.
    """

    name: str
    domain: str
    horizon: int
    implementation: str | None
    local: LocalData | None
    published: Mapping[str, Any]
    reference: tuple[float, float] | None = None


@dataclass(frozen=True)
class Registry:
    """All files of the configuration, checked against each other."""

    config: Path
    tasks: Mapping[str, Task]
    algos: Mapping[str, Algo]
    tiers: Mapping[str, Tier]
    generators: Mapping[str, Mapping[str, KeySpec]]
    module_roots: tuple[Path, ...]
    _read_packages: dict[Path, dict[Path, list[str]]] = field(default_factory=dict)

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
        module = relative.with_suffix(".py")
        for root in self.module_roots:
            if (root / module).is_file() or (root / relative / "__init__.py").is_file():
                return None
        return str(module)

    def likely_module(self, implementation: str) -> str | None:
        """The file that an absent `module:Class` seems to mean, None where nothing is like it.

        That is one with a class of this name, or one beside it with nearly the same name.
        """
        module, _, name = implementation.partition(":")
        package, *_, stem = module.split(".")
        root = next((root for root in self.module_roots if (root / package).is_dir()), None)
        if root is None:
            return None
        classes = self._classes(root / package)
        found = [file for file, names in classes.items() if name in names]
        folder = root / Path(*module.split(".")[:-1])
        beside = {file.stem: file for file in classes if file.parent == folder}
        close = difflib.get_close_matches(stem, beside, n=1, cutoff=NEARLY_THE_SAME)
        likely = next(iter([*found, *(beside[other] for other in close)]), None)
        return str(likely.relative_to(root)) if likely else None

    def _classes(self, package: Path) -> dict[Path, list[str]]:
        """Classes of each file below `package`, read once, as text: nothing is imported."""
        if package not in self._read_packages:
            self._read_packages[package] = {
                file: _CLASS.findall(file.read_text("utf-8"))
                for file in sorted(package.rglob("*.py"))
            }
        return self._read_packages[package]


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
    given = "ref_min" in entry and "ref_max" in entry
    return Task(
        name=name,
        domain=str(entry["domain"]),
        horizon=int(entry["horizon"]),
        implementation=entry.get("implementation"),
        local=parse(LocalData, local, f"{path}: {name}: data.local") if local else None,
        published=data.get("d4rl") or {},
        reference=(float(entry["ref_min"]), float(entry["ref_max"])) if given else None,
    )


def read_generators(path: Path, tasks: Mapping[str, Task]) -> dict[str, dict[str, KeySpec]]:
    """Options of each data generator in `tasks.yaml`; those that a task sets are checked against them.

    They are declared there because planning does not import the generators themselves.
    """
    declared = {"generators": read_yaml(path).get("generators") or {}}
    generators = parse(Generators, declared, str(path)).generators
    for generator, options in generators.items():
        for name, key in options.items():
            key.check(f"{path}: generators.{generator}.{name}.default", key.default)
    for task in tasks.values():
        if local := task.local:
            where, owner = f"{path}: {task.name}: data.local", f"generator {local.generator}"
            keys = generators.get(local.generator, {})
            check_values(local.options, keys, owner, where, "option")
    return generators


@functools.lru_cache(maxsize=16)
def _read(config: Path, root: Path, stamp: tuple[tuple[str, int], ...]) -> Registry:
    tasks = read_tasks(config / "tasks.yaml")
    checkout = Path(__file__).resolve().parents[1]
    roots = (root, checkout, *(Path(entry) for entry in sys.path if entry))
    return Registry(
        config=config,
        tasks=tasks,
        algos=read_algos(config / "algos", tasks),
        tiers=read_model(TiersFile, config / "tiers.yaml").tiers,
        generators=read_generators(config / "tasks.yaml", tasks),
        module_roots=tuple(dict.fromkeys(roots)),
    )


def read_registry(config: Path, root: Path = Path()) -> Registry:
    """Read and check `config`; files that did not change are read once."""
    files = [*sorted((config / "algos").glob("*.yaml")), *sorted(config.glob("*.yaml"))]
    stamp = tuple((str(file), file.stat().st_mtime_ns) for file in files)
    return _read(config, root.resolve(), stamp)


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
