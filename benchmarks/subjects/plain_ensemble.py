"""The dynamics ensemble as plain batched PyTorch: the mathematics of ours without its engineering.

Batched products over the members, torch's Adam with a weight decay a layer, automatic differentiation, scaling inside
the forward pass, one gather of minibatch rows an update.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

LOGVAR_BOUNDS = (-10.0, 0.5)


class PlainEnsemble(nn.Module):
    """E networks with a Gaussian head for inputs ``[E, B, in]``."""

    def __init__(self, sizes: Sequence[int], members: int, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in zip(sizes[:-1], [*sizes[1:-1], 2 * sizes[-1]], strict=True):
            spread = 1.0 / (2.0 * inputs**0.5)
            weight = torch.empty(members, inputs, outputs)
            nn.init.trunc_normal_(weight, std=spread, a=-2 * spread, b=2 * spread)
            self.weights.append(nn.Parameter(weight))
            self.biases.append(nn.Parameter(torch.zeros(members, 1, outputs)))
        low, high = LOGVAR_BOUNDS
        self.min_logvar = nn.Parameter(torch.full((1, sizes[-1]), low))
        self.max_logvar = nn.Parameter(torch.full((1, sizes[-1]), high))
        self.mean, self.std = mean, std

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and bounded log-variance ``[E, B, out]``."""
        hidden = (x - self.mean) / self.std
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = functional.silu(torch.baddbmm(bias, hidden, weight))
        output = torch.baddbmm(self.biases[-1], hidden, self.weights[-1])
        mean, logvar = output.float().chunk(2, dim=-1)
        logvar = self.max_logvar - functional.softplus(self.max_logvar - logvar)
        return mean, self.min_logvar + functional.softplus(logvar - self.min_logvar)

    def loss(self, x: Tensor, y: Tensor, bound_weight: float) -> Tensor:
        """Negative log likelihood summed over members, and the weight of the bounds."""
        mean, logvar = self(x)
        likelihood = ((mean - y).square() * torch.exp(-logvar) + logvar).mean(dim=(1, 2)).sum()
        total: Tensor = likelihood + bound_weight * (self.max_logvar - self.min_logvar).sum()
        return total

    def optimiser(self, learning_rate: float, decays: Sequence[float]) -> torch.optim.Adam:
        """Adam with one weight decay a layer, none on biases and bounds."""
        layers: list[dict[str, Any]] = [
            {"params": [weight], "weight_decay": decay}
            for weight, decay in zip(self.weights, decays, strict=True)
        ]
        others: dict[str, Any] = {"params": [*self.biases, self.min_logvar, self.max_logvar]}
        return torch.optim.Adam([*layers, others], lr=learning_rate)


class PlainFit:
    """Training on bootstrapped, reshuffled rows; `step` does one update."""

    def __init__(
        self,
        network: PlainEnsemble,
        optimiser: torch.optim.Adam,
        table: tuple[Tensor, Tensor],
        *,
        batch_size: int,
        bound_weight: float,
        autocast: bool,
    ) -> None:
        self.network, self.optimiser, self.table = network, optimiser, table
        self.batch_size, self.bound_weight, self.autocast = batch_size, bound_weight, autocast
        members, rows = network.weights[0].shape[0], len(table[0])
        self._rows = torch.randint(rows, (members, rows))
        self._position = rows

    def step(self) -> Tensor:
        """One update; the loss before it."""
        if self._position + self.batch_size > self._rows.shape[1]:
            self._rows = torch.stack([row[torch.randperm(len(row))] for row in self._rows])
            self._position = 0
        chosen = self._rows[:, self._position : self._position + self.batch_size]
        self._position += self.batch_size
        x, y = self.table[0][chosen], self.table[1][chosen]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            loss = self.network.loss(x, y, self.bound_weight)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()
