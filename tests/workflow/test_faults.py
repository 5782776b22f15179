"""Jobs and calls that are killed or stopped at any moment: the next call ends with the same bytes."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow import faults
from tests.workflow.conftest import Reference

KILLS = 10
SEED = 7
FITS, RUNS, SCRATCH = (f"results/faults/{name}" for name in ("fits", "runs", "scratch"))
REPORT = tuple(
    f"results/faults/{name}" for name in ("summary.md", "tables", "claims.csv", "report.html")
)
#: What each kind of job makes; as long as it is missing, such a job can be hit.
MADE = {
    "envs.datasets": "data/**/*.hdf5",
    "algos.fit": f"{FITS}/**/fit.json",
    "algos.train": f"{RUNS}/**/run.json",
    "algos.evaluate": f"{RUNS}/**/evaluation.json",
    "analysis.report": REPORT[0],
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # a busy machine is slow


def wait_until(happened: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + faults.PATIENCE
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def strike(project: faults.Project, reference: Reference, choice: random.Random) -> str | None:
    """Kill a job, or the call with all its jobs, at a random moment; what was hit, None for a miss."""
    missing = [module for module in faults.MODULES if not any(project.root.glob(MADE[module]))]
    # Mostly the next job or the one after it: those behind cost the most time to get to.
    module = missing[min(int(choice.expovariate(1.0)), len(missing) - 1)]
    moment = choice.uniform(0.3, 1.0) * reference.seconds[module]
    whole_call = choice.random() < 0.5
    call = project.start()
    pid = project.wait_for(module, call)
    assert pid is not None, project.output()
    wait_until(lambda: faults.cpu_seconds(pid) >= moment, "the job makes no progress")
    ended = faults.cpu_seconds(pid) == float("inf")
    with contextlib.suppress(ProcessLookupError):
        os.killpg(call.pid, signal.SIGKILL) if whole_call else os.kill(pid, signal.SIGKILL)
    call.wait(faults.PATIENCE)
    project.check_files()
    if ended and not whole_call:
        return None
    return f"{'call during ' if whole_call else ''}{module}"


def test_ten_kills_change_nothing(reference: Reference, tmp_path: Path) -> None:
    project = faults.build(tmp_path / "project")
    choice = random.Random(SEED)
    struck: list[str] = []
    while len(struck) < KILLS:
        if all(any(project.root.glob(pattern)) for pattern in MADE.values()):
            project.finish()
            assert project.metrics() == reference.metrics, struck
            project.remove("data", "results", ".snakemake")
        if hit := strike(project, reference, choice):
            struck.append(hit)
        if hit is not None and hit.startswith("call"):
            code, output = project.run("--unlock")
            assert code == 0, output
    project.finish()
    assert project.metrics() == reference.metrics, struck
    assert project.leftovers() == []


def test_a_killed_call_leaves_a_trainer_that_is_respected(
    ran: faults.Project, reference: Reference
) -> None:
    ran.remove(RUNS, SCRATCH, *REPORT)
    call = ran.start(HINDCAST_BEAT_SECONDS="0")
    pid = ran.wait_for("algos.train", call)
    assert pid is not None
    wait_until(lambda: list(ran.root.glob(f"{SCRATCH}/*/*/progress.json")), "no update is made")
    os.kill(pid, signal.SIGSTOP)  # so that it holds its folder for as long as the test needs
    call.kill()
    call.wait()
    code, output = ran.run()
    assert code != 0 and faults.LOCKED in output and "--unlock argument" in output
    assert ran.run("--unlock")[0] == 0
    code, output = ran.run()
    assert code != 0
    holder = f"pid {pid} on {socket.gethostname()} is training here; wait for it, or stop it with"
    assert f"{holder} `kill {pid}`" in output
    os.kill(pid, signal.SIGCONT)
    wait_until(lambda: pid not in ran.jobs(), "the trainer does not end")
    ran.finish()
    assert ran.metrics() == reference.metrics and ran.leftovers() == []


def terminate(project: faults.Project, module: str) -> Path:
    """SIGTERM to a job after its first update; returns its checkpoint."""
    before = set(project.root.glob(f"{SCRATCH}/*/*/progress.json"))
    call = project.start(HINDCAST_BEAT_SECONDS="0")
    pid = project.wait_for(module, call)
    assert pid is not None, project.output()
    beats: set[Path] = set()
    wait_until(
        lambda: (
            beats.update(set(project.root.glob(f"{SCRATCH}/*/*/progress.json")) - before) or beats
        ),
        "no update is made",
    )
    os.kill(pid, signal.SIGTERM)
    assert call.wait(faults.PATIENCE) != 0
    checkpoint = next(iter(beats)).with_name("checkpoint.safetensors")
    faults.parse(checkpoint)
    shown = checkpoint.relative_to(project.root)
    output = project.output()
    assert "stopped by SIGTERM at update" in output
    assert f"the same command goes on from {project.root / shown}" in output
    return checkpoint


def test_sigterm_and_a_damaged_checkpoint(ran: faults.Project, reference: Reference) -> None:
    ran.remove(FITS, RUNS, SCRATCH, *REPORT)
    checkpoint = terminate(ran, "algos.fit")
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2])
    code, output = ran.run()
    assert code != 0 and f"error: {checkpoint}: not a readable checkpoint" in output
    assert "delete it to start this job afresh" in output
    checkpoint.unlink()
    terminate(ran, "algos.train")
    ran.finish()
    assert ran.metrics() == reference.metrics and ran.leftovers() == []
