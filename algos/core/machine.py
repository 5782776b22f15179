"""The machine a job runs on: settings at job start, and the facts recorded with the result."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import resource
import subprocess
from pathlib import Path
from typing import Any

import torch

# glibc's mallopt parameters (malloc.h).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEEP_BYTES = 1 << 30
TOP_PAD_BYTES = 64 << 20
#: Flags of CPUs that multiply in bfloat16: Intel's matrix units, AVX-512 of Intel and AMD, Arm.
BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16", "bf16")


def prepare(threads: int = 1) -> torch.device:
    """Settings measured to matter; call before the first tensor operation. Returns the device to train on.

    * one thread: jobs fill the machine, not threads (two threads collapse when another process takes a core);
    * denormals flushed: Adam's first moments of dead relu units decay into denormals, which cost 1.65x;
    * glibc keeps the heap: large activations are reused instead of being given back and faulted in again.
    """
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", str(threads)).partition(",")[0]))
    torch.set_flush_denormal(True)
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:  # not glibc: nothing to tune
        return device()
    libc.mallopt(M_MMAP_THRESHOLD, KEEP_BYTES)
    libc.mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)
    libc.mallopt(M_TOP_PAD, TOP_PAD_BYTES)
    return device()


def device() -> torch.device:
    """``HINDCAST_DEVICE`` if set, else CUDA when there is one, else the CPU.

    Raises:
        ValueError: the device asked for is not there.
    """
    name = os.environ.get("HINDCAST_DEVICE")
    if name and name.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"HINDCAST_DEVICE={name}: torch {torch.__version__} sees no CUDA device; use device=cpu"
        )
    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))


def hardware(used: torch.device) -> dict[str, Any]:
    """CPU model, cores, the instructions that torch computes with, and the device that trained.

    CPUs of one name may differ in ``capability`` (``AVX2``, ``AVX512``, ..), and with it in the last digits of a run.
    """
    cuda = used.type == "cuda"
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "device": used.type,
        "gpu": torch.cuda.get_device_name(used) if cuda else None,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "bfloat16_units": bfloat16_units(),
        "threads": torch.get_num_threads(),
    }


def versions() -> dict[str, str]:
    """Versions that may change a number."""
    packages = ("torch", "numpy", "mujoco", "gymnasium")
    found = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found, "hindcast": project_version()}


def project_version() -> str:
    """The commit of the checkout (``+`` when it has changes), else the installed version."""
    here = Path(__file__).resolve().parents[2]
    command = ["git", "-C", str(here), "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return importlib.metadata.version("hindcast")


def peak_memory() -> int:
    """Largest resident size of this process so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _cpu_info(key: str) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def _cpu_name() -> str:
    return _cpu_info("model name") or platform.processor() or platform.machine()


def bfloat16_units() -> list[str]:
    """Units of this CPU that multiply in bfloat16; without one such products are emulated and many times slower."""
    flags = cpu_flags()
    return [name for name in BFLOAT16_UNITS if name in flags]


def cpu_flags() -> set[str]:
    """Instruction sets of the CPU, as Linux names them; empty elsewhere."""
    return set((_cpu_info("flags") or _cpu_info("Features")).split())
