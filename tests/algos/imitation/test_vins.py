import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from algos.core import checkpoint
from algos.core.replay import Layout
from algos.imagination.demonstrations import Demonstrations
from algos.imagination.passes import Passes, neighbours, take_due
from algos.imitation import vins as module
from algos.imitation.vins import VINS, VINSConfig

CPU = torch.device("cpu")
LAYOUT = Layout(5, 2)
CONFIG = VINSConfig(
    hidden=(16, 16),
    learning_rate=1e-3,
    batch_size=8,
    epochs=3,
    epoch_updates=20,
    value_epochs=5,
    value_batch=8,
    value_hidden=(24, 24),
    value_learning_rate=1e-3,
    discount=0.99,
    tau=0.01,
    end_at_zero_reward=False,
    interpolations=3,
    negative_slope=5.0,
    negative_target="released",
    negative_coordinates=(0, 1),
    second_coordinates=(),
    negative_noise=0.5,
    model_epochs=4,
    model_batch=8,
    model_hidden=(24, 24),
    model_learning_rate=3e-3,
    model_weight_decay=1e-5,
    model_gradient_clip=2.0,
    repeat=2,
    candidates=7,
    action_range=0.3,
)
COUNTS = {3: 37, 5: 24, 8: 41}  # rows of each seed's demonstrations


