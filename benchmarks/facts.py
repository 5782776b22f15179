"""What a measurement depends on: the machine, the versions, the date, how busy it was."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import run

PEERS = ("d3rlpy",)
BFLOAT16 = "bfloat16 units"
BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16", "bf16")
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile")
PROBE = (
    "import json, torch; from algos.core import machine; "
    "print(json.dumps({**machine.hardware(torch.device('cpu')), **machine.versions()}))"
)


def missing_peers() -> set[str]:
    """Peers that are not installed."""
    return {name for name in PEERS if importlib.util.find_spec(name) is None}


def missing() -> dict[str, str]:
    """What subjects may need and this machine lacks, with the words for it."""
    absent = dict.fromkeys(missing_peers(), "not installed")
    if not cpu_flags() & set(BFLOAT16_UNITS):
        absent[BFLOAT16] = "this CPU would emulate bfloat16"
    return absent


def cpu_flags() -> set[str]:
    """Flags of the CPU (empty where the system does not say)."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    lines = (
        line.split(":", 1)[1]
        for line in text.splitlines()
        if line.startswith(("flags", "Features"))
    )
    return set(next(lines, "").split())


def machine() -> dict[str, Any]:
    """Facts of this machine, asked in a process of its own so that this one stays small."""
    found = json.loads(run([sys.executable, "-c", PROBE]).output.strip().splitlines()[0])
    kept = ("cpu", "cores", "python", "torch", "numpy", "mujoco", "hindcast")
    peers = {
        name: importlib.metadata.version(name) for name in PEERS if name not in missing_peers()
    }
    flags = cpu_flags()
    return {
        **{name: found[name] for name in kept},
        "flags": [flag for flag in FLAGS if flag in flags],
        "peers": peers,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "load": round(os.getloadavg()[0], 2),
    }
