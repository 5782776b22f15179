"""BMIL's models of single steps, backward or forward (Park and Wong 2022, section 3.2, and its code).

Backward: which action led to a state, ``a ~ B_A(s')``, and from where, ``s - s' ~ B_S(s', a)``; two networks. Forward:
``s' - s ~ F(s, a)``; one. Nothing is normalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from algos.core.elementwise import softplus
from algos.core.networks import MLP, Precision
from algos.core.replay import Batch, Layout
from algos.imagination.ensemble import Direction, bounded_logvar

Bound = Literal["soft", "released"]
#: The last hidden layer and the heads have no activation in the code.
LINEAR_LAYERS = 2


@dataclass(frozen=True)
class TraceModelConfig:
    """Shape and loss of the model; keys of ``config/algos/_traces.yaml``."""

    direction: Direction
    model_width: int
    model_layers: int
    log_variance_max: float
    log_variance_min: float
    log_variance_bound: Bound
    bound_weight: float
    clamp_in_loss: bool


class GaussianNetwork(nn.Module):
    """R networks with a mean and a log-variance for each output, the latter between learnt bounds."""

    def __init__(
        self,
        config: TraceModelConfig,
        inputs: int,
        outputs: int,
        seeds: Sequence[int],
        name: str,
        precision: Precision,
    ) -> None:
        super().__init__()
        self.outputs, self.bound = outputs, config.log_variance_bound
        self.body = MLP(
            [inputs, *[config.model_width] * config.model_layers, 2 * outputs],
            seeds=seeds,
            name=name,
            precision=precision,
            initialiser="scaled_normal",
            linear_layers=LINEAR_LAYERS,
        )
        shape = (len(seeds), 1, 1, outputs)
        self.high = nn.Parameter(torch.full(shape, config.log_variance_max))
        self.low = nn.Parameter(torch.full(shape, config.log_variance_min))

    def part(self, runs: slice) -> GaussianNetwork:
        """The networks of some of the runs, in the same memory."""
        other = GaussianNetwork.__new__(GaussianNetwork)
        nn.Module.__init__(other)
        other.outputs, other.bound = self.outputs, self.bound
        other.body = self.body.part(runs)
        other.high = nn.Parameter(self.high.detach()[runs])
        other.low = nn.Parameter(self.low.detach()[runs])
        return other

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance ``[R, 1, B, outputs]`` of inputs ``[R, 1, B, inputs]``."""
        mean, logvar = self.body(x).split(self.outputs, dim=-1)
        if self.bound == "soft":
            return mean, bounded_logvar(logvar, self.low, self.high)
        return mean, released_logvar(logvar, self.low, self.high)


def released_logvar(logvar: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """The bound of the released code: its second sign is wrong, so that all values lie below ``low``."""
    logvar = high - softplus(high - logvar)
    return low - softplus(logvar - low)


class TraceModel(nn.Module):
    """R models of single steps.

    Args:
        config: shape and loss.
        layout: sizes of observations and actions.
        seeds: run seeds.
        precision: of the matrix products.
    """

    def __init__(
        self,
        config: TraceModelConfig,
        layout: Layout,
        seeds: Sequence[int],
        precision: Precision,
    ) -> None:
        super().__init__()
        self.config = config
        states, actions = layout.observation_dim, layout.action_dim
        self.action: GaussianNetwork | None = None
        if config.direction == "backward":
            self.action = GaussianNetwork(
                config, states, actions, seeds, "trace_model/action", precision
            )
        self.state = GaussianNetwork(
            config, states + actions, states, seeds, "trace_model/state", precision
        )

    def part(self, runs: slice) -> TraceModel:
        """The models of some of the runs, in the same memory."""
        other = TraceModel.__new__(TraceModel)
        nn.Module.__init__(other)
        other.config = self.config
        other.action = None if self.action is None else self.action.part(runs)
        other.state = self.state.part(runs)
        return other

    def heads(self, batch: Batch) -> list[tuple[Tensor, Tensor, Tensor]]:
        """(mean, log-variance, target) of the action (backward only) and of the change of state.

        Each is ``[R, 1, B, outputs]``.
        """
        backward = self.action is not None
        known = batch.next_observation if backward else batch.observation
        other = batch.observation if backward else batch.next_observation
        found = []
        if self.action is not None:
            mean, logvar = self.action(known)
            if self.config.clamp_in_loss:
                mean = mean.clamp(-1.0, 1.0)
            found.append((mean, logvar, batch.action))
        mean, logvar = self.state(torch.cat([known, batch.action], dim=-1))
        found.append((mean, logvar, other - known))
        return found

    def loss(self, batch: Batch) -> Tensor:
        """Gaussian negative log likelihoods, means over batch and dimensions, plus the gap of the bounds: ``[R]``."""
        total = torch.zeros(len(batch.action), device=batch.action.device)
        for mean, logvar, target in self.heads(batch):
            errors = (mean - target).square() * torch.exp(-logvar)
            total = total + errors.mean(dim=(1, 2, 3)) + logvar.mean(dim=(1, 2, 3))
        for network in (self.action, self.state):
            if network is not None:
                gap = (network.high - network.low).sum(dim=(1, 2, 3))
                total = total + self.config.bound_weight * gap
        return total

    @torch.no_grad()
    def error(self, batch: Batch) -> Tensor:
        """Mean squared errors of the means, summed over the heads: ``[R]``."""
        parts = [(mean - y).square().mean(dim=(1, 2, 3)) for mean, _, y in self.heads(batch)]
        return torch.stack(parts).sum(dim=0)
