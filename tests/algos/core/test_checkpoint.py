import errno
import multiprocessing
import os
from pathlib import Path

import pytest
import torch

from algos.core import checkpoint, files
from algos.core.checkpoint import CheckpointError, FolderLock, LockedError, load, save


def test_round_trip_keeps_structure_and_bits(tmp_path: Path) -> None:
    state = {
        "a": torch.arange(3.0),
        "b": [{"c": torch.tensor(2, dtype=torch.int64)}, None, "text"],
        "d": {"e": 0.1, "f": [1, 2]},
    }
    save(tmp_path / "x.safetensors", state)
    back = load(tmp_path / "x.safetensors")
    assert torch.equal(back["a"], state["a"])  # type: ignore[arg-type]
    assert back["b"][0]["c"].item() == 2 and back["b"][1:] == [None, "text"]
    assert back["d"] == {"e": 0.1, "f": [1, 2]}


@pytest.mark.parametrize("damage", [b"", b"not safetensors at all", None])
def test_a_damaged_file_names_itself_and_the_remedy(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "x.safetensors"
    save(path, {"a": torch.zeros(1000)})
    path.write_bytes(path.read_bytes()[:500] if damage is None else damage)
    with pytest.raises(
        CheckpointError, match=r"x\.safetensors: not a readable checkpoint.*delete it"
    ):
        load(path)


def test_a_file_that_is_not_there_is_not_to_be_deleted(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(CheckpointError) as found:
        load(path, "is --run the folder of a finished run?")
    assert str(found.value) == f"{path}: no such file; is --run the folder of a finished run?"


def test_a_failed_write_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.safetensors"
    save(path, {"a": torch.zeros(2)})

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("algos.core.checkpoint.save_file", full)
    with pytest.raises(OSError, match="No space left"):
        save(path, {"a": torch.ones(2)})
    assert torch.equal(load(path)["a"], torch.zeros(2))
    assert os.listdir(tmp_path) == ["x.safetensors"]


def test_too_little_space_is_said_before_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("usage", (), {"free": 5})
    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(
        files.OutOfSpaceError, match=r"x\.safetensors needs 1 MB but only 0 MB are free; free"
    ):
        save(tmp_path / "x.safetensors", {"a": torch.zeros(2)})
    assert os.listdir(tmp_path) == []


def hold(folder: Path, ready: object, leave: object) -> None:
    with FolderLock(folder):
        ready.set()  # type: ignore[attr-defined]
        leave.wait(30)  # type: ignore[attr-defined]


def test_a_second_trainer_is_told_the_pid_and_the_remedy(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready, leave))
    process.start()
    assert ready.wait(60)
    with (
        pytest.raises(
            LockedError, match=f"pid {process.pid} on .* is training here; .*kill {process.pid}"
        ),
        FolderLock(tmp_path),
    ):
        pass
    leave.set()
    process.join()
    with FolderLock(tmp_path):  # free again
        pass


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert os.listdir(tmp_path) == []


def test_a_file_system_without_locks_does_not_pretend_that_somebody_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(checkpoint.fcntl, "flock", no_locks)
    with FolderLock(tmp_path):
        assert (tmp_path / "lock").read_text().startswith(f"pid {os.getpid()} on ")
