"""The model of single steps and its fit: shapes, bounds, loss, stopping, runs of a block against runs alone."""

from typing import Any

import pytest
import torch
from torch import nn

from algos.core.replay import Layout
from algos.imagination.trace_fit import TraceFit, TraceFitConfig, _Pass
from algos.imagination.trace_model import TraceModel, released_logvar
from tests.algos.imitation import toy

LAYOUT = toy.LAYOUT


def model(seeds: tuple[int, ...] = (0,), **changes: Any) -> TraceModel:
    return TraceModel(toy.bmil_config(**changes), LAYOUT, seeds, "float32")


def fitted(seeds: tuple[int, ...], fits: int = 2, **changes: Any) -> tuple[TraceModel, list[Any]]:
    config = toy.bmil_config(**changes)
    own = model(seeds, **changes)
    fit = TraceFit(config, own, LAYOUT)
    rows = toy.demonstrations(seeds).rows
    return own, [fit.run(seeds, rows, epoch) for epoch in range(fits)]


def test_loss_equals_that_of_plain_torch_on_the_same_weights() -> None:
    ours = model()
    batch = LAYOUT.unpack(toy.run_data(3).rows[None, None, :16])
    total = torch.zeros(())
    heads = [(ours.action, batch.next_observation, batch.action)]
    known = torch.cat([batch.next_observation, batch.action], dim=-1)
    heads.append((ours.state, known, batch.observation - batch.next_observation))
    for network, x, y in heads:
        assert network is not None
        layers: list[nn.Module] = []
        count = len(network.body.weights)
        for i, (weight, bias) in enumerate(
            zip(network.body.weights, network.body.biases, strict=True)
        ):
            linear = nn.Linear(weight.shape[2], weight.shape[3])
            linear.weight.data, linear.bias.data = weight[0, 0].T.clone(), bias[0, 0, 0].clone()
            layers += [linear, nn.ReLU()] if i < count - 2 else [linear]
        mean, logvar = nn.Sequential(*layers)(x[0, 0]).chunk(2, dim=-1)
        logvar = 0.5 - nn.functional.softplus(0.5 - logvar)
        logvar = -10.0 + nn.functional.softplus(logvar + 10.0)
        # torch's own loss is half of it and has no gap of the bounds
        nll = nn.functional.gaussian_nll_loss(mean, y[0, 0], logvar.exp(), eps=1e-30)
        total = total + 2.0 * nll + 0.01 * 10.5 * mean.shape[-1]
    assert torch.allclose(ours.loss(batch)[0], total, rtol=1e-5)


def test_backward_networks_have_the_published_number_of_parameters() -> None:
    fetch = Layout(25, 4)
    counts = {}
    for direction, width in (("backward", 256), ("forward", 362), ("forward", 256)):
        selection = "policy" if direction == "forward" else "none"
        config = toy.bmil_config(direction=direction, model_width=width, action_selection=selection)
        found = TraceModel(config, fetch, (0,), "float32")
        counts[direction, width] = sum(p.numel() for p in found.parameters()) / 1000
    assert counts["backward", 256] == pytest.approx(424, abs=4)
    assert counts["forward", 362] == pytest.approx(424, abs=4)
    assert counts["forward", 256] < 0.55 * counts["backward", 256]


def test_released_bound_keeps_log_variances_below_the_lower_one() -> None:
    raw = torch.linspace(-50.0, 50.0, 101)
    low, high = torch.tensor(-10.0), torch.tensor(0.5)
    assert bool((released_logvar(raw, low, high) <= low).all())
    soft = model()
    _, logvar = soft.state(100.0 * torch.randn(1, 1, 50, 4))
    assert float(logvar.detach().min()) >= -10.0 - 1e-4
    assert float(logvar.detach().max()) <= 0.5 + 1e-3


def test_the_last_hidden_layer_and_the_heads_are_linear() -> None:
    network = model().state.body
    assert network.linear_layers == 2
    assert len(network.weights) == 5


def test_a_clamp_inside_the_loss_has_no_gradient_outside_the_box() -> None:
    rows = toy.run_data(0).rows[None, None, :8].clone()
    for clamp, flows in ((False, True), (True, False)):
        ours = model(clamp_in_loss=clamp)
        assert ours.action is not None
        with torch.no_grad():
            ours.action.body.biases[-1][..., :2] = 5.0  # all means far outside
        mean, _, target = ours.heads(LAYOUT.unpack(rows))[0]
        (mean - target).square().mean().backward()  # type: ignore[no-untyped-call]
        gradient = ours.action.body.biases[-1].grad
        assert gradient is not None
        assert bool((gradient[..., :2] != 0).any()) is flows


