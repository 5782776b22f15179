import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from algos.core.distributions import squashed_gaussian_log_prob
from algos.core.replay import Layout
from algos.imagination.mixture import Mixture
from algos.offline.bc import BC, BCConfig

LAYOUT = Layout(2, 1)
CPU = torch.device("cpu")


def rows(count: int = 2000, seed: int = 0) -> Tensor:
    """Actions tanh(0.5 s_0 - s_1 + 0.1 noise) at states of different scales."""
    g = torch.Generator().manual_seed(seed)
    s = torch.randn(count, 2, generator=g)
    u = 0.5 * s[:, :1] - s[:, 1:] + 0.1 * torch.randn(count, 1, generator=g)
    scaled = s * torch.tensor([10.0, 0.1]) + 3
    return LAYOUT.pack(scaled, torch.tanh(u), torch.zeros(count), scaled, torch.zeros(count))


def learner(seeds: tuple[int, ...] = (0,), **changes: Any) -> BC:
    values = {"updates": 100, "batch_size": 64, "learning_rate": 1e-3, "hidden": (64, 64),
              "standardize_offset": 1e-3, "stochastic_eval": False}  # fmt: skip
    data = [rows(seed=seed) for seed in seeds]
    return BC(BCConfig(**(values | changes)), Mixture(seeds, data), LAYOUT, seeds, "float32", CPU)


def train(method: BC, updates: int) -> list[Tensor]:
    return [method.update(method.draw(u // method.chunk), u % method.chunk) for u in range(updates)]


def test_log_density_integrates_to_one_and_matches_the_change_of_variables() -> None:
    a = torch.linspace(-0.999, 0.999, 20001, dtype=torch.float64)[:, None]
    mean, log_std = (
        torch.tensor([0.3], dtype=torch.float64),
        torch.tensor([-0.7], dtype=torch.float64),
    )
    log_prob = squashed_gaussian_log_prob(mean, log_std, a)
    assert float(torch.trapezoid(log_prob.exp(), a[:, 0])) == pytest.approx(1.0, abs=1e-3)
    u = np.arctanh(a[:, 0].numpy())
    expected = stats.norm.logpdf(u, 0.3, math.exp(-0.7)) - np.log(1 - a[:, 0].numpy() ** 2)
    np.testing.assert_allclose(log_prob.numpy(), expected, rtol=1e-8)


def test_actions_at_the_bounds_have_a_finite_density() -> None:
    value = squashed_gaussian_log_prob(torch.zeros(2), torch.zeros(2), torch.tensor([1.0, -1.0]))
    assert bool(torch.isfinite(value))


def test_it_recovers_the_behaviour() -> None:
    method = learner()
    train(method, 1500)
    batch = LAYOUT.unpack(rows(500, seed=9))
    action, _ = method.act(batch.observation[None], torch.zeros(1, 500, 1))
    error = torch.atanh(action[0].clamp(-0.999, 0.999)) - torch.atanh(
        batch.action.clamp(-0.999, 0.999)
    )
    # what is left is the behaviour's own noise, 0.1 before squashing (bounds of tanh apart)
    assert float(error.abs().median()) < 0.12
    _, log_std = method.heads(batch.observation[None, None])
    assert float(log_std.detach().exp().median()) == pytest.approx(0.1, rel=0.5)


def test_stochastic_evaluation_adds_the_policys_own_noise() -> None:
    still, noisy = learner(), learner(stochastic_eval=True)
    state, noise = torch.randn(1, 5, 2), torch.ones(1, 5, 1)
    mean, log_std = noisy.heads(state[:, None])
    torch.testing.assert_close(noisy.act(state, noise)[0], torch.tanh(mean + log_std.exp())[:, 0])
    torch.testing.assert_close(still.act(state, noise)[0], torch.tanh(mean)[:, 0])


def test_a_run_alone_equals_the_run_in_a_block_bitwise() -> None:
    block, alone = learner((1, 2, 3, 4)), learner((3,))
    for b, a in zip(train(block, 60), train(alone, 60), strict=True):
        assert torch.equal(b[:, 2], a[:, 0])


def test_policy_round_trip_keeps_the_scaling() -> None:
    method, other = learner(), learner((1,))
    train(method, 5)
    other.restore_policy(method.policy_state())
    state = torch.randn(1, 3, 2)
    assert torch.equal(method.act(state, state[..., :1])[0], other.act(state, state[..., :1])[0])
