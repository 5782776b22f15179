"""Which rows of a file are learnt from: its first episodes, each cut soon after its first success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from algos.core.replay import Layout
from algos.data import RunData
from algos.imagination.demonstrations import Demonstrations
from envs.loader import DatasetError


@dataclass(frozen=True)
class DemonstrationConfig:
    """Which demonstrations are learnt from; keys of ``config/algos/_imitation.yaml``."""

    demonstrations: int
    demo_tail: int


def select(
    config: DemonstrationConfig, seeds: tuple[int, ...], data: Sequence[RunData], layout: Layout
) -> Demonstrations:
    """The first ``config.demonstrations`` episodes of each run's file.

    An episode is kept up to ``demo_tail`` steps after the first step that reached a success.

    Raises:
        DatasetError: a file has too few episodes, does not say what succeeded, or holds an episode without success.
    """
    rows = [run.rows[torch.from_numpy(_kept(config, run))] for run in data]
    return Demonstrations(seeds, rows, layout)


def _kept(config: DemonstrationConfig, run: RunData) -> np.ndarray:
    """Indices of the rows that are learnt from."""
    if run.success is None:
        raise DatasetError(
            f"{run.path}: infos/success: missing; demonstrations must say which states are a success"
        )
    episodes = int(run.trajectory[-1]) + 1
    if episodes < config.demonstrations:
        raise DatasetError(
            f"{run.path}: {episodes} episodes, demonstrations asks for {config.demonstrations}; generate more"
        )
    kept = []
    for episode in range(config.demonstrations):
        rows = np.flatnonzero(run.trajectory == episode)
        reached = np.flatnonzero(run.success[rows])
        if not len(reached):
            raise DatasetError(
                f"{run.path}: episode {episode} never succeeds; only successes are demonstrations, leave it out"
            )
        kept.append(rows[: reached[0] + 1 + config.demo_tail])
    return np.concatenate(kept)
