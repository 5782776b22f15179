"""Run folders that cannot be evaluated: one line that names the file, before an episode is driven."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from algos.evaluate import evaluate
from tests.algos.conftest import ROOT, expect_error, make_spec

Tell = Callable[[], str]
AGAIN = "delete it and run again"
NO_RUN = "is --run the folder of a finished run?"


@pytest.fixture
def tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Tell:
    """What evaluate says of the folder ``run``, without the part before the file's name."""
    monkeypatch.chdir(ROOT)

    def work() -> str:
        arguments = ["--run", str(tmp_path / "run"), "--out", str(tmp_path / "e.json")]
        message = expect_error(capsys, lambda: evaluate(arguments))
        assert not (tmp_path / "e.json").exists()
        return message.removeprefix(f"error: {tmp_path}/run/").rstrip("\n")

    return work


def write(folder: Path, algo: str = "bcq", **changes: Any) -> None:
    """The record of a run of two seeds, with changes; a key that is changed to None is left out."""
    runs = [{"seed": seed, "status": "finished"} for seed in range(2)]
    data = [{"seed": seed, "sha256": "b"} for seed in range(2)]
    spec = json.loads(make_spec(algo, (0, 1)))
    record = {"digest": "a", "spec": spec, "runs": runs, "data": data} | changes
    kept = {key: value for key, value in record.items() if value is not None}
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "run.json").write_text(json.dumps(kept))


def test_a_folder_without_a_run_is_not_to_be_deleted(tmp_path: Path, tell: Tell) -> None:
    assert tell() == f"run.json: no such file; {NO_RUN}"
    write(tmp_path)
    assert tell() == f"policy.safetensors: no such file; {NO_RUN}"


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "missing key spec"), ("[]", "must be an object, found a list")],
)
def test_a_record_of_something_else(content: str, message: str, tmp_path: Path, tell: Tell) -> None:
    write(tmp_path)
    (tmp_path / "run" / "run.json").write_text(content)
    assert tell() == f"run.json: {message}; {AGAIN}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": None}, f"run.json: missing key runs; {AGAIN}"),
        ({"runs": [{"status": "finished"}]}, f"run.json: runs: 1 entries for 2 seeds; {AGAIN}"),
        ({"runs": [{}, {}]}, f"run.json: runs: entry 0: missing key status; {AGAIN}"),
        ({"data": None}, f"run.json: missing key data; {AGAIN}"),
        ({"data": [{"seed": 0}] * 2}, f"run.json: data: entry 0: missing key sha256; {AGAIN}"),
        ({"spec": {}}, "run.json: spec: missing key stage"),
    ],
)
def test_a_record_that_lacks_something(
    changes: dict[str, Any], message: str, tmp_path: Path, tell: Tell
) -> None:
    write(tmp_path, **changes)
    assert tell() == message


@pytest.mark.parametrize("paths", [None, [], [[[0.0, 0.0]]], [[[0.0, 0.0]], [[0.0], []]], [1, 2]])
def test_a_run_that_imitates_must_say_what_it_was_shown(
    paths: Any, tmp_path: Path, tell: Tell
) -> None:
    write(tmp_path, "il_bc", paths=paths)
    assert tell() == f"run.json: paths: must hold a list of [x, y] for each seed; {AGAIN}"
    write(tmp_path, "il_bc", paths=[[[0.0, 0.0]], [[1.0, 0.5], [1.0, 1.0]]])
    assert tell() == f"policy.safetensors: no such file; {NO_RUN}"
