"""Progress of long work: a rich bar on a terminal, silence when piped."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

Advance = Callable[[int], None]
HEARTBEAT = "progress.json"
BEAT_SECONDS = float(os.environ.get("HINDCAST_BEAT_SECONDS", "2"))


@contextlib.contextmanager
def progress_bar(label: str, total: int | None, unit: str, done: int = 0) -> Iterator[Advance]:
    """Yield a function that advances the bar by n units. ``total`` None: length unknown."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn(f"{{task.completed:,.0f}} {unit}, {{task.fields[rate]}}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        task = progress.add_task(label, total=total, completed=done, rate="")

        def advance(count: int) -> None:
            progress.update(task, advance=count)
            speed = progress.tasks[0].speed
            progress.update(task, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance


class Heartbeat:
    """Tells `algos.watch` how far a job is: a small file in its scratch folder, renewed every few seconds.

    Args:
        folder: the job's scratch folder.
        label: what the job does.
        total: updates (of an evaluation: environment steps) the job will make at most.
        done: those made before this process began.
    """

    def __init__(self, folder: Path, label: str, total: int, done: int) -> None:
        self.path, self.label, self.total, self.first = folder / HEARTBEAT, label, total, done
        self._temporary = self.path.with_suffix(".tmp")
        self.started = self.last = time.time()

    def beat(self, done: int) -> None:
        """Renew the file unless that was done a moment ago."""
        now = time.time()
        if now - self.last < BEAT_SECONDS:
            return
        self.last = now
        rate = (done - self.first) / (now - self.started)
        state = {"label": self.label, "done": done, "total": self.total, "rate": rate}
        text = json.dumps(state | {"pid": os.getpid(), "time": now})
        with contextlib.suppress(OSError):  # a full disk: news of the work must not end it
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.write_text(text, encoding="utf-8")
            self._temporary.replace(self.path)

    def stop(self) -> None:
        """The job has ended: remove the file."""
        self._temporary.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def reported(folder: Path, label: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
    """Yield a function that tells of n more units: to a bar on a terminal, and to `algos.watch` through ``folder``.

    ``done``: units that were done before.
    """
    heartbeat = Heartbeat(folder, label, total, done)
    with progress_bar(label, total, unit, done) as bar:

        def advance(count: int) -> None:
            nonlocal done
            done += count
            bar(count)
            heartbeat.beat(done)

        try:
            yield advance
        finally:
            heartbeat.stop()
