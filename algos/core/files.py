"""Files that are written whole or not at all, and what to do when they cannot be."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MORE_ROOM = "the disk is full; free some space, then give the same command again"
WRITABLE = "it may not be written here; make its folder writable, then give the same command again"
REMEDIES = {
    errno.ENOSPC: MORE_ROOM,
    errno.EDQUOT: MORE_ROOM,
    errno.EROFS: WRITABLE,
    errno.EACCES: WRITABLE,
    errno.EPERM: WRITABLE,
}


class OutOfSpaceError(OSError):
    """Not enough room on the disk for what is about to be written."""


def explain(error: BaseException) -> str:
    """An error in one line; of one that the system raised, the file, the reason and the remedy."""
    if isinstance(error, OSError) and error.filename and error.errno:
        remedy = REMEDIES.get(error.errno, "")
        return f"{error.filename}: {error.strerror}" + (f": {remedy}" if remedy else "")
    return " ".join(str(error).split()) or type(error).__name__


def tell(message: str) -> None:
    """Print to standard error; a log on a full disk must not end the work it tells of."""
    with contextlib.suppress(OSError):
        print(message, file=sys.stderr, flush=True)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path on the same disk that replaces ``path`` when the block succeeds.

    Raises:
        OSError: it cannot be written; the error carries ``path``, not the temporary name.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path)
        with _private_folder(path) as folder:
            temporary = folder / path.name
            yield temporary
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


@contextlib.contextmanager
def _private_folder(path: Path) -> Iterator[Path]:
    """A new folder beside ``path``, locked as long as this process writes there, removed at the end.

    A folder, because libraries put temporary files of their own beside the file that they are told to write.
    """
    prefix, suffix = f".{path.name}.", ".tmp"
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix, suffix=suffix) as name:
        handle = os.open(name, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # not every file system has locks
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(handle)


def remove_leftovers(path: Path) -> None:
    """Remove what writers of ``path`` left behind that were killed: nobody holds the lock."""
    for rest in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            handle = os.open(rest, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(rest)
            finally:
                os.close(handle)


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
