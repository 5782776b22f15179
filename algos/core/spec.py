"""The JSON spec a job gets from the plan, checked and typed."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import importlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import yaml

from algos.core.networks import Precision
from algos.core.records import NAMES, Kinds, problem

Config = TypeVar("Config")
Stage = Literal["fit", "train"]
#: Keys of every spec; specs of train jobs have ``fits`` too.
KEYS: dict[str, Kinds] = {
    "stage": (str,),
    "algo": (str,),
    "implementation": (str,),
    "version": (int,),
    "tier": (str,),
    "task": (str,),
    "seeds": (list,),
    "data": (dict, type(None)),
    "precision": (str,),
    "hyperparameters": (dict,),
    "digest": (str,),
}
CHOICES = {"stage": get_args(Stage), "precision": get_args(Precision)}
LISTS = {int: "a list of integers", float: "a list of numbers"}
NOT_IN_DIGEST = ("digest", "tier", "seeds")


class SpecError(ValueError):
    """A spec that no job can run; the message names the key."""


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(spec: dict[str, Any]) -> str:
    """sha256 of the spec without its digest, tier and seeds."""
    kept = {key: value for key, value in spec.items() if key not in NOT_IN_DIGEST}
    return hashlib.sha256(canonical(kept).encode()).hexdigest()


@dataclass(frozen=True)
class JobSpec:
    """What one fit or train job computes.

    ``raw`` is the JSON as it was given; ``data`` is None where an algorithm learns by acting in its task.
    """

    stage: Stage
    algo: str
    implementation: str
    version: int
    tier: str
    task: str
    seeds: tuple[int, ...]
    data: dict[str, Any] | None
    precision: Precision
    hyperparameters: dict[str, Any]
    fits: dict[str, str]
    digest: str
    raw: dict[str, Any]

    @classmethod
    def parse(
        cls,
        text: str,
        config: Path | None = None,
        where: str = "--spec",
        stage: Stage | None = None,
    ) -> JobSpec:
        """Check and type a spec; keys left out because they are neutral are filled in from the algorithm's file.

        ``config`` is the folder of the algorithm files: ``HINDCAST_CONFIG``, else ``config``. ``where`` the spec
        stands is what messages begin with. ``stage`` is the one that it must have, None for any.

        Raises:
            SpecError: not JSON, a key missing, unknown or not of its type, another stage's, or the digest does not
                fit the content.
        """
        raw = _checked(text, where)
        if stage and raw["stage"] != stage:
            own, wanted = raw["stage"], stage
            raise SpecError(
                f"{where}: stage is {own}, a {wanted} job needs {wanted}; use algos.{own} for it"
            )
        config = config or Path(os.environ.get("HINDCAST_CONFIG", "config"))
        hyperparameters = neutral_values(raw["algo"], config) | raw["hyperparameters"]
        values = {key: raw[key] for key in KEYS} | {"fits": raw.get("fits", {})}
        values |= {"seeds": tuple(raw["seeds"]), "hyperparameters": hyperparameters}
        return cls(**values, raw=raw)

    def build(self, config: type[Config], *also: type[Any]) -> Config:
        """An instance of the dataclass ``config`` from the hyperparameters.

        Every hyperparameter must belong to ``config`` or one of ``also``, nothing is ignored silently, and fit the
        annotation that it has there.

        Raises:
            SpecError: a key is unknown, missing or not of its type.
        """
        own = {field.name for field in dataclasses.fields(config)}  # type: ignore[arg-type]
        known: dict[str, Any] = {}
        for each in (*also, config):
            known |= get_type_hints(each)
        for key in sorted(set(self.hyperparameters) - set(known)):
            raise SpecError(f"{self.algo}: unknown key {key}{nearest(key, set(known))}")
        for key, value in sorted(self.hyperparameters.items()):
            if expected := misfit(value, known[key]):
                raise SpecError(f"{self.algo}: {key} must be {expected}, found {canonical(value)}")
        for key in sorted(own - set(self.hyperparameters)):
            raise SpecError(f"{self.algo}: missing key {key}")
        return config(**{key: _frozen(self.hyperparameters[key]) for key in own})


def _checked(text: str, where: str) -> dict[str, Any]:
    """The JSON of a spec with all its keys, each of its type."""
    try:
        raw: dict[str, Any] = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError(f"{where}: not JSON ({error})") from None
    if found := problem(raw, KEYS):
        raise SpecError(f"{where}: {found}")
    if found := problem({"fits": {}} | raw, {"fits": (dict,)}):
        raise SpecError(f"{where}: {found}")
    if unknown := sorted(set(raw) - set(KEYS) - {"fits"}):
        raise SpecError(f"{where}: unknown key {unknown[0]}{nearest(unknown[0], set(KEYS))}")
    for key, choices in CHOICES.items():
        if raw[key] not in choices:
            raise SpecError(f"{where}: {key} must be one of {', '.join(choices)}, not {raw[key]}")
    seeds = raw["seeds"]
    if not seeds or any(type(seed) is not int or seed < 0 for seed in seeds):
        raise SpecError(f"{where}: seeds must hold integers from 0 up, at least one")
    if raw["digest"] != _digest_if_finite(raw):
        raise SpecError(f"{where}: the digest does not fit the content; let the plan write specs")
    return raw


def _digest_if_finite(raw: dict[str, Any]) -> str | None:
    """The digest, or None: Python reads NaN and numbers beyond the largest, which specs may not hold."""
    try:
        return digest_of(raw)
    except ValueError:
        return None


def misfit(value: Any, annotation: Any) -> str | None:
    """What a JSON value would have to be to fit the annotation of a hyperparameter, or None where it does."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return None if value in arguments else f"one of {', '.join(arguments)}"
    if origin is tuple:
        listed = isinstance(value, list) and not any(misfit(each, arguments[0]) for each in value)
        return None if listed else LISTS[arguments[0]]
    kinds = (int, float) if annotation is float else (annotation,)
    return None if type(value) in kinds else NAMES[annotation]


def nearest(word: str, known: set[str]) -> str:
    """`` (did you mean ...?)`` when something known is near."""
    found = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {found[0]}?)" if found else ""


@functools.cache
def neutral_values(algo: str, config: Path) -> dict[str, Any]:
    """Neutral values of an algorithm's keys: what a key left out of the spec means."""
    path = config / "algos" / f"{algo}.yaml"
    if not path.exists():
        return {}
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    values: dict[str, Any] = {}
    for parent in content.get("keys_from", []):
        values |= neutral_values(parent, config)
    keys = content.get("keys") or {}
    return values | {name: key["neutral"] for name, key in keys.items() if "neutral" in key}


def implementation(name: str) -> Any:
    """Import ``module:Class``.

    Raises:
        SpecError: there is no such module, or no algorithm of that name in it.
    """
    if not re.fullmatch(r"\w+(\.\w+)*:\w+", name):
        raise SpecError(f"implementation: {name}: must be module:Class")
    module, _, attribute = name.partition(":")
    try:
        imported = importlib.import_module(module)
    except ImportError as error:
        raise SpecError(f"implementation: {name}: cannot be imported ({error})") from None
    kind = getattr(imported, attribute, None)
    if not hasattr(kind, "Config"):
        raise SpecError(f"implementation: {name}: {module} has no algorithm {attribute}")
    return kind


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