def test_a_backward_model_learns_the_predecessor() -> None:
    own, _ = fitted((0,), fits=12, repeat=10)
    batch = LAYOUT.unpack(toy.demonstrations((0,)).rows[0][None, None])
    (_, _, _), (change, _, target) = own.heads(batch)
    assert torch.allclose(target, -batch.action, atol=1e-6)
    assert float((change - target).detach().square().mean()) < 1e-3
    # Swapped, as if it went forward in time, it would be wrong by twice the step.
    assert float((change + target).detach().square().mean()) > 10 * float(
        (change - target).detach().square().mean()
    )


def test_a_fit_makes_five_passes_at_least_and_stops() -> None:
    _, summaries = fitted((0, 1, 2))
    for summary in [each for fit in summaries for each in fit]:
        assert 5 <= summary.passes < 500
        assert summary.holdout_error < 1e4


def test_patience_counts_relative_falls_of_the_error() -> None:
    config: TraceFitConfig = toy.bmil_config(batch_size=4)
    rows = toy.run_data(0).rows
    run = _Pass(0, rows, torch.arange(20), torch.arange(2), "0")
    # falls of a thousandth or less do not count; the fourth pass without progress is the last
    errors = [1.0, 0.9995, 0.5, 0.6, 0.7, 0.4999, 0.8]
    assert [run.finish_pass(error, config) for error in errors] == [True] * 6 + [False]
    assert run.best == 0.5


@pytest.mark.parametrize("count", [9, 32, 33, 47, 48])
def test_minibatches_of_a_pass_cover_every_row_once(count: int) -> None:
    rows = torch.arange(float(count))[:, None]
    run = _Pass(1, rows, torch.randperm(count), torch.arange(1), "0")
    sizes, seen = [], []
    while run.done < count:
        taken = run.take(16)
        sizes.append(len(taken))
        seen += taken[:, 0].tolist()
    assert sorted(seen) == list(range(count))
    assert all(size == 16 for size in sizes[:-1])
    assert sizes[-1] < 32


def test_held_out_rows_are_never_trained_on_but_in_the_released_way() -> None:
    seeds, rows = (4,), toy.demonstrations((4,)).rows
    for holdout, shared in (("unique", False), ("released", True)):
        config = toy.bmil_config(holdout=holdout, repeat=10)
        run = TraceFit(config, model(seeds), LAYOUT)._begin(4, rows[0], 0)
        trained = {tuple(row) for row in rows[0][run.training].tolist()}
        held = {tuple(row) for row in rows[0][run.held].tolist()}
        assert bool(trained & held) is shared
        total = len(rows[0]) * 10
        assert len(run.training) == pytest.approx(0.8 * total, abs=10)


def test_runs_of_a_block_fit_as_they_would_alone() -> None:
    together, summaries = fitted((0, 1, 2), fits=3)
    assert len({each.steps for each in summaries[0]}) > 1, "the runs should stop at different times"
    for run in range(3):
        alone, own = fitted((run,), fits=3)
        assert [fit[0] for fit in own] == [fit[run] for fit in summaries]
        for (name, ours), theirs in zip(
            together.state_dict().items(), alone.state_dict().values(), strict=True
        ):
            assert torch.equal(ours[run], theirs[0]), name


def test_the_released_way_measures_another_last_minibatch_after_every_pass() -> None:
    rows = torch.arange(100.0)[:, None]
    released = _Pass(0, rows, torch.arange(60, 100), torch.arange(60), "0", last_only=True)
    seen = []
    for _ in range(3):
        seen.append(released.holdout(16)[:, 0].tolist())
        released.passes += 1
    assert all(
        len(found) == 28 for found in seen
    )  # 60 = 2 x 16 + 28: what fills no minibatch joins the last
    assert len({tuple(found) for found in seen}) == 3
    unique = _Pass(0, rows, torch.arange(60, 100), torch.arange(60), "0")
    assert unique.holdout(16)[:, 0].tolist() == list(range(60))
