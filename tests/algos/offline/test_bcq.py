"""BCQ's update against a plain, unbatched float64 re-computation that shares no code with it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from algos.core import checkpoint
from algos.core.replay import Layout
from algos.imagination.mixture import Mixture
from algos.offline.bcq import BCQ, BCQConfig

LAYOUT = Layout(4, 2)
CPU = torch.device("cpu")


def config(**changes: Any) -> BCQConfig:
    values: dict[str, Any] = {
        "updates": 100, "batch_size": 20, "networks": "small", "actor_learning_rate": 1e-3,
        "critic_learning_rate": 1e-3, "vae_learning_rate": 1e-3, "discount": 0.9, "tau": 0.01, "phi": 0.05,
        "soft_minimum_weight": 0.75, "target_samples": 4, "acting_samples": 6, "kl_weight": 0.5,
        "vae_latent_clip": 0.5, "prioritize_env_batches": False,
    }  # fmt: skip
    return BCQConfig(**(values | changes))


def rows(seed: int = 0, count: int = 200) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    data = torch.randn(count, LAYOUT.width, generator=g)
    data[:, 4:6] = torch.tanh(data[:, 4:6])
    data[:, -1] = (data[:, -1] > 0).float()
    return data


def learner(seeds: tuple[int, ...] = (0,), eta: float | None = None, **changes: Any) -> BCQ:
    real = [rows(seed) for seed in seeds]
    imagined = None if eta is None else [rows(seed + 100) for seed in seeds]
    return BCQ(
        config(**changes), Mixture(seeds, real, imagined, eta or 0.0), LAYOUT, seeds, "float32", CPU
    )


def train(method: BCQ, updates: int, first: int = 0) -> list[Tensor]:
    metrics = []
    for update in range(first, first + updates):
        drawn = method.draw(update // method.chunk)
        metrics.append(method.update(drawn, update % method.chunk))
    return metrics


def forward(net: Any, x: np.ndarray, run: int, member: int = 0) -> np.ndarray:
    last = len(net.weights) - 1
    for layer in range(last + 1):
        w = net.weights[layer][run, member].detach().double().numpy()
        b = net.biases[layer][run, member, 0].detach().double().numpy()
        x = x @ w + b
        if layer < last:
            x = np.maximum(x, 0)
    return x


def plain_losses(method: BCQ, drawn: Any, index: int, run: int) -> tuple[float, float, float]:
    """VAE, critic and actor loss of one run, row by row, on the weights at hand, without any update in between."""
    c = method.config
    batch = drawn.rows[index, run, 0].double().numpy()
    noise = {
        n: getattr(drawn, n)[run, index, 0].double().numpy() for n in ("vae", "target", "actor")
    }
    vae, critic, actor = [], [], []

    def decode(s: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.tanh(forward(method.vae.decoder, np.concatenate([s, z]), run))

    def perturb(net: Any, s: np.ndarray, a: np.ndarray) -> np.ndarray:
        return np.clip(a + c.phi * np.tanh(forward(net, np.concatenate([s, a]), run)), -1, 1)

    for i, row in enumerate(batch):
        s, a, r, s2, d = row[:4], row[4:6], row[6], row[7:11], row[11]
        head = forward(method.vae.encoder, np.concatenate([s, a]), run)
        mu, log_sigma = head[:4], np.clip(head[4:], -4, 15)
        sigma = np.exp(log_sigma)
        error = (decode(s, mu + sigma * noise["vae"][i]) - a) ** 2
        kl = 0.5 * (mu**2 + sigma**2 - 1 - 2 * log_sigma)
        vae.append(error.mean() + c.kl_weight * kl.mean())
        values = []
        for j in range(c.target_samples):
            z = np.clip(
                noise["target"][i * c.target_samples + j], -c.vae_latent_clip, c.vae_latent_clip
            )
            a2 = perturb(method.target_actor, s2, decode(s2, z))
            x = np.concatenate([s2, a2])
            q = [float(forward(method.target_critic, x, run, m)[0]) for m in (0, 1)]
            values.append(c.soft_minimum_weight * min(q) + (1 - c.soft_minimum_weight) * max(q))
        y = r + c.discount * (1 - d) * max(values)
        x = np.concatenate([s, a])
        critic.append(sum((float(forward(method.critic, x, run, m)[0]) - y) ** 2 for m in (0, 1)))
        z = np.clip(noise["actor"][i], -c.vae_latent_clip, c.vae_latent_clip)
        chosen = perturb(method.actor, s, decode(s, z))
        actor.append(-float(forward(method.critic, np.concatenate([s, chosen]), run)[0]))
    return float(np.mean(vae)), float(np.mean(critic)), float(np.mean(actor))


def test_losses_equal_a_plain_float64_recomputation() -> None:
    method = learner((3, 4))
    train(method, 20)  # away from the initial weights, and targets away from the online networks
    drawn = method.draw(1)
    batch = LAYOUT.unpack(drawn.rows[0])
    for run in (0, 1):
        vae = plain_losses(method, drawn, 0, run)[0]
        reconstruction, kl = method.vae.loss(batch.observation, batch.action, drawn.vae[:, 0], 0.5)
        assert float((reconstruction + kl)[run].detach()) == pytest.approx(vae, rel=1e-5)
    # the critic and actor losses inside an update are those on the weights before their own step: compare by
    # making the earlier steps of the update do nothing
    for optimiser in (method.vae_optimiser, method.critic_optimiser, method.actor_optimiser):
        optimiser.learning_rate = 0.0
    expected = [plain_losses(method, drawn, 0, run) for run in (0, 1)]
    metrics = method.update(drawn, 0)
    torch.testing.assert_close(
        metrics[:3].T.double(), torch.tensor(expected).double(), rtol=2e-5, atol=1e-6
    )


def test_terminated_rows_do_not_bootstrap() -> None:
    method = learner()
    drawn = method.draw(0)
    batch = LAYOUT.unpack(drawn.rows[0])
    target = method.target(batch, drawn.target[:, 0])
    ended = batch.terminated.bool()
    assert bool(ended.any()) and not bool(ended.all())
    assert torch.equal(target[ended], batch.reward[ended])
    assert bool((target[~ended] != batch.reward[~ended]).all())


def test_order_of_the_update_is_vae_critic_actor_targets() -> None:
    method = learner(tau=1.0)
    train(method, 1)
    for online, target in (
        (method.critic, method.target_critic),
        (method.actor, method.target_actor),
    ):
        for p, q in zip(online.parameters(), target.parameters(), strict=True):
            torch.testing.assert_close(p, q)  # tau 1 copies what the update left


def test_actor_loss_moves_only_the_actor() -> None:
    method = learner()
    before = [p.detach().clone() for net in (method.critic, method.vae) for p in net.parameters()]
    drawn = method.draw(0)
    method.update_actor(LAYOUT.unpack(drawn.rows[0]), drawn.actor[:, 0])
    after = [p for net in (method.critic, method.vae) for p in net.parameters()]
    assert all(torch.equal(b, a) for b, a in zip(before, after, strict=True))


def test_a_run_alone_equals_the_run_in_a_block_of_four_bitwise() -> None:
    block, alone = learner((5, 6, 7, 8), eta=0.3), learner((7,), eta=0.3)
    for b, a in zip(train(block, 60), train(alone, 60), strict=True):
        assert torch.equal(b[:, 2], a[:, 0])
    theirs, own = block.policy_state(), alone.policy_state()
    assert all(torch.equal(theirs[name][2], own[name][0]) for name in own)


def test_two_trainings_of_one_seed_give_the_same_bits() -> None:
    first, second = train(learner(), 60), train(learner(), 60)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_eta_zero_equals_plain_bcq_bit_for_bit() -> None:
    plain, mixed = train(learner(), 60), train(learner(eta=0.0), 60)
    assert all(torch.equal(a, b) for a, b in zip(plain, mixed, strict=True))
    assert not torch.equal(plain[-1], train(learner(eta=0.5), 60)[-1])


@pytest.mark.parametrize("cut", [50, 37])
def test_restored_state_continues_bit_for_bit(tmp_path: Path, cut: int) -> None:
    whole = learner()
    expected = train(whole, 80)
    first = learner()
    train(first, cut)
    checkpoint.save(tmp_path / "c.safetensors", first.state())
    second = learner()
    second.restore(checkpoint.load(tmp_path / "c.safetensors"))
    found = train(second, 80 - cut, cut)
    assert all(torch.equal(a, b) for a, b in zip(expected[cut:], found, strict=True))


def test_a_diverging_run_leaves_the_others_untouched() -> None:
    healthy, block = learner((1,)), learner((0, 1))
    with torch.no_grad():
        block.critic.weights[0][0].fill_(torch.inf)
    found, expected = train(block, 30), train(healthy, 30)
    assert not bool(torch.isfinite(found[-1][1, 0]))
    assert all(torch.equal(a[:, 1], b[:, 0]) for a, b in zip(found, expected, strict=True))


def test_acting_takes_the_candidate_with_the_largest_first_q() -> None:
    method = learner((0, 1))
    train(method, 5)
    samples, latent = method.acting_noise
    state, noise = torch.randn(2, 3, 4), torch.randn(2, 3 * samples, latent)
    action, value = method.act(state, noise)
    assert action.shape == (2, 3, 2) and value.shape == (2, 3)
    for run in range(2):
        for n in range(3):
            best = []
            for j in range(samples):
                s = state[run, n].double().numpy()
                z = noise[run, n * samples + j].clamp(-0.5, 0.5).double().numpy()
                a = np.tanh(forward(method.vae.decoder, np.concatenate([s, z]), run))
                shift = np.tanh(forward(method.actor, np.concatenate([s, a]), run))
                a = np.clip(a + 0.05 * shift, -1, 1)
                best.append((float(forward(method.critic, np.concatenate([s, a]), run)[0]), a))
            q, a = max(best, key=lambda pair: pair[0])
            assert float(value[run, n]) == pytest.approx(q, abs=1e-5)
            np.testing.assert_allclose(action[run, n].numpy(), a, atol=1e-5)


def test_policy_round_trip() -> None:
    method, other = learner(), learner()
    train(method, 5)
    other.restore_policy(method.policy_state())
    state, noise = torch.randn(1, 3, 4), torch.randn(1, 18, 4)
    assert torch.equal(method.act(state, noise)[0], other.act(state, noise)[0])


def test_both_network_sets() -> None:
    paper = learner(networks="paper")
    assert [tuple(w.shape[2:]) for w in paper.critic.weights] == [(6, 400), (400, 300), (300, 1)]
    assert [tuple(w.shape[2:]) for w in paper.vae.decoder.weights] == [
        (8, 750),
        (750, 750),
        (750, 2),
    ]
    small = learner(networks="small")
    assert [tuple(w.shape[2:]) for w in small.actor.weights] == [(6, 256), (256, 256), (256, 2)]


def test_mixed_precision_stays_close_to_float32() -> None:
    exact = learner()
    mixed = BCQ(config(), Mixture((0,), [rows()]), LAYOUT, (0,), "bfloat16", CPU)
    a, b = (
        torch.stack(train(exact, 100))[-20:].mean(0),
        torch.stack(train(mixed, 100))[-20:].mean(0),
    )
    torch.testing.assert_close(a, b, rtol=0.05, atol=0.05)
