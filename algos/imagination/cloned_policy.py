"""The policy that imitation learns: deterministic, fitted to actions by least squares (Park and Wong 2022, 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algos.core.networks import MLP, Precision
from algos.core.optimiser import Adam
from algos.core.replay import Layout
from algos.imagination.demonstrations import Demonstrations


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


@dataclass(frozen=True)
class ClonerConfig:
    """Keys of the policy and of the length of its training, in ``config/algos/_imitation.yaml``."""

    hidden: tuple[int, ...]
    learning_rate: float
    batch_size: int
    epochs: int
    epoch_updates: int

    @property
    def updates(self) -> int:
        """Policy updates in all."""
        return self.epochs * self.epoch_updates


class Cloner:
    """What every method that clones demonstrations is: a policy, its updates counted in epochs, its state.

    Subclasses say in `draw` which states and actions an epoch is fitted to.
    """

    metrics: tuple[str, ...] = ("loss",)
    finished = False

    def __init__(
        self,
        config: ClonerConfig,
        demonstrations: Demonstrations,
        layout: Layout,
        seeds: tuple[int, ...],
        precision: Precision,
        device: torch.device,
    ) -> None:
        self.demonstrations, self.layout, self.seeds = demonstrations, layout, seeds
        self.chunk = config.epoch_updates
        self.policy = Policy(layout, config.hidden, config.learning_rate, seeds, precision, device)

    def update(self, drawn: tuple[Tensor, Tensor], index: int) -> Tensor:
        """One policy step of all runs on minibatch ``index`` of the epoch; metrics ``[1, R]``."""
        states, actions = drawn
        return self.policy.update(states[index], actions[index])[None]

    def facts(self, update: int) -> list[dict[str, float]]:
        """What to record about each run after ``update`` policy updates."""
        return [
            {"policy_steps": float(update), "gradient_steps": float(update)} for _ in self.seeds
        ]

    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Actions ``[R, N, A]`` and values (none: NaN) ``[R, N]`` in ``state [R, N, S]``; ``noise`` is not used."""
        return self.policy.act(state)

    @property
    def acting_noise(self) -> tuple[int, int]:
        """Rows of noise an observation needs, and their width."""
        return 1, self.layout.action_dim

    def policy_state(self) -> dict[str, Tensor]:
        """What acting needs, for ``policy.safetensors``."""
        return self.policy.tensors()

    def restore_policy(self, tensors: dict[str, Tensor]) -> None:
        """Put `policy_state` back."""
        self.policy.restore_tensors(tensors)

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {"policy": self.policy.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self.policy.restore(state["policy"])
