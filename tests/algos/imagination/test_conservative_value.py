import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from algos.core.networks import MLP
from algos.core.replay import Batch, Layout
from algos.core.spec import SpecError
from algos.imagination.conservative_value import ValueConfig, ValueFit, ValueNetwork
from algos.imagination.demonstrations import Demonstrations

CPU = torch.device("cpu")
LAYOUT = Layout(4, 2)
CONFIG = ValueConfig(
    value_epochs=3,
    value_batch=8,
    value_hidden=(16, 16),
    value_learning_rate=3e-4,
    discount=0.9,
    tau=0.1,
    end_at_zero_reward=False,
    interpolations=3,
    negative_slope=20.0,
    negative_target="released",
    negative_coordinates=(0, 1, 2),
    second_coordinates=(3,),
    negative_noise=0.7,
)


def demonstrations(counts: tuple[int, ...] = (20,), layout: Layout = LAYOUT) -> Demonstrations:
    rows = []
    for run, count in enumerate(counts):
        generator = torch.Generator().manual_seed(run)
        values = torch.randn(count, layout.width, generator=generator)
        values[:, -1] = (values[:, -1] > 1.0).float()
        rows.append(values)
    return Demonstrations(tuple(range(len(counts))), rows, layout)


def fit(config: ValueConfig = CONFIG, data: Demonstrations | None = None, **kw: Any) -> ValueFit:
    data = data or demonstrations()
    return ValueFit(config, data, data.layout, 1, data.seeds, CPU, **kw)


def drawn(fit: ValueFit, step: int = 0) -> tuple[Batch, tuple[Tensor, Tensor, Tensor]]:
    batch = LAYOUT.unpack(fit.passes[0].take(step)[None, None])
    return batch, fit._noise(slice(0, 1), [step], batch)


def sequential(network: ValueNetwork) -> nn.Sequential:
    """The first run's value function as plain torch layers with the same weights."""
    layers: list[nn.Module] = []
    for weight, bias, scale, shift in zip(
        network.weights[:-1], network.biases[:-1], network.scales, network.shifts, strict=True
    ):
        linear, norm = nn.Linear(*weight.shape[2:]), nn.LayerNorm(scale.shape[-1], eps=1e-12)
        linear.weight.data, linear.bias.data = weight[0, 0].data.T.clone(), bias[0, 0, 0].clone()
        norm.weight.data, norm.bias.data = scale[0, 0].data.clone(), shift[0, 0].data.clone()
        layers += [linear, norm, nn.ReLU()]
    last = nn.Linear(*network.weights[-1].shape[2:])
    last.weight.data = network.weights[-1][0, 0].data.T.clone()
    last.bias.data = network.biases[-1][0, 0, 0].clone()
    return nn.Sequential(*layers, last)


def test_steps_equal_those_of_plain_torch_layers_and_optimiser() -> None:
    own = fit()
    plain, slow = sequential(own.network), sequential(own.network)
    adam = torch.optim.Adam(plain.parameters(), lr=CONFIG.value_learning_rate)
    observations = demonstrations().batch(0).observation
    mean, spread = observations.mean(dim=0), observations.std(dim=0, correction=0)

    def normal(state: Tensor) -> Tensor:
        return ((state - mean) / spread).clamp(-5, 5)[0, 0]

    for step in range(7):
        batch, noise = drawn(own, step)
        state, _ = own.examples(batch, own.target, noise)
        with torch.no_grad():
            following = slow(normal(batch.next_observation))[:, 0]
            ended = batch.terminated[0, 0, :, 0]
            y = batch.reward[0, 0, :, 0] + 0.9 * (1 - ended) * following
            targets = [t * y + (1 - t) * (y + 1) for t in noise[0][0]]
            targets += [y - 20.0 * (0.7 * z[0, 0]).norm(dim=1) / (0.7 * math.sqrt(z.shape[-1]))
                        for z in noise[1:]]  # fmt: skip
        loss = (plain(normal(state))[:, 0] - torch.cat(targets)).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        with torch.no_grad():
            for old, new in zip(slow.parameters(), plain.parameters(), strict=True):
                old.copy_(0.9 * old + 0.1 * new)
        own.step(slice(0, 1), [step])
        assert float(own.losses[0]) == pytest.approx(loss.item(), rel=1e-4)
    for mine, theirs in ((own.network, plain), (own.target, slow)):
        for found, expected in zip(sequential(mine).parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)


