"""Training of the reverse behaviour cloning rollout policy pi(a | s') (ROMI, equation 4), or pi(a | s) forwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algos.core.networks import Precision
from algos.core.replay import Layout
from algos.imagination.ensemble import Direction, Normaliser
from algos.imagination.policy_fit import RolloutPolicyFit, conditioning_state
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


class RBCFit(RolloutPolicyFit):
    """Fits R squashed Gaussians on uniformly sampled rows; ``direction`` says which state conditions the action.

    States are standardised by the mean and the standard deviation of the run's real rows. The code of ROMI takes both
    over a buffer of four million rows, the unfilled ones included, and uses the standard deviation as a variance.
    """

    Config = RBCConfig
    metrics = ("negative_log_likelihood", "entropy")
    kind = "rbc"

    def __init__(
        self,
        config: RBCConfig,
        rows: list[Tensor],
        layout: Layout,
        seeds: tuple[int, ...],
        declared_rows: int,
        precision: Precision,
    ) -> None:
        self.config = config
        states = [conditioning_state(data, layout, config.direction) for data in rows]
        self.normaliser = Normaliser.fit(states)
        self.network = GaussianPolicyNetwork(
            layout.observation_dim,
            layout.action_dim,
            config.hidden,
            seeds=seeds,
            precision=precision,
            name=f"{config.direction}-rbc",
        )
        super().__init__(config, self.network, rows, layout, seeds, declared_rows)

    def draw(self, chunk: int) -> Tensor:
        """Rows ``[chunk, R, 1, B, width]``."""
        return self.draw_rows(chunk)

    def update(self, drawn: Tensor, index: int) -> Tensor:
        """One Adam step of every run on ``-log pi(a | s') - entropy_weight * H`` (eq. 4 has no entropy)."""
        rows = drawn[index]
        state = self.normaliser(conditioning_state(rows, self.layout, self.direction))
        action = self.layout.unpack(rows).action
        likelihood, entropy = self.network.loss(state, action)
        self.optimiser.step((likelihood - self.config.entropy_weight * entropy).sum())
        return torch.stack([likelihood.detach(), entropy.detach()])

    def result(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """Parameters and state scaling ``[R, ...]``, and one summary a run."""
        scaling = {"state_mean": self.normaliser.mean, "state_std": self.normaliser.std}
        summaries = [{"updates": self.config.updates} for _ in self.seeds]
        return {**self.network.state_dict(), **scaling}, summaries
