"""The plain ensemble computes what ours computes: loss, gradients, and a step of Adam with weight decay."""

import pytest

torch = pytest.importorskip("torch")

from algos.imagination.ensemble import gaussian_loss  # noqa: E402
from algos.imagination.ensemble_fit import EnsembleFit  # noqa: E402
from benchmarks.subjects import ensemble  # noqa: E402
from benchmarks.subjects.plain_ensemble import PlainEnsemble  # noqa: E402

OBSERVATION, ACTION = 5, 2
BATCH = 32


@pytest.fixture
def fit() -> EnsembleFit:
    return ensemble.fit(OBSERVATION, ACTION, rows=2000, hidden=24, batch_size=BATCH)


@pytest.fixture
def plain(fit: EnsembleFit) -> PlainEnsemble:
    """The plain network with the weights and the input scaling of ours."""
    sizes = [OBSERVATION + ACTION, 24, 24, 24, 24, 1 + OBSERVATION]
    network = PlainEnsemble(
        sizes, fit.config.members, fit.inputs.mean.flatten(), fit.inputs.std.flatten()
    )
    body = fit.network.body
    with torch.no_grad():
        for own, copied in zip(network.weights, body.weights, strict=True):
            own.copy_(copied[0])
        for own, copied in zip(network.biases, body.biases, strict=True):
            own.copy_(copied[0])
    return network


@pytest.fixture
def batch(fit: EnsembleFit) -> tuple[torch.Tensor, torch.Tensor]:
    """Raw inputs and targets ``[E, B, F]``."""
    generator = torch.Generator().manual_seed(1)
    shape = (fit.config.members, BATCH)
    x = torch.randn(*shape, OBSERVATION + ACTION, generator=generator)
    return x, torch.randn(*shape, 1 + OBSERVATION, generator=generator)


def scaled(fit: EnsembleFit, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """One drawn chunk of one update, as our fit takes it."""
    return torch.cat([fit.inputs(x[None]), y[None]], dim=-1)[None]


def gradients(fit: EnsembleFit) -> dict[str, torch.Tensor]:
    return {
        name.removeprefix("body."): parameter.grad[0]
        for name, parameter in fit.network.named_parameters()
    }


def test_loss_and_gradients_are_ours(
    fit: EnsembleFit, plain: PlainEnsemble, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    x, y = batch
    weight = fit.config.logvar_bound_weight
    loss = plain.loss(x, y, weight)
    loss.backward()
    mean, logvar = fit.network(fit.inputs(x[None]))
    bounds = fit.network.max_logvar - fit.network.min_logvar
    ours = gaussian_loss(mean, logvar, y[None]).sum() + weight * bounds.sum()
    assert loss.item() == pytest.approx(ours.item(), rel=1e-5)
    fit.update(scaled(fit, x, y), 0)
    found = gradients(fit)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(
            parameter.grad.squeeze(), found[name].squeeze(), rtol=1e-3, atol=1e-6
        )


def test_a_step_moves_the_weights_as_ours(
    fit: EnsembleFit, plain: PlainEnsemble, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    x, y = batch
    optimiser = plain.optimiser(fit.config.learning_rate, fit.config.weight_decay)
    before = plain.weights[1].detach().clone()
    for _ in range(3):
        optimiser.zero_grad()
        plain.loss(x, y, fit.config.logvar_bound_weight).backward()
        optimiser.step()
        fit.update(scaled(fit, x, y), 0)
    ours = fit.network.body.weights
    assert (plain.weights[1] - before).abs().max() > 1e-3
    for own, expected in zip(plain.weights, ours, strict=True):
        difference = (own - expected[0]).abs()
        assert difference.mean() < 1e-5, "mean difference after three steps of 1e-3"


def test_weight_decay_belongs_to_its_layer(plain: PlainEnsemble, fit: EnsembleFit) -> None:
    groups = plain.optimiser(1e-3, fit.config.weight_decay).param_groups
    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert [decays[id(w)] for w in plain.weights] == list(fit.config.weight_decay)
    assert {decays[id(b)] for b in plain.biases} == {0.0}
    assert decays[id(plain.max_logvar)] == 0.0


def test_full_sizes_are_equal_and_plain_training_learns() -> None:
    ours = ensemble.fit(17, 6, rows=2000)
    plain = ensemble.plain_fit(17, 6, rows=2000)
    count = sum(p.numel() for p in plain.network.parameters())
    assert count == sum(p.numel() for p in ours.network.parameters())
    small = ensemble.plain_fit(OBSERVATION, ACTION, rows=2000, hidden=24, batch_size=BATCH)
    losses = [small.step().item() for _ in range(60)]
    assert losses[-1] < losses[0]


def test_rows_are_drawn_anew_every_epoch() -> None:
    fit = ensemble.plain_fit(OBSERVATION, ACTION, rows=1000, hidden=8, batch_size=400)
    first = fit._rows.clone()
    fit.step()
    order = fit._rows.clone()
    fit.step()
    assert torch.equal(order, fit._rows), "two batches of 400 fit into an epoch of 1000"
    fit.step()
    assert not torch.equal(order, fit._rows)
    assert torch.equal(first.sort(dim=1).values, fit._rows.sort(dim=1).values)
