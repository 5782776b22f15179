"""What the configuration files may contain; anything else is an error naming file and key."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from paper_tables.errors import PlanError, unknown
from paper_tables.yamlio import read_yaml

KeyType = Literal["int", "float", "bool", "str", "choice", "list[int]", "list[float]"]
Judged = Literal["none", "listed", "all"]
DataSource = Literal["local", "d4rl", "file"]
Positive = Annotated[int, Field(ge=1)]
_NAME = r"^[a-z0-9_]+$"
Name = Annotated[str, Field(pattern=_NAME)]

_PYTHON_TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "str": str}
_UNION_TAGS = ("Selection", "list[Selection]")
_IMPLEMENTATION = r"^[a-z_][a-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"
#: What a text that fits no such pattern must be.
_PATTERNS = {
    _NAME: "a name of small letters, digits and _",
    _IMPLEMENTATION: "module:Class, as in algos.offline.bc:BC",
}
_PLAIN = re.compile(r"^[A-Za-z0-9_.+-]+$")


class Strict(BaseModel):
    """Base of all file models: unknown keys and silent conversions are errors, values frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class KeySpec(Strict):
    """One hyperparameter: its default, what values it may take, and where the value is from."""

    default: Any
    type: KeyType
    min: float | None = None
    max: float | None = None
    choices: list[str] = []
    source: str
    help: str = ""
    batchable: bool = False
    budget: bool = False
    neutral: Any = None

    @property
    def has_neutral(self) -> bool:
        """Whether a neutral value is declared (the key is left out of digests at that value)."""
        return "neutral" in self.model_fields_set

    def check(self, where: str, value: Any) -> Any:
        """Return `value` in its canonical type, or raise `PlanError` naming `where`."""
        if self.type.startswith("list"):
            if not isinstance(value, list):
                raise PlanError(f"{where}: {value!r} is not a {self.type}")
            return [self._scalar(where, self.type[5:-1], item) for item in value]
        return self._scalar(where, self.type, value)

    def _scalar(self, where: str, kind: str, value: Any) -> Any:
        if kind == "choice":
            if value not in self.choices:
                raise unknown(where, "choice", str(value), self.choices)
            return value
        if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not _PYTHON_TYPES[kind]:
            raise PlanError(f"{where}: {value!r} is not of type {kind}")
        if isinstance(value, str) and not _PLAIN.match(value):
            raise PlanError(f"{where}: {value!r} may hold letters, digits and _.+- only")
        if isinstance(value, int | float) and kind != "bool":
            self._check_range(where, value)
        return value

    def _check_range(self, where: str, value: float) -> None:
        low = -math.inf if self.min is None else self.min
        high = math.inf if self.max is None else self.max
        if not (math.isfinite(value) and low <= value <= high):
            raise PlanError(f"{where}: {value!r} is out of range [{low:g}, {high:g}]")


class FitSlot(Strict):
    """A model that an algorithm needs fitted before it trains."""

    algo: Name
    set: dict[str, Any] = {}
    when: dict[str, Any] = {}


class RunsPerJob(Strict):
    """How many runs pack into one job on each kind of device."""

    cpu: Positive = 1
    cuda: Positive = 1

    def on(self, device: Literal["cpu", "cuda"]) -> int:
        """The number for one kind of device."""
        return self.cuda if device == "cuda" else self.cpu


class Resources(Strict):
    """What one job asks of the machine."""

    mem_mb: Positive = 2000
    mem_mb_per_run: Annotated[int, Field(ge=0)] = 0
    runtime_min: Positive = 720


Rate = Annotated[float, Field(ge=0, strict=False)]
#: One rate, or rates by task or pattern, of which later ones win.
TaskRate = Rate | dict[str, Rate]


def _at(rate: float | Mapping[str, float], task: str) -> float:
    """The rate on one task; 0 where no pattern fits."""
    if not isinstance(rate, Mapping):
        return rate
    fitting = [value for at, value in rate.items() if fnmatch.fnmatchcase(task, at)]
    return fitting[-1] if fitting else 0.0


