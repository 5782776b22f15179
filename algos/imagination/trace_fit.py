"""Fitting the models of a block of runs to convergence, each run for as long as it needs (BMIL code).

A fit starts from the present parameters. The rows are split afresh; passes over the training rows go on until the
hold-out error has stopped falling. Runs have different numbers of rows and passes: those that are still fitting take
their next minibatch together, so each does what it would do alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from algos.core.optimiser import Adam
from algos.core.randomness import torch_generator
from algos.core.replay import Batch, Layout
from algos.imagination.trace_model import TraceModel

Holdout = Literal["unique", "released"]
UNSEEN_ERROR = 1e4


@dataclass(frozen=True)
class TraceFitConfig:
    """How the model is fitted; keys of ``config/algos/_traces.yaml``."""

    model_learning_rate: float
    model_weight_decay: float
    batch_size: int
    holdout_fraction: float
    holdout: Holdout
    improvement: float
    patience: int
    repeat: int


@dataclass
class _Pass:
    """Where one run stands in its fit.

    `training` and `held` hold indices of rows, copies included; `order` those of the present pass, `done` how many of
    them were used. With `last_only` the hold-out error of a pass is that of the last minibatch of `held`, shuffled.
    """

    seed: int
    rows: Tensor
    training: Tensor
    held: Tensor
    label: str
    last_only: bool = False
    best: float = UNSEEN_ERROR
    stale: int = 0
    passes: int = 0
    steps: int = 0
    done: int = 0
    order: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self._shuffle()

    def _shuffle(self) -> None:
        generator = torch_generator(self.seed, f"trace_model/order/{self.label}", self.passes)
        self.order = self.training[torch.randperm(len(self.training), generator=generator)]
        self.done = 0

    def at_last(self, size: int) -> bool:
        """Whether the next minibatch is the last of the pass, with what would not fill another one."""
        return len(self.order) - self.done < 2 * size

    def take(self, size: int) -> Tensor:
        """The next minibatch, ``[B, width]``."""
        end = len(self.order) if self.at_last(size) else self.done + size
        taken = self.rows[self.order[self.done : end].to(self.rows.device)]
        self.done = end
        self.steps += 1
        return taken

    def holdout(self, size: int) -> Tensor:
        """Rows that the error of this pass is measured on, ``[B, width]``."""
        chosen = self.held
        if self.last_only:
            name = f"trace_model/holdout/{self.label}"
            generator = torch_generator(self.seed, name, self.passes)
            mixed = chosen[torch.randperm(len(chosen), generator=generator)]
            chosen = mixed[_last_start(len(mixed), size) :]
        return self.rows[chosen.to(self.rows.device)]

    def finish_pass(self, error: float, config: TraceFitConfig) -> bool:
        """Count a pass with its hold-out error; whether the fit goes on."""
        self.passes += 1
        if self.best - error > config.improvement * self.best:
            self.best, self.stale = error, 0
        else:
            self.stale += 1
        if self.stale > config.patience:
            return False
        self._shuffle()
        return True


@dataclass(frozen=True)
class FitSummary:
    """What a fit of one run did: optimiser steps, passes over the training rows, the best hold-out error."""

    steps: int
    passes: int
    holdout_error: float


class TraceFit:
    """Fits a `TraceModel`; parameters and moments are warm-started from fit to fit."""

    def __init__(self, config: TraceFitConfig, model: TraceModel, layout: Layout) -> None:
        self.config, self.model, self.layout = config, model, layout
        parameters = list(model.parameters())
        decays = [config.model_weight_decay] * len(parameters)
        self.optimiser = Adam(parameters, config.model_learning_rate, decays)

    def run(self, seeds: Sequence[int], rows: Sequence[Tensor], epoch: int) -> list[FitSummary]:
        """Fit every run to its ``rows [N, width]``; ``epoch`` keys the split and the order of rows."""
        slots = [self._begin(seed, own, epoch) for seed, own in zip(seeds, rows, strict=True)]
        # which run each slot holds; runs that have finished come last
        home = list(range(len(slots)))
        active = len(slots)
        while active:
            slot = 0
            while slot < active:
                goes_on = self._end_of_pass(slot, slots[slot])
                if goes_on:
                    slot += 1
                    continue
                active -= 1
                self._swap(slot, active)
                slots[slot], slots[active] = slots[active], slots[slot]
                home[slot], home[active] = home[active], home[slot]
            if active:
                self._joint_steps(slots[:active])
        for slot in range(len(home)):
            while home[slot] != slot:
                other = home[slot]
                self._swap(slot, other)
                slots[slot], slots[other] = slots[other], slots[slot]
                home[slot], home[other] = home[other], home[slot]
        return [FitSummary(each.steps, each.passes, each.best) for each in slots]

    def _begin(self, seed: int, rows: Tensor, epoch: int) -> _Pass:
        config = self.config
        generator = torch_generator(seed, "trace_model/split", epoch)
        copies = torch.arange(len(rows)).repeat(config.repeat)
        released = config.holdout == "released"
        if released:
            mixed = copies[torch.randperm(len(copies), generator=generator)]
            count = _held_out(len(mixed), config.holdout_fraction)
            training, held = mixed[count:], mixed[:count]
        else:
            mixed = torch.randperm(len(rows), generator=generator)
            count = _held_out(len(mixed), config.holdout_fraction)
            training, held = mixed[count:].repeat(config.repeat), mixed[:count]
        return _Pass(seed, rows, training, held, str(epoch), released)

    def _end_of_pass(self, slot: int, run: _Pass) -> bool:
        """Take a run's last, larger minibatches on its own until a regular one comes up; whether it goes on."""
        size = self.config.batch_size
        while run.at_last(size):
            part = slice(slot, slot + 1)
            model, optimiser = self._part(part)
            optimiser.step(model.loss(self._batch([run.take(size)])).sum())
            error = float(model.error(self._batch([run.holdout(size)])))
            if not run.finish_pass(error, self.config):
                return False
        return True

    def _joint_steps(self, slots: list[_Pass]) -> None:
        """Steps of all these runs together, until one of them comes to the end of its pass."""
        size = self.config.batch_size
        model, optimiser = self._part(slice(0, len(slots)))
        while not any(run.at_last(size) for run in slots):
            optimiser.step(model.loss(self._batch([run.take(size) for run in slots])).sum())

    def _part(self, runs: slice) -> tuple[TraceModel, Adam]:
        model = self.model.part(runs)
        return model, self.optimiser.share(model.parameters(), runs)

    def _batch(self, rows: Sequence[Tensor]) -> Batch:
        return self.layout.unpack(torch.stack(list(rows))[:, None])

    @torch.no_grad()
    def _swap(self, one: int, other: int) -> None:
        """Exchange two runs' parameters and moments."""
        if one == other:
            return
        optimiser = self.optimiser
        tensors = [*optimiser.parameters, *optimiser.first, *optimiser.second, optimiser.count]
        for tensor in tensors:
            kept = tensor[one].clone()
            tensor[one] = tensor[other]
            tensor[other] = kept


def _held_out(count: int, fraction: float) -> int:
    """Rows held out of ``count``: the fraction, at least one, and never all."""
    return min(max(1, math.floor(count * fraction)), count - 1)


def _last_start(count: int, size: int) -> int:
    """Where the last minibatch of ``count`` rows begins, the rest that fills none being part of it."""
    return max(0, count // size - 1) * size
