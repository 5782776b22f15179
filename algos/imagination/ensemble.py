"""The probabilistic dynamics ensemble, forward or backward.

``direction = backward`` models p(s, r | s', a): inputs [s', a], targets [r, s - s']. ``forward`` models
p(s', r | s, a): inputs [s, a], targets [r, s' - s]. Architecture, initialisation, bounds and loss follow the code of
ROMI (Wang et al. 2021, section 3 of its appendix), which is that of MBPO (Janner et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from algos.core.elementwise import softplus
from algos.core.networks import MLP, Precision
from algos.core.replay import Batch

Direction = Literal["forward", "backward"]
INITIAL_MAX_LOGVAR, INITIAL_MIN_LOGVAR = 0.5, -10.0
CONSTANT_STD = 1e-12


@dataclass(frozen=True)
class Normaliser:
    """Per-run affine scaling: ``(x - mean) / std`` with mean and std ``[R, 1, 1, F]``."""

    mean: Tensor
    std: Tensor

    @classmethod
    def fit(cls, per_run: Sequence[Tensor]) -> Normaliser:
        """Mean and standard deviation of each run's rows ``[N, F]``; a constant column is left unscaled."""
        mean = torch.stack([rows.double().mean(dim=0) for rows in per_run])
        std = torch.stack([rows.double().std(dim=0, correction=0) for rows in per_run])
        std = torch.where(std < CONSTANT_STD, torch.ones_like(std), std)
        return cls(mean.float()[:, None, None], std.float()[:, None, None])

    @classmethod
    def identity(cls, runs: int, width: int, device: torch.device | str) -> Normaliser:
        """No scaling."""
        shape = (runs, 1, 1, width)
        return cls(torch.zeros(shape, device=device), torch.ones(shape, device=device))

    def __call__(self, x: Tensor) -> Tensor:
        """Scale raw values."""
        return (x - self.mean) / self.std

    def undo(self, x: Tensor) -> Tensor:
        """The inverse."""
        return x * self.std + self.mean


def model_inputs(batch: Batch, direction: Direction) -> Tensor:
    """[s', a] for a backward model, [s, a] for a forward one."""
    state = batch.next_observation if direction == "backward" else batch.observation
    return torch.cat([state, batch.action], dim=-1)


def model_targets(batch: Batch, direction: Direction) -> Tensor:
    """[r, s - s'] for a backward model, [r, s' - s] for a forward one; the reward comes first."""
    change = batch.next_observation - batch.observation
    return torch.cat([batch.reward, -change if direction == "backward" else change], dim=-1)


class EnsembleNetwork(nn.Module):
    """R x E networks with a Gaussian head: mean and log-variance of each of the 1 + S targets.

    Both heads sit on the last hidden layer and are computed as one product. The learned bounds of the log-variance are
    shared by the members of a run.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        hidden: Sequence[int],
        *,
        seeds: Sequence[int],
        members: int,
        precision: Precision,
        name: str,
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.body = MLP(
            [inputs, *hidden, 2 * outputs],
            seeds=seeds,
            name=name,
            members=members,
            activation="silu",
            precision=precision,
            initialiser="truncated_normal",
        )
        shape = (len(seeds), 1, 1, outputs)
        self.max_logvar = nn.Parameter(torch.full(shape, INITIAL_MAX_LOGVAR))
        self.min_logvar = nn.Parameter(torch.full(shape, INITIAL_MIN_LOGVAR))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance ``[R, E, B, 1+S]`` of standardised inputs ``[R, E or 1, B, S+A]``."""
        mean, logvar = self.body(x).split(self.outputs, dim=-1)
        return mean, bounded_logvar(logvar, self.min_logvar, self.max_logvar)


def bounded_logvar(logvar: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Soft clamp: ``lv <- high - softplus(high - lv)``, then ``lv <- low + softplus(lv - low)`` (PETS, A.1)."""
    logvar = high - softplus(high - logvar)
    return low + softplus(logvar - low)


def gaussian_loss(mean: Tensor, logvar: Tensor, target: Tensor) -> Tensor:
    """``mean over batch and dimensions of (mu - y)^2 exp(-lv) + lv``, shape ``[R, E]``.

    Mean, not sum, over output dimensions (ROMI code).
    """
    return ((mean - target).square() * torch.exp(-logvar) + logvar).mean(dim=(2, 3))


@dataclass(frozen=True)
class Dynamics:
    """A fitted ensemble of one run, ready for rollouts.

    Weights are those of the elite members only: ``weights[l] [K, in, out]``.
    """

    direction: Direction
    weights: list[Tensor]
    biases: list[Tensor]
    min_logvar: Tensor
    max_logvar: Tensor
    input_mean: Tensor
    input_std: Tensor
    target_mean: Tensor
    target_std: Tensor

    @property
    def elites(self) -> int:
        """Number of elite members K."""
        return int(self.weights[0].shape[0])

    def sample(self, state: Tensor, action: Tensor, member: Tensor, noise: Tensor) -> Tensor:
        """Sampled targets ``[B, 1+S]``, y ~ N(mu, diag exp(lv)), each row from its own elite member.

        Only the chosen member of a row is evaluated: rows are sorted by member and each member computes its slice.

        Args:
            state: ``[B, S]``, next states for a backward model.
            action: ``[B, A]``.
            member: ``[B]`` integers in [0, K).
            noise: ``[B, 1+S]`` standard normal.
        """
        mean, logvar = self.predict(state, action, member)
        return mean + torch.exp(0.5 * logvar) * self.target_std * noise

    def predict(self, state: Tensor, action: Tensor, member: Tensor) -> tuple[Tensor, Tensor]:
        """Mean in raw units and log-variance in the units trained in, ``[B, 1+S]``, of each row's member."""
        x = (torch.cat([state, action], dim=-1) - self.input_mean) / self.input_std
        order = torch.argsort(member, stable=True)
        sizes = torch.bincount(member, minlength=self.elites).tolist()
        parts = [
            self._member(index, rows)
            for index, rows in enumerate(torch.split(x[order], sizes))
            if len(rows)
        ]
        output = torch.empty(len(x), parts[0].shape[1], device=x.device)
        output[order] = torch.cat(parts)
        mean, logvar = output.chunk(2, dim=-1)
        bounded = bounded_logvar(logvar, self.min_logvar, self.max_logvar)
        return mean * self.target_std + self.target_mean, bounded

    def _member(self, index: int, x: Tensor) -> Tensor:
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.addmm(bias[index, 0], x, weight[index])
            if layer < last:
                x = functional.silu(x, inplace=True)  # rows of one run, alone or in a block
        return x


def load_dynamics(tensors: dict[str, Tensor], direction: Direction, run: int) -> Dynamics:
    """The elites of one run from the tensors that `EnsembleFit` wrote."""
    elites = tensors["elites"][run].long()
    layers = sum(name.startswith("body.weights.") for name in tensors)

    def chosen(kind: str) -> list[Tensor]:
        return [
            tensors[f"body.{kind}.{layer}"][run][elites].contiguous() for layer in range(layers)
        ]

    def row(name: str) -> Tensor:
        return tensors[name][run].reshape(-1)

    return Dynamics(
        direction,
        chosen("weights"),
        chosen("biases"),
        row("min_logvar"),
        row("max_logvar"),
        row("input_mean"),
        row("input_std"),
        row("target_mean"),
        row("target_std"),
    )
