"""Data sets of a job's runs as packed rows on the training device."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from algos.core.records import Kinds, problem
from algos.core.replay import Layout
from algos.core.spec import JobSpec, SpecError
from envs.loader import DatasetError, load, rows
from envs.spec import SOURCES
from envs.tasks import get_task

#: What jobs use of a data spec.
DECLARED: dict[str, Kinds] = {
    "source": (str,),
    "seed": (int, str, type(None)),
    "transitions": (int, type(None)),
}


@dataclass(frozen=True)
class RunData:
    """One run's transitions.

    Attributes:
        rows: packed transitions ``[N, width]``, float32, on the device.
        trajectory: number of the trajectory each row belongs to, ``[N]``.
        reward: ``[N]`` float32, for trajectory returns.
        info: provenance for the result: source, generator, sha256, transitions.
        made_from: the data spec the file was generated from, None for files from elsewhere.
        path: the file.
        success: ``[N]`` bool, the state reached is a success; None where the file does not say so.
    """

    rows: Tensor
    trajectory: np.ndarray
    reward: np.ndarray
    info: dict[str, Any]
    made_from: dict[str, Any] | None
    path: Path
    success: np.ndarray | None


def layout_of(task: str) -> Layout:
    """Columns of a packed row of a task."""
    found = get_task(task)
    return Layout(found.observation_dim, found.action_dim)


def load_runs(
    files: list[Path], spec: JobSpec, include_terminal: bool, device: torch.device
) -> list[RunData]:
    """One `RunData` a seed from one file for all, or one a seed in order; a file is read once.

    Raises:
        DatasetError: a file is damaged, belongs to another task, or is not what the spec declares.
        SpecError: the spec declares no data.
        ValueError: the number of files fits neither one nor the seeds.
    """
    declared = declared_data(spec)
    if len(files) not in (1, len(spec.seeds)):
        raise ValueError(
            f"--data: {len(files)} files for {len(spec.seeds)} seeds; give one, or one a seed"
        )
    layout = layout_of(spec.task)
    loaded = {file: _load(file, spec.task, include_terminal, layout, device) for file in set(files)}
    per_seed = files if len(files) == len(spec.seeds) else files * len(spec.seeds)
    for file, seed in zip(per_seed, spec.seeds, strict=True):
        _check_declared(file, loaded[file], declared, seed)
    return [loaded[file] for file in per_seed]


def declared_data(spec: JobSpec) -> dict[str, Any]:
    """The data spec of a job that learns from data.

    Raises:
        SpecError: it has none, or not what jobs use of one.
    """
    if found := problem(spec.data, DECLARED):
        raise SpecError(f"{spec.algo}: data: {found}")
    assert spec.data is not None
    if spec.data["source"] not in SOURCES:
        raise SpecError(f"{spec.algo}: data: source must be one of {', '.join(SOURCES)}")
    return spec.data


def _check_declared(file: Path, data: RunData, declared: dict[str, Any], seed: int) -> None:
    """A locally generated file must come from the data spec that the job declares."""
    made = data.made_from
    if declared["source"] != "local":
        return
    expected = declared | ({"seed": seed} if declared["seed"] == "run" else {})
    if made is None:
        raise DatasetError(f"{file}: was not generated here, the spec declares source local")
    for key, value in expected.items():
        if made.get(key) != value:
            raise DatasetError(
                f"{file}: made with {key} {made.get(key)}, the spec declares {value}; generate it again"
            )


def _load(
    file: Path, task: str, include_terminal: bool, layout: Layout, device: torch.device
) -> RunData:
    dataset = load(file, task)
    found = rows(dataset, include_terminal)
    packed = layout.pack(
        torch.from_numpy(found.observation),
        torch.from_numpy(found.action),
        torch.from_numpy(found.reward),
        torch.from_numpy(found.next_observation),
        torch.from_numpy(found.terminated),
    )
    info = {
        "source": dataset.source,
        "generator": dataset.generator,
        "sha256": dataset.sha256,
        "transitions": len(packed),
    }
    return RunData(
        packed.to(device),
        found.trajectory,
        found.reward,
        info,
        dataset.spec,
        file,
        found.success,
    )
