from typing import Any

import pytest
import torch
from torch import Tensor

from algos.core.replay import Layout
from algos.imagination.cvae import CVAEConfig, CVAEFit
from algos.imagination.rollout_policies import UniformPolicy, load_cvae

LAYOUT = Layout(1, 1)


def bimodal(count: int = 4000, seed: int = 0) -> Tensor:
    """Whatever the state, the action is +0.7 or -0.7: no single-mode policy fits."""
    g = torch.Generator().manual_seed(seed)
    s = torch.randn(count, 1, generator=g)
    sign = torch.where(torch.rand(count, 1, generator=g) < 0.5, -1.0, 1.0)
    a = 0.7 * sign + 0.02 * torch.randn(count, 1, generator=g)
    return LAYOUT.pack(s, a, torch.zeros(count), s + 10, torch.zeros(count))


def fit(seeds: tuple[int, ...] = (0,), **changes: Any) -> CVAEFit:
    values = {"direction": "backward", "hidden": (64, 64), "learning_rate": 1e-3, "batch_size": 100,
              "updates": 100, "kl_weight": 0.05, "latent_clip": 0.5, "include_terminal": False}  # fmt: skip
    data = [bimodal(seed=seed) for seed in seeds]
    return CVAEFit(CVAEConfig(**(values | changes)), data, LAYOUT, seeds, 4000, "float32")


def train(method: CVAEFit, updates: int) -> list[Tensor]:
    return [method.update(method.draw(u // method.chunk), u % method.chunk) for u in range(updates)]


def test_both_modes_of_a_bimodal_behaviour_appear() -> None:
    method = fit()
    metrics = train(method, 1500)
    assert (
        float(metrics[-1][0]) < 0.1 * 0.49
    )  # reconstruction far below the variance of the actions
    policy = load_cvae(method.result()[0], 0, latent_clip=2.0)
    actions = policy(torch.full((2000, 1), 10.0), torch.Generator().manual_seed(0))
    assert float(actions.abs().max()) <= 1.0
    share = [float((actions > 0.4).float().mean()), float((actions < -0.4).float().mean())]
    assert min(share) > 0.1


def test_loss_by_hand() -> None:
    method = fit()
    state, action, noise = torch.randn(1, 1, 5, 1), torch.rand(1, 1, 5, 1), torch.randn(1, 1, 5, 2)
    mu, log_sigma = method.network.encoder(torch.cat([state, action], -1)).chunk(2, -1)
    decoded = method.network.decode(state, mu + log_sigma.exp() * noise)
    normal = torch.distributions.Normal
    kl = torch.distributions.kl_divergence(normal(mu, log_sigma.exp()), normal(0.0, 1.0)).mean()
    reconstruction, weighted = method.network.loss(state, action, noise, kl_weight=0.5)
    torch.testing.assert_close(reconstruction[0], ((decoded - action) ** 2).mean())
    torch.testing.assert_close(weighted[0], 0.5 * kl)


def test_latent_is_twice_the_action_and_direction_chooses_the_state() -> None:
    backward, forward = fit(), fit(direction="forward")
    assert backward.network.latent == 2
    seen: list[float] = []

    def watch(state: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
        seen.append(float(state.mean()))
        return torch.zeros(1, requires_grad=True), torch.zeros(1)

    for method in (backward, forward):
        method.network.loss = watch  # type: ignore[method-assign,assignment]
        with pytest.raises(RuntimeError):  # the stub's loss reaches no parameter
            method.update(method.draw(0), 0)
    assert seen[0] == pytest.approx(10, abs=0.5) and seen[1] == pytest.approx(0, abs=0.5)


def test_a_run_alone_equals_the_run_in_a_block_bitwise() -> None:
    block, alone = fit((1, 2, 3, 4)), fit((3,))
    for b, a in zip(train(block, 60), train(alone, 60), strict=True):
        assert torch.equal(b[:, 2], a[:, 0])


def test_clipping_the_latent_narrows_the_actions() -> None:
    method = fit()
    train(method, 50)
    tensors = method.result()[0]
    state = torch.zeros(500, 1)
    spread = [
        float(load_cvae(tensors, 0, clip)(state, torch.Generator().manual_seed(0)).std())
        for clip in (0.1, 0.5, 0.0)  # 0: not clipped
    ]
    assert spread == sorted(spread) and spread[0] < spread[2]


def test_uniform_policy() -> None:
    actions = UniformPolicy(2)(torch.zeros(20_000, 3), torch.Generator().manual_seed(0))
    assert actions.shape == (20_000, 2)
    assert float(actions.min()) >= -1 and float(actions.max()) <= 1
    assert float(actions.mean()) == pytest.approx(0, abs=0.02)
    assert float(actions.var()) == pytest.approx(1 / 3, abs=0.01)
