"""Data specs: what a data file is to hold, as the plan declares it."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from envs.errors import TaskError, nearest
from envs.tasks import Task, get_task

SOURCES = ("local", "d4rl", "file")
#: The generator of tasks that name no module of their own.
DEFAULT_GENERATOR = "envs.generate_maze2d"


@dataclass(frozen=True)
class DataSpec:
    """A data file as declared.

    Attributes:
        task: name of the task.
        source: ``local`` (generated here), ``d4rl`` (the published file) or ``file`` (a file of the user's).
        generator: name of the generator (local only).
        version: its version (local only).
        seed: seed of the generator (local only).
        transitions: rows to generate (local only).
        options: options of the generator, or what the plan copied from the published file's entry.
        path: the user's file (source ``file`` only).
    """

    task: str
    source: str
    generator: str | None = None
    version: int | None = None
    seed: int | None = None
    transitions: int | None = None
    options: dict[str, Any] = field(default_factory=dict)
    path: str | None = None

    @classmethod
    def parse(cls, text: str) -> DataSpec:
        """A checked spec from JSON.

        Raises:
            TaskError: not JSON, unknown keys, or values that do not fit; one line.
        """
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise TaskError(f"spec: not JSON ({error})") from None
        if not isinstance(content, dict):
            raise TaskError("spec: must be a JSON object")
        known = [each.name for each in fields(cls)]
        for key in content:
            if key not in known:
                raise TaskError(f"spec: unknown key '{key}'{nearest(key, known)}")
        for key in ("task", "source"):
            if not isinstance(content.get(key), str):
                raise TaskError(f"spec: {key}: missing, or not a string")
        spec = cls(**content)
        spec.check()
        return spec

    def check(self) -> None:
        """Check every value.

        Raises:
            TaskError: the first value that does not fit.
        """
        task = get_task(self.task)
        if self.source not in SOURCES:
            raise TaskError(f"spec: source: '{self.source}' is not one of {', '.join(SOURCES)}")
        if not isinstance(self.options, dict):
            raise TaskError("spec: options: must be an object")
        if self.source == "file" and not isinstance(self.path, str):
            raise TaskError("spec: path: source 'file' needs the path of the file")
        if self.source != "file" and self.path is not None:
            raise TaskError(f"spec: path: only source 'file' takes a path, not '{self.source}'")
        if self.source == "d4rl" and "d4rl" not in task.data:
            raise TaskError(f"spec: source: no file is published for task {task.name}; use 'local'")
        if self.source == "local":
            self._check_local(task)

    def _check_local(self, task: Task) -> None:
        local = task.data.get("local")
        if local is None:
            raise TaskError(
                f"spec: no generator makes data of task {task.name}; use source 'd4rl' or 'file'"
            )
        if self.generator != local["generator"]:
            raise TaskError(
                f"spec: generator: task {task.name} has '{local['generator']}', not {self.generator!r}"
            )
        current = generator_of(task).VERSION
        if self.version != current:
            raise TaskError(
                f"spec: version: generator {self.generator} is at version {current}, not {self.version!r}"
            )
        sized = (("seed", 0), ("transitions", 2))
        for name, least in sized[:1] if "transitions" not in local else sized:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise TaskError(f"spec: {name}: must be an integer from {least} up, got {value!r}")
        if "transitions" not in local and self.transitions is not None:
            raise TaskError(
                f"spec: transitions: generator {self.generator} makes whole episodes; leave it out and set its options"
            )

    def canonical(self) -> str:
        """Canonical JSON: sorted keys, no blanks, no ``path`` unless it is set."""
        content = asdict(self)
        if self.path is None:
            del content["path"]
        return json.dumps(content, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """sha256 of the canonical JSON; file names carry the first eight digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    @property
    def default_path(self) -> str:
        """``data/{task}/{source}-{digest8}.hdf5``, where the plan looks for it."""
        return f"data/{self.task}/{self.source}-{self.digest[:8]}.hdf5"


def generator_of(task: Task) -> Any:
    """The module that makes a task's data, with VERSION, check_options and generate.

    Raises:
        TaskError: it is declared, not implemented.
    """
    local = task.data["local"]
    module = local.get("implementation", DEFAULT_GENERATOR)
    if importlib.util.find_spec(module) is None:
        raise TaskError(
            f"spec: generator: '{local['generator']}' of task {task.name} is declared, not implemented"
        )
    return importlib.import_module(module)


def local_spec(
    task_name: str,
    seed: int,
    transitions: int | None = None,
    options: dict[str, Any] | None = None,
) -> DataSpec:
    """The spec of locally generated data with the task's own generator and size.

    Raises:
        TaskError: no such task, no generator, or values that do not fit.
    """
    local = get_task(task_name).data.get("local", {})
    size = local.get("transitions") if transitions is None else transitions
    merged = {**local.get("options", {}), **(options or {})}
    spec = DataSpec(
        task_name, "local", local.get("generator"), local.get("version"), seed, size, merged
    )
    spec.check()
    return spec
