"""Behaviour cloning of a few demonstrations: BMIL's policy without a model (Park and Wong 2022, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algos.core.networks import Precision
from algos.core.randomness import normal
from algos.core.replay import Layout
from algos.imitation.demonstrations import Demonstrations
from algos.imitation.policy import Policy


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


@dataclass(frozen=True)
class BCConfig(ClonerConfig):
    """Keys of ``config/algos/il_bc.yaml``."""

    observation_noise: float


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


class BC(Cloner):
    """R runs of behaviour cloning trained together, each on its own demonstrations.

    With ``observation_noise`` the states of every minibatch are displaced by Gaussian noise, measured in standard
    deviations over the demonstrations: a control for what traces add.
    """

    Config = BCConfig

    def __init__(
        self,
        config: BCConfig,
        demonstrations: Demonstrations,
        layout: Layout,
        seeds: tuple[int, ...],
        precision: Precision,
        device: torch.device,
    ) -> None:
        super().__init__(config, demonstrations, layout, seeds, precision, device)
        self.config = config
        spread = [demonstrations.deviation(run)[0] for run in range(len(seeds))]
        self.spread = torch.stack(spread)[:, None, None]

    def draw(self, chunk: int) -> tuple[Tensor, Tensor]:
        """States ``[chunk, R, 1, B, S]`` and actions ``[chunk, R, 1, B, A]`` of an epoch."""
        drawn = self.demonstrations.draw(chunk, self.chunk, self.config.batch_size)
        batch = self.layout.unpack(drawn)
        states = batch.observation
        if self.config.observation_noise:
            shape = (self.chunk, self.config.batch_size, states.shape[-1])
            noise = normal(self.seeds, "batch/noise", chunk, shape, states.device)
            scale = self.config.observation_noise * self.spread
            states = states + scale * noise.transpose(0, 1)[:, :, None]
        return states, batch.action
