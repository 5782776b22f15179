"""Behaviour cloning of a few demonstrations: BMIL's policy without a model (Park and Wong 2022, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from algos.core.networks import Precision
from algos.core.randomness import normal
from algos.core.replay import Layout
from algos.imagination.cloned_policy import Cloner, ClonerConfig
from algos.imagination.demonstrations import Demonstrations


@dataclass(frozen=True)
class BCConfig(ClonerConfig):
    """Keys of ``config/algos/il_bc.yaml``."""

    observation_noise: float


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
