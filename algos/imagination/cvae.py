"""Training of the conditional VAE rollout policy G(a | s') (ROMI) or G(a | s) (FOMI)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algos.core.networks import Precision
from algos.core.randomness import normal
from algos.core.replay import Layout
from algos.imagination.ensemble import Direction
from algos.imagination.policy_fit import RolloutPolicyFit, conditioning_state
from algos.imagination.rollout_policies import ConditionalVAE


@dataclass(frozen=True)
class CVAEConfig:
    """Keys of ``config/algos/cvae.yaml``."""

    direction: Direction
    hidden: tuple[int, ...]
    learning_rate: float
    batch_size: int
    updates: int
    kl_weight: float
    latent_clip: float
    include_terminal: bool


class CVAEFit(RolloutPolicyFit):
    """Fits R conditional VAEs on uniformly sampled rows; ``direction`` says which state conditions the action."""

    Config = CVAEConfig
    metrics = ("reconstruction", "kl")
    kind = "cvae"

    def __init__(
        self,
        config: CVAEConfig,
        rows: list[Tensor],
        layout: Layout,
        seeds: tuple[int, ...],
        declared_rows: int,
        precision: Precision,
    ) -> None:
        self.config = config
        self.network = ConditionalVAE(
            layout.observation_dim,
            layout.action_dim,
            config.hidden,
            seeds=seeds,
            precision=precision,
            name=f"{config.direction}-cvae",
        )
        super().__init__(config, self.network, rows, layout, seeds, declared_rows)

    def draw(self, chunk: int) -> tuple[Tensor, Tensor]:
        """Rows ``[chunk, R, 1, B, width]`` and latent noise ``[R, chunk, 1, B, 2A]``."""
        rows = self.draw_rows(chunk)
        latent = (self.chunk, 1, self.batch_size, self.network.latent)
        return rows, normal(self.seeds, "cvae/latent", chunk, latent, rows.device)

    def update(self, drawn: tuple[Tensor, Tensor], index: int) -> Tensor:
        """One Adam step of every run."""
        rows, noise = drawn[0][index], drawn[1][:, index]
        state = conditioning_state(rows, self.layout, self.direction)
        action = self.layout.unpack(rows).action
        reconstruction, kl = self.network.loss(state, action, noise, self.config.kl_weight)
        self.optimiser.step((reconstruction + kl).sum())
        return torch.stack([reconstruction.detach(), kl.detach()])

    def result(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """Parameters ``[R, ...]`` and one summary a run."""
        summary = {"updates": self.config.updates, "latent_clip": self.config.latent_clip}
        return dict(self.network.state_dict()), [dict(summary) for _ in self.seeds]
