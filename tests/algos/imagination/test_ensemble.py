import math

import numpy as np
import pytest
import torch
from torch import Tensor

from algos.core.replay import Layout
from algos.imagination.ensemble import (
    Normaliser,
    bounded_logvar,
    gaussian_loss,
    load_dynamics,
    model_inputs,
    model_targets,
)
from algos.imagination.ensemble_fit import EnsembleConfig, EnsembleFit

LAYOUT = Layout(2, 1)


def config(**changes: object) -> EnsembleConfig:
    values: dict[str, object] = {
        "direction": "backward", "members": 3, "elites": 2, "hidden": 32, "layers": 2,
        "learning_rate": 1e-3, "batch_size": 64, "holdout_fraction": 0.2, "holdout_max": 200,
        "weight_decay": (2.5e-5, 5e-5, 1e-4), "logvar_bound_weight": 0.01, "improvement_threshold": 0.01,
        "patience_epochs": 5, "max_updates": 64, "evaluate_every": 32, "final_decay_fraction": 0.0,
        "early_stopping": True, "normalize_targets": False, "include_terminal": False, "selection": "best",
    }  # fmt: skip
    return EnsembleConfig(**(values | changes))  # type: ignore[arg-type]


def linear_rows(count: int = 2000, seed: int = 0, noise: float = 0.0) -> Tensor:
    """s' = s + B a with reward = s_0, so both directions are linear; uniform states and actions."""
    g = torch.Generator().manual_seed(seed)
    s = torch.rand(count, 2, generator=g) * 2 - 1
    a = torch.rand(count, 1, generator=g) * 2 - 1
    b = torch.tensor([[0.3, -0.2]])
    s2 = s + a @ b + noise * torch.randn(count, 2, generator=g)
    return LAYOUT.pack(s, a, s[:, 0], s2, torch.zeros(count))


def fit(rows: list[Tensor], seeds: tuple[int, ...], **changes: object) -> EnsembleFit:
    return EnsembleFit(config(**changes), rows, LAYOUT, seeds, len(rows[0]), "float32")


def train(learner: EnsembleFit, updates: int) -> None:
    for update in range(updates):
        drawn = learner.draw(update // learner.chunk) if update % learner.chunk == 0 else drawn  # noqa: F821
        learner.update(drawn, update % learner.chunk)
        if (update + 1) % learner.evaluate_every == 0:
            learner.evaluate(update + 1, [True] * len(learner.seeds))


def test_targets_have_the_reward_first_and_the_right_sign() -> None:
    row = LAYOUT.unpack(torch.tensor([[1.0, 2.0, 0.5, 9.0, 4.0, 8.0, 0.0]]))
    assert model_inputs(row, "backward").tolist() == [[4.0, 8.0, 0.5]]
    assert model_targets(row, "backward").tolist() == [[9.0, -3.0, -6.0]]
    assert model_inputs(row, "forward").tolist() == [[1.0, 2.0, 0.5]]
    assert model_targets(row, "forward").tolist() == [[9.0, 3.0, 6.0]]


def test_loss_is_the_mean_over_batch_and_dimensions() -> None:
    mean, logvar = torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), np.log(4.0))
    target = torch.tensor([[[[2.0, 0.0], [0.0, 0.0]]]])
    # one of four entries has error 4: mean of 4/4 over four entries, plus log 4
    assert float(gaussian_loss(mean, logvar, target)) == pytest.approx(0.25 + np.log(4.0), rel=1e-5)


def test_logvar_bounds() -> None:
    low, high = torch.tensor(-10.0), torch.tensor(0.5)
    wide = bounded_logvar(torch.tensor([-1e3, -5.0, 1e3]), low, high)
    assert float(wide[0]) == pytest.approx(-10.0, abs=1e-4)
    assert float(wide[1]) == pytest.approx(-5.0, abs=0.02)
    assert float(wide[2]) == pytest.approx(0.5, abs=1e-4)


def test_normaliser_leaves_constant_columns_alone() -> None:
    rows = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    scaling = Normaliser.fit([rows])
    assert scaling(rows[None, None])[0, 0].tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    torch.testing.assert_close(scaling.undo(scaling(rows[None, None]))[0, 0], rows)


