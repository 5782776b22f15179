"""Policies that choose the imagined actions: G(a | state at hand), the next state when rolling backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from algos.core.networks import MLP, Precision

LOG_SIGMA_RANGE = (-4.0, 15.0)


class RolloutPolicy(Protocol):
    """Actions ``[B, A]`` in [-1, 1] for states ``[B, S]``, with the randomness of ``generator``."""

    def __call__(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Sample one action a row."""


@dataclass(frozen=True)
class UniformPolicy:
    """a ~ U[-1, 1]^A, whatever the state."""

    action_dim: int

    def __call__(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Sample one action a row."""
        shape = (len(state), self.action_dim)
        return torch.rand(shape, generator=generator, device=state.device) * 2.0 - 1.0


class ConditionalVAE(nn.Module):
    """R conditional variational autoencoders of actions given a state (Sohn et al. 2015), as used by BCQ and ROMI.

    Encoder [state, a] -> mu, log sigma (latent 2A); decoder [state, z] -> tanh.
    """

    def __init__(
        self,
        observation_dim: int,
        action_dim: int,
        hidden: tuple[int, ...],
        *,
        seeds: tuple[int, ...],
        precision: Precision,
        name: str,
    ) -> None:
        super().__init__()
        self.latent = 2 * action_dim
        sizes = (observation_dim + action_dim, *hidden, 2 * self.latent)
        self.encoder = MLP(sizes, seeds=seeds, name=f"{name}/encoder", precision=precision)
        sizes = (observation_dim + self.latent, *hidden, action_dim)
        self.decoder = MLP(sizes, seeds=seeds, name=f"{name}/decoder", precision=precision)

    def loss(
        self, state: Tensor, action: Tensor, noise: Tensor, kl_weight: float
    ) -> tuple[Tensor, Tensor]:
        """Reconstruction and weighted KL, each ``[R]``.

        ``mean (a - D(s, z))^2`` and ``kl_weight * mean 0.5 (mu^2 + sigma^2 - 1 - log sigma^2)`` with
        z = mu + sigma * noise. The code of BCQ and ROMI has kl_weight 0.5, ROMI's eq. (3) has 1.

        Args:
            state: ``[R, 1, B, S]``.
            action: ``[R, 1, B, A]``.
            noise: ``[R, 1, B, 2A]`` standard normal.
            kl_weight: weight of the KL term.
        """
        mu, log_sigma = self.encoder(torch.cat([state, action], dim=-1)).chunk(2, dim=-1)
        log_sigma = log_sigma.clamp(*LOG_SIGMA_RANGE)
        sigma = log_sigma.exp()
        decoded = self.decode(state, mu + sigma * noise)
        reconstruction = (decoded - action).square().mean(dim=(1, 2, 3))
        kl = 0.5 * (mu.square() + sigma.square() - 1.0 - 2.0 * log_sigma).mean(dim=(1, 2, 3))
        return reconstruction, kl_weight * kl

    def decode(self, state: Tensor, latent: Tensor) -> Tensor:
        """Actions ``[R, 1, B, A]`` in [-1, 1]."""
        return torch.tanh(self.decoder(torch.cat([state, latent], dim=-1)))


def clip_latent(latent: Tensor, clip: float) -> Tensor:
    """Latent clipped to [-clip, clip]; a clip of 0 leaves it as it is."""
    return latent.clamp(-clip, clip) if clip > 0 else latent


@dataclass(frozen=True)
class CVAEPolicy:
    """Actions decoded from a clipped standard normal latent, for one run of a fitted conditional VAE.

    The code clips the latent to [-0.5, 0.5]; the paper samples N(0, I) unclipped (``latent_clip`` 0).
    """

    weights: list[Tensor]
    biases: list[Tensor]
    latent_clip: float

    def __call__(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Sample one action a row."""
        latent = self.weights[0].shape[0] - state.shape[1]
        shape = (len(state), latent)
        z = torch.randn(shape, generator=generator, device=state.device)
        hidden = torch.cat([state, clip_latent(z, self.latent_clip)], dim=-1)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = torch.relu_(torch.addmm(bias[0], hidden, weight))
        return torch.tanh(torch.addmm(self.biases[-1][0], hidden, self.weights[-1]))


def load_cvae(tensors: dict[str, Tensor], run: int, latent_clip: float) -> CVAEPolicy:
    """The decoder of one run from the tensors that `CVAEFit` wrote."""
    layers = sum(name.startswith("decoder.weights.") for name in tensors)
    return CVAEPolicy(
        [tensors[f"decoder.weights.{layer}"][run, 0] for layer in range(layers)],
        [tensors[f"decoder.biases.{layer}"][run, 0] for layer in range(layers)],
        latent_clip,
    )
