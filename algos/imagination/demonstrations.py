"""Demonstrated transitions of a block of runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from algos.core.randomness import integers
from algos.core.replay import Batch, Layout

#: Leading entries of an observation that are the agent's x and y.
PLACE = 2


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