def test_linear_system_is_recovered_in_both_directions_down_to_its_noise() -> None:
    noise = 0.05
    rows = linear_rows(8000, noise=noise)
    state_errors = {}
    for direction in ("backward", "forward"):
        learner = fit([rows], (0,), direction=direction, max_updates=1600, evaluate_every=100)
        train(learner, 1600)
        by_dimension = learner.result()[1][0]["holdout_mse_by_dimension"]
        state_errors[direction] = (by_dimension[1] + by_dimension[2]) / 2
    for error in state_errors.values():
        assert noise**2 * 0.8 < error < noise**2 + 1e-3
    ratio = state_errors["backward"] / state_errors["forward"]
    assert 0.8 < ratio < 1.25


def test_forward_on_reversed_arrays_equals_backward_bit_for_bit() -> None:
    """A forward model of the time-reversed data set is the backward model of the data set."""
    rows = linear_rows()
    b = LAYOUT.unpack(rows)
    reversed_rows = LAYOUT.pack(
        b.next_observation, b.action, b.reward[:, 0], b.observation, b.terminated[:, 0]
    )
    backward = fit([rows], (0,), direction="backward")
    forward = fit([reversed_rows], (0,), direction="forward")
    forward.network.load_state_dict(backward.network.state_dict())
    train(backward, 64)
    train(forward, 64)
    ours, theirs = backward.result()[0], forward.result()[0]
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_swapping_states_is_noticed() -> None:
    """A model fitted to swapped predecessor pairs predicts the opposite step."""
    rows = linear_rows(4000)
    batch = LAYOUT.unpack(rows)
    swapped = LAYOUT.pack(
        batch.next_observation, batch.action, batch.reward[:, 0], batch.observation, batch.terminated[:, 0]
    )  # fmt: skip
    results = []
    for data in (rows, swapped):
        learner = fit([data], (0,), max_updates=800, evaluate_every=100)
        train(learner, 800)
        dynamics = load_dynamics(learner.result()[0], "backward", 0)
        state, action = torch.zeros(1, 2), torch.ones(1, 1)
        mean, _ = dynamics.predict(state, action, torch.zeros(1, dtype=torch.int64))
        results.append(mean[0, 1:])
    torch.testing.assert_close(results[0], torch.tensor([-0.3, 0.2]), atol=0.06, rtol=0)
    torch.testing.assert_close(results[1], torch.tensor([0.3, -0.2]), atol=0.06, rtol=0)


def test_a_run_alone_equals_the_run_in_a_block() -> None:
    rows = [linear_rows(1000, seed) for seed in range(4)]
    block = fit(rows, (0, 1, 2, 3))
    train(block, 64)
    alone = fit([rows[2]], (2,))
    train(alone, 64)
    tensors, runs = block.result()
    own, own_runs = alone.result()
    assert runs[2] == own_runs[0]
    assert all(torch.equal(tensors[name][2], own[name][0]) for name in own)


@pytest.mark.parametrize("evaluations_per_epoch", [1, 2])
def test_run_stops_in_the_sixth_epoch_without_improvement(evaluations_per_epoch: int) -> None:
    rows = [linear_rows(), linear_rows(seed=1)]
    learner = fit(rows, (0, 1), max_updates=10_000, learning_rate=0.0)
    step = learner.epoch // evaluations_per_epoch  # 2000 rows in batches of 64: 31 updates an epoch
    assert learner.epoch == 31
    learner.evaluate(step, [True, True])  # the first evaluation always improves on nothing
    update = step
    while update + step <= step + 5 * learner.epoch:
        update += step
        learner.evaluate(update, [True, True])
        assert not learner.finished
    records = learner.evaluate(update + step, [True, True])
    assert learner.finished and records[0] is not None
    assert learner.stopped_at.tolist() == [update + step] * 2
    assert learner.evaluate(update + 2 * step, [True, True]) == [None, None]


def test_the_loss_of_a_run_that_has_stopped_is_not_looked_at() -> None:
    """It is updated on beside the others, and what becomes of it must not fail the run."""
    learner = fit([linear_rows(), linear_rows(seed=1)], (0, 1))
    learner.stopped_at[0] = 5
    with torch.no_grad():
        next(learner.network.parameters())[0] = math.nan
    loss = learner.update(learner.draw(0), 0)
    assert loss[0, 0] == 0.0 and torch.isfinite(loss[0, 1])
    assert loss[0, 1] != 0.0


