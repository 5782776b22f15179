"""Imagined traces that end in demonstrated states (backward) or leave them (forward), for the policy to clone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from algos.core.randomness import torch_generator
from algos.imagination.cloned_policy import Policy
from algos.imagination.trace_model import TraceModel

ActionSelection = Literal["none", "resample", "scale", "policy"]
SMALLEST_SCALE = 1e-12
Bounds = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class TraceConfig:
    """How traces are drawn; keys of ``config/algos/_traces.yaml``."""

    horizon: int
    horizon_start: int
    horizon_from: float
    horizon_to: float
    traces_per_state: int
    action_selection: ActionSelection
    action_coefficient: float
    resample_width: Literal["absolute", "action_deviation"]
    perturbed_steps: Literal["first", "all"]
    clip_actions: bool
    sampled_scale: Literal["deviation", "variance"]
    bounded_observations: bool

    def length(self, epoch: int, epochs: int) -> int:
        """Steps of the traces of an epoch: linear between two epochs, rounded down (BMIL code).

        With ``horizon_to`` 1 it would be reached after the last epoch, so no trace is as long as ``horizon``.
        """
        begin, end = (round(share * epochs) for share in (self.horizon_from, self.horizon_to))
        share = (epoch - begin) / (end - begin) if end > begin else float(epoch >= begin)
        grown = min(max(share, 0.0), 1.0) * (self.horizon - self.horizon_start)
        return math.floor(self.horizon_start + grown)


def check(config: TraceConfig, direction: str) -> None:
    """Refuse combinations that mean nothing.

    Raises:
        ValueError: actions of the policy for a backward model, or of a model for a forward one; traces that shrink;
            a schedule that ends before it begins.
    """
    if config.horizon_start > config.horizon:
        raise ValueError(
            f"horizon_start: {config.horizon_start} is more than horizon ({config.horizon}); traces grow to it"
        )
    if config.horizon_from > config.horizon_to:
        raise ValueError(
            f"horizon_from: {config.horizon_from} is after horizon_to ({config.horizon_to}); traces grow in between"
        )
    if (config.action_selection == "policy") != (direction == "forward"):
        raise ValueError(
            f"action_selection: {config.action_selection} does not go with direction {direction}; "
            "forward models take the policy's actions (policy), backward models their own"
        )


def action_scale(config: TraceConfig, logvar: Tensor, perturbed: bool) -> Tensor:
    """What multiplies standard normal noise in a sampled action, from its log-variance.

    ``scale`` (SC) multiplies the variance by ``k (-logvar)``: peaked outputs are widened most, and where the
    log-variance is positive the noise vanishes.
    """
    variance = torch.exp(logvar)
    if perturbed and config.action_selection == "scale":
        variance = (config.action_coefficient * -logvar * variance).clamp(min=SMALLEST_SCALE)
    return variance if config.sampled_scale == "variance" else variance.sqrt()


def resampled(
    config: TraceConfig, action: Tensor, deviation: Tensor, generator: torch.Generator
) -> Tensor:
    """RS: actions ``[.., A]`` moved by uniform noise of half-width b (in actions or in standard deviations of them)."""
    noise = torch.rand(action.shape, generator=generator, device=action.device)
    unit = deviation if config.resample_width == "action_deviation" else torch.ones_like(deviation)
    return action + config.action_coefficient * unit * (2.0 * noise - 1.0)


@torch.no_grad()
def backward_traces(
    config: TraceConfig,
    model: TraceModel,
    states: Tensor,
    deviation: Tensor,
    length: int,
    generator: torch.Generator,
    bounds: Bounds | None,
) -> tuple[Tensor, Tensor]:
    """Predecessors of ``states [N, S]`` of one run, ``length`` steps back.

    Args:
        config: how they are drawn.
        model: a backward model of one run.
        states: where the traces end.
        deviation: standard deviations of the demonstrated actions ``[A]``.
        length: H.
        generator: of the noise.
        bounds: box of observations that sampled means are kept in.

    Returns:
        Previous states ``[H N, S]`` and the actions ``[H N, A]`` that left them.
    """
    if model.action is None:
        raise ValueError("a forward model has no predecessors")
    found_states, found_actions = [], []
    state = states[None, None]
    for step in range(length):
        perturbed = step == 0 or config.perturbed_steps == "all"
        mean, logvar = model.action(state)
        noise = torch.randn(mean.shape, generator=generator, device=mean.device)
        action = mean.clamp(-1.0, 1.0) + action_scale(config, logvar, perturbed) * noise
        if perturbed and config.action_selection == "resample":
            action = resampled(config, action, deviation, generator)
        if config.clip_actions:
            action = action.clamp(-1.0, 1.0)
        state = _moved(config, model, state, action, generator, bounds)
        found_states.append(state[0, 0])
        found_actions.append(action[0, 0])
    return torch.cat(found_states), torch.cat(found_actions)


@torch.no_grad()
def forward_traces(
    config: TraceConfig,
    model: TraceModel,
    policy: Policy,
    run: int,
    states: Tensor,
    length: int,
    generator: torch.Generator,
    bounds: Bounds | None,
) -> tuple[Tensor, Tensor]:
    """States ``[H N, S]`` that the policy visits from ``states [N, S]`` in the model, and its own actions there.

    The policy's present actions are the targets, so that these rows pull it nowhere until it has changed.
    """
    found_states, found_actions = [], []
    state = states[None, None]
    runs = policy.network.part(slice(run, run + 1))
    for _ in range(length):
        action = torch.tanh(runs(state))
        found_states.append(state[0, 0])
        found_actions.append(action[0, 0])
        state = _moved(config, model, state, action, generator, bounds)
    return torch.cat(found_states), torch.cat(found_actions)


def _moved(
    config: TraceConfig,
    model: TraceModel,
    state: Tensor,
    action: Tensor,
    generator: torch.Generator,
    bounds: Bounds | None,
) -> Tensor:
    """The state before (backward) or after (forward) ``state``, drawn from the model."""
    mean, logvar = model.state(torch.cat([state, action], dim=-1))
    variance = torch.exp(logvar)
    scale = variance if config.sampled_scale == "variance" else variance.sqrt()
    if bounds is not None:
        low, high = bounds
        mean = (state + mean).clamp(low, high) - state
    noise = torch.randn(mean.shape, generator=generator, device=mean.device)
    moved: Tensor = state + mean + scale * noise
    return moved


def trace_generator(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """Noise of the traces of one run and epoch."""
    return torch_generator(seed, "traces", epoch, device)
