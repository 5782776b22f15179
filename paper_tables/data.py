"""What data a job declares: generated here, the published file, or a file of the user's own."""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paper_tables.algorithms import Overrides, check_values
from paper_tables.errors import PlanError
from paper_tables.registry import Registry, Task
from paper_tables.schema import DataSettings, KeySpec

Spec = dict[str, Any]


@dataclass
class DataSpecs:
    """Data specs of one tier.

    `source` goes over the tier's own; `where` names the tier in messages.
    """

    registry: Registry
    settings: DataSettings
    source: str | None
    root: Path
    where: str
    _checksums: dict[str, str] = field(default_factory=dict)

    def check(self, task: Task, options: Mapping[str, Any], where: str) -> Overrides:
        """Options that an experiment asks for, in canonical types.

        Raises:
            PlanError: the task's generator has no such option, or not with that value.
        """
        local = task.local
        owner = f"generator {local.generator}" if local else "any generator"
        return check_values(options, self._keys(task), owner, where, "option")

    def changed(self, task: Task, options: Mapping[str, Any]) -> Overrides:
        """Those of the checked `options` that are not the task's own already.

        The others stay out of specs and cells, as everywhere: asking for a default asks for nothing.
        """
        own = {name: key.default for name, key in self._keys(task).items()}
        own |= task.local.options if task.local else {}
        return {name: value for name, value in options.items() if value != own[name]}

    def missing(self, task: Task, options: Mapping[str, Any]) -> str | None:
        """Why no data with these options can be had, or None."""
        source = self.source or self.settings.source
        if source != "file" and task.local is None and not task.published:
            return f"task {task.name} has no data set; only an online algorithm can learn it"
        if source == "local" and task.local is None:
            return f"no generator makes data of task {task.name}; needs the published file"
        if source != "local" and options:
            names = ", ".join(f"data.{name}" for name in sorted(options))
            return f"{names}: only generated data have options (data source: {source})"
        if source == "d4rl" and not task.published:
            return f"no file is published for task {task.name}; its data are generated"
        if source == "file" and self._path(task) is None:
            return f"data.path of the tier names no file for task {task.name}"
        return None

    def spec(self, task: Task, options: Mapping[str, Any], seed: int | None = None) -> Spec:
        """The declared data of a task; with `seed`, the spec of that seed's own file."""
        source = self.source or self.settings.source
        if source != "local":
            return self._published(task, source)
        own_seed = "run" if seed is None else seed
        data_seed = own_seed if self.settings.seed == "run" else self.settings.seed
        return self._local(task, options) | {"seed": data_seed}

    def _keys(self, task: Task) -> Mapping[str, KeySpec]:
        """Options of the task's generator; of all generators where the task has none."""
        generators = self.registry.generators
        if task.local:
            return generators.get(task.local.generator, {})
        return {name: key for options in generators.values() for name, key in options.items()}

    def _local(self, task: Task, options: Mapping[str, Any]) -> Spec:
        local = task.local
        size = local.transitions if local else None
        for pattern, transitions in self.settings.transitions.items():
            if size is not None and fnmatch.fnmatchcase(task.name, pattern):
                size = transitions
        return {
            "task": task.name,
            "source": "local",
            "generator": local.generator if local else None,
            "version": local.version if local else None,
            "seed": None,
            "transitions": size,
            "options": {**(local.options if local else {}), **self.changed(task, options)},
        }

    def _published(self, task: Task, source: str) -> Spec:
        spec: Spec = {
            "task": task.name,
            "source": source,
            "generator": None,
            "version": None,
            "seed": None,
            "transitions": task.published.get("transitions"),
            "options": {},
        }
        if source == "d4rl" and task.published.get("sha256"):
            spec["options"] = {"sha256": task.published["sha256"]}
        path = self._path(task) if source == "file" else None
        if path is not None:
            spec |= {"path": path, "options": {"sha256": self._checksum(path, task)}}
        return spec

    def _path(self, task: Task) -> str | None:
        """The user's file of a task; later patterns win."""
        found = [
            p for name, p in self.settings.path.items() if fnmatch.fnmatchcase(task.name, name)
        ]
        return found[-1] if found else None

    def _checksum(self, path: str, task: Task) -> str:
        """sha256 of a file of the user's, read once a plan, so that a replaced file is another one."""
        if path not in self._checksums:
            try:
                with (self.root / path).open("rb") as file:
                    self._checksums[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                where = f"{self.where}: data.path: {task.name}"
                raise PlanError(f"{where}: {path}: cannot be read ({error.strerror})") from None
        return self._checksums[path]
