"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class OutOfSpaceError(OSError):
    """Not enough room on the disk for what is about to be written."""


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path in the same folder that replaces ``path`` when the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically; NaN and infinities are refused, they are not JSON."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def require_space(folder: Path, bytes_needed: int, purpose: str) -> None:
    """Raise `OutOfSpaceError` with a remedy unless ``folder``'s disk has ``bytes_needed`` free."""
    existing = next(parent for parent in [folder, *folder.absolute().parents] if parent.exists())
    free = shutil.disk_usage(existing).free
    if free < bytes_needed:
        raise OutOfSpaceError(
            f"{folder}: {purpose} needs {bytes_needed / 1e6:.0f} MB but only {free / 1e6:.0f} MB are free; "
            "free some space or point the working directory at a larger disk, then run again"
        )
