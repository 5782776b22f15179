import math
from typing import Any

import pytest
import torch
from torch import Tensor

from algos.core.replay import Layout
from algos.imagination.cvae import CVAEConfig, CVAEFit
from algos.imagination.rbc import RBCConfig, RBCFit
from algos.imagination.rollout_policies import RolloutPolicy, load_cvae, load_rbc

LAYOUT = Layout(1, 1)
MODE = 0.5  # tanh of a Gaussian with these two moments still has a single mode


def bimodal(count: int = 4000, seed: int = 0) -> Tensor:
    """Whatever the state, the action is +0.5 or -0.5."""
    g = torch.Generator().manual_seed(seed)
    s = torch.randn(count, 1, generator=g)
    sign = torch.where(torch.rand(count, 1, generator=g) < 0.5, -1.0, 1.0)
    return LAYOUT.pack(s, MODE * sign, torch.zeros(count), 3 * s + 10, torch.zeros(count))


def fit(seeds: tuple[int, ...] = (0,), rows: Tensor | None = None, **changes: Any) -> RBCFit:
    values = {"direction": "backward", "hidden": (64, 64), "learning_rate": 1e-3, "batch_size": 100,
              "updates": 100, "entropy_weight": 0.0, "include_terminal": False}  # fmt: skip
    data = [bimodal(seed=seed) if rows is None else rows for seed in seeds]
    return RBCFit(RBCConfig(**(values | changes)), data, LAYOUT, seeds, 4000, "float32")


def train(method: Any, updates: int) -> list[Tensor]:
    return [method.update(method.draw(u // method.chunk), u % method.chunk) for u in range(updates)]


def middle_and_modes(policy: RolloutPolicy) -> tuple[float, float]:
    """Share of actions within 0.15 of 0, and of +0.5 or -0.5 (twice as wide, so halved)."""
    actions = policy(torch.full((5000, 1), 10.0), torch.Generator().manual_seed(0))
    assert actions.shape == (5000, 1) and float(actions.abs().max()) <= 1.0
    middle = (actions.abs() < 0.15).float().mean()
    modes = ((actions.abs() - MODE).abs() < 0.15).float().mean() / 2
    return float(middle), float(modes)


def test_gaussian_has_one_mode_where_the_cvae_has_both() -> None:
    gaussian = fit()
    train(gaussian, 1000)
    middle, modes = middle_and_modes(load_rbc(gaussian.result()[0], 0))
    assert middle > modes > 0.1
    values = {"direction": "backward", "hidden": (64, 64), "learning_rate": 1e-3, "batch_size": 100,
              "updates": 1, "kl_weight": 0.05, "latent_clip": 2.0, "include_terminal": False}  # fmt: skip
    cvae = CVAEFit(CVAEConfig(**values), [bimodal()], LAYOUT, (0,), 4000, "float32")
    train(cvae, 1500)
    middle, modes = middle_and_modes(load_cvae(cvae.result()[0], 0, latent_clip=2.0))
    assert modes > 3 * middle


def test_moments_before_tanh_are_those_of_the_data() -> None:
    """The likeliest Gaussian has the data's mean and standard deviation, atanh(0.5) = 0.549."""
    method = fit()
    train(method, 1000)
    mean, log_std = method.network(torch.zeros(1, 1, 1, 1))
    assert float(mean.detach()) == pytest.approx(0.0, abs=0.1)
    assert float(log_std.detach().exp()) == pytest.approx(math.atanh(MODE), abs=0.05)


def test_loss_is_the_density_of_the_squashed_gaussian() -> None:
    method = fit()
    state, action = torch.randn(1, 1, 5, 1), 1.8 * torch.rand(1, 1, 5, 1) - 0.9
    mean, log_std = method.network(state)
    plain = torch.distributions.Normal(mean, log_std.exp())
    squashed = torch.distributions.TransformedDistribution(
        plain, [torch.distributions.TanhTransform()]
    )
    likelihood, entropy = method.network.loss(state, action)
    torch.testing.assert_close(likelihood[0], -squashed.log_prob(action).mean())
    torch.testing.assert_close(entropy[0], plain.entropy().mean())


def test_entropy_bonus_widens_the_policy() -> None:
    """With weight w the best std is that of the data over sqrt(1 - w): d/dlog std of NLL - w H is 0 there."""
    method = fit(entropy_weight=0.5)
    train(method, 1500)
    _, log_std = method.network(torch.zeros(1, 1, 1, 1))
    expected = math.atanh(MODE) / math.sqrt(0.5)
    assert float(log_std.detach().exp()) == pytest.approx(expected, abs=0.08)


def test_states_are_standardised_on_the_real_rows() -> None:
    backward, forward = fit(), fit(direction="forward")
    rows = LAYOUT.unpack(bimodal())
    for method, states in ((backward, rows.next_observation), (forward, rows.observation)):
        tensors = method.result()[0]
        torch.testing.assert_close(tensors["state_mean"].reshape(1), states.mean(0))
        torch.testing.assert_close(tensors["state_std"].reshape(1), states.std(0, correction=0))


def test_rolled_out_actions_follow_the_network() -> None:
    rows = bimodal()
    states = LAYOUT.unpack(rows).next_observation
    action = torch.tanh((states - 10) / 6)  # depends on the state, nearly without noise
    batch = LAYOUT.unpack(rows)
    rows = LAYOUT.pack(
        batch.observation, action, batch.reward[:, 0], states, batch.terminated[:, 0]
    )
    method = fit(rows=rows)
    train(method, 2000)
    policy = load_rbc(method.result()[0], 0)
    point = torch.tensor([[7.0], [10.0], [13.0]]).repeat_interleave(500, dim=0)
    sampled = policy(point, torch.Generator().manual_seed(0)).view(3, 500)
    torch.testing.assert_close(
        sampled.mean(dim=1), torch.tanh(torch.tensor([-0.5, 0.0, 0.5])), atol=0.05, rtol=0
    )
    assert float(sampled.std(dim=1).max()) < 0.1
    again = policy(point, torch.Generator().manual_seed(0)).view(3, 500)
    assert torch.equal(again, sampled)


def test_a_run_alone_equals_the_run_in_a_block_bitwise() -> None:
    block, alone = fit((1, 2, 3, 4)), fit((3,))
    for b, a in zip(train(block, 60), train(alone, 60), strict=True):
        assert torch.equal(b[:, 2], a[:, 0])
