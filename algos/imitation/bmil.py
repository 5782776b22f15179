"""BMIL: cloning of demonstrations and of traces that a model imagines around them (Park and Wong 2022, algorithm 1).

Each epoch fits the model to the demonstrations, imagines traces from every demonstrated state, and takes M policy steps
on minibatches of both. The backward model asks which states lead to the demonstrations, and by which actions; the
forward model is the paper's control.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from algos.core.networks import Precision
from algos.core.randomness import integers
from algos.core.replay import Layout
from algos.imagination.cloned_policy import Cloner, ClonerConfig
from algos.imagination.demonstrations import Demonstrations
from algos.imagination.perturbed_traces import (
    Bounds,
    TraceConfig,
    backward_traces,
    check,
    forward_traces,
    trace_generator,
)
from algos.imagination.trace_fit import FitSummary, TraceFit, TraceFitConfig
from algos.imagination.trace_model import TraceModel, TraceModelConfig

#: Entries of actions that hardly vary in the demonstrations are left out of the worst error.
CONSTANT_VARIANCE = 1e-8


@dataclass(frozen=True)
class BMILConfig(ClonerConfig, TraceModelConfig, TraceFitConfig, TraceConfig):
    """Keys of ``config/algos/bmil_paper.yaml`` and of its relatives."""

    demonstration_share: float
    model_schedule: Literal["interleaved", "first"]

    def __post_init__(self) -> None:
        """Refuse combinations that mean nothing."""
        check(self, self.direction)

    @property
    def demonstration_rows(self) -> int:
        """Demonstrated rows of a minibatch, rounded down."""
        return int(self.demonstration_share * self.batch_size + 1e-9)


Trace = tuple[Tensor, Tensor]


class BMIL(Cloner):
    """R runs of BMIL trained together, each on its own demonstrations.

    Attributes:
        warm_up_steps: model fits before the first epoch (``model_schedule: first``).
    """

    Config = BMILConfig

    def __init__(
        self,
        config: BMILConfig,
        demonstrations: Demonstrations,
        layout: Layout,
        seeds: tuple[int, ...],
        precision: Precision,
        device: torch.device,
        bounds: Bounds | None = None,
    ) -> None:
        super().__init__(config, demonstrations, layout, seeds, precision, device)
        if config.bounded_observations != (bounds is not None):
            raise ValueError("bounds: needed with bounded_observations, and only with it")
        self.config, self.device, self.bounds = config, device, bounds
        self.model = TraceModel(config, layout, seeds, precision).to(device)
        self.fit = TraceFit(config, self.model, layout)
        self.deviation = [demonstrations.deviation(run)[1] for run in range(len(seeds))]
        self.warm_up_steps = config.epochs if config.model_schedule == "first" else 0
        self.model_steps = [0] * len(seeds)
        self.holdout_error = [0.0] * len(seeds)
        self.imagined: list[Trace] = []
        self.imagined_epoch = -1

    def warm_up(self, step: int) -> None:
        """Fit the model once, as epoch ``step`` would."""
        self._fit(step)

    def draw(self, chunk: int) -> tuple[Tensor, Tensor]:
        """States ``[M, R, 1, B, S]`` and actions ``[M, R, 1, B, A]`` of an epoch.

        The first call of an epoch fits the model and imagines the traces, further ones use the same.
        """
        if chunk != self.imagined_epoch:
            if self.config.model_schedule == "interleaved":
                self._fit(chunk)
            self.imagined = [self._imagine(run, chunk) for run in range(len(self.seeds))]
            self.imagined_epoch = chunk
        known = self.config.demonstration_rows
        batch = self.layout.unpack(self.demonstrations.draw(chunk, self.chunk, known))
        states, actions = self._draw_imagined(chunk, self.config.batch_size - known)
        return (
            torch.cat([batch.observation, states], dim=3),
            torch.cat([batch.action, actions], dim=3),
        )

    def _fit(self, epoch: int) -> None:
        summaries: list[FitSummary] = self.fit.run(self.seeds, self.demonstrations.rows, epoch)
        for run, summary in enumerate(summaries):
            self.model_steps[run] += summary.steps
            self.holdout_error[run] = summary.holdout_error

    def _imagine(self, run: int, epoch: int) -> Trace:
        """This epoch's traces of one run: states ``[H K N, S]`` and actions ``[H K N, A]``."""
        config = self.config
        starts = self.demonstrations.batch(run).observation.repeat(config.traces_per_state, 1)
        generator = trace_generator(self.seeds[run], epoch, self.device)
        model = self.model.part(slice(run, run + 1))
        length = config.length(epoch, config.epochs)
        if config.direction == "forward":
            return forward_traces(
                config, model, self.policy, run, starts, length, generator, self.bounds
            )
        return backward_traces(
            config, model, starts, self.deviation[run], length, generator, self.bounds
        )

    def _draw_imagined(self, counter: int, count: int) -> tuple[Tensor, Tensor]:
        """Rows of the traces, uniformly with replacement: ``[M, R, 1, count, ..]``."""
        states, actions = [], []
        for seed, (state, action) in zip(self.seeds, self.imagined, strict=True):
            indices = integers(
                seed, "batch/traces", counter, len(state), (self.chunk, count), state.device
            )
            states.append(state[indices])
            actions.append(action[indices])
        return torch.stack(states, dim=1)[:, :, None], torch.stack(actions, dim=1)[:, :, None]

    def facts(self, update: int) -> list[dict[str, float]]:
        """What to record about each run after ``update`` policy updates."""
        return [self._facts(run, update) for run in range(len(self.seeds))]

    @torch.no_grad()
    def _facts(self, run: int, update: int) -> dict[str, float]:
        found = {
            "policy_steps": float(update),
            "model_steps": float(self.model_steps[run]),
            "gradient_steps": float(update + self.model_steps[run]),
            "trace_length": float(
                self.config.length(max(self.imagined_epoch, 0), self.config.epochs)
            ),
            "model_holdout_error": self.holdout_error[run],
        }
        batch = self.layout.unpack(self.demonstrations.rows[run][None, None])
        heads = self.model.part(slice(run, run + 1)).heads(batch)
        found["state_log_variance"] = float(heads[-1][1].mean())
        if self.model.action is not None:
            mean, logvar, target = heads[0]
            error = (mean.clamp(-1.0, 1.0) - target).square().mean(dim=(0, 1, 2))
            variance = target.var(dim=2, correction=0).flatten()
            varies = variance > CONSTANT_VARIANCE
            found["action_log_variance"] = float(logvar.mean())
            if varies.any():
                found["worst_action_error"] = float((error / variance)[varies].max())
        return found

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {
            **super().state(),
            "model": dict(self.model.state_dict()),
            "model_optimiser": self.fit.optimiser.state(),
            "model_steps": self.model_steps,
            "holdout_error": self.holdout_error,
            "imagined": [list(pair) for pair in self.imagined],
            "imagined_epoch": self.imagined_epoch,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        super().restore(state)
        self.model.load_state_dict(state["model"])
        self.fit.optimiser.restore(state["model_optimiser"])
        self.model_steps = list(state["model_steps"])
        self.holdout_error = list(state["holdout_error"])
        self.imagined = [(s.to(self.device), a.to(self.device)) for s, a in state["imagined"]]
        self.imagined_epoch = state["imagined_epoch"]
