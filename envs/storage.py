"""Flat HDF5 files in D4RL's layout: names, checksums, safe writing."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

#: Arrays every file has; all have one row a transition.
REQUIRED = ("observations", "actions", "rewards", "terminals", "timeouts")
#: Optional: whether the state of a row is a success of the task.
SUCCESS = "infos/success"
SPACE_MARGIN = 1.1  # free space asked for, relative to the arrays
REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "free some space"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make its folder writable"),
}


def array_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """sha256 over names, types, shapes and bytes of all arrays, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
        digest.update(array.data)
    return digest.hexdigest()


def require_space(folder: Path, needed: int, what: str) -> None:
    """Check that a folder's disk has room for ``needed`` bytes.

    Raises:
        OSError: it has not.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"{folder}: {what} needs {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free;"
            " make room or choose another folder"
        )


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary name on the same disk that becomes ``path`` when the block ends without an error.

    It lies in a folder of its own, locked while this process lives: what a killed process left is removed by the
    next one that writes ``path``.

    Raises:
        OSError: it cannot be written; one line that names ``path`` and the remedy.
    """
    try:
        _remove_leftovers(path)
        with _private_folder(path) as folder:
            temporary = folder / path.name
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        remedy = REMEDIES.get(error.errno, "see to it")
        raise OSError(f"{path}: {os.strerror(error.errno)}; {remedy}, then run again") from error


@contextlib.contextmanager
def _private_folder(path: Path) -> Iterator[Path]:
    prefix, suffix = f".{path.name}.", ".tmp"
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=prefix, suffix=suffix) as name:
        handle = os.open(name, os.O_RDONLY)
        try:
            with contextlib.suppress(OSError):  # not every file system has locks
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            yield Path(name)
        finally:
            os.close(handle)


def _remove_leftovers(path: Path) -> None:
    """Remove what writers of ``path`` left behind that were killed: nobody holds the lock."""
    for rest in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with contextlib.suppress(OSError):
            handle = os.open(rest, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(rest)
            finally:
                os.close(handle)


def write(path: Path, arrays: Mapping[str, np.ndarray], attributes: Mapping[str, Any]) -> str:
    """Write arrays (names may hold ``/``) and attributes; returns the digest, also stored as attribute ``sha256``.

    Raises:
        OSError: no room, or the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    size = sum(array.nbytes for array in arrays.values())
    require_space(path.parent, int(size * SPACE_MARGIN), f"a data file ({path.name})")
    digest = array_digest(arrays)
    with atomic_file(path) as temporary, h5py.File(temporary, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
        file.attrs.update({**attributes, "sha256": digest})
    return digest


def read_arrays(file: h5py.File) -> dict[str, np.ndarray]:
    """Every data set of an open file that has rows, under its full name; ``metadata/*`` is left out."""
    arrays: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim and not name.startswith("metadata"):
            arrays[name] = item[()]

    file.visititems(visit)
    return arrays
