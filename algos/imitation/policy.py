"""The policy that imitation learns: deterministic, fitted to actions by least squares (Park and Wong 2022, 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from algos.core.networks import MLP, Precision
from algos.core.optimiser import Adam
from algos.core.replay import Layout


class Policy:
    """R policies ``a = tanh(f(s))``.

    Args:
        layout: sizes of observations and actions.
        hidden: widths of the hidden layers.
        learning_rate: Adam's step size.
        seeds: run seeds.
        precision: of the matrix products.
        device: where it is trained.
    """

    def __init__(
        self,
        layout: Layout,
        hidden: Sequence[int],
        learning_rate: float,
        seeds: Sequence[int],
        precision: Precision,
        device: torch.device,
    ) -> None:
        sizes = (layout.observation_dim, *hidden, layout.action_dim)
        self.network = MLP(sizes, seeds=seeds, name="policy", precision=precision).to(device)
        self.optimiser = Adam(self.network.parameters(), learning_rate)

    def __call__(self, state: Tensor) -> Tensor:
        """Actions ``[R, 1, B, A]`` in states ``[R, 1, B, S]``."""
        return torch.tanh(self.network(state))

    def update(self, state: Tensor, action: Tensor) -> Tensor:
        """One step on the mean squared error of the actions; the error before it, ``[R]``."""
        loss = (self(state) - action).square().mean(dim=(1, 2, 3))
        self.optimiser.step(loss.sum())
        return loss.detach()

    @torch.no_grad()
    def act(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Actions ``[R, N, A]`` in ``state [R, N, S]``; there are no values, the second item is NaN ``[R, N]``."""
        blank = torch.full(state.shape[:2], torch.nan, device=state.device)
        return self(state[:, None])[:, 0], blank

    def tensors(self) -> dict[str, Tensor]:
        """What acting needs."""
        return {f"policy.{name}": value for name, value in self.network.state_dict().items()}

    def restore_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Put `tensors` back."""
        prefix = "policy."
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        self.network.load_state_dict(own)

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {"network": dict(self.network.state_dict()), "optimiser": self.optimiser.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self.network.load_state_dict(state["network"])
        self.optimiser.restore(state["optimiser"])
