"""Training of the reverse behaviour cloning rollout policy pi(a | s') (ROMI, equation 4), or pi(a | s) forwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algos.core.networks import Precision
from algos.core.optimiser import Adam
from algos.core.randomness import integers
from algos.core.replay import Layout
from algos.imagination.ensemble import Direction, Normaliser
from algos.imagination.rollout_policies import GaussianPolicyNetwork


@dataclass(frozen=True)
class RBCConfig:
    """Keys of ``config/algos/rbc.yaml``."""

    direction: Direction
    hidden: tuple[int, ...]
    learning_rate: float
    batch_size: int
    updates: int
    entropy_weight: float
    include_terminal: bool


class RBCFit:
    """Fits R squashed Gaussians on uniformly sampled rows; ``direction`` says which state conditions the action.

    States are standardised by the mean and the standard deviation of the run's real rows. The code of ROMI takes both
    over a buffer of four million rows, the unfilled ones included, and uses the standard deviation as a variance.
    """

    Config = RBCConfig
    chunk = 50
    metrics = ("negative_log_likelihood", "entropy")
    finished = False

    def __init__(
        self,
        config: RBCConfig,
        rows: list[Tensor],
        layout: Layout,
        seeds: tuple[int, ...],
        declared_rows: int,
        precision: Precision,
    ) -> None:
        self.config, self.seeds, self.layout, self.rows = config, seeds, layout, rows
        self.updates = config.updates
        self.evaluate_every = max(1, declared_rows // config.batch_size)
        self.normaliser = Normaliser.fit([self._condition(data) for data in rows])
        self.network = GaussianPolicyNetwork(
            layout.observation_dim,
            layout.action_dim,
            config.hidden,
            seeds=seeds,
            precision=precision,
            name=f"{config.direction}-rbc",
        ).to(rows[0].device)
        self.optimiser = Adam(self.network.parameters(), config.learning_rate)

    def _condition(self, rows: Tensor) -> Tensor:
        """The states that the action is conditioned on, of packed rows ``[..., width]``."""
        batch = self.layout.unpack(rows)
        return batch.next_observation if self.config.direction == "backward" else batch.observation

    def draw(self, chunk: int) -> Tensor:
        """Rows ``[chunk, R, 1, B, width]``."""
        shape = (self.chunk, 1, self.config.batch_size)
        rows = [
            data[integers(seed, "rbc/rows", chunk, len(data), shape, data.device)]
            for seed, data in zip(self.seeds, self.rows, strict=True)
        ]
        return torch.stack(rows, dim=1)

    def update(self, drawn: Tensor, index: int) -> Tensor:
        """One Adam step of every run on ``-log pi(a | s') - entropy_weight * H`` (eq. 4 has no entropy)."""
        rows = drawn[index]
        state, action = self.normaliser(self._condition(rows)), self.layout.unpack(rows).action
        likelihood, entropy = self.network.loss(state, action)
        self.optimiser.step((likelihood - self.config.entropy_weight * entropy).sum())
        return torch.stack([likelihood.detach(), entropy.detach()])

    def evaluate(self, update: int, alive: list[bool]) -> list[dict[str, Any] | None]:
        """Nothing to measure beyond the training losses, which the loop averages."""
        return [{} if ok else None for ok in alive]

    def result(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """Parameters and state scaling ``[R, ...]``, and one summary a run."""
        scaling = {"state_mean": self.normaliser.mean, "state_std": self.normaliser.std}
        summaries = [{"updates": self.config.updates} for _ in self.seeds]
        return {**self.network.state_dict(), **scaling}, summaries

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit; the scaling is a function of the data."""
        return {
            "network": dict(self.network.state_dict()),
            "optimiser": self.optimiser.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self.network.load_state_dict(state["network"])
        self.optimiser.restore(state["optimiser"])
