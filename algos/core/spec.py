"""The JSON spec a job gets from the plan, checked and typed."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import importlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from algos.core.networks import Precision

Config = TypeVar("Config")
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
    """What one fit or train job computes. ``raw`` is the JSON as it was given."""

    stage: Literal["fit", "train"]
    algo: str
    implementation: str
    version: int
    tier: str
    task: str
    seeds: tuple[int, ...]
    data: dict[str, Any]
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
    ) -> JobSpec:
        """Check and type a spec; keys left out because they are neutral are filled in from the algorithm's file.

        ``config`` is the folder of the algorithm files: ``HINDCAST_CONFIG``, else ``config``. ``where`` the spec
        stands is what messages begin with.

        Raises:
            SpecError: not JSON, a key missing or unknown, or the digest does not fit the content.
        """
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpecError(f"{where}: not JSON ({error})") from None
        config = config or Path(os.environ.get("HINDCAST_CONFIG", "config"))
        names = {field.name for field in dataclasses.fields(cls)} - {"raw", "fits"}
        if missing := sorted(names - set(raw)):
            raise SpecError(f"{where}: missing key {missing[0]}")
        if unknown := sorted(set(raw) - names - {"fits"}):
            raise SpecError(f"{where}: unknown key {unknown[0]}{nearest(unknown[0], names)}")
        if raw["digest"] != digest_of(raw):
            raise SpecError(
                f"{where}: the digest does not fit the content; let the plan write specs"
            )
        hyperparameters = neutral_values(raw["algo"], config) | raw["hyperparameters"]
        values = {key: raw[key] for key in names} | {"fits": raw.get("fits", {})}
        values |= {"seeds": tuple(raw["seeds"]), "hyperparameters": hyperparameters}
        return cls(**values, raw=raw)

    def build(self, config: type[Config], *also: type[Any]) -> Config:
        """An instance of the dataclass ``config`` from the hyperparameters.

        Every hyperparameter must belong to ``config`` or one of ``also``: nothing is ignored silently.
        """
        own = {field.name for field in dataclasses.fields(config)}  # type: ignore[arg-type]
        known = own.union(*({field.name for field in dataclasses.fields(other)} for other in also))
        for key in sorted(set(self.hyperparameters) - known):
            raise SpecError(f"{self.algo}: unknown key {key}{nearest(key, known)}")
        for key in sorted(own - set(self.hyperparameters)):
            raise SpecError(f"{self.algo}: missing key {key}")
        return config(**{key: _frozen(self.hyperparameters[key]) for key in own})


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
    """Import ``module:Class``."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
