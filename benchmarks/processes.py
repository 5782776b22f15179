"""Processes that are measured: workers driven over a pipe, and commands run to their end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[1]
STDERR_LINES = 5
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class ProcessError(RuntimeError):
    """A measured process failed; the message ends with its last lines."""


def environment() -> dict[str, str]:
    """One thread, on the CPU, with the project's packages in reach from any folder."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    one_thread = dict.fromkeys(THREADS, "1")
    cpu_only = {"HINDCAST_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **one_thread, **cpu_only, "PYTHONPATH": path}


class Worker:
    """A `benchmarks.worker` process; use it as a context manager."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._ready = False

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", json.dumps(self._spec)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def window(self, count: int) -> dict[str, float]:
        """Do ``count`` steps; see `benchmarks.worker.window`."""
        answer: dict[str, float] = self._ask("window", count)
        return answer

    def profile(self, count: int) -> list[dict[str, Any]]:
        """Profile ``count`` steps; see `benchmarks.worker.profile`."""
        answer: list[dict[str, Any]] = self._ask("profile", count)
        return answer

    def _ask(self, action: str, count: int) -> Any:
        if not self._ready:
            self._answer()
            self._ready = True
        assert self._process.stdin is not None
        try:
            print(json.dumps({"do": action, "count": count}), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise self._failure() from None
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return json.loads(line)

    def _failure(self) -> ProcessError:
        self._process.wait()
        self._errors.seek(0)
        return ProcessError(f"{self._spec['factory']}: {_tail(self._errors.read())}")


@dataclass(frozen=True)
class Usage:
    """What a finished command took, its children included, and what it printed."""

    cpu: float
    wall: float
    peak_mb: float
    output: str


def run(command: Sequence[str], cwd: Path = ROOT) -> Usage:
    """Run a command to its end.

    The peak is that of the largest process. Linux counts what the parent held at the fork, so keep the parent small.

    Raises:
        ProcessError: it failed.
    """
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment(), stdout=output, stderr=errors
        )
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        printed, complaint = output.read(), errors.read()
    if process.returncode:
        raise ProcessError(f"{' '.join(command)[:120]}: {_tail(printed + complaint)}")
    seconds = time.perf_counter() - started
    return Usage(
        used.ru_utime + used.ru_stime,
        seconds,
        used.ru_maxrss / 1024,
        (printed + complaint).decode(),
    )


def _tail(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return "\n".join(lines[-STDERR_LINES:]) or "ended without a message"
