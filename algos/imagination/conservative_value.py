"""The value function of VINS: it falls with the distance from the demonstrations (Luo, Xu and Ma 2019).

Written as in the code of BMIL (Park and Wong 2022), which fits it to demonstrations alone.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from algos.core.networks import MLP, grouped_linear
from algos.core.optimiser import Adam
from algos.core.randomness import torch_generator
from algos.core.replay import Batch, Layout
from algos.core.spec import SpecError
from algos.imagination.demonstrations import Demonstrations
from algos.imagination.passes import passes_over, take_together

NegativeTarget = Literal["released", "original"]
LAYER_NORM_EPSILON = 1e-12
#: Bound of the uniform first weights of the last layer.
LAST_LAYER = 3e-3
#: Smallest divisor: entries that do not vary in the demonstrations have no deviation to be measured in.
SMALLEST = 1e-6
#: Normalised entries are clipped at so many standard deviations.
NORMAL_RANGE = 5.0


@dataclass(frozen=True)
class ValueConfig:
    """Keys of the value function, in ``config/algos/vins.yaml``."""

    value_epochs: int
    value_batch: int
    value_hidden: tuple[int, ...]
    value_learning_rate: float
    discount: float
    tau: float
    end_at_zero_reward: bool
    interpolations: int
    negative_slope: float
    negative_target: NegativeTarget
    negative_coordinates: tuple[int, ...]
    second_coordinates: tuple[int, ...]
    negative_noise: float

    def displaced(self, entries: int) -> tuple[list[int], list[int]]:
        """Entries of an observation that the first and the second displaced copy move.

        Raises:
            SpecError: an observation has no such entry.
        """
        for key in ("negative_coordinates", "second_coordinates"):
            given = getattr(self, key)
            if len(set(given)) < len(given) or not all(0 <= each < entries for each in given):
                raise SpecError(
                    f"{key}: {list(given)}: give different entries of an observation, 0 to {entries - 1}"
                )
        first, second = self.negative_coordinates, self.second_coordinates
        return list(first or range(entries)), list(second or range(entries))


class ValueNetwork(nn.Module):
    """R value functions of normalised, clipped observations; layer normalisation before each relu.

    Always float32: its targets are its own outputs, of which only differences count.

    Args:
        inputs: entries of an observation.
        hidden: widths of the hidden layers.
        mean: over each run's demonstrations ``[R, S]``.
        deviation: the same, standard deviation.
        seeds: run seeds.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        inputs: int,
        hidden: Sequence[int],
        mean: Tensor,
        deviation: Tensor,
        seeds: Sequence[int],
    ) -> None:
        super().__init__()
        layers = MLP((inputs, *hidden, 1), seeds=seeds, name="value", initialiser="xavier_uniform")
        self.weights, self.biases = layers.weights, layers.biases
        with torch.no_grad():
            for run, seed in enumerate(seeds):
                generator = torch_generator(seed, "init/value/last")
                self.weights[-1][run].uniform_(-LAST_LAYER, LAST_LAYER, generator=generator)
        shapes = [(len(seeds), 1, width) for width in hidden]
        self.scales = nn.ParameterList([nn.Parameter(torch.ones(shape)) for shape in shapes])
        self.shifts = nn.ParameterList([nn.Parameter(torch.zeros(shape)) for shape in shapes])
        self.register_buffer("mean", mean[:, None, None].cpu().clone())
        self.register_buffer("deviation", deviation[:, None, None].cpu().clone())

    def forward(self, state: Tensor) -> Tensor:
        """Values ``[R, 1, B]`` of ``state [R, 1, B, S]``."""
        normal = (state - self.mean) / self.deviation.clamp(min=SMALLEST)
        hidden = normal.clamp(-NORMAL_RANGE, NORMAL_RANGE)[:, 0]
        for layer, (scale, shift) in enumerate(zip(self.scales, self.shifts, strict=True)):
            hidden = self._linear(hidden, layer)
            hidden = functional.layer_norm(hidden, hidden.shape[-1:], eps=LAYER_NORM_EPSILON)
            hidden = functional.relu(hidden * scale + shift, inplace=True)
        return self._linear(hidden, len(self.scales))[:, None, :, 0]

    def _linear(self, x: Tensor, layer: int) -> Tensor:
        return grouped_linear(x, self.weights[layer][:, 0], self.biases[layer][:, 0])

    def part(self, runs: slice) -> ValueNetwork:
        """The value functions of some of the runs, in the same memory."""
        other = ValueNetwork.__new__(ValueNetwork)
        nn.Module.__init__(other)
        for name in ("weights", "biases", "scales", "shifts"):
            own = [nn.Parameter(each.detach()[runs]) for each in getattr(self, name)]
            setattr(other, name, nn.ParameterList(own))
        other.register_buffer("mean", self.mean[runs])
        other.register_buffer("deviation", self.deviation[runs])
        return other


