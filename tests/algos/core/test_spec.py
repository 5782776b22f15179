"""Specs: what is refused, and the one line that says so."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from algos.core.spec import JobSpec, SpecError, digest_of, implementation, misfit
from tests.algos.conftest import make_spec


def spec(**changes: Any) -> str:
    """A spec with changed keys and the digest that belongs to them."""
    raw = json.loads(make_spec("bcq")) | changes
    return json.dumps(raw | {"digest": digest_of(raw)})


@pytest.mark.parametrize("text", ["null", "[]", "3"])
def test_a_spec_is_an_object(text: str) -> None:
    with pytest.raises(SpecError, match=r"^--spec: must be an object, found "):
        JobSpec.parse(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": []}, "seeds must hold integers from 0 up, at least one"),
        ({"seeds": [0, True]}, "seeds must hold integers from 0 up, at least one"),
        ({"seeds": [-1]}, "seeds must hold integers from 0 up, at least one"),
        ({"seeds": 0}, "seeds must be a list, found an integer"),
        ({"data": []}, "data must be an object or null, found a list"),
        ({"hyperparameters": None}, "hyperparameters must be an object, found null"),
        ({"fits": None}, "fits must be an object, found null"),
        ({"algo": ["bcq"]}, "algo must be a string, found a list"),
        ({"version": "1"}, "version must be an integer, found a string"),
        ({"stage": "merge"}, "stage must be one of fit, train, not merge"),
        ({"precision": "half"}, "precision must be one of float32, bfloat16, not half"),
        ({"task": None}, "task must be a string, found null"),
    ],
)
def test_values_have_their_types(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as found:
        JobSpec.parse(spec(**changes))
    assert str(found.value) == f"--spec: {message}"


@pytest.mark.parametrize("number", ["NaN", "1e999"])
def test_numbers_that_are_not_finite_have_no_digest(number: str) -> None:
    text = spec().replace('"discount": 0.99', f'"discount": {number}')
    with pytest.raises(SpecError, match=r"^--spec: the digest does not fit the content"):
        JobSpec.parse(text)


def test_an_algorithm_that_acts_declares_no_data() -> None:
    assert JobSpec.parse(spec(data=None)).data is None


def test_a_spec_of_another_stage_is_refused() -> None:
    assert JobSpec.parse(spec(), stage="train").stage == "train"
    with pytest.raises(SpecError) as found:
        JobSpec.parse(spec(stage="fit"), where="run.json: spec", stage="train")
    message = "stage is fit, a train job needs train; use algos.fit for it"
    assert str(found.value) == f"run.json: spec: {message}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", ": must be module:Class"),
        ("algos.offline.bcq", ": must be module:Class"),
        (".bcq:BCQ", ": must be module:Class"),
        ("algos.offline.none:BCQ", ": cannot be imported (No module named 'algos.offline.none')"),
        ("algos.offline.bcq:None_", ": algos.offline.bcq has no algorithm None_"),
        ("algos.offline.bcq:MLP", ": algos.offline.bcq has no algorithm MLP"),
    ],
)
def test_implementations_that_do_not_exist(name: str, message: str) -> None:
    with pytest.raises(SpecError) as found:
        implementation(name)
    assert str(found.value) == f"implementation: {name}{message}"


@dataclass(frozen=True)
class Config:
    tau: float
    hidden: tuple[int, ...]


@dataclass(frozen=True)
class Other:
    epochs: int
    start: Literal["random", "stratified"]


GOOD = {"tau": 1, "hidden": [4, 4], "epochs": 2, "start": "random"}


def test_hyperparameters_fit_the_annotations() -> None:
    parsed = JobSpec.parse(spec(algo="made", hyperparameters=GOOD))
    assert parsed.build(Config, Other) == Config(1, (4, 4))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("epochs", "two", 'an integer, found "two"'),
        ("epochs", True, "an integer, found true"),
        ("epochs", 2.0, "an integer, found 2.0"),
        ("tau", None, "a number, found null"),
        ("hidden", 16, "a list of integers, found 16"),
        ("hidden", [16, "x"], 'a list of integers, found [16,"x"]'),
        ("start", "first", 'one of random, stratified, found "first"'),
        ("start", ["random"], 'one of random, stratified, found ["random"]'),
    ],
)
def test_hyperparameters_of_another_type_name_their_key(key: str, value: Any, message: str) -> None:
    parsed = JobSpec.parse(spec(algo="made", hyperparameters=GOOD | {key: value}))
    with pytest.raises(SpecError) as found:
        parsed.build(Config, Other)
    assert str(found.value) == f"made: {key} must be {message}"


def test_integers_are_numbers_and_booleans_are_not() -> None:
    assert misfit(1, float) is None and misfit([1, 0.5], tuple[float, ...]) is None
    assert misfit(False, bool) is None and misfit("x", str) is None
    assert misfit(True, float) == "a number" and misfit(1, bool) == "true or false"
    assert misfit(1, str) == "a string" and misfit([None], tuple[float, ...]) == "a list of numbers"
