"""Training of the dynamics ensemble: ours as a fit job runs it, and the plain version."""

from __future__ import annotations

from typing import Any

from algos.core.networks import Precision
from algos.imagination.ensemble import model_inputs, model_targets
from algos.imagination.ensemble_fit import EnsembleConfig, EnsembleFit
from benchmarks.subjects.common import ROWS, configured, packed, training
from benchmarks.subjects.plain_ensemble import PlainEnsemble, PlainFit
from benchmarks.worker import Work


def fit(
    observation_dim: int,
    action_dim: int,
    runs: int = 1,
    precision: Precision = "float32",
    rows: int = ROWS,
    **changes: Any,
) -> EnsembleFit:
    """Our ensemble (backward, 7 networks of 4 x 200) on synthetic transitions, with the suite's defaults."""
    layout, data = packed(observation_dim, action_dim, rows)
    config = configured(EnsembleConfig, "ensemble", **changes)
    seeds = tuple(range(runs))
    return EnsembleFit(config, [data] * runs, layout, seeds, len(data), precision)


def hindcast(
    observation_dim: int, action_dim: int, runs: int, precision: Precision, rows: int = ROWS
) -> Work:
    """Updates of our ensembles, rows drawn and metrics kept."""
    return training(fit(observation_dim, action_dim, runs, precision, rows))


def plain_fit(
    observation_dim: int,
    action_dim: int,
    autocast: bool = False,
    rows: int = ROWS,
    **changes: Any,
) -> PlainFit:
    """The plain ensemble on the same transitions with the same hyperparameters."""
    layout, data = packed(observation_dim, action_dim, rows)
    config = configured(EnsembleConfig, "ensemble", **changes)
    batch = layout.unpack(data)
    x, y = model_inputs(batch, config.direction), model_targets(batch, config.direction)
    sizes = [x.shape[1], *[config.hidden] * config.layers, y.shape[1]]
    network = PlainEnsemble(sizes, config.members, x.mean(dim=0), x.std(dim=0, correction=0))
    return PlainFit(
        network,
        network.optimiser(config.learning_rate, config.weight_decay),
        (x.contiguous(), y.contiguous()),
        batch_size=config.batch_size,
        bound_weight=config.logvar_bound_weight,
        autocast=autocast,
    )


def plain(observation_dim: int, action_dim: int, autocast: bool = False, rows: int = ROWS) -> Work:
    """Updates of the plain ensemble."""
    found = plain_fit(observation_dim, action_dim, autocast, rows)

    def work(count: int) -> float:
        for _ in range(count):
            found.step()
        return float(count)

    return work
