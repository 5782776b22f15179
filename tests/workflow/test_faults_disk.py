"""Disks that are full or read-only: one line that says what to do, nothing half-written, the same bytes afterwards."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from algos.core import checkpoint, files
from analysis.files import write_text as write_report
from envs import storage
from tests.workflow import faults
from tests.workflow.conftest import Reference
from tests.workflow.test_faults import wait_until

KB, MB = 1_000, 1_000_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def mount(*words: str) -> None:
    """Call `mount`, or skip the test where that is not allowed."""
    if shutil.which("mount") is None:
        pytest.skip("no mount on this machine")
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"may not mount: {done.stderr.strip()}")


@contextlib.contextmanager
def mounted(place: Path, *words: str) -> Iterator[None]:
    mount(*words, str(place))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    with mounted(place, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        yield place


def leave(disk: Path, free: int) -> None:
    """Make the disk so large that `free` bytes are left."""
    mount("-o", f"remount,size={shutil.disk_usage(disk).used + free}", str(disk))


def fill(disk: Path) -> Path:
    """Use up every byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return filler


def write_arrays(path: Path, numbers: int) -> None:
    storage.write(path, {"observations": np.ones(numbers, dtype=np.float64)}, {})


WRITERS: dict[str, Callable[[Path, int], object]] = {
    "checkpoint.safetensors": lambda path, n: checkpoint.save(
        path, {"a": torch.ones(n, dtype=torch.float64)}
    ),
    "run.json": lambda path, n: files.write_json(path, "x" * 8 * n),
    "data.hdf5": write_arrays,
    "summary.md": lambda path, n: write_report(path, "x" * 8 * n),
}


@pytest.fixture
def unsuspecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The room is taken by others after it was looked for."""
    for module in (checkpoint, storage):
        monkeypatch.setattr(module, "require_space", lambda *_: None)


@pytest.mark.usefixtures("unsuspecting")
@pytest.mark.parametrize("name", WRITERS)
def test_a_write_that_fills_the_disk(disk: Path, name: str) -> None:
    path = disk / name
    WRITERS[name](path, 1000)
    before = path.read_bytes()
    with pytest.raises((OSError, ValueError)) as failed:
        WRITERS[name](path, MB)
    message = files.explain(failed.value)
    assert f"{path}: No space left on device" in message and "\n" not in message
    assert "free some space" in message or "make room" in message
    assert [each.name for each in disk.iterdir()] == [name] and path.read_bytes() == before


@pytest.mark.parametrize("name", WRITERS)
def test_a_write_to_a_read_only_disk(disk: Path, name: str) -> None:
    mount("-o", "remount,ro", str(disk))
    with pytest.raises((OSError, ValueError)) as failed:
        WRITERS[name](disk / name, 10)
    message = files.explain(failed.value)
    assert f"{disk / name}: Read-only file system" in message and "make its folder" in message


@pytest.mark.parametrize("name", WRITERS)
def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path, name: str) -> None:
    """A writer that lives keeps its temporary file: only what nobody locks is removed."""
    path = tmp_path / name
    program = f"""
import os, signal
from pathlib import Path
from tests.workflow import test_faults_disk as here
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
here.WRITERS[{name!r}](Path({str(path)!r}), 10)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=faults.ROOT, check=False)
    assert done.returncode == -9
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(f".{name}.") and left.name.endswith(".tmp")
    WRITERS[name](path, 10)
    assert list(tmp_path.iterdir()) == [path]
    faults.parse(path) if name != "data.hdf5" and name != "summary.md" else None


def test_each_stage_on_a_full_disk(disk: Path, reference: Reference) -> None:
    mount("-o", "remount,size=100m", str(disk))
    project = faults.build(disk / "project")

    leave(disk, 250 * KB)
    code, output = project.run()
    assert code != 0 and "are free; make room or choose another folder" in output
    assert "error: data/maze2d-umaze-v1: a data file (local-" in output
    assert project.files() == []

    leave(disk, 30 * MB)
    code, output = project.run()
    assert code != 0 and "a training job needs 64 MB but only" in output

    leave(disk, 80 * MB)
    call = project.start()
    scratch = "results/faults/scratch/*/*/checkpoint.safetensors"
    wait_until(lambda: list(project.root.glob(scratch)), "no checkpoint is written")
    filler = fill(disk)
    try:
        assert call.wait(faults.PATIENCE) != 0
    finally:
        project.stop()
    log = next(project.root.glob("results/faults/logs/fit/**/*.log")).read_text()
    assert "checkpoint.safetensors needs 1 MB but only 0 MB are free; free some space" in log
    assert "Traceback" not in log
    project.check_files()

    mount("-o", f"remount,size={filler.stat().st_size + 200 * MB}", str(disk))
    project.finish()
    assert project.metrics() == reference.metrics and project.leftovers() == []


def test_a_read_only_results_folder(ran: faults.Project, reference: Reference) -> None:
    results = ran.root / "results"
    ran.remove("results/faults/summary.md", "results/faults/runs/**/result.json")
    run = next(results.glob("faults/runs/**/run.json")).parent
    with mounted(results, "--bind", str(results)):
        mount("-o", "remount,ro,bind", str(results))
        code, output = ran.run()
        assert code != 0 and "Write-protected output files" in output
        assert "results/faults/claims.csv" in output
        words = ["algos.merge", "--run", str(run), "--out", str(run / "result.json")]
        merged = subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ran.root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert merged.returncode == 2 and merged.stderr.count("\n") == 1
        assert f"error: {run / 'result.json'}: Read-only file system" in merged.stderr
    ran.finish()
    assert ran.metrics() == reference.metrics and ran.leftovers() == []