def test_a_capped_fit_reaches_its_learning_rate_decay() -> None:
    """Patience counts epochs, not evaluations: measuring more often must not stop a fit earlier."""
    learner = fit(
        [linear_rows(20_000)], (0,), max_updates=400, evaluate_every=10, learning_rate=0.0
    )
    for update in range(10, 400, 10):
        learner.evaluate(update, [True])
        assert not learner.finished
    learner.evaluate(400, [True])
    assert learner.finished


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": 3}, "weight_decay has 3 values, 3 hidden layers and the heads need 4"),
        ({"elites": 4}, "elites 4 is more than members 3"),
        ({"final_decay_fraction": 0.3, "max_updates": 0}, "final_decay_fraction needs max_updates"),
    ],
)
def test_settings_that_do_not_fit_together(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_a_snapshot_needs_an_improvement_of_one_percent() -> None:
    learner = fit([linear_rows()], (0,))
    learner.evaluate(1, [True])
    before = learner.snapshot["body.weights.0"].clone()
    first = learner.best.clone()
    with torch.no_grad():
        learner.network.body.weights[0].add_(1e-7)
    learner.evaluate(2, [True])
    assert torch.equal(learner.snapshot["body.weights.0"], before) and torch.equal(
        learner.best, first
    )
    with torch.no_grad():
        learner.best.mul_(2)
    learner.evaluate(3, [True])
    assert not torch.equal(learner.snapshot["body.weights.0"], before)


def test_elites_are_the_members_with_the_lowest_error() -> None:
    learner = fit([linear_rows()], (0,))
    learner.best = torch.tensor([[0.3, 0.1, 0.2]])
    assert learner.elites().tolist() == [[1, 2]]


def test_bootstrap_is_drawn_once_and_reshuffled_every_epoch() -> None:
    learner = fit([linear_rows()], (0,))
    first, again = learner._order(0, 0).clone(), learner._order(0, 1).clone()
    total = first.shape[1]
    for member in range(3):
        assert torch.equal(first[member].sort().values, again[member].sort().values)
        assert not torch.equal(first[member], again[member])
        # a bootstrap sample holds about 1 - 1/e of the rows
        assert len(first[member].unique()) / total == pytest.approx(1 - np.exp(-1), abs=0.03)
    assert not torch.equal(first[0].sort().values, first[1].sort().values)


def test_holdout_rows_are_not_trained_on() -> None:
    rows = linear_rows()
    learner = fit([rows], (0,))
    held = learner.inputs.undo(learner.holdout_inputs)[0, 0]
    train_inputs = learner.inputs.undo(learner.table[0][None, None, :, :3])[0, 0]
    assert len(held) == 200 and len(train_inputs) == 1800
    assert float(torch.cdist(held, train_inputs).min()) > 0


def test_learning_rate_decays_over_the_last_part() -> None:
    learner = fit([linear_rows()], (0,), max_updates=100, final_decay_fraction=0.5)
    rates = []
    for done in (0, 50, 75, 99):
        learner.done = done
        learner._decay_learning_rate()
        rates.append(learner.optimiser.learning_rate)
    assert rates == pytest.approx([1e-3, 1e-3, 0.5e-3, 0.02e-3])


def test_only_the_chosen_member_of_a_row_answers() -> None:
    learner = fit([linear_rows()], (0,))
    train(learner, 32)
    dynamics = load_dynamics(learner.result()[0], "backward", 0)
    state, action = torch.randn(50, 2), torch.randn(50, 1)
    member = torch.randint(2, (50,))
    mean, logvar = dynamics.predict(state, action, member)
    for k in range(2):
        all_k, var_k = dynamics.predict(state, action, torch.full((50,), k))
        torch.testing.assert_close(mean[member == k], all_k[member == k])
        torch.testing.assert_close(logvar[member == k], var_k[member == k])
    assert not torch.allclose(dynamics.predict(state, action, 1 - member)[0], mean)


def test_samples_have_the_predicted_mean_and_variance() -> None:
    learner = fit([linear_rows()], (0,), normalize_targets=True)
    train(learner, 32)
    dynamics = load_dynamics(learner.result()[0], "backward", 0)
    n = 40_000
    state, action = torch.zeros(n, 2), torch.zeros(n, 1)
    member = torch.zeros(n, dtype=torch.int64)
    drawn = dynamics.sample(state, action, member, torch.randn(n, 3))
    mean, logvar = dynamics.predict(state[:1], action[:1], member[:1])
    std = torch.exp(0.5 * logvar[0]) * dynamics.target_std
    torch.testing.assert_close(drawn.std(dim=0), std, rtol=0.02, atol=0)
    assert bool(((drawn.mean(dim=0) - mean[0]).abs() < 5 * std / n**0.5).all())


def test_too_few_rows_is_an_error() -> None:
    with pytest.raises(
        ValueError, match="200 rows are too few for a hold-out of 200 and batches of 64"
    ):
        EnsembleFit(config(), [linear_rows(200)], LAYOUT, (0,), 1000, "float32")
