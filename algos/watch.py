"""``python -m algos.watch --tier T``: the training and evaluation jobs that are running, their rates and time left."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from algos.core.progress import HEARTBEAT

STALE_SECONDS = 60.0
REFRESH_SECONDS = 2.0


def running(folder: Path, now: float) -> list[dict[str, Any]]:
    """Heartbeats of a tier's scratch folder; ``state`` is running, quiet (evaluating, say) or gone."""
    found = []
    for path in sorted(folder.glob(f"*/*/{HEARTBEAT}")):
        try:
            beat = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):  # replaced or removed while we looked
            continue
        state = "running" if now - beat["time"] < STALE_SECONDS else "quiet"
        beat["state"] = (
            state if Path(f"/proc/{beat['pid']}").exists() or not _has_proc() else "gone"
        )
        beat["job"] = f"{beat['label']} {path.parent.name}"
        found.append(beat)
    return found


def table(beats: list[dict[str, Any]]) -> Table:
    """One line a job: bar, updates (of an evaluation: steps), rate, time left."""
    shown = Table(box=None)
    for column in ("job", "", "done", "per second", "left", ""):
        shown.add_column(
            column, justify="right" if column in ("done", "per second", "left") else "left"
        )
    for beat in beats:
        bounded = beat["total"] < 1 << 60
        left = (beat["total"] - beat["done"]) / beat["rate"] if bounded and beat["rate"] else None
        shown.add_row(
            beat["job"],
            ProgressBar(beat["total"] if bounded else None, beat["done"], width=24),
            f"{beat['done']:,}" + (f" of {beat['total']:,}" if bounded else ""),
            f"{beat['rate']:.1f}",
            "?" if left is None else duration(left),
            "" if beat["state"] == "running" else beat["state"],
        )
    return shown


def duration(seconds: float) -> str:
    """``1:05:09`` or ``05:09``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def _has_proc() -> bool:
    return Path("/proc/self").exists() and os.name == "posix"


def main(argv: Sequence[str] | None = None) -> None:
    """Follow a tier until interrupted; once when piped."""
    parser = argparse.ArgumentParser(description="Follow the training jobs of a tier.")
    parser.add_argument("--tier", default="quick")
    folder = Path("results") / parser.parse_args(argv).tier / "scratch"
    if not sys.stdout.isatty():
        Console(width=120).print(table(running(folder, time.time())))
        return
    with Live(refresh_per_second=4) as live:
        try:
            while True:
                live.update(table(running(folder, time.time())))
                time.sleep(REFRESH_SECONDS)
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
