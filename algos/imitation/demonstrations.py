"""Demonstrations of a block of runs: the first episodes of each run's file, cut soon after their first success."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from algos.core.randomness import integers
from algos.core.replay import Batch, Layout
from algos.data import RunData
from envs.loader import DatasetError

#: Length of the coordinates that say where an agent is: the first entries of an observation.
PLACE = 2


@dataclass(frozen=True)
class DemonstrationConfig:
    """Which demonstrations are learnt from; keys of ``config/algos/_imitation.yaml``."""

    demonstrations: int
    demo_tail: int


@dataclass(frozen=True)
class Demonstrations:
    """Demonstrated transitions of R runs, each run with its own number of rows.

    Attributes:
        seeds: run seeds.
        rows: packed transitions ``[N, width]`` of each run, in the order they were driven.
        layout: columns of the rows.
    """

    seeds: tuple[int, ...]
    rows: list[Tensor]
    layout: Layout

    @classmethod
    def select(
        cls,
        config: DemonstrationConfig,
        seeds: tuple[int, ...],
        data: Sequence[RunData],
        layout: Layout,
    ) -> Demonstrations:
        """The first ``config.demonstrations`` episodes of each run's file, each up to ``demo_tail`` steps after the
        first step that reached a success.

        Raises:
            DatasetError: a file has too few episodes, does not say what succeeded, or holds an episode without success.
        """
        rows = [run.rows[torch.from_numpy(_kept(config, run))] for run in data]
        return cls(seeds, rows, layout)

    @classmethod
    def blank(cls, seeds: tuple[int, ...], layout: Layout) -> Demonstrations:
        """A stand-in with the right shapes, for policies that are loaded and only act."""
        return cls(seeds, [torch.zeros(2, layout.width) for _ in seeds], layout)

    def batch(self, run: int) -> Batch:
        """All transitions of a run."""
        return self.layout.unpack(self.rows[run])

    def draw(self, counter: int, chunk: int, count: int) -> Tensor:
        """Rows drawn uniformly with replacement, ``[chunk, R, 1, count, width]``."""
        drawn = []
        for seed, rows in zip(self.seeds, self.rows, strict=True):
            indices = integers(
                seed, "batch/demonstrations", counter, len(rows), (chunk, count), rows.device
            )
            drawn.append(rows[indices])
        return torch.stack(drawn, dim=1)[:, :, None]

    def deviation(self, run: int) -> tuple[Tensor, Tensor]:
        """Standard deviations over a run's rows: of observations ``[S]`` and of actions ``[A]``."""
        batch = self.batch(run)
        return (
            batch.observation.double().std(dim=0, correction=0).float(),
            batch.action.double().std(dim=0, correction=0).float(),
        )

    def path(self, run: int) -> list[list[float]]:
        """Places that a run's demonstrations visit, ``[N][2]``, metres."""
        places = self.batch(run).observation[:, :PLACE].double().cpu().numpy()
        found: list[list[float]] = np.round(places, 4).tolist()
        return found


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