class ValueFit:
    """Fits a `ValueNetwork` and keeps its slowly following target network.

    Attributes:
        passes: the minibatches of each run.
        losses: the last minibatch's loss of each run, ``[R]``; 0 before the first.
    """

    def __init__(
        self,
        config: ValueConfig,
        demonstrations: Demonstrations,
        layout: Layout,
        repeat: int,
        seeds: tuple[int, ...],
        device: torch.device,
    ) -> None:
        self.config, self.layout, self.seeds = config, layout, seeds
        self.displaced = config.displaced(layout.observation_dim)
        batches = [demonstrations.batch(run) for run in range(len(seeds))]
        if config.end_at_zero_reward and any(bool((each.reward > 0.0).any()) for each in batches):
            raise SpecError(
                "end_at_zero_reward: some demonstrated rewards are above 0; it is for tasks where each step costs "
                "until success, and would part all steps before a reward from it"
            )
        mean = torch.stack([each.observation.double().mean(dim=0).float() for each in batches])
        deviation = torch.stack([demonstrations.deviation(run)[0] for run in range(len(seeds))])
        network = ValueNetwork(layout.observation_dim, config.value_hidden, mean, deviation, seeds)
        self.network = network.to(device)
        self.target = copy.deepcopy(self.network).requires_grad_(False)
        self.optimiser = Adam(self.network.parameters(), config.value_learning_rate)
        size, epochs = config.value_batch, config.value_epochs
        self.passes = passes_over(demonstrations, "value", repeat, size, epochs)
        self.losses = torch.zeros(len(seeds), device=device)

    def step(self, runs: slice, steps: list[int]) -> None:
        """One step of each of ``runs``: the minibatch and the noise that its number in ``steps`` keys."""
        taken = take_together(self.passes[runs], steps)
        batch = self.layout.unpack(taken)
        every = runs == slice(0, len(self.seeds))
        network = self.network if every else self.network.part(runs)
        target = self.target if every else self.target.part(runs)
        optimiser = self.optimiser
        if not every:
            optimiser = optimiser.share(network.parameters(), runs)
        state, value = self.examples(batch, target, self._noise(runs, steps, batch))
        loss = (network(state) - value).square().mean(dim=(1, 2))
        optimiser.step(loss.sum())
        follow(target, network, self.config.tau)
        self.losses[runs] = loss.detach()

    @torch.no_grad()
    def examples(
        self, batch: Batch, target: ValueNetwork, noise: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """What the value function is fitted to: states ``[R, 1, M, S]`` and their values ``[R, 1, M]``.

        With y = r + discount V'(s'), V' the target network: points t s + (1 - t) s' between the states of a row have
        the value t y + (1 - t)(y + 1), exact for rewards of -1 and a discount of 1; displaced states s + n d, d the
        standard deviations, have y - slope ||n|| / ||c||, c the size of the noise in each entry. In the original, they
        have V'(s) in place of y. Nothing follows a terminal state, nor, with ``end_at_zero_reward``, a step of reward
        0: where each step costs 1 until success and demonstrations go on after it, nothing else ties values down.

        Args:
            batch: rows ``[R, 1, B, ..]``.
            target: the target network.
            noise: t ``[R, K]`` and standard normal noise of both copies ``[R, 1, B, entries]``.
        """
        config, (mix, *normal) = self.config, noise
        ended = batch.terminated[..., 0]
        if config.end_at_zero_reward:
            ended = torch.maximum(ended, (batch.reward[..., 0] == 0.0).float())
        ahead = config.discount * (1.0 - ended) * target(batch.next_observation)
        value = batch.reward[..., 0] + ahead
        near = value if config.negative_target == "released" else target(batch.observation)
        states, values = [batch.observation], [value]
        if config.interpolations:
            part = mix[:, :, None]
            between = part[..., None] * batch.observation
            between = between + (1.0 - part[..., None]) * batch.next_observation
            states = [between.flatten(1, 2)[:, None]]
            values = [(part * value + (1.0 - part) * (value + 1.0)).flatten(1, 2)[:, None]]
        for entries, drawn in zip(self.displaced, normal, strict=True):
            displacement = config.negative_noise * drawn
            moved = torch.zeros_like(batch.observation)
            moved[..., entries] = displacement
            size = config.negative_noise * len(entries) ** 0.5
            distance = torch.linalg.vector_norm(displacement, dim=-1) / max(size, SMALLEST)
            states.append(batch.observation + moved * target.deviation)
            values.append(near - config.negative_slope * distance)
        return torch.cat(states, dim=2), torch.cat(values, dim=2)

    def _noise(self, runs: slice, steps: list[int], batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Keyed by (seed, step): t ``[R, K]`` and standard normal noise of both copies ``[R, 1, B, entries]``."""
        device, rows = batch.action.device, batch.action.shape[2]
        mix: list[Tensor] = []
        first: list[Tensor] = []
        second: list[Tensor] = []
        for seed, step in zip(self.seeds[runs], steps, strict=True):
            generator = torch_generator(seed, "value/noise", step, device)
            mix.append(torch.rand(self.config.interpolations, generator=generator, device=device))
            for entries, found in zip(self.displaced, (first, second), strict=True):
                shape = (1, rows, len(entries))
                found.append(torch.randn(shape, generator=generator, device=device))
        return torch.stack(mix), torch.stack(first), torch.stack(second)

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {
            "network": dict(self.network.state_dict()),
            "target": dict(self.target.state_dict()),
            "optimiser": self.optimiser.state(),
            "losses": self.losses,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self.network.load_state_dict(state["network"])
        self.target.load_state_dict(state["target"])
        self.optimiser.restore(state["optimiser"])
        self.losses.copy_(state["losses"])


@torch.no_grad()
def follow(target: nn.Module, online: nn.Module, tau: float) -> None:
    """``target <- (1 - tau) target + tau online``, each run's slice an item of its own.

    The kernel rounds the last few elements of an item differently; those of a run must not depend on its block.
    """
    slices = [[s for p in net.parameters() for s in p.unbind(0)] for net in (target, online)]
    torch._foreach_lerp_(slices[0], slices[1], tau)
