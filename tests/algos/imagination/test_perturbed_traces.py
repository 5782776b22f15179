"""How traces are drawn: lengths, spreads, which steps are perturbed, signs and offsets."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from algos.core.replay import Layout
from algos.imagination.perturbed_traces import (
    TraceConfig,
    action_scale,
    backward_traces,
    forward_traces,
)
from tests.algos.imitation import toy

PICK = {"horizon": 3, "horizon_start": 1, "horizon_from": 0.005, "horizon_to": 1.0}
ANT = {"horizon": 10, "horizon_start": 1, "horizon_from": 0.25, "horizon_to": 1.0}


def config(**changes: Any) -> TraceConfig:
    return toy.bmil_config(**changes)


@pytest.mark.parametrize(
    ("schedule", "epochs", "expected"),
    [
        (PICK, 200, {0: 1, 100: 1, 101: 2, 199: 2}),
        (ANT, 400, {0: 1, 100: 1, 134: 2, 399: 9}),
    ],
)
def test_lengths_of_the_published_schedules(
    schedule: dict[str, Any], epochs: int, expected: dict[int, int]
) -> None:
    traces = config(**schedule)
    assert {epoch: traces.length(epoch, epochs) for epoch in expected} == expected


@pytest.mark.parametrize(("scale", "expected"), [("variance", 0.0136), ("deviation", 0.117)])
def test_scaled_spread_at_the_published_coefficient(scale: str, expected: float) -> None:
    traces = config(action_coefficient=30.0, sampled_scale=scale)
    found = float(action_scale(traces, torch.tensor(-10.0), perturbed=True))
    assert found == pytest.approx(expected, rel=0.01)


def test_scaled_spread_vanishes_where_the_log_variance_is_positive() -> None:
    traces = config(action_coefficient=30.0, sampled_scale="variance")
    assert float(action_scale(traces, torch.tensor(0.1), perturbed=True)) <= 1e-12


@pytest.mark.parametrize(("scale", "power"), [("variance", 1.0), ("deviation", 0.5)])
def test_unperturbed_spread_is_the_models_own(scale: str, power: float) -> None:
    traces = config(sampled_scale=scale)
    found = float(action_scale(traces, torch.tensor(-3.0), perturbed=False))
    assert found == pytest.approx(math.exp(-3.0 * power), rel=1e-5)


class Shift(torch.nn.Module):
    """A network of constant outputs."""

    def __init__(self, mean: list[float], logvar: float) -> None:
        super().__init__()
        self.mean, self.logvar = torch.tensor(mean), logvar

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mean.expand(*x.shape[:-1], len(self.mean))
        return mean, torch.full_like(mean, self.logvar)


class Steps:
    """A model that knows the toy: the action was (0.2, 0), so the previous state lies 0.2 to the left."""

    def __init__(self, backward: bool, logvar: float = -60.0) -> None:
        self.action = Shift([0.2, 0.0], logvar) if backward else None
        self.state = Shift([-0.2, 0.0] if backward else [0.2, 0.0], -60.0)


def draw(states: Tensor, length: int, model: Any = None, **changes: Any) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return backward_traces(
        config(**changes), model or Steps(backward=True), states, torch.tensor([0.5, 2.0]), length, generator, None,
    )  # fmt: skip


def test_traces_hold_previous_states_with_the_actions_that_left_them() -> None:
    ends = torch.tensor([[1.0, 0.0], [5.0, 3.0]])
    states, actions = draw(ends, 2)
    assert states.shape == (4, 2)
    expected = torch.tensor([[0.8, 0.0], [4.8, 3.0], [0.6, 0.0], [4.6, 3.0]])
    assert torch.allclose(states, expected, atol=1e-6)
    assert torch.allclose(actions, torch.tensor([0.2, 0.0]).expand(4, 2), atol=1e-6)
    # The step goes forward in time: pairing a state with the action that led TO it would fail here.
    reached = states + actions
    assert torch.allclose(reached, torch.cat([ends, states[:2]]), atol=1e-5)


def test_first_step_or_all_steps_are_perturbed() -> None:
    ends = torch.zeros(500, 2)
    model = Steps(backward=True, logvar=-30.0)
    spread = {"action_coefficient": 1e12, "sampled_scale": "deviation"}
    for steps, wide in (("first", [True, False]), ("all", [True, True])):
        _, actions = draw(ends, 2, model, perturbed_steps=steps, **spread)
        assert [bool(part.std() > 0.5) for part in actions.split(500)] == wide


@pytest.mark.parametrize(
    ("width", "half"), [("absolute", (0.3, 0.3)), ("action_deviation", (0.15, 0.6))]
)
def test_uniform_noise_has_the_declared_width(width: str, half: tuple[float, float]) -> None:
    _, actions = draw(
        torch.zeros(4000, 2), 1, action_selection="resample", action_coefficient=0.3, resample_width=width,
    )  # fmt: skip
    moved = (actions - torch.tensor([0.2, 0.0])).abs()
    assert torch.allclose(moved.max(dim=0).values, torch.tensor(half), rtol=0.01)
    assert torch.allclose(moved.mean(dim=0), torch.tensor(half) / 2, rtol=0.05)


def test_actions_are_clipped_on_request_only() -> None:
    model = Steps(backward=True, logvar=0.0)
    for clip in (False, True):
        _, actions = draw(torch.zeros(100, 2), 1, model, action_selection="none", clip_actions=clip)
        assert bool(actions.abs().max() > 1.0) is not clip


def test_means_stay_in_the_box_of_observations() -> None:
    bounds = (torch.tensor([0.9, -1.0]), torch.tensor([9.0, 1.0]))
    states, _ = backward_traces(
        config(), Steps(backward=True), torch.tensor([[1.0, 0.0]]), torch.ones(2), 3, torch.Generator(), bounds,
    )  # fmt: skip
    assert torch.allclose(states, torch.tensor([0.9, 0.0]).expand(3, 2), atol=1e-6)


def test_forward_traces_hold_the_present_policys_actions() -> None:
    learner = toy.bmil((0, 1), direction="forward", action_selection="policy")
    generator = torch.Generator().manual_seed(0)
    states, actions = forward_traces(
        learner.config, Steps(backward=False), learner.policy, 1, torch.zeros(3, 2), 2, generator, None,
    )  # fmt: skip
    assert torch.allclose(states, torch.tensor([[0.0, 0.0]] * 3 + [[0.2, 0.0]] * 3), atol=1e-6)
    own = learner.policy(states.expand(2, 1, -1, -1))[1, 0]
    assert torch.allclose(actions, own, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"horizon": 3, "horizon_start": 4}, "horizon_start: 4 is more than horizon"),
        ({"horizon_from": 0.9, "horizon_to": 0.1}, "horizon_from: 0.9 is after horizon_to"),
    ],
)
def test_a_schedule_that_does_not_grow_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toy.bmil_config(**changes)


def test_a_backward_model_does_not_take_the_policys_actions() -> None:
    with pytest.raises(
        ValueError, match="action_selection: policy does not go with direction backward"
    ):
        toy.bmil_config(action_selection="policy")
    assert isinstance(toy.LAYOUT, Layout)
