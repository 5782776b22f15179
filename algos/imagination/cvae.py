"""Training of the conditional VAE rollout policy G(a | s') (ROMI) or G(a | s) (FOMI)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algos.core.networks import Precision
from algos.core.optimiser import Adam
from algos.core.randomness import integers, normal
from algos.core.replay import Layout
from algos.imagination.ensemble import Direction
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


class CVAEFit:
    """Fits R conditional VAEs on uniformly sampled rows; ``direction`` says which state conditions the action."""

    Config = CVAEConfig
    chunk = 50
    metrics = ("reconstruction", "kl")
    finished = False

    def __init__(
        self,
        config: CVAEConfig,
        rows: list[Tensor],
        layout: Layout,
        seeds: tuple[int, ...],
        declared_rows: int,
        precision: Precision,
    ) -> None:
        self.config, self.seeds, self.layout, self.rows = config, seeds, layout, rows
        self.updates = config.updates
        self.evaluate_every = max(1, declared_rows // config.batch_size)
        self.network = ConditionalVAE(
            layout.observation_dim,
            layout.action_dim,
            config.hidden,
            seeds=seeds,
            precision=precision,
            name=f"{config.direction}-cvae",
        ).to(rows[0].device)
        self.optimiser = Adam(self.network.parameters(), config.learning_rate)

    def draw(self, chunk: int) -> tuple[Tensor, Tensor]:
        """Rows ``[chunk, R, 1, B, width]`` and latent noise ``[R, chunk, 1, B, 2A]``."""
        shape = (self.chunk, 1, self.config.batch_size)
        rows = [
            data[integers(seed, "cvae/rows", chunk, len(data), shape, data.device)]
            for seed, data in zip(self.seeds, self.rows, strict=True)
        ]
        latent = (*shape, self.network.latent)
        noise = normal(self.seeds, "cvae/latent", chunk, latent, rows[0].device)
        return torch.stack(rows, dim=1), noise

    def update(self, drawn: tuple[Tensor, Tensor], index: int) -> Tensor:
        """One Adam step of every run."""
        batch = self.layout.unpack(drawn[0][index])
        backward = self.config.direction == "backward"
        state = batch.next_observation if backward else batch.observation
        reconstruction, kl = self.network.loss(
            state, batch.action, drawn[1][:, index], self.config.kl_weight
        )
        self.optimiser.step((reconstruction + kl).sum())
        return torch.stack([reconstruction.detach(), kl.detach()])

    def evaluate(self, update: int, alive: list[bool]) -> list[dict[str, Any] | None]:
        """Nothing to measure beyond the training losses, which the loop averages."""
        return [{} if ok else None for ok in alive]

    def result(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """Parameters ``[R, ...]`` and one summary a run."""
        summary = {"updates": self.config.updates, "latent_clip": self.config.latent_clip}
        return dict(self.network.state_dict()), [dict(summary) for _ in self.seeds]

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {
            "network": dict(self.network.state_dict()),
            "optimiser": self.optimiser.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self.network.load_state_dict(state["network"])
        self.optimiser.restore(state["optimiser"])
