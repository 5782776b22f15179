"""BCQ, batch-constrained deep Q-learning (Fujimoto et al. 2019), the learner of ROMI-BCQ and FOMI-BCQ.

One update, in the order of the authors' code: VAE, critics, perturbation, target networks. Constants and their sources
stand in ``config/algos/bcq.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from algos.core.networks import MLP, Precision
from algos.core.optimiser import Adam, polyak
from algos.core.randomness import normal
from algos.core.replay import Batch, Layout
from algos.imagination.mixture import Mixture
from algos.imagination.rollout_policies import ConditionalVAE, clip_latent

# Layer widths: the authors' code, and a reduced set about three times cheaper that keeps the rest of the method.
NETWORKS: dict[str, dict[str, tuple[int, ...]]] = {
    "paper": {"vae": (750, 750), "critic": (400, 300), "actor": (400, 300)},
    "small": {"vae": (256, 256), "critic": (256, 256), "actor": (256, 256)},
}


@dataclass(frozen=True)
class BCQConfig:
    """Keys of ``config/algos/bcq.yaml``."""

    updates: int
    batch_size: int
    networks: Literal["paper", "small"]
    actor_learning_rate: float
    critic_learning_rate: float
    vae_learning_rate: float
    discount: float
    tau: float
    phi: float
    soft_minimum_weight: float
    target_samples: int
    acting_samples: int
    kl_weight: float
    vae_latent_clip: float
    prioritize_env_batches: bool


@dataclass(frozen=True)
class Drawn:
    """Minibatches ``[chunk, R, 1, B, width]`` and latent noise ``[R, chunk, 1, rows, 2A]`` of a chunk of updates."""

    rows: Tensor
    vae: Tensor
    target: Tensor
    actor: Tensor


class BCQ:
    """R runs of BCQ trained together."""

    Config = BCQConfig
    chunk = 50
    metrics = ("vae_loss", "critic_loss", "actor_loss", "mean_q")
    finished = False

    def __init__(
        self,
        config: BCQConfig,
        batches: Mixture,
        layout: Layout,
        seeds: tuple[int, ...],
        precision: Precision,
        device: torch.device,
    ) -> None:
        self.config, self.batches, self.layout, self.seeds = config, batches, layout, seeds
        self.device = device
        state, action = layout.observation_dim, layout.action_dim
        widths = NETWORKS[config.networks]

        def network(name: str, outputs: int, members: int) -> MLP:
            sizes = (state + action, *widths[name], outputs)
            net = MLP(sizes, seeds=seeds, name=name, members=members, precision=precision)
            return net.to(device)

        self.vae = ConditionalVAE(
            state, action, widths["vae"], seeds=seeds, precision=precision, name="vae"
        ).to(device)
        self.critic, self.target_critic = network("critic", 1, 2), network("critic", 1, 2)
        self.actor, self.target_actor = network("actor", action, 1), network("actor", action, 1)
        self.vae_optimiser = Adam(self.vae.parameters(), config.vae_learning_rate)
        self.critic_optimiser = Adam(self.critic.parameters(), config.critic_learning_rate)
        self.actor_optimiser = Adam(self.actor.parameters(), config.actor_learning_rate)

    def draw(self, chunk: int) -> Drawn:
        """Minibatches and latent noise of one chunk of updates."""
        size = self.config.batch_size

        def latent(name: str, rows: int) -> Tensor:
            shape = (self.chunk, 1, rows, self.vae.latent)
            return normal(self.seeds, f"bcq/{name}", chunk, shape, self.device)

        return Drawn(
            self.batches.draw(chunk, self.chunk, size),
            latent("vae", size),
            latent("target", size * self.config.target_samples),
            latent("actor", size),
        )

    def update(self, drawn: Drawn, index: int) -> Tensor:
        """One update of all runs; metrics ``[4, R]``."""
        batch = self.layout.unpack(drawn.rows[index])
        vae_loss = self.update_vae(batch, drawn.vae[:, index])
        critic_loss, mean_q = self.update_critic(batch, drawn.target[:, index])
        actor_loss = self.update_actor(batch, drawn.actor[:, index])
        polyak(self.target_critic, self.critic, self.config.tau)
        polyak(self.target_actor, self.actor, self.config.tau)
        return torch.stack([vae_loss, critic_loss, actor_loss, mean_q])

    def update_vae(self, batch: Batch, noise: Tensor) -> Tensor:
        """Generative model of the data's actions: reconstruction + KL."""
        reconstruction, kl = self.vae.loss(
            batch.observation, batch.action, noise, self.config.kl_weight
        )
        loss = reconstruction + kl
        self.vae_optimiser.step(loss.sum())
        return loss.detach()

    def update_critic(self, batch: Batch, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Both critics towards one target: sum of their mean squared errors, and the mean Q of the batch."""
        target = self.target(batch, noise)
        q = self.critic(torch.cat([batch.observation, batch.action], dim=-1))
        loss = (q - target).square().mean(dim=(2, 3)).sum(dim=1)
        self.critic_optimiser.step(loss.sum())
        return loss.detach(), q.detach().mean(dim=(1, 2, 3))

    @torch.no_grad()
    def target(self, batch: Batch, noise: Tensor) -> Tensor:
        """The soft clipped double Q target at perturbed samples of the VAE, ``[R, 1, B, 1]``.

        ``r + gamma (1-d) max_j [lambda min_i Q'_i + (1-lambda) max_i Q'_i]``, the maximum over the samples j taken
        after mixing the two critics.
        """
        config = self.config
        samples = config.target_samples
        state = batch.next_observation.repeat_interleave(samples, dim=2)
        action = self.perturbed(self.target_actor, state, self.candidates(state, noise))
        q = self.target_critic(torch.cat([state, action], dim=-1))
        low, high = q.amin(dim=1, keepdim=True), q.amax(dim=1, keepdim=True)
        mixed = config.soft_minimum_weight * low + (1.0 - config.soft_minimum_weight) * high
        runs, rows = batch.reward.shape[0], batch.reward.shape[2]
        value = mixed.view(runs, 1, rows, samples).amax(dim=3, keepdim=True)
        target: Tensor = batch.reward + config.discount * (1.0 - batch.terminated) * value
        return target

    def update_actor(self, batch: Batch, noise: Tensor) -> Tensor:
        """Deterministic policy gradient through Q_1 on the perturbation network."""
        state = batch.observation
        with torch.no_grad():
            candidate = self.candidates(state, noise)
        action = self.perturbed(self.actor, state, candidate)
        q = self.critic(torch.cat([state, action], dim=-1), frozen=True, first_only=True)
        loss: Tensor = -q.mean(dim=(1, 2, 3))
        self.actor_optimiser.step(loss.sum())
        return loss.detach()

    def candidates(self, state: Tensor, noise: Tensor) -> Tensor:
        """Actions the data's behaviour would take: the VAE's decoder at a clipped latent."""
        return self.vae.decode(state, clip_latent(noise, self.config.vae_latent_clip))

    def perturbed(self, actor: MLP, state: Tensor, action: Tensor) -> Tensor:
        """``clip(a + phi tanh(xi(s, a)), -1, 1)``."""
        shift = self.config.phi * torch.tanh(actor(torch.cat([state, action], dim=-1)))
        perturbed: Tensor = (action + shift).clamp(-1.0, 1.0)
        return perturbed

    @torch.no_grad()
    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The candidate with the largest Q_1, and that value.

        Args:
            state: ``[R, N, S]``.
            noise: ``[R, N * acting_samples, 2A]`` standard normal.

        Returns:
            Actions ``[R, N, A]`` and values ``[R, N]``.
        """
        samples = self.config.acting_samples
        runs, count, _ = state.shape
        repeated = state[:, None].repeat_interleave(samples, dim=2)
        action = self.perturbed(self.actor, repeated, self.candidates(repeated, noise[:, None]))
        q = self.critic(torch.cat([repeated, action], dim=-1), first_only=True)
        value, best = q.view(runs, count, samples).max(dim=2)
        choices = action.view(runs, count, samples, -1)
        chosen = choices.gather(2, best[..., None, None].expand(-1, -1, 1, choices.shape[3]))
        return chosen[:, :, 0], value

    @property
    def acting_noise(self) -> tuple[int, int]:
        """Rows of noise an observation needs, and their width."""
        return self.config.acting_samples, self.vae.latent

    def policy_state(self) -> dict[str, Tensor]:
        """What acting needs, for ``policy.safetensors``."""
        parts = {"vae": self.vae, "actor": self.actor, "critic": self.critic}
        return {f"{n}.{k}": v for n, net in parts.items() for k, v in net.state_dict().items()}

    def restore_policy(self, tensors: dict[str, Tensor]) -> None:
        """Put `policy_state` back."""
        for name, net in (("vae", self.vae), ("actor", self.actor), ("critic", self.critic)):
            prefix = f"{name}."
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            net.load_state_dict(own)

    def _networks(self) -> dict[str, torch.nn.Module]:
        names = ("vae", "critic", "target_critic", "actor", "target_actor")
        return {name: getattr(self, name) for name in names}

    def _optimisers(self) -> dict[str, Adam]:
        return {name: getattr(self, f"{name}_optimiser") for name in ("vae", "critic", "actor")}

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {
            "networks": {name: dict(net.state_dict()) for name, net in self._networks().items()},
            "optimisers": {name: opt.state() for name, opt in self._optimisers().items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        for name, net in self._networks().items():
            net.load_state_dict(state["networks"][name])
        for name, opt in self._optimisers().items():
            opt.restore(state["optimisers"][name])