class CoreSeconds(Strict):
    """Seconds of one CPU core, for estimates of the grid only.

    `update` is one rate, rates by task, or the rates for each value of a choice key:
    `{networks: {paper: 0.05, ..}}`. `step` is what an online algorithm takes for one step of its
    budget with all the learning in it. `environment_step` is one of evaluation during training,
    `robustness_start` one count of the key `robustness_starts` in the evaluation after it.
    """

    update: TaskRate | dict[Name, dict[str, Rate]] = 0.0
    step: TaskRate = 0.0
    environment_step: TaskRate = 0.0
    robustness_start: TaskRate = 0.0
    imagined_row: Rate = 0.0
    updates_without_cap: Annotated[int, Field(ge=0)] = 0

    @property
    def by_choice(self) -> dict[str, dict[str, float]]:
        """Rates of an update by choice key and choice; empty unless they are given so."""
        rates = self.update.items() if isinstance(self.update, dict) else ()
        return {key: value for key, value in rates if isinstance(value, dict)}

    @property
    def by_task(self) -> dict[str, dict[str, float]]:
        """Rates that are given by task or pattern."""
        names = ("update", "step", "environment_step", "robustness_start")
        rates = {name: getattr(self, name) for name in names}
        return {
            name: rate
            for name, rate in rates.items()
            if isinstance(rate, dict) and not (name == "update" and self.by_choice)
        }

    def for_update(self, values: Mapping[str, Any], task: str) -> float:
        """The rate of an update at these hyperparameters on `task`."""
        if self.by_choice:
            return sum(rates[values[key]] for key, rates in self.by_choice.items())
        return self.on(task, "update")

    def on(self, task: str, name: str) -> float:
        """The rate called `name` on `task`."""
        return _at(getattr(self, name), task)

    @model_validator(mode="after")
    def _one_key(self) -> CoreSeconds:
        if self.by_choice and len(self.by_choice) != 1:
            raise ValueError("update: one rate, or the rates of one key")
        return self


class KeyGroup(Strict):
    """Keys shared by several algorithms (`config/algos/_<group>.yaml`)."""

    keys: dict[Name, KeySpec]
    tasks: dict[str, dict[str, Any]] = {}


class AlgoFile(Strict):
    """One file `config/algos/<algo>.yaml`. An `online` algorithm acts in its task: it needs no data set."""

    algo: Name
    title: str
    stage: Literal["train", "fit"]
    implementation: Annotated[str, Field(pattern=_IMPLEMENTATION)]
    version: Positive
    source: str
    online: bool = False
    runs_per_job: RunsPerJob = RunsPerJob()
    resources: Resources = Resources()
    core_seconds: CoreSeconds = CoreSeconds()
    keys_from: list[str] = []
    keys: dict[Name, KeySpec] = {}
    tasks: dict[str, dict[str, Any]] = {}
    fits: dict[Name, FitSlot] = {}


class DataSettings(Strict):
    """Where a tier's data sets come from; sizes by task name or pattern, later lines win."""

    source: DataSource = "local"
    seed: Literal["run"] | int = "run"
    transitions: dict[str, Positive] = {}
    path: dict[str, str] = {}


class Selection(Strict):
    """Which part of an experiment a tier runs; what is not given is not restricted."""

    tasks: list[str] = []
    algorithms: list[str] = []
    seeds: Positive | None = None


class Tier(Strict):
    """One entry of `config/tiers.yaml`: budgets, task lists and seed counts, never the method."""

    title: str
    judged: Judged
    seeds: Positive
    seed_block: Positive | dict[str, Positive] = 1
    runs_per_job: dict[str, Positive] = {}
    data: DataSettings = DataSettings()
    experiments: dict[str, Selection | list[Selection]]
    budgets: dict[str, dict[str, Any]] = {}
    task_budgets: dict[str, dict[str, dict[str, Any]]] = {}

    def block_of(self, algo: str) -> int:
        """Size of the blocks that the seeds of one algorithm come in; of several patterns the last one counts."""
        if isinstance(self.seed_block, int):
            return self.seed_block
        sizes = [n for at, n in self.seed_block.items() if fnmatch.fnmatchcase(algo, at)]
        return sizes[-1] if sizes else 1


class TiersFile(Strict):
    """`config/tiers.yaml`."""

    tiers: dict[Name, Tier]


