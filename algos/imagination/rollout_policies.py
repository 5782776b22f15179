"""Policies that choose the imagined actions: G(a | state at hand), the next state when rolling backwards."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from algos.core.distributions import squashed_gaussian_log_prob
from algos.core.networks import MLP, Precision

LOG_SIGMA_RANGE = (-4.0, 15.0)
LOG_STD_RANGE = (-20.0, 2.0)


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


class GaussianPolicyNetwork(nn.Module):
    """R squashed Gaussian policies: standardised state -> mean and log std of u, the action is tanh(u).

    One network with both heads on the last hidden layer, relu, log std clamped to [-20, 2] (ROMI code).
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
        sizes = (observation_dim, *hidden, 2 * action_dim)
        self.body = MLP(sizes, seeds=seeds, name=name, precision=precision)

    def forward(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log std of the Gaussian before tanh, ``[R, 1, B, A]``, of ``state [R, 1, B, S]``."""
        mean, log_std = self.body(state).chunk(2, dim=-1)
        return mean, log_std.clamp(*LOG_STD_RANGE)

    def loss(self, state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """``mean -log pi(a | s')`` (ROMI, eq. 4) and the mean entropy of the Gaussian before tanh, each ``[R]``.

        Args:
            state: ``[R, 1, B, S]``, standardised.
            action: ``[R, 1, B, A]``.
        """
        mean, log_std = self(state)
        likelihood = squashed_gaussian_log_prob(mean, log_std, action).mean(dim=(1, 2))
        entropy = (log_std + 0.5 * math.log(2.0 * math.pi * math.e)).sum(dim=-1).mean(dim=(1, 2))
        return -likelihood, entropy


@dataclass(frozen=True)
class GaussianPolicy:
    """``tanh(u)``, u sampled from the fitted Gaussian, for one run; takes raw states."""

    weights: list[Tensor]
    biases: list[Tensor]
    state_mean: Tensor
    state_std: Tensor

    def __call__(self, state: Tensor, generator: torch.Generator) -> Tensor:
        """Sample one action a row."""
        hidden = (state - self.state_mean) / self.state_std
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = torch.relu_(torch.addmm(bias[0], hidden, weight))
        output = torch.addmm(self.biases[-1][0], hidden, self.weights[-1])
        mean, log_std = output.chunk(2, dim=-1)
        noise = torch.randn(mean.shape, generator=generator, device=state.device)
        return torch.tanh(mean + log_std.clamp(*LOG_STD_RANGE).exp() * noise)


def load_rbc(tensors: dict[str, Tensor], run: int) -> GaussianPolicy:
    """The policy of one run from the tensors that `RBCFit` wrote."""
    layers = sum(name.startswith("body.weights.") for name in tensors)
    return GaussianPolicy(
        [tensors[f"body.weights.{layer}"][run, 0] for layer in range(layers)],
        [tensors[f"body.biases.{layer}"][run, 0] for layer in range(layers)],
        tensors["state_mean"][run].reshape(-1),
        tensors["state_std"][run].reshape(-1),
    )
