"""The dynamics model of VINS: the change of state as a point, not a distribution (Luo, Xu and Ma 2019; BMIL code)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from algos.core.networks import MLP, Precision
from algos.core.optimiser import Adam
from algos.core.replay import Batch, Layout
from algos.imagination.conservative_value import NORMAL_RANGE, SMALLEST
from algos.imagination.demonstrations import Demonstrations
from algos.imagination.passes import passes_over, take_together


@dataclass(frozen=True)
class ModelConfig:
    """Keys of the dynamics model, in ``config/algos/vins.yaml``."""

    model_epochs: int
    model_batch: int
    model_hidden: tuple[int, ...]
    model_learning_rate: float
    model_weight_decay: float
    model_gradient_clip: float


class DynamicsModel(nn.Module):
    """R models of ``s' - s`` from ``(s, a)``: inputs as they are, outputs in deviations over the demonstrations.

    Args:
        layout: sizes of observations and actions.
        hidden: widths of the hidden layers.
        mean: of the changes of state over each run's demonstrations ``[R, S]``.
        deviation: the same, standard deviation.
        seeds: run seeds.
        precision: of the matrix products.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        layout: Layout,
        hidden: Sequence[int],
        mean: Tensor,
        deviation: Tensor,
        seeds: Sequence[int],
        precision: Precision,
    ) -> None:
        super().__init__()
        states = layout.observation_dim
        sizes = (states + layout.action_dim, *hidden, states)
        self.network = MLP(
            sizes, seeds=seeds, name="model", precision=precision, initialiser="small_normal"
        )
        self.register_buffer("mean", mean[:, None, None].cpu().clone())
        self.register_buffer("deviation", deviation[:, None, None].cpu().clone())

    def forward(self, state: Tensor, action: Tensor) -> Tensor:
        """The next states ``[R, 1, B, S]`` of ``state [R, 1, B, S]`` and ``action [R, 1, B, A]``."""
        change: Tensor = self.network(torch.cat([state, action], dim=-1))
        return state + (self.mean + self.deviation * change)

    def loss(self, batch: Batch) -> Tensor:
        """Mean over rows of the root mean square error of the normalised, clipped changes: ``[R]``."""
        divisor = self.deviation.clamp(min=SMALLEST)
        output = self.network(torch.cat([batch.observation, batch.action], dim=-1))
        predicted = self.deviation * output / divisor
        true = (batch.next_observation - batch.observation - self.mean) / divisor
        error = predicted.clamp(-NORMAL_RANGE, NORMAL_RANGE) - true.clamp(
            -NORMAL_RANGE, NORMAL_RANGE
        )
        # A norm, because the root of a mean has no derivative where all errors are zero.
        root: Tensor = torch.linalg.vector_norm(error, dim=-1) / error.shape[-1] ** 0.5
        return root.mean(dim=(1, 2))

    def part(self, runs: slice) -> DynamicsModel:
        """The models of some of the runs, in the same memory."""
        other = DynamicsModel.__new__(DynamicsModel)
        nn.Module.__init__(other)
        other.network = self.network.part(runs)
        other.register_buffer("mean", self.mean[runs])
        other.register_buffer("deviation", self.deviation[runs])
        return other


class DynamicsFit:
    """Fits a `DynamicsModel`.

    Attributes:
        passes: the minibatches of each run.
        losses: the last minibatch's loss of each run, ``[R]``; 0 before the first.
    """

    def __init__(
        self,
        config: ModelConfig,
        demonstrations: Demonstrations,
        layout: Layout,
        repeat: int,
        seeds: tuple[int, ...],
        precision: Precision,
        device: torch.device,
    ) -> None:
        self.config, self.layout, self.seeds = config, layout, seeds
        batches = [demonstrations.batch(run) for run in range(len(seeds))]
        changes = [(each.next_observation - each.observation).double() for each in batches]
        mean = torch.stack([each.mean(dim=0).float() for each in changes])
        deviation = torch.stack([each.std(dim=0, correction=0).float() for each in changes])
        model = DynamicsModel(layout, config.model_hidden, mean, deviation, seeds, precision)
        self.model = model.to(device)
        parameters = list(self.model.parameters())
        decays = [config.model_weight_decay] * len(parameters)
        self.optimiser = Adam(parameters, config.model_learning_rate, decays)
        size, epochs = config.model_batch, config.model_epochs
        self.passes = passes_over(demonstrations, "model", repeat, size, epochs)
        self.losses = torch.zeros(len(seeds), device=device)

    def step(self, runs: slice, steps: list[int]) -> None:
        """One step of each of ``runs`` on the minibatch that its number in ``steps`` keys."""
        taken = take_together(self.passes[runs], steps)
        model, optimiser = self.model, self.optimiser
        if runs != slice(0, len(self.seeds)):
            model = model.part(runs)
            optimiser = optimiser.share(model.parameters(), runs)
        loss = model.loss(self.layout.unpack(taken))
        model.zero_grad(set_to_none=True)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        clip_gradients(model.parameters(), self.config.model_gradient_clip)
        optimiser.apply()
        self.losses[runs] = loss.detach()

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {
            "model": dict(self.model.state_dict()),
            "optimiser": self.optimiser.state(),
            "losses": self.losses,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self.model.load_state_dict(state["model"])
        self.optimiser.restore(state["optimiser"])
        self.losses.copy_(state["losses"])


@torch.no_grad()
def clip_gradients(parameters: Iterable[Tensor], limit: float) -> None:
    """Scale the gradients of each run ``[R, ..]`` down to the norm ``limit`` where they exceed it."""
    gradients = [each.grad for each in parameters if each.grad is not None]
    for own in zip(*(gradient.unbind(0) for gradient in gradients), strict=True):
        norm = nn.utils.get_total_norm(own)
        torch._foreach_mul_(list(own), (limit / (norm + SMALLEST)).clamp(max=1.0))