class ArmGroup(Strict):
    """Algorithms run with the same overrides; `grid` makes one arm for each combination."""

    algorithms: list[str]
    tasks: list[str] = []
    set: dict[str, Any] = {}
    grid: dict[str, list[Any]] = {}


class Experiment(Strict):
    """One experiment of a paper.

    `axis` names the ablation it belongs to. With `diagnose` its runs are diagnosed too: paths of the
    final policies, imagined rollouts, distances to the data. `first_seed` keeps the runs that tune
    a setting apart from those that judge it.
    """

    title: str
    source: str
    axis: Name | None = None
    diagnose: bool = False
    first_seed: Annotated[int, Field(ge=0)] = 0
    tasks: list[str]
    arms: list[ArmGroup]


class PaperFile(Strict):
    """`paper_tables/<paper>/experiments.yaml`."""

    paper: Name
    title: str
    source: str
    task_groups: dict[str, list[str]] = {}
    experiments: dict[Name, Experiment]

    @model_validator(mode="after")
    def _not_empty(self) -> PaperFile:
        if not self.experiments:
            raise ValueError("no experiment is declared")
        return self


class Generators(Strict):
    """`generators` of `config/tasks.yaml`: the options that each data generator takes."""

    generators: dict[Name, dict[Name, KeySpec]] = {}


class LocalData(BaseModel):
    """How a task's data set is generated; further options are the generator's own.

    Without `transitions` the options decide on the size (demonstrations are counted in episodes).
    `implementation` is the generator's module, as `module` or `module:Class`; until it exists the
    data cannot be made.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    generator: str
    version: int = 1
    transitions: int | None = None
    options: dict[str, Any] = {}
    implementation: str | None = None


Model = TypeVar("Model", bound=BaseModel)


def _fields_at(annotation: Any, loc: tuple[int | str, ...]) -> set[str]:
    """Names of the fields that a model may have at the place `loc` inside `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields
        if not loc:
            return set(fields)
        return _fields_at(fields[str(loc[0])].annotation, loc[1:]) if loc[0] in fields else set()
    # Containers take one step of the place; the branches of a union take none (its tag is a step).
    names: set[str] = set()
    union = get_origin(annotation) in (Union, UnionType)
    for part in get_args(annotation):
        for rest in (loc, loc[1:]) if union else (loc[1:],):
            names |= _fields_at(part, rest)
    return names


def parse(model: type[Model], content: Any, where: str) -> Model:
    """Validate `content`; the first mistake becomes one line naming `where` and the key."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        errors = error.errors(include_url=False)
    # Of a union's branches the one that got furthest is the one that was meant.
    first = max(errors, key=lambda item: (len(item["loc"]), item["type"] == "extra_forbidden"))
    steps = [str(part) for part in first["loc"] if part not in _UNION_TAGS]
    if first["type"] == "extra_forbidden":
        place = f"{where}: {'.'.join(steps[:-1])}" if steps[:-1] else where
        raise unknown(place, "key", steps[-1], _fields_at(model, first["loc"][:-1]))
    wrong = _wanted_form(model, first) or first["msg"]
    raise PlanError(f"{where}: {'.'.join(steps)}: {wrong}".replace("\n", " "))


def _wanted_form(model: type[BaseModel], error: Mapping[str, Any]) -> str | None:
    """What a key of a wrong form must look like; None where pydantic's own words say it."""
    value = error["input"]
    if error["type"] == "string_pattern_mismatch":
        wanted = _PATTERNS.get(error["ctx"]["pattern"])
        return f"{value!r} must be {wanted}" if wanted else None
    if error["type"] == "list_type":
        return f"{value!r} must be a list, as in [{value}]"
    if error["type"] == "model_type":
        fields = sorted(_fields_at(model, error["loc"]))
        return f"{value!r} must be a mapping, as in {{{', '.join(f'{f}: ..' for f in fields)}}}"
    if error["type"] == "dict_type":
        return f"{value!r} must be a mapping, as in {{name: value}}"
    return None


def read_model(model: type[Model], path: Path) -> Model:
    """Read and validate one file."""
    return parse(model, read_yaml(path), str(path))