def test_the_target_network_follows_slowly() -> None:
    own = fit()
    before = own.target.weights[0].clone()
    own.step(slice(0, 1), [0])
    expected = 0.9 * before + 0.1 * own.network.weights[0].detach()
    torch.testing.assert_close(own.target.weights[0], expected)
    assert not torch.equal(before, own.target.weights[0])


def test_points_between_the_states_of_a_row() -> None:
    own = fit(dataclasses.replace(CONFIG, interpolations=2, discount=1.0))
    batch, (_, first, second) = drawn(own)
    batch = dataclasses.replace(
        batch,
        reward=torch.full_like(batch.reward, -1.0),
        terminated=torch.zeros_like(batch.terminated),
    )
    mix = torch.tensor([[1.0, 0.25]])
    state, value = own.examples(batch, own.target, (mix, first, second))
    rows = batch.action.shape[2]
    assert state.shape == (1, 1, 4 * rows, 4) and value.shape == (1, 1, 4 * rows)
    following = own.target(batch.next_observation).detach()
    torch.testing.assert_close(state[:, :, :rows], batch.observation)
    torch.testing.assert_close(value[:, :, :rows], following - 1.0)
    quarter = 0.25 * batch.observation + 0.75 * batch.next_observation
    torch.testing.assert_close(state[:, :, rows : 2 * rows], quarter)
    # reward -1 and discount 1: V(s') is what the bootstrap says, V(s) one less
    torch.testing.assert_close(value[:, :, rows : 2 * rows], following - 0.25)


def test_nothing_follows_a_terminal_state() -> None:
    own = fit()
    batch, noise = drawn(own)
    ended = dataclasses.replace(batch, terminated=torch.ones_like(batch.terminated))
    state, value = own.examples(ended, own.target, (torch.ones(1, 3), *noise[1:]))
    torch.testing.assert_close(value[0, 0, :8], batch.reward[0, 0, :, 0])
    torch.testing.assert_close(state[0, 0, :8], batch.observation[0, 0])


def costly(data: Demonstrations) -> Demonstrations:
    """The same with rewards of at most 0."""
    for rows in data.rows:
        reward = data.layout.unpack(rows).reward
        reward.copy_(-reward.abs())
    return data


def test_an_end_at_zero_reward_is_refused_where_rewards_are_earned() -> None:
    with pytest.raises(
        SpecError, match="end_at_zero_reward: some demonstrated rewards are above 0"
    ):
        fit(dataclasses.replace(CONFIG, end_at_zero_reward=True))


@pytest.mark.parametrize("ends", [False, True])
def test_a_step_that_costs_nothing_ends_the_sum_where_it_is_told_to(ends: bool) -> None:
    changed = dataclasses.replace(CONFIG, end_at_zero_reward=ends, interpolations=0)
    own = fit(changed, costly(demonstrations()))
    batch, noise = drawn(own)
    reward = -torch.ones_like(batch.reward)
    reward[0, 0, :3] = 0.0
    going_on = torch.zeros_like(batch.terminated)
    batch = dataclasses.replace(batch, reward=reward, terminated=going_on)
    _, value = own.examples(batch, own.target, noise)
    following = own.target(batch.next_observation).detach()[0, 0]
    expected = reward[0, 0, :, 0] + 0.9 * following
    if ends:
        expected[:3] = 0.0
    torch.testing.assert_close(value[0, 0, :8], expected)


