"""VINS: cloned actions, corrected by a value function that falls away from the demonstrations (Luo, Xu and Ma 2019).

The version that BMIL compares with (Park and Wong 2022, code): a value function V, a dynamics model M and a cloned
policy pi are fitted to demonstrations; the agent takes the action near pi(s) whose next state M(s, a) has the largest
value. There is no learning from interaction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from algos.core.networks import MLP, Precision
from algos.core.replay import Layout
from algos.imagination.cloned_policy import Cloner, ClonerConfig
from algos.imagination.conservative_value import ValueConfig, ValueFit
from algos.imagination.delta_model import DynamicsFit, ModelConfig
from algos.imagination.demonstrations import Demonstrations
from algos.imagination.passes import take_due

#: Candidates of one run that are weighed in one product: 4 MB a run and layer, which stays near the processor.
CANDIDATE_ROWS = 2000


@dataclass(frozen=True)
class VINSConfig(ClonerConfig, ValueConfig, ModelConfig):
    """Keys of ``config/algos/vins.yaml``."""

    repeat: int
    candidates: int
    action_range: float


class VINS(Cloner):
    """R runs of VINS trained together, each on its own demonstrations.

    The code trains the value function, then the policy, then the model. They read the same demonstrations and never
    each other, so any order gives the same networks; here the steps of the other two are spread over the policy's
    updates, so that all are done when the updates are.
    """

    Config = VINSConfig
    metrics = ("loss", "value_loss", "model_loss")

    def __init__(
        self,
        config: VINSConfig,
        demonstrations: Demonstrations,
        layout: Layout,
        seeds: tuple[int, ...],
        precision: Precision,
        device: torch.device,
    ) -> None:
        super().__init__(config, demonstrations, layout, seeds, precision, device)
        self.config = config
        sizes = (layout.observation_dim, *config.hidden, layout.action_dim)
        first = MLP(sizes, seeds=seeds, name="policy", initialiser="xavier_uniform")
        self.policy.network.load_state_dict(first.state_dict())
        self.value = ValueFit(config, demonstrations, layout, config.repeat, seeds, device)
        self.model = DynamicsFit(
            config, demonstrations, layout, config.repeat, seeds, precision, device
        )
        self.epoch = 0

    def draw(self, chunk: int) -> tuple[Tensor, Tensor]:
        """States ``[M, R, 1, B, S]`` and actions ``[M, R, 1, B, A]`` of an epoch of the policy."""
        self.epoch = chunk
        drawn = self.demonstrations.draw(chunk, self.chunk, self.config.batch_size)
        batch = self.layout.unpack(drawn)
        return batch.observation, batch.action

    def update(self, drawn: tuple[Tensor, Tensor], index: int) -> Tensor:
        """One policy step of all runs, and the steps of value and model that fall to it; metrics ``[3, R]``."""
        update = self.epoch * self.chunk + index
        for fit in (self.value, self.model):
            take_due(fit.passes, update, self.config.updates, fit.step)
        cloning = super().update(drawn, index)
        return torch.cat([cloning, self.value.losses[None], self.model.losses[None]])

    def facts(self, update: int) -> list[dict[str, float]]:
        """What to record about each run after ``update`` policy updates."""
        found = []
        for value, model in zip(self.value.passes, self.model.passes, strict=True):
            steps = [each.due(update, self.config.updates) for each in (value, model)]
            found.append(
                {
                    "policy_steps": float(update),
                    "value_steps": float(steps[0]),
                    "model_steps": float(steps[1]),
                    "gradient_steps": float(update + sum(steps)),
                }
            )
        return found

    @property
    def acting_noise(self) -> tuple[int, int]:
        """Rows of noise an observation needs, and their width."""
        return self.config.candidates, self.layout.action_dim

    @torch.no_grad()
    def act(self, state: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The best candidates and the values of the states they are predicted to lead to.

        Args:
            state: ``[R, N, S]``.
            noise: ``[R, N * candidates, A]`` standard normal.

        Returns:
            Actions ``[R, N, A]`` and values ``[R, N]``.
        """
        candidates = self.candidates(state, noise)
        together = max(1, CANDIDATE_ROWS // self.config.candidates)
        states, actions = (torch.split(each, together, dim=1) for each in (state, candidates))
        chosen = [self._best(*part) for part in zip(states, actions, strict=True)]
        return (
            torch.cat([action for action, _ in chosen], dim=1),
            torch.cat([value for _, value in chosen], dim=1),
        )

    def candidates(self, state: Tensor, noise: Tensor) -> Tensor:
        """Actions ``clip(pi(s) + action_range u, -1, 1)``, u uniform in [-1, 1]: ``[R, N, candidates, A]``.

        ``erf(z / sqrt 2)`` of a standard normal z is uniform in [-1, 1].
        """
        runs, count, _ = state.shape
        prior, _ = self.policy.act(state)
        uniform = torch.erf(noise / math.sqrt(2.0)).view(runs, count, self.config.candidates, -1)
        return (prior[:, :, None] + self.config.action_range * uniform).clamp(-1.0, 1.0)

    def _best(self, state: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Of ``action [R, N, candidates, A]`` in ``state [R, N, S]`` the one with the largest V(M(s, a)), and that."""
        runs, count, candidates, width = action.shape
        repeated = state[:, None].repeat_interleave(candidates, dim=2)
        reached = self.model.model(repeated, action.reshape(runs, 1, -1, width))
        values = self.value.network(reached).view(runs, count, candidates)
        value, best = values.max(dim=2)
        chosen = action.gather(2, best[..., None, None].expand(-1, -1, 1, width))
        return chosen[:, :, 0], value

    def policy_state(self) -> dict[str, Tensor]:
        """What acting needs, for ``policy.safetensors``: all networks and what they are normalised by."""
        value, model = self.value.network.state_dict(), self.model.model.state_dict()
        return {
            **super().policy_state(),
            **{f"value.{name}": each for name, each in value.items()},
            **{f"model.{name}": each for name, each in model.items()},
        }

    def restore_policy(self, tensors: dict[str, Tensor]) -> None:
        """Put `policy_state` back."""
        super().restore_policy(tensors)
        for prefix, network in (("value.", self.value.network), ("model.", self.model.model)):
            own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
            network.load_state_dict(own)

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {**super().state(), "value": self.value.state(), "model": self.model.state()}

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        super().restore(state)
        self.value.restore(state["value"])
        self.model.restore(state["model"])
