"""Checkpoints for bit-exact continuation, and the lock that keeps two trainers out of one folder.

A checkpoint is one safetensors file: tensors, plus a JSON document in its header. One file, so that it is replaced
atomically as a whole. Nothing is ever unpickled.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import socket
from pathlib import Path
from types import TracebackType
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from algos.core.files import atomic_path, require_space

CHECKPOINT = "checkpoint.safetensors"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be used; the message names the file and the remedy."""


class LockedError(RuntimeError):
    """Another trainer works in this folder."""


def flatten(tree: Any, prefix: str = "") -> tuple[dict[str, Tensor], Any]:
    """Split nested dicts and lists into tensors by path and a JSON skeleton that refers to them."""
    if isinstance(tree, Tensor):
        return {prefix: tree.detach().cpu().contiguous()}, {"__tensor__": prefix}
    if isinstance(tree, dict):
        items = [(str(key), value) for key, value in tree.items()]
        parts = {key: flatten(value, f"{prefix}/{key}") for key, value in items}
        tensors = {name: tensor for found, _ in parts.values() for name, tensor in found.items()}
        return tensors, {key: skeleton for key, (_, skeleton) in parts.items()}
    if isinstance(tree, list | tuple):
        found = [flatten(value, f"{prefix}/{index}") for index, value in enumerate(tree)]
        return {name: t for part, _ in found for name, t in part.items()}, [s for _, s in found]
    return {}, tree


def unflatten(skeleton: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of `flatten` (dictionary keys come back as strings)."""
    if isinstance(skeleton, dict):
        if set(skeleton) == {"__tensor__"}:
            return tensors[skeleton["__tensor__"]]
        return {key: unflatten(value, tensors) for key, value in skeleton.items()}
    if isinstance(skeleton, list):
        return [unflatten(value, tensors) for value in skeleton]
    return skeleton


def save(path: Path, state: Any) -> None:
    """Write nested dicts and lists of tensors and JSON values to one safetensors file, atomically.

    Raises:
        OSError: no room, or the folder cannot be written.
    """
    tensors, skeleton = flatten(state)
    unique = {name: tensor.clone() for name, tensor in tensors.items()}
    size = sum(tensor.numel() * tensor.element_size() for tensor in unique.values())
    require_space(path.parent, 2 * size + 1_000_000, path.name)
    with atomic_path(path) as temporary:
        try:
            save_file(unique, str(temporary), metadata={"document": json.dumps(skeleton)})
        except SafetensorError as error:
            raise _system_error(error) from error


def _system_error(error: SafetensorError) -> OSError:
    """safetensors wraps the system's errors in one of its own, with their number in the text."""
    found = re.search(r"os error (\d+)", str(error))
    return OSError(int(found.group(1)) if found else errno.EIO, str(error))


def load(path: Path, missing: str = "run the job that writes it") -> Any:
    """Read what `save` wrote; ``missing`` says what to do when there is no such file.

    Raises:
        CheckpointError: there is no such file, or it is damaged.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            skeleton = json.loads(file.metadata()["document"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file; {missing}") from None
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise CheckpointError(
            f"{path}: not a readable checkpoint ({error}); delete it to start this job afresh"
        ) from error
    return unflatten(skeleton, tensors)


class FolderLock:
    """Exclusive use of a folder by one process, released by the kernel when that process ends."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "lock"

    def __enter__(self) -> FolderLock:
        self._file = self.path.open("a+")
        if self._held_elsewhere():
            self._file.seek(0)
            holder = self._file.read().strip() or "an unknown process"
            self._file.close()
            raise LockedError(
                f"{self.path.parent}: {holder} is training here; wait for it, or stop it with "
                f"`kill {holder.split()[1] if holder.startswith('pid') else 'PID'}` (it checkpoints and exits)"
            )
        self._file.truncate(0)
        self._file.write(f"pid {os.getpid()} on {socket.gethostname()}\n")
        self._file.flush()
        return self

    def _held_elsewhere(self) -> bool:
        """Take the lock unless another process has it; not every file system has locks, without them nobody does."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return isinstance(error, BlockingIOError)
        return False

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.truncate(0)
        self._file.close()
