"""Behaviour cloning with a squashed Gaussian, as in the code base ROMI names for its BC column (RepB-SDE)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algos.core.distributions import squashed_gaussian_log_prob
from algos.core.networks import MLP, Precision
from algos.core.optimiser import Adam
from algos.core.replay import Layout
from algos.imagination.mixture import Mixture

LOG_STD_RANGE = (-20.0, 2.0)


@dataclass(frozen=True)
class BCConfig:
    """Keys of ``config/algos/bc.yaml``."""

    updates: int
    batch_size: int
    learning_rate: float
    hidden: tuple[int, ...]
    standardize_offset: float
    stochastic_eval: bool


class BC:
    """R runs of behaviour cloning trained together: ``min -E log pi(a | s)`` on standardised states."""

    Config = BCConfig
    chunk = 50
    metrics = ("loss", "mean_squared_error")
    finished = False

    def __init__(
        self,
        config: BCConfig,
        batches: Mixture,
        layout: Layout,
        seeds: tuple[int, ...],
        precision: Precision,
        device: torch.device,
    ) -> None:
        self.config, self.batches, self.layout, self.seeds = config, batches, layout, seeds
        sizes = (layout.observation_dim, *config.hidden, 2 * layout.action_dim)
        self.actor = MLP(sizes, seeds=seeds, name="actor", precision=precision).to(device)
        self.optimiser = Adam(self.actor.parameters(), config.learning_rate)
        states = [layout.unpack(rows).observation.double() for rows in batches.real]
        self.mean = torch.stack([s.mean(dim=0) for s in states]).float()[:, None, None]
        spread = torch.stack([s.std(dim=0, correction=0) for s in states]).float()[:, None, None]
        self.std = spread + config.standardize_offset

    def draw(self, chunk: int) -> Tensor:
        """Minibatches ``[chunk, R, 1, B, width]``."""
        return self.batches.draw(chunk, self.chunk, self.config.batch_size)

    def update(self, drawn: Tensor, index: int) -> Tensor:
        """One Adam step on the negative log likelihood; metrics ``[2, R]``."""
        batch = self.layout.unpack(drawn[index])
        mean, log_std = self.heads(batch.observation)
        loss = -squashed_gaussian_log_prob(mean, log_std, batch.action).mean(dim=(1, 2))
        self.optimiser.step(loss.sum())
        error = (torch.tanh(mean.detach()) - batch.action).square().mean(dim=(1, 2, 3))
        return torch.stack([loss.detach(), error])

    def heads(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log std before squashing, ``[R, 1, B, A]``."""
        mean, log_std = self.actor((state - self.mean) / self.std).chunk(2, dim=-1)
        return mean, log_std.clamp(*LOG_STD_RANGE)

    @torch.no_grad()
    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions ``[R, N, A]`` for ``state [R, N, S]``; BC has no values, the second item is NaN ``[R, N]``."""
        mean, log_std = self.heads(state[:, None])
        if self.config.stochastic_eval:
            mean = mean + torch.exp(log_std) * noise[:, None]
        return torch.tanh(mean)[:, 0], torch.full(state.shape[:2], torch.nan)

    @property
    def acting_noise(self) -> tuple[int, int]:
        """Rows of noise an observation needs, and their width."""
        return 1, self.layout.action_dim

    def policy_state(self) -> dict[str, Tensor]:
        """What acting needs, for ``policy.safetensors``."""
        scaling = {"mean": self.mean, "std": self.std}
        return scaling | {f"actor.{k}": v for k, v in self.actor.state_dict().items()}

    def restore_policy(self, tensors: dict[str, Tensor]) -> None:
        """Put `policy_state` back."""
        self.mean, self.std = tensors["mean"].to(self.mean), tensors["std"].to(self.std)
        own = {k.removeprefix("actor."): v for k, v in tensors.items() if k.startswith("actor.")}
        self.actor.load_state_dict(own)

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {
            "actor": dict(self.actor.state_dict()),
            "optimiser": self.optimiser.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self.actor.load_state_dict(state["actor"])
        self.optimiser.restore(state["optimiser"])
