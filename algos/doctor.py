"""``python -m algos.doctor``: checks the machine and says what to do about each finding."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from rich.console import Console
from rich.table import Table

from algos.core import machine

Status = Literal["ok", "note", "bad"]
GIGABYTE = 1e9
MIN_FREE_GB = 5.0
MIN_MEMORY_GB = 4.0
BFLOAT16_SPEEDUP = 1.3


@dataclass(frozen=True)
class Finding:
    """One check: what was found, and what to do about it."""

    check: str
    status: Status
    found: str
    advice: str = ""


def python_version() -> Finding:
    """The interpreter; 3.11 is what the pins were made for."""
    found = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] != (3, 11):
        return Finding(
            "python", "note", found, "the pins were made on 3.11: `make PYTHON=python3.11`"
        )
    return Finding("python", "ok", found)


def pinned_versions() -> Finding:
    """Installed versions against ``constraints.txt``."""
    path = Path("constraints.txt")
    if not path.exists():
        return Finding(
            "versions", "note", "constraints.txt not found", "run this from the checkout's folder"
        )
    pins = [line.split("==") for line in path.read_text(encoding="utf-8").split() if "==" in line]
    wrong = []
    for name, pinned in pins:
        try:
            installed = importlib.metadata.version(name).split("+")[0]
        except importlib.metadata.PackageNotFoundError:
            continue
        if installed != pinned:
            wrong.append(f"{name} {installed} (pinned {pinned})")
    if wrong:
        shown = ", ".join(wrong[:4]) + (f" and {len(wrong) - 4} more" if len(wrong) > 4 else "")
        return Finding(
            "versions", "note", shown, "numbers may differ; `pip install -c constraints.txt -e .`"
        )
    return Finding("versions", "ok", f"{len(pins)} pins agree")


def torch_device() -> Finding:
    """The device jobs will train on."""
    device = machine.device()
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    return Finding(
        "torch", "ok", f"{torch.__version__} on {name}", "set HINDCAST_DEVICE=cpu|cuda to choose"
    )


def threads() -> Finding:
    """Cores, and how to use them."""
    cores = os.cpu_count() or 1
    advice = f"run `snakemake --cores {cores} all`; every job uses one thread"
    if os.environ.get("OMP_NUM_THREADS", "1") != "1":
        return Finding(
            "cores", "note", f"{cores}, OMP_NUM_THREADS is set", f"unset OMP_NUM_THREADS; {advice}"
        )
    return Finding("cores", "ok", str(cores), advice)


def precision() -> Finding:
    """Measured speed-up of bfloat16 products over float32 on one thread."""
    ratio = _product_seconds(torch.float32) / _product_seconds(torch.bfloat16)
    units = machine.bfloat16_units()
    found = (
        f"bfloat16 products are {ratio:.2g}x as fast as float32 ({', '.join(units) or 'no unit'})"
    )
    if ratio < BFLOAT16_SPEEDUP:
        return Finding("precision", "note", found, "stay with precision float32 (the default)")
    return Finding(
        "precision",
        "ok",
        found,
        "precision: bfloat16 is an option for long runs; tables use float32",
    )


def _product_seconds(dtype: torch.dtype) -> float:
    a, b = torch.randn(1000, 256).to(dtype), torch.randn(256, 256).to(dtype)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - start)
    return best


def simulator() -> Finding:
    """A maze task builds and steps."""
    try:
        import numpy as np

        from envs.batch import make_batch

        env = make_batch("maze2d-umaze-v1", 2)
        env.reset(np.random.default_rng(0), "random")
        env.step(np.zeros((2, 2)))
    except Exception as error:  # a doctor reports whatever is wrong
        return Finding(
            "mujoco",
            "bad",
            f"{type(error).__name__}: {error}",
            "`pip install -c constraints.txt -e .`",
        )
    return Finding(
        "mujoco", "ok", f"{importlib.metadata.version('mujoco')}, a maze builds and steps"
    )


def rendering() -> Finding:
    """A picture comes out of the renderer."""
    backend = os.environ.get("MUJOCO_GL", "unset")
    try:
        import gymnasium

        import envs  # noqa: F401  (registers the tasks)

        env = gymnasium.make("maze2d-umaze-v1", render_mode="rgb_array")
        env.reset(seed=0)
        env.render()
        env.close()
    except Exception as error:  # a doctor reports whatever is wrong
        found = f"MUJOCO_GL {backend}: {type(error).__name__}"
        advice = (
            "only figures with pictures need it: install libegl1 libegl-mesa0 and set MUJOCO_GL=egl"
        )
        return Finding("rendering", "note", found, advice)
    return Finding("rendering", "ok", f"works (MUJOCO_GL {backend})")


def disk() -> Finding:
    """Free disk in the working directory."""
    free = shutil.disk_usage(Path.cwd()).free / GIGABYTE
    if free < MIN_FREE_GB:
        return Finding("disk", "bad", f"{free:.1f} GB free", f"free at least {MIN_FREE_GB:.0f} GB")
    return Finding("disk", "ok", f"{free:.0f} GB free")


def memory() -> Finding:
    """Physical memory a core."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIGABYTE
    if total < MIN_MEMORY_GB:
        return Finding(
            "memory", "note", f"{total:.1f} GB", "run fewer jobs at once: snakemake --cores 1"
        )
    return Finding("memory", "ok", f"{total:.0f} GB")


CHECKS: tuple[Callable[[], Finding], ...] = (
    python_version,
    pinned_versions,
    torch_device,
    threads,
    memory,
    precision,
    simulator,
    rendering,
    disk,
)


def main() -> int:
    """Print every finding; 1 when something is bad."""
    machine.prepare()  # the checks see what jobs see: one thread
    findings = [check() for check in CHECKS]
    colours = {"ok": "green", "note": "yellow", "bad": "red"}
    table = Table(title="Hindcast on this machine", show_lines=False)
    for column in ("check", "", "found", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in findings:
        mark = f"[{colours[finding.status]}]{finding.status}[/]"
        table.add_row(finding.check, mark, finding.found, finding.advice)
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    return int(any(finding.status == "bad" for finding in findings))


if __name__ == "__main__":
    raise SystemExit(main())