def rows(seed: int, count: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    state = torch.randn(count, 5, generator=generator)
    action = torch.rand(count, 2, generator=generator) * 2 - 1
    after = state + 0.1 * torch.randn(count, 5, generator=generator)
    ended = (torch.arange(count) == count - 1).float()
    return LAYOUT.pack(state, action, -torch.ones(count), after, ended)


def learner(seeds: tuple[int, ...], config: VINSConfig = CONFIG, **changes: Any) -> VINS:
    data = Demonstrations(seeds, [rows(seed, COUNTS[seed]) for seed in seeds], LAYOUT)
    return VINS(dataclasses.replace(config, **changes), data, LAYOUT, seeds, "float32", CPU)


def train(vins: VINS, first: int, last: int) -> Tensor:
    """Updates first to last - 1 as the loop does them; metrics ``[updates, M, R]``."""
    found = []
    for update in range(first, last):
        if update == first or update % vins.chunk == 0:
            drawn = vins.draw(update // vins.chunk)
        found.append(vins.update(drawn, update % vins.chunk))
    return torch.stack(found)


def acting(seed: int, count: int = 9, candidates: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(100 + seed)
    state = torch.randn(count, 5, generator=generator)
    return state, torch.randn(count * candidates, 2, generator=generator)


def test_a_run_alone_equals_the_run_in_a_block_bitwise() -> None:
    seeds = (3, 5, 8)
    block = learner(seeds)
    metrics = train(block, 0, 60)
    chosen = block.act(*(torch.stack(each) for each in zip(*map(acting, seeds), strict=True)))
    for run, seed in enumerate(seeds):
        alone = learner((seed,))
        assert torch.equal(train(alone, 0, 60)[..., 0], metrics[..., run])
        for name, tensor in alone.policy_state().items():
            assert torch.equal(tensor[0], block.policy_state()[name][run]), name
        state, noise = acting(seed)
        action, value = alone.act(state[None], noise[None])
        assert torch.equal(action[0], chosen[0][run])
        assert torch.equal(value[0], chosen[1][run])
        assert alone.facts(60)[0] == block.facts(60)[run]


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    whole = learner((3, 5))
    metrics = train(whole, 0, 60)
    begun = learner((3, 5))
    before = train(begun, 0, 33)
    checkpoint.save(tmp_path / "c.safetensors", begun.state())
    resumed = learner((3, 5))
    resumed.restore(checkpoint.load(tmp_path / "c.safetensors"))
    after = train(resumed, 33, 60)
    assert torch.equal(torch.cat([before, after]), metrics)
    final, other = (checkpoint.flatten(each.state())[0] for each in (whole, resumed))
    assert final.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in final.items())


def test_facts_count_the_steps_that_were_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    vins = learner((3, 5))
    assert vins.facts(0)[0] == {
        "policy_steps": 0.0, "value_steps": 0.0, "model_steps": 0.0, "gradient_steps": 0.0,
    }  # fmt: skip
    for update in (25, 40, 60):
        vins = learner((3, 5))
        train(vins, 0, update)
        for run, facts in enumerate(vins.facts(update)):
            assert facts["value_steps"] == float(vins.value.optimiser.count[run])
            assert facts["model_steps"] == float(vins.model.optimiser.count[run])
            assert facts["gradient_steps"] == update + facts["value_steps"] + facts["model_steps"]
    # ceil(2 * 37 / 8) = 10 and ceil(2 * 24 / 8) = 6 minibatches a pass, 5 and 4 passes
    assert [f["value_steps"] for f in vins.facts(60)] == [50.0, 30.0]
    assert [f["model_steps"] for f in vins.facts(60)] == [40.0, 24.0]


def test_a_pass_takes_every_copy_once_and_ends_with_what_is_left() -> None:
    values = torch.arange(10.0)[:, None]
    passes = Passes(0, "x", values, 2, 6, 3)
    assert passes.steps == 12 and [passes.size_of(step) for step in range(5)] == [6, 6, 6, 2, 6]
    first = torch.cat([passes.take(step) for step in range(4)])[:, 0]
    second = torch.cat([passes.take(step) for step in range(4, 8)])[:, 0]
    for each in (first, second):
        assert sorted(each.tolist()) == sorted([*range(10), *range(10)])
    assert not torch.equal(first, second)
    assert torch.equal(Passes(0, "x", values, 2, 6, 3).take(5), passes.take(5))


def test_steps_are_in_proportion_and_shared_by_neighbours() -> None:
    passes = [Passes(run, "x", torch.zeros(count, 1), 1, 4, 100) for run, count in
              enumerate((8, 8, 10))]  # fmt: skip
    done = [0, 0, 0]
    together = 0

    def step(runs: slice, steps: list[int]) -> None:
        nonlocal together
        assert steps == done[runs]
        assert len({passes[r].size_of(s) for r, s in zip(range(3)[runs], steps, strict=True)}) == 1
        together += len(steps) > 1
        done[runs] = [each + 1 for each in steps]

    for update in range(200):
        take_due(passes, update, 200, step)
        assert done == [each.due(update + 1, 200) for each in passes]
        if update == 99:
            assert done == [100, 100, 150]
    assert done == [200, 200, 300] and together >= 200
    assert neighbours([5, 5, 0, 5, 3]) == [slice(0, 2), slice(3, 4), slice(4, 5)]
    assert neighbours([0]) == []


def test_candidates_lie_in_the_box_around_the_cloned_action_and_in_the_limits() -> None:
    vins = learner((3,))
    state, noise = (each[None] for each in acting(3, 50))
    found = vins.candidates(state, noise)
    prior, _ = vins.policy.act(state)
    assert found.shape == (1, 50, 7, 2) and float(found.abs().max()) <= 1.0
    away = (found - prior[:, :, None]).abs()
    assert 0.28 < float(away.max()) <= 0.3 + 1e-6
    uniform = torch.erf(torch.randn(100_000) / math.sqrt(2))
    assert float(uniform.std()) == pytest.approx(1 / math.sqrt(3), rel=0.02)
    wide = learner((3,), action_range=5.0)
    edges = wide.candidates(state, noise)
    assert float(edges.min()) == -1.0 and float(edges.max()) == 1.0


def test_acting_takes_the_candidate_of_the_highest_value_in_chunks_or_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    vins = learner((3, 5))
    with torch.no_grad():  # first weights, made large: candidates must not tie
        for network in (vins.model.model.network, vins.value.network):
            for weight in network.weights:
                weight.mul_(20.0)
    state, noise = (torch.stack(each) for each in zip(acting(3), acting(5), strict=True))
    action, value = vins.act(state, noise)
    again = vins.act(state, noise)
    assert torch.equal(again[0], action) and torch.equal(again[1], value)
    candidates = vins.candidates(state, noise)
    for run in range(2):
        for place in range(9):
            rows = state[run, place].expand(7, 5)
            own = slice(run, run + 1)
            reached = vins.model.model.part(own)(rows[None, None], candidates[own, place][None])
            values = vins.value.network.part(own)(reached)[0, 0].detach()
            best = int(values.argmax())
            assert torch.equal(action[run, place], candidates[run, place, best])
            assert float(value[run, place]) == pytest.approx(float(values.max()), abs=1e-5)
    monkeypatch.setattr(module, "CANDIDATE_ROWS", 15)
    chunked = vins.act(state, noise)
    torch.testing.assert_close(chunked, (action, value))


def test_acting_moves_towards_what_the_value_function_prefers() -> None:
    vins = learner((3,), candidates=50)
    with torch.no_grad():
        for network in (vins.model.model.network, vins.policy.network):
            for tensor in network.parameters():
                tensor.zero_()

    class Moves(torch.nn.Module):
        def forward(self, state: Tensor, action: Tensor) -> Tensor:
            return torch.cat([state[..., :2] + action, state[..., 2:]], dim=-1)

    class Right(torch.nn.Module):
        def forward(self, state: Tensor) -> Tensor:
            return state[..., 0]

    vins.model.model, vins.value.network = Moves(), Right()  # type: ignore[assignment]
    state, noise = (each[None] for each in acting(3, 20, 50))
    action, value = vins.act(state, noise)
    assert bool((action[..., 0] > 0.2).all()) and float(action[..., 1].mean().abs()) < 0.1
    torch.testing.assert_close(value, state[..., 0] + action[..., 0])


def test_policies_act_the_same_after_being_stored(tmp_path: Path) -> None:
    vins = learner((3, 5))
    train(vins, 0, 25)
    checkpoint.save(tmp_path / "p.safetensors", vins.policy_state())
    blank = VINS(CONFIG, Demonstrations.blank((3, 5), LAYOUT), LAYOUT, (3, 5), "float32", CPU)
    blank.restore_policy(checkpoint.load(tmp_path / "p.safetensors"))
    state, noise = (torch.stack(each) for each in zip(acting(3), acting(5), strict=True))
    for found, expected in zip(blank.act(state, noise), vins.act(state, noise), strict=True):
        assert torch.equal(found, expected)
    assert vins.acting_noise == (7, 2)


def test_the_prior_is_that_of_cloning_with_its_own_first_weights() -> None:
    vins = learner((3,))
    weight = vins.policy.network.weights[0].detach()
    bound = math.sqrt(6 / (5 + 16))
    assert 0.9 * bound < float(weight.abs().max()) <= bound
    assert not any(bias.any() for bias in vins.policy.network.biases)
    before = float(train(vins, 0, 1)[0, 0, 0])
    assert float(train(vins, 1, 60)[-5:, 0, 0].mean()) < before


def test_keys_of_the_tasks_are_those_of_the_released_code() -> None:
    root = Path(__file__).resolve().parents[3]
    tasks = yaml.safe_load((root / "config/algos/vins.yaml").read_text(encoding="utf-8"))["tasks"]
    assert tasks["fetch-*"]["repeat"] == 10
    assert tasks["fetch-pick-and-place-v0"]["second_coordinates"] == [9, 10]
