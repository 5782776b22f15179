"""A measured process: ``python -m benchmarks.worker SPEC``, driven line by line over its standard input.

It builds one subject and does windows of work when told to, so that every subject has the memory allocator and the
thread settings it would have alone, while a parent alternates between subjects.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

Work = Callable[[int], float]
PROFILE_ROWS = 10


def build(spec: dict[str, Any]) -> Work:
    """The subject of a spec with keys ``factory`` (``module:function``), ``options`` and ``prepared``."""
    if spec["prepared"]:
        from algos.core import machine

        machine.prepare()
    module, _, function = spec["factory"].partition(":")
    work: Work = getattr(importlib.import_module(module), function)(**spec["options"])
    return work


def window(work: Work, count: int) -> dict[str, float]:
    """Do ``count`` steps; units done, CPU and wall seconds, and the peak memory of the process so far."""
    wall, cpu = time.perf_counter(), time.process_time()
    units = work(count)
    return {
        "units": units,
        "cpu": time.process_time() - cpu,
        "wall": time.perf_counter() - wall,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def profile(work: Work, count: int) -> list[dict[str, Any]]:
    """The operators that take most CPU time of their own in ``count`` steps."""
    import torch

    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as profiler:
        work(count)
    events = sorted(
        profiler.key_averages(), key=lambda each: each.self_cpu_time_total, reverse=True
    )
    total = sum(each.self_cpu_time_total for each in events) or 1.0
    return [
        {
            "operator": each.key,
            "share": each.self_cpu_time_total / total,
            "milliseconds": each.self_cpu_time_total / 1000,
            "calls": each.count,
        }
        for each in events[:PROFILE_ROWS]
    ]


def serve(work: Work, commands: TextIO, answers: TextIO) -> None:
    """Answer every command line ``{"do": "window" | "profile", "count": n}`` with one JSON line."""
    actions: dict[str, Callable[[Work, int], Any]] = {"window": window, "profile": profile}
    for line in commands:
        command = json.loads(line)
        answer = actions[command["do"]](work, command["count"])
        print(json.dumps(answer), file=answers, flush=True)


def main() -> None:
    """Serve on standard input and output; whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    work = build(json.loads(sys.argv[1]))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    serve(work, sys.stdin, answers)


if __name__ == "__main__":
    main()
