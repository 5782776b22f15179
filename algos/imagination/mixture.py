"""Minibatches that mix real and imagined transitions at a fixed ratio."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from algos.core.randomness import integers, torch_generator
from algos.imagination.starts import Starts


def real_share(batch_size: int, eta: float) -> int:
    """Real rows in a minibatch: ``B - int(B eta + 0.1)``.

    The code takes ``int(B (1 - eta) + 0.1)`` real rows instead, which at B = 256, eta = 0.1 leaves a row out.
    """
    return batch_size - int(batch_size * eta + 0.1)


class Mixture:
    """Draws minibatches ``[chunk, R, 1, B, width]`` of packed rows, the real ones first.

    With ``eta`` 0 the draws are those of plain offline learning, bit for bit.

    Args:
        seeds: run seeds.
        real: packed rows ``[N, width]`` of each run.
        imagined: packed rows of each run, or None when nothing is imagined.
        eta: share of imagined rows in a minibatch.
        real_draw: row selection for the real part, one a run (without replacement inside a minibatch); None = uniform.
    """

    def __init__(
        self,
        seeds: tuple[int, ...],
        real: Sequence[Tensor],
        imagined: Sequence[Tensor] | None = None,
        eta: float = 0.0,
        real_draw: Sequence[Starts] | None = None,
    ) -> None:
        self.seeds, self.real, self.imagined, self.eta = seeds, real, imagined, eta
        self.real_draw = real_draw

    def draw(self, counter: int, chunk: int, batch_size: int) -> Tensor:
        """The minibatches of one chunk of updates."""
        count = real_share(batch_size, self.eta)
        runs = [
            self._run(run, counter, chunk, count, batch_size - count)
            for run in range(len(self.seeds))
        ]
        return torch.stack(runs, dim=1)[:, :, None]

    def _run(self, run: int, counter: int, chunk: int, real: int, imagined: int) -> Tensor:
        rows = self.real[run]
        parts = [rows[self._real_indices(run, counter, chunk, real).to(rows.device)]]
        if imagined:
            if self.imagined is None:
                raise ValueError("a positive eta needs imagined rows")
            source = self.imagined[run]
            indices = integers(
                self.seeds[run],
                "batch/imagined",
                counter,
                len(source),
                (chunk, imagined),
                source.device,
            )
            parts.append(source[indices])
        return torch.cat(parts, dim=1)

    def _real_indices(self, run: int, counter: int, chunk: int, count: int) -> Tensor:
        seed, rows = self.seeds[run], self.real[run]
        if self.real_draw is None:
            return integers(seed, "batch/real", counter, len(rows), (chunk, count), rows.device)
        generator = torch_generator(seed, "batch/real", counter)
        return torch.stack([self.real_draw[run](count, generator) for _ in range(chunk)])
