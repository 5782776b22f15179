"""Shuffled passes over demonstrations, for parts of a method that learn for a number of passes (BMIL code).

Runs have different numbers of rows, hence different numbers of steps. Which rows a step takes is a function of (seed,
component, step), so nothing has to be stored to go on. Runs whose next minibatches have the same size step together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from algos.core.randomness import torch_generator
from algos.imagination.demonstrations import Demonstrations

#: Steps are taken at every so many policy updates: enough of them at once that most runs have one to take together.
INTERVAL = 25


class Passes:
    """Minibatches of one run: ``epochs`` passes over its rows, each in an order of its own.

    The last minibatch of a pass is what is left of it.

    Args:
        seed: run seed.
        component: keys the orders.
        rows: ``[N, width]``.
        copies: how often each row occurs in a pass.
        size: rows of a minibatch.
        epochs: passes.
    """

    def __init__(
        self, seed: int, component: str, rows: Tensor, copies: int, size: int, epochs: int
    ) -> None:
        self.seed, self.component = seed, component
        self.rows, self.size = rows, size
        self.length = len(rows) * copies
        self.per_pass = math.ceil(self.length / size)
        self.steps = self.per_pass * epochs
        self._order = torch.empty(0, dtype=torch.int64)
        self._ordered = -1

    def due(self, update: int, updates: int) -> int:
        """Steps to have been taken after ``update`` of ``updates`` policy updates: in proportion, all at the end."""
        reached = update if update >= updates else update // INTERVAL * INTERVAL
        return reached * self.steps // updates

    def size_of(self, step: int) -> int:
        """Rows of the minibatch of ``step``."""
        return min(self.size, self.length - step % self.per_pass * self.size)

    def take(self, step: int) -> Tensor:
        """The minibatch of ``step``, ``[B, width]``."""
        number, index = divmod(step, self.per_pass)
        if number != self._ordered:
            generator = torch_generator(self.seed, f"{self.component}/order", number)
            order = torch.randperm(self.length, generator=generator) % len(self.rows)
            self._order, self._ordered = order.to(self.rows.device), number
        return self.rows[self._order[index * self.size : (index + 1) * self.size]]


def passes_over(
    demonstrations: Demonstrations, component: str, copies: int, size: int, epochs: int
) -> list[Passes]:
    """The passes of every run over its demonstrations; see `Passes`."""
    return [
        Passes(seed, component, rows, copies, size, epochs)
        for seed, rows in zip(demonstrations.seeds, demonstrations.rows, strict=True)
    ]


def take_together(passes: Sequence[Passes], steps: Sequence[int]) -> Tensor:
    """The minibatches of runs that step together, each the one of its own step: ``[R, 1, B, width]``."""
    return torch.stack([each.take(step) for each, step in zip(passes, steps, strict=True)])[:, None]


#: One step of neighbouring runs: which runs, and the number of the step of each.
Step = Callable[[slice, list[int]], None]


def take_due(passes: Sequence[Passes], update: int, updates: int, step: Step) -> None:
    """All steps that fall to policy update ``update``, the runs beside each other where their minibatches allow it."""
    at = [each.due(update, updates) for each in passes]
    end = [each.due(update + 1, updates) for each in passes]
    while at != end:
        sizes = [
            each.size_of(done) if done < last else 0
            for each, done, last in zip(passes, at, end, strict=True)
        ]
        for runs in neighbours(sizes):
            step(runs, at[runs])
        at = [done + (size > 0) for done, size in zip(at, sizes, strict=True)]


def neighbours(sizes: Sequence[int]) -> list[slice]:
    """Neighbouring runs of equal size, those of size 0 left out: ``[5, 5, 0, 5]`` gives 0:2 and 3:4."""
    found, first = [], 0
    for run in range(1, len(sizes) + 1):
        if run == len(sizes) or sizes[run] != sizes[first]:
            if sizes[first]:
                found.append(slice(first, run))
            first = run
    return found
