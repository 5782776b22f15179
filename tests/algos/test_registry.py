"""Every registered algorithm's file agrees with its dataclasses: being registered is being tested."""

import dataclasses
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml

from algos.core.loop import Learner
from algos.core.spec import implementation
from algos.demonstrations import DemonstrationConfig
from algos.evaluation import Policy
from algos.imagination.buffers import ImaginationConfig
from algos.robustness import RobustnessConfig
from algos.train import EvaluationConfig

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "config" / "algos"
NAMES = sorted(p.stem for p in FOLDER.glob("*.yaml") if not p.stem.startswith("_"))

TYPES = {
    "int": int,
    "float": float,
    "bool": bool,
    "str": str,
    "list[int]": tuple[int, ...],
    "list[float]": tuple[float, ...],
}


def content(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return loaded


def keys(name: str) -> dict[str, Any]:
    loaded = content(name)
    found: dict[str, Any] = {}
    for parent in loaded.get("keys_from", []):
        found |= keys(parent)
    return found | (loaded.get("keys") or {})


def ancestors(name: str) -> set[str]:
    parents = content(name).get("keys_from", [])
    return set(parents).union(*(ancestors(parent) for parent in parents))


def implemented(name: str) -> bool:
    module = content(name)["implementation"].split(":")[0]
    return (ROOT / (module.replace(".", "/") + ".py")).exists() and not missing_fit(name)


def missing_fit(name: str) -> bool:
    fits = content(name).get("fits") or {}
    return any(not implemented(fit["algo"]) for fit in fits.values() if "when" not in fit)


def fields(*classes: Any) -> set[str]:
    return {field.name for each in classes for field in dataclasses.fields(each)}


@pytest.mark.parametrize("name", [n for n in NAMES if implemented(n)])
def test_keys_equal_the_fields_of_the_dataclasses(name: str) -> None:
    loaded = content(name)
    config = implementation(loaded["implementation"]).Config
    expected = fields(config)
    if loaded["stage"] == "train":
        expected |= fields(EvaluationConfig)
        if loaded.get("fits"):
            expected |= fields(ImaginationConfig)
        if "_imitation" in ancestors(name):
            expected |= fields(DemonstrationConfig, RobustnessConfig)
    assert set(keys(name)) == expected


def annotations(name: str) -> dict[str, Any]:
    """Annotation of every key of an algorithm, in whichever dataclass it stands."""
    shared = (EvaluationConfig, ImaginationConfig, DemonstrationConfig, RobustnessConfig)
    found: dict[str, Any] = {}
    for each in (*shared, implementation(content(name)["implementation"]).Config):
        found |= get_type_hints(each)
    return found


@pytest.mark.parametrize("name", [n for n in NAMES if implemented(n)])
def test_types_of_keys_are_those_of_the_fields(name: str) -> None:
    """So that a job takes every value that the plan lets through."""
    found = annotations(name)
    for key, entry in keys(name).items():
        if entry["type"] == "choice":
            assert set(entry["choices"]) <= set(get_args(found[key])), key
        else:
            assert found[key] == TYPES[entry["type"]], key


@pytest.mark.parametrize("name", [n for n in NAMES if implemented(n)])
def test_methods_have_what_training_and_evaluation_call(name: str) -> None:
    """Attributes are there once a method is made: `build_learner` looks for all of them."""
    loaded = content(name)
    kind = implementation(loaded["implementation"])
    asked = [Learner, Policy] if loaded["stage"] == "train" else [Learner]
    called = {key for each in asked for key in vars(each) if not key.startswith("_")}
    assert {"draw", "update", "state", "restore"} <= called
    assert not [key for key in called - {"finished", "acting_noise"} if not hasattr(kind, key)]


@pytest.mark.parametrize("name", [n for n in NAMES if implemented(n)])
def test_dataclasses_have_no_defaults(name: str) -> None:
    for field in dataclasses.fields(implementation(content(name)["implementation"]).Config):
        assert field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@pytest.mark.parametrize("name", NAMES)
def test_every_key_says_what_it_is_and_where_its_value_is_from(name: str) -> None:
    for key, entry in (content(name).get("keys") or {}).items():
        assert entry.get("source"), f"{name}.{key}: no source"
        assert "default" in entry and entry.get("type"), f"{name}.{key}"


def test_the_methods_of_this_version_are_implemented() -> None:
    assert {
        "bc",
        "bcq",
        "romi_bcq",
        "romi_rbc_bcq",
        "fomi_bcq",
        "ensemble",
        "cvae",
        "rbc",
        "il_bc",
        "bmil_code",
        "bmil_paper",
        "bmil_forward",
    } <= {n for n in NAMES if implemented(n)}