@pytest.mark.parametrize("negative_target", ["released", "original"])
def test_displaced_states_fall_with_the_distance(negative_target: str) -> None:
    own = fit(dataclasses.replace(CONFIG, negative_target=negative_target, interpolations=0))
    batch, noise = drawn(own)
    state, value = own.examples(batch, own.target, noise)
    rows = batch.action.shape[2]
    own_value = value[:, :, :rows]
    near = own_value if negative_target == "released" else own.target(batch.observation).detach()
    first, second = noise[1], noise[2]
    expected = near - 20.0 * first.norm(dim=-1) / math.sqrt(3)
    torch.testing.assert_close(value[:, :, rows : 2 * rows], expected)
    torch.testing.assert_close(value[:, :, 2 * rows :], near - 20.0 * second.abs()[..., 0])
    spread = own.network.deviation
    moved = state[:, :, rows : 2 * rows] - batch.observation
    expected_move = 0.7 * first * spread[..., :3]
    torch.testing.assert_close(moved[..., :3], expected_move, rtol=1e-4, atol=1e-5)
    assert not moved[..., 3].any()
    assert not (state[:, :, 2 * rows :] - batch.observation)[..., :3].any()


def test_the_mean_shift_of_push() -> None:
    """lambda E||z|| / sqrt 3 with E||z|| = 1.596 in three dimensions."""
    config = dataclasses.replace(CONFIG, value_batch=20_000, interpolations=0)
    own = fit(config, demonstrations((20_000,)))
    batch, noise = drawn(own)
    _, value = own.examples(batch, own.target, noise)
    shift = (value[0, 0, :20_000] - value[0, 0, 20_000:40_000]).mean()
    assert float(shift) == pytest.approx(18.4, abs=0.15)


def test_no_coordinates_are_all_and_wrong_ones_are_refused() -> None:
    everything = dataclasses.replace(CONFIG, negative_coordinates=(), second_coordinates=())
    assert everything.displaced(3) == ([0, 1, 2], [0, 1, 2])
    assert CONFIG.displaced(4) == ([0, 1, 2], [3])
    with pytest.raises(SpecError, match=r"second_coordinates: \[3\].*0 to 2"):
        CONFIG.displaced(3)
    with pytest.raises(SpecError, match="negative_coordinates"):
        dataclasses.replace(CONFIG, negative_coordinates=(1, 1)).displaced(4)


def test_inputs_are_normalised_clipped_and_constants_do_no_harm() -> None:
    data = demonstrations()
    data.rows[0][:, 1] = 0.3
    own = fit(data=data)
    state = data.rows[0][None, None, :, :4]
    assert bool(torch.isfinite(own.network(state)).all())
    far, farther = state.clone(), state.clone()
    far[..., 0], farther[..., 0] = 1e3, 1e6
    assert torch.equal(own.network(far), own.network(farther))
    assert not torch.equal(own.network(far), own.network(state))


def test_first_weights() -> None:
    network = fit(dataclasses.replace(CONFIG, value_hidden=(256, 256))).network
    bound = math.sqrt(6 / (4 + 256))
    assert 0.95 * bound < float(network.weights[0].detach().abs().max()) <= bound
    assert 2.9e-3 < float(network.weights[-1].detach().abs().max()) <= 3e-3
    assert not any(bias.any() for bias in network.biases)
    small = MLP((50, 400), seeds=(0,), name="n", initialiser="small_normal")
    assert float(small.weights[0].detach().std()) == pytest.approx(0.01, rel=0.02)
    assert not small.biases[0].any()


def test_values_fall_with_the_distance_from_a_line() -> None:
    """Demonstrations along y = 0; the fitted value is lower the farther a state lies from them."""
    layout = Layout(2, 1)
    along = torch.linspace(-1, 1, 64)
    state = torch.stack([along, 0.05 * torch.sin(40 * along)], dim=1)  # deviation of y: 0.035
    zero = torch.zeros(64)
    rows = layout.pack(state, zero[:, None], -torch.ones(64), state, torch.ones(64))
    config = dataclasses.replace(
        CONFIG,
        value_epochs=150,
        value_batch=32,
        value_hidden=(32, 32),
        value_learning_rate=1e-2,
        negative_coordinates=(1,),
        second_coordinates=(1,),
        negative_slope=5.0,
        negative_noise=2.0,
    )
    own = fit(config, Demonstrations((0,), [rows], layout))
    for step in range(own.passes[0].steps):
        own.step(slice(0, 1), [step])
    away = torch.tensor([0.0, 0.08, 0.16])
    places = torch.stack([torch.zeros(3), away], dim=1)[None, None]
    near, middle, far = own.network(places)[0, 0].tolist()
    assert near > middle + 1.0 and middle > far + 1.0
