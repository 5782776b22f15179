"""What fitting any rollout policy shares: uniformly sampled rows, the state that conditions the action, resuming."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from algos.core.optimiser import Adam
from algos.core.randomness import integers
from algos.core.replay import Layout
from algos.imagination.ensemble import Direction


class PolicyFitConfig(Protocol):
    """The keys every rollout policy has."""

    @property
    def direction(self) -> Direction:
        """Which state conditions the action: s' backward, s forward."""

    @property
    def learning_rate(self) -> float:
        """Of Adam."""

    @property
    def batch_size(self) -> int:
        """Rows of a minibatch."""

    @property
    def updates(self) -> int:
        """Adam steps."""


class RolloutPolicyFit:
    """Base of the fits of rollout policies; a subclass gives ``kind``, the draws, the loss and its result.

    Args:
        config: the hyperparameters.
        network: R networks.
        rows: packed transitions ``[N, width]`` of each run.
        layout: columns of the rows.
        seeds: run seeds.
        declared_rows: data set size the spec declares; losses are recorded once in that many sampled rows.
    """

    kind: str
    chunk = 50
    finished = False

    def __init__(
        self,
        config: PolicyFitConfig,
        network: nn.Module,
        rows: list[Tensor],
        layout: Layout,
        seeds: tuple[int, ...],
        declared_rows: int,
    ) -> None:
        self.seeds, self.layout, self.rows = seeds, layout, rows
        self.direction, self.batch_size = config.direction, config.batch_size
        self.updates = config.updates
        self.evaluate_every = max(1, declared_rows // config.batch_size)
        self._module = network.to(rows[0].device)
        self.optimiser = Adam(self._module.parameters(), config.learning_rate)

    def draw_rows(self, chunk: int) -> Tensor:
        """Rows ``[chunk, R, 1, B, width]`` drawn uniformly for one chunk of updates."""
        shape = (self.chunk, 1, self.batch_size)
        rows = [
            data[integers(seed, f"{self.kind}/rows", chunk, len(data), shape, data.device)]
            for seed, data in zip(self.seeds, self.rows, strict=True)
        ]
        return torch.stack(rows, dim=1)

    def evaluate(self, update: int, alive: list[bool]) -> list[dict[str, Any] | None]:
        """Nothing to measure beyond the training losses, which the loop averages."""
        return [{} if ok else None for ok in alive]

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit; scalings are functions of the data."""
        return {"network": dict(self._module.state_dict()), "optimiser": self.optimiser.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self._module.load_state_dict(state["network"])
        self.optimiser.restore(state["optimiser"])


def conditioning_state(rows: Tensor, layout: Layout, direction: Direction) -> Tensor:
    """The states that the action is conditioned on, of packed rows ``[..., width]``."""
    batch = layout.unpack(rows)
    return batch.next_observation if direction == "backward" else batch.observation
