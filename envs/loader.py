"""Data files as arrays, and as transitions in the way ROMI reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from envs import lint
from envs.errors import DatasetError
from envs.storage import SUCCESS, read_arrays
from envs.tasks import Task, get_task

__all__ = ["Dataset", "DatasetError", "Transitions", "load", "rows"]

#: A jump of the position over this many times the mean step starts a new episode (antmaze, ROMI's code).
ANTMAZE_JUMP = 10.0


@dataclass(frozen=True)
class Dataset:
    """One checked data file, N rows in the order they were driven.

    Attributes:
        task: the task it belongs to.
        path: the file.
        observations: ``[N, S]`` float32.
        actions: ``[N, A]`` float32 in [-1, 1].
        rewards: ``[N]`` float32.
        terminals: ``[N]`` bool, the task ended the episode with this row.
        timeouts: ``[N]`` bool, the next row does not follow from this one (limit, target reached, end of a
            trajectory).
        sha256: of the arrays for files written here (see `envs.storage.array_digest`), of the file for others.
        source: ``local``, ``d4rl`` (checked against the published or recorded checksum) or ``file``.
        generator: name of the generator, or None.
        reward_at: ``observation`` or ``next_observation``: the state that a row's reward belongs to; None where
            that cannot be seen from the data.
        success: ``[N]`` bool, the state of a row is a success of the task (``infos/success``); None where the file
            does not say so. Files of demonstrations do.
        spec: the data spec a file written here was made from, or None.
    """

    task: Task
    path: Path
    observations: np.ndarray
    actions: np.ndarray
    rewards: np.ndarray
    terminals: np.ndarray
    timeouts: np.ndarray
    sha256: str
    source: str
    generator: str | None
    reward_at: str | None
    success: np.ndarray | None = None
    spec: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self.observations)


@dataclass(frozen=True)
class Transitions:
    """M transitions; arrays are float32 but for ``terminated`` (bool) and ``trajectory`` (int64).

    Attributes:
        observation: ``[M, S]``.
        action: ``[M, A]``.
        reward: ``[M]``.
        next_observation: ``[M, S]``.
        terminated: ``[M]``.
        trajectory: ``[M]``, number from 0 of the run of consecutive rows a transition belongs to.
        success: ``[M]`` bool, the state reached is a success; None where the file does not say so.
    """

    observation: np.ndarray
    action: np.ndarray
    reward: np.ndarray
    next_observation: np.ndarray
    terminated: np.ndarray
    trajectory: np.ndarray
    success: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.observation)


def load(path: str | Path, task: str) -> Dataset:
    """Read and check a data file of ``task``.

    Raises:
        DatasetError: the file is missing, damaged or does not belong to the task; the message is the first finding
            of the linter.
        TaskError: there is no such task.
    """
    found, path = get_task(task), Path(path)
    try:
        with h5py.File(path) as file:
            arrays, attributes = read_arrays(file), dict(file.attrs)
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file; generate or fetch it") from None
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"{path}: not a readable HDF5 file, damaged or cut off; delete it and make it again ({reason})"
        ) from None
    report = lint.check(path, arrays, attributes, found)
    if report.findings:
        more = f" (and {len(report.findings) - 1} more)" if len(report.findings) > 1 else ""
        raise DatasetError(f"{report.findings[0]}{more}")
    observations = arrays["observations"].astype(np.float32, copy=False)
    timeouts = arrays["timeouts"].astype(bool) if "timeouts" in arrays else None
    if found.domain == "antmaze" or timeouts is None:
        timeouts = position_jumps(observations)
    return Dataset(
        task=found,
        path=path,
        observations=observations,
        actions=arrays["actions"].astype(np.float32, copy=False),
        rewards=arrays["rewards"].astype(np.float32, copy=False),
        terminals=arrays["terminals"].astype(bool),
        timeouts=timeouts,
        sha256=report.sha256,
        source=report.source,
        generator=report.generator,
        reward_at=report.reward_at,
        success=arrays[SUCCESS].astype(bool) if SUCCESS in arrays else None,
        spec=json.loads(str(attributes["spec"])) if "spec" in attributes else None,
    )


def position_jumps(observations: np.ndarray) -> np.ndarray:
    """Rows whose next row is elsewhere, ``[N]`` bool: the step in xy exceeds ten times the mean step.

    The ``timeouts`` of antmaze version 0 files are wrong; ROMI's code throws them away and does this instead.
    """
    step = np.linalg.norm(np.diff(observations[:, :2].astype(np.float64), axis=0), axis=1)
    return np.append(step > ANTMAZE_JUMP * step.mean(), False)


def rows(dataset: Dataset, include_terminal: bool) -> Transitions:
    """Transitions of a file, in its order (ROMI's code; D4RL's q-learning view).

    Row i gives (s_i, a_i, r_i, s_{i+1}, d_i); the last row gives none. Left out are rows with a timeout and, unless
    ``include_terminal``, rows with a terminal: their next row belongs to another episode. That is harmless for
    values, which a terminal masks, and wrong for models. A trajectory ends at a row left out and after a terminal.
    """
    terminal = dataset.terminals[:-1]
    keep = ~dataset.timeouts[:-1]
    if not include_terminal:
        keep &= ~terminal
    follows = np.zeros_like(keep)
    follows[1:] = keep[:-1] & ~terminal[:-1]
    trajectory = np.cumsum(keep & ~follows) - 1
    return Transitions(
        observation=dataset.observations[:-1][keep],
        action=dataset.actions[:-1][keep],
        reward=dataset.rewards[:-1][keep],
        next_observation=dataset.observations[1:][keep],
        terminated=terminal[keep],
        trajectory=trajectory[keep],
        success=None if dataset.success is None else dataset.success[1:][keep],
    )
