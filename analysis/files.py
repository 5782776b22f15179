"""Writing files so that a reader never meets half of one."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import glob
import io
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError


def write_bytes(path: Path, content: bytes) -> Path:
    """Write `content` to `path` atomically: temporary file in the same folder, fsync, rename.

    Raises:
        AnalysisError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        _replace(path, content)
    except OSError as error:
        raise AnalysisError(
            f"{path}: {error.strerror or error}; make room or make its folder writable, then run again"
        ) from error
    return path


def _replace(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with contextlib.suppress(OSError):  # not every file system has locks
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # mkstemp makes private files; results are meant to be read by others.
            temporary.chmod(0o644)
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of `path` whose writers were killed: nobody holds their lock."""
    for rest in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError), rest.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            rest.unlink()


def csv_text(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows as CSV; a cell that a row lacks is empty."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def write_text(path: Path, content: str) -> Path:
    """Write `content` as UTF-8 to `path` atomically."""
    return write_bytes(path, content.encode("utf-8"))
