"""BC and BMIL: block against alone, resume, composition of minibatches, and what traces are for."""

import copy
from typing import Any

import pytest
import torch

from algos.core import checkpoint
from algos.imitation.bmil import BMIL
from tests.algos.imitation import toy

KINDS: dict[str, dict[str, Any]] = {
    "released": {"log_variance_bound": "released", "sampled_scale": "variance", "holdout": "released",
                 "perturbed_steps": "all", "action_coefficient": 30.0},
    "paper": {},
    "forward": {"direction": "forward", "action_selection": "policy"},
    "first": {"model_schedule": "first"},
    "resample": {"action_selection": "resample", "traces_per_state": 2},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_runs_of_a_block_learn_as_they_would_alone(kind: str) -> None:
    block = toy.bmil(**KINDS[kind])
    toy.train(block, 12)
    for run in range(3):
        alone = toy.bmil((run,), **KINDS[kind])
        toy.train(alone, 12)
        own = toy.policy_of(alone, 0)
        assert all(torch.equal(v, own[k]) for k, v in toy.policy_of(block, run).items())
        assert block.facts(12)[run] == alone.facts(12)[0]


def test_clones_of_a_block_learn_as_they_would_alone() -> None:
    block = toy.bc(observation_noise=0.1)
    toy.train(block, 12)
    alone = toy.bc((2,), observation_noise=0.1)
    toy.train(alone, 12)
    own = toy.policy_of(alone, 0)
    assert all(torch.equal(v, own[k]) for k, v in toy.policy_of(block, 2).items())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cut", [5, 8])
def test_a_resumed_run_equals_one_that_was_not_cut(kind: str, cut: int, tmp_path: Any) -> None:
    whole = toy.bmil(**KINDS[kind])
    toy.train(whole, 14)
    first = toy.bmil(**KINDS[kind])
    toy.train(first, cut)
    checkpoint.save(tmp_path / "state.safetensors", first.state())
    second = toy.bmil(**KINDS[kind])
    second.restore(checkpoint.load(tmp_path / "state.safetensors"))
    toy.train(second, 14, first=cut)
    for run in range(3):
        own = toy.policy_of(second, run)
        assert all(torch.equal(v, own[k]) for k, v in toy.policy_of(whole, run).items())
    assert whole.facts(14) == second.facts(14)


def test_drawing_an_epoch_again_changes_nothing() -> None:
    learner = toy.bmil()
    first = learner.draw(0)
    again = learner.draw(0)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize(
    ("share", "batch", "known"),
    [
        (0.5, 64, 32),
        (0.8, 256, 204),
        (0.9, 256, 230),
        (0.95, 256, 243),
        (0.8, 64, 51),
        (1.0, 64, 64),
    ],
)
def test_minibatches_have_the_published_composition(share: float, batch: int, known: int) -> None:
    assert toy.bmil_config(demonstration_share=share, batch_size=batch).demonstration_rows == known


def test_minibatches_hold_demonstrations_first_and_then_traces() -> None:
    learner = toy.bmil((1,))
    states, actions = learner.draw(0)
    assert states.shape == (5, 1, 1, 16, 2)
    known = {tuple(row) for row in learner.demonstrations.batch(0).observation.tolist()}
    assert all(tuple(row) in known for row in states[:, 0, 0, :8].reshape(-1, 2).tolist())
    traced = {tuple(row) for row in torch.cat(learner.imagined[0], dim=1).tolist()}
    drawn = torch.cat([states, actions], dim=-1)[:, 0, 0, 8:].reshape(-1, 4).tolist()
    assert all(tuple(row) in traced for row in drawn)


@pytest.mark.parametrize(("count", "horizon"), [(1, 1), (3, 2)])
def test_the_buffer_holds_one_trace_a_state_and_copy(count: int, horizon: int) -> None:
    learner = toy.bmil((0,), traces_per_state=count, horizon=horizon, horizon_start=horizon)
    learner.draw(0)
    rows = len(learner.demonstrations.rows[0])
    assert len(learner.imagined[0][0]) == horizon * count * rows


def test_a_share_of_one_is_behaviour_cloning() -> None:
    learner, plain = toy.bmil(demonstration_share=1.0), toy.bc()
    toy.train(learner, 10)
    toy.train(plain, 10)
    for run in range(3):
        own = toy.policy_of(plain, run)
        assert all(torch.equal(v, own[k]) for k, v in toy.policy_of(learner, run).items())


def test_model_first_makes_as_many_fits_and_then_none() -> None:
    learner = toy.bmil(model_schedule="first")
    assert isinstance(learner, BMIL)
    for step in range(learner.warm_up_steps):
        learner.warm_up(step)
    steps = list(learner.model_steps)
    toy.train(copy.copy(learner), 10, first=1)
    assert learner.model_steps == steps
    assert learner.warm_up_steps == learner.config.epochs


def test_gradient_steps_count_policy_and_model() -> None:
    learner = toy.bmil()
    toy.train(learner, 10)
    for run, facts in enumerate(learner.facts(10)):
        assert facts["gradient_steps"] == 10 + learner.model_steps[run]
        assert facts["model_steps"] >= 2 * 5


def test_every_action_entry_is_learnt_where_the_loss_is_not_clamped() -> None:
    learner = toy.bmil((0, 1), epochs=30, repeat=10)
    toy.train(learner, 30 * 5)
    assert all(facts["worst_action_error"] < 1.0 for facts in learner.facts(150))


def test_traces_make_the_policy_robust_to_lateral_starts() -> None:
    """BMIL pulls back to the demonstrated line from beside it, where plain cloning was never taught to."""
    seeds = (0, 1, 2, 3)
    long: dict[str, Any] = {
        "epochs": 40,
        "epoch_updates": 25,
        "learning_rate": 1e-3,
        "batch_size": 32,
    }
    wide: dict[str, Any] = {"action_selection": "resample", "action_coefficient": 0.4, "repeat": 8}
    learner, plain = toy.bmil(seeds, **long, **wide), toy.bc(seeds, **long)
    for each in (learner, plain):
        toy.train(each, 1000)
    offsets = torch.linspace(-0.5, 0.5, 21)
    start = torch.stack([torch.full_like(offsets, -1.2), offsets], dim=-1)

    def distance(policy: Any) -> float:
        state = start.expand(len(seeds), -1, -1)
        for _ in range(6):
            action, _ = policy.act(state, torch.empty(0))
            state = state + action
        return float(state[..., 1].abs().mean())

    assert distance(learner) <= distance(plain)


def test_a_box_of_observations_that_was_forgotten_is_an_error() -> None:
    with pytest.raises(ValueError, match="bounds: needed with bounded_observations"):
        toy.bmil(bounded_observations=True)
