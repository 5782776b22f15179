"""Training of the dynamics ensemble: bootstrap, hold-out, snapshots, early stopping, elites (ROMI code, as in MBPO)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from algos.core.networks import Precision
from algos.core.optimiser import Adam
from algos.core.randomness import torch_generator
from algos.core.replay import Layout
from algos.imagination.ensemble import (
    Direction,
    EnsembleNetwork,
    Normaliser,
    gaussian_loss,
    model_inputs,
    model_targets,
)

UNSEEN_MSE = 1e10
NO_CAP = 2**62


@dataclass(frozen=True)
class EnsembleConfig:
    """Keys of ``config/algos/ensemble.yaml``; every value and its source stands there."""

    direction: Direction
    members: int
    elites: int
    hidden: int
    layers: int
    learning_rate: float
    batch_size: int
    holdout_fraction: float
    holdout_max: int
    weight_decay: tuple[float, ...]
    logvar_bound_weight: float
    improvement_threshold: float
    patience_epochs: int
    max_updates: int
    evaluate_every: int
    final_decay_fraction: float
    early_stopping: bool
    normalize_targets: bool
    include_terminal: bool
    selection: Literal["best", "last"]

    def __post_init__(self) -> None:
        """Refuse combinations that would silently mean something else."""
        if len(self.weight_decay) != self.layers + 1:
            raise ValueError(
                f"ensemble: weight_decay has {len(self.weight_decay)} values, {self.layers} hidden layers "
                f"and the heads need {self.layers + 1}"
            )
        if self.elites > self.members:
            raise ValueError(f"ensemble: elites {self.elites} is more than members {self.members}")
        if self.final_decay_fraction and not self.max_updates:
            raise ValueError("ensemble: final_decay_fraction needs max_updates, set that too")


class EnsembleFit:
    """Fits R ensembles, one a run, each on its own rows.

    A run stops when no member improved its hold-out error by more than ``improvement_threshold`` for more than
    ``patience_epochs`` epochs, or at ``max_updates``. Every run stops for itself. An epoch is the declared number of
    rows over the batch size; hold-out errors are measured once an epoch, or every ``evaluate_every`` updates.

    Args:
        config: the hyperparameters.
        rows: one tensor of packed transitions ``[N, width]`` a run.
        layout: columns of the rows.
        seeds: run seeds.
        declared_rows: data set size the spec declares; epoch and hold-out sizes follow it, so that they do not depend
            on the other runs of the block.
        precision: of the matrix products.
    """

    Config = EnsembleConfig
    chunk = 32
    metrics = ("loss",)

    def __init__(
        self,
        config: EnsembleConfig,
        rows: list[Tensor],
        layout: Layout,
        seeds: tuple[int, ...],
        declared_rows: int,
        precision: Precision,
    ) -> None:
        self.config, self.seeds, self.layout = config, seeds, layout
        self.device = rows[0].device
        self.updates = config.max_updates or NO_CAP
        holdout = min(int(config.holdout_fraction * declared_rows), config.holdout_max)
        self._split(rows, holdout)
        self.epoch = max(1, declared_rows // config.batch_size)
        self.evaluate_every = config.evaluate_every or self.epoch
        outputs = 1 + layout.observation_dim
        inputs = layout.observation_dim + layout.action_dim
        self.network = EnsembleNetwork(
            inputs,
            outputs,
            [config.hidden] * config.layers,
            seeds=seeds,
            members=config.members,
            precision=precision,
            name=f"{config.direction}-ensemble",
        ).to(self.device)
        self.optimiser = Adam(self.network.parameters(), config.learning_rate, self._decays())
        shape = (len(seeds), config.members)
        self.best = torch.full(shape, UNSEEN_MSE)
        self.errors = torch.full((*shape, outputs), UNSEEN_MSE)
        self.improved_at = torch.zeros(len(seeds), dtype=torch.int64)
        self.stopped_at = torch.zeros(len(seeds), dtype=torch.int64)
        self.done = 0
        self.snapshot = self._parameters()
        self._orders: dict[int, tuple[int, Tensor]] = {}

    @property
    def finished(self) -> bool:
        """Whether every run has stopped."""
        return bool((self.stopped_at > 0).all())

    def draw(self, chunk: int) -> Tensor:
        """Tables of inputs and targets ``[chunk, R, E, B, S+A+1+S]`` for the updates of one chunk."""
        first = chunk * self.chunk
        per_run = [
            self.table[run][self._indices(run, first).to(self.device)]
            for run in range(len(self.seeds))
        ]
        return torch.stack(per_run, dim=1)

    def update(self, drawn: Tensor, index: int) -> Tensor:
        """One Adam step on every member of every run; the loss of a run that has stopped counts as 0."""
        split = self.layout.observation_dim + self.layout.action_dim
        x, y = torch.split(drawn[index], [split, drawn.shape[-1] - split], dim=-1)
        mean, logvar = self.network(x)
        per_run = gaussian_loss(mean, logvar, y).sum(dim=1)
        bounds = self.network.max_logvar - self.network.min_logvar
        loss = per_run.sum() + self.config.logvar_bound_weight * bounds.sum()
        self._decay_learning_rate()
        self.optimiser.step(loss)
        self.done += 1
        stopped = (self.stopped_at > 0).to(self.device)
        return (per_run.detach() / self.config.members).masked_fill(stopped, 0.0)[None]

    @torch.no_grad()
    def evaluate(self, update: int, alive: list[bool]) -> list[dict[str, Any] | None]:
        """Hold-out errors in raw units; updates snapshots and stops runs."""
        mean, _ = self.network(self.holdout_inputs)
        errors = (self.targets.undo(mean) - self.holdout_targets).square().mean(dim=2).cpu()
        mse = errors.mean(dim=-1)
        running = (self.stopped_at == 0) & torch.tensor(alive)
        better = (self.best - mse) / self.best > self.config.improvement_threshold
        replace = (better | (self.config.selection == "last")) & running[:, None]
        self._take_snapshot(replace, mse, errors)
        improved = (better & running[:, None]).any(dim=1)
        self.improved_at[improved] = update
        patience = self.config.patience_epochs * self.epoch
        exhausted = self.config.early_stopping & (update - self.improved_at > patience)
        self.stopped_at[running & (exhausted | (update >= self.updates))] = update
        self.stopped_at[~torch.tensor(alive)] = update
        return [
            self._record(run, mse, errors) if bool(running[run]) else None
            for run in range(len(self.seeds))
        ]

    def _record(self, run: int, mse: Tensor, errors: Tensor) -> dict[str, Any]:
        elites = mse[run].argsort(stable=True)[: self.config.elites]
        kept = self.elites()[run]
        by_dimension = errors[run][elites].mean(dim=0).tolist()
        record: dict[str, Any] = {
            "holdout_mse": float(mse[run][elites].mean()),
            "best_holdout_mse": float(self.best[run][kept].mean()),
        }
        names = ["reward", *(f"state_{i}" for i in range(len(by_dimension) - 1))]
        return record | {f"mse_{n}": value for n, value in zip(names, by_dimension, strict=True)}

    def elites(self) -> Tensor:
        """Member numbers with the lowest hold-out error at their snapshot, ``[R, K]``."""
        return self.best.argsort(dim=1, stable=True)[:, : self.config.elites]

    def result(self) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
        """Snapshots and scalings as tensors ``[R, ...]``, and one summary a run."""
        scalings = {
            "input_mean": self.inputs.mean,
            "input_std": self.inputs.std,
            "target_mean": self.targets.mean,
            "target_std": self.targets.std,
        }
        elites = self.elites()
        tensors = self.snapshot | scalings | {"elites": elites}
        summaries = []
        for run in range(len(self.seeds)):
            errors = self.errors[run][elites[run]].mean(dim=0)
            summaries.append(
                {
                    "holdout_mse": float(errors.mean()),
                    "holdout_mse_by_dimension": errors.tolist(),
                    "updates": int(self.stopped_at[run]),
                    "elites": elites[run].tolist(),
                }
            )
        return tensors, summaries

    def state(self) -> dict[str, Any]:
        """Everything needed to continue bit for bit."""
        return {
            "network": dict(self.network.state_dict()),
            "optimiser": self.optimiser.state(),
            "snapshot": self.snapshot,
            "best": self.best,
            "errors": self.errors,
            "improved_at": self.improved_at,
            "stopped_at": self.stopped_at,
            "done": self.done,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        self.network.load_state_dict(state["network"])
        self.optimiser.restore(state["optimiser"])
        self.snapshot = {k: v.to(self.device) for k, v in state["snapshot"].items()}
        for name in ("best", "errors", "improved_at", "stopped_at", "done"):
            setattr(self, name, state[name])

    def _split(self, rows: list[Tensor], holdout: int) -> None:
        """Hold-out rows, scalings of the training split, and tables of scaled inputs and targets."""
        config, layout = self.config, self.layout
        training: list[tuple[Tensor, Tensor]] = []
        held: list[tuple[Tensor, Tensor]] = []
        for seed, run_rows in zip(self.seeds, rows, strict=True):
            if len(run_rows) <= holdout + config.batch_size:
                raise ValueError(
                    f"ensemble: {len(run_rows)} rows are too few for a hold-out of {holdout} and batches of "
                    f"{config.batch_size}; use more transitions"
                )
            order = torch.randperm(
                len(run_rows), generator=torch_generator(seed, "ensemble/holdout")
            )
            batch = layout.unpack(run_rows)
            x, y = model_inputs(batch, config.direction), model_targets(batch, config.direction)
            first, rest = order[:holdout].to(x.device), order[holdout:].to(x.device)
            held.append((x[first], y[first]))
            training.append((x[rest], y[rest]))
        self.inputs = Normaliser.fit([x for x, _ in training])
        outputs = training[0][1].shape[1]
        self.targets = Normaliser.identity(len(rows), outputs, self.device)
        if config.normalize_targets:
            self.targets = Normaliser.fit([y for _, y in training])
        self.table = [
            torch.cat([(x - self._row(self.inputs.mean, run)) / self._row(self.inputs.std, run),
                       (y - self._row(self.targets.mean, run)) / self._row(self.targets.std, run)], dim=-1)
            for run, (x, y) in enumerate(training)
        ]  # fmt: skip
        self.holdout_inputs = self.inputs(torch.stack([x for x, _ in held])[:, None])
        self.holdout_targets = torch.stack([y for _, y in held])[:, None]

    @staticmethod
    def _row(scaling: Tensor, run: int) -> Tensor:
        return scaling[run].reshape(1, -1)

    def _indices(self, run: int, first: int) -> Tensor:
        """Table rows ``[chunk, E, B]`` of the updates from ``first`` on: bootstrapped once, reshuffled every epoch."""
        batch, total = self.config.batch_size, len(self.table[run])
        per_epoch = total // batch
        slices = []
        for update in range(first, first + self.chunk):
            epoch, position = divmod(update, per_epoch)
            order = self._order(run, epoch)
            slices.append(order[:, position * batch : (position + 1) * batch])
        return torch.stack(slices).long()

    def _order(self, run: int, epoch: int) -> Tensor:
        """The rows ``[E, N]`` of every member's bootstrap sample in the order of one epoch."""
        if run not in self._orders or self._orders[run][0] != epoch:
            total, seed = len(self.table[run]), self.seeds[run]
            members = []
            for member in range(self.config.members):
                name = f"ensemble/bootstrap/{member}"
                drawn = torch.randint(total, (total,), generator=torch_generator(seed, name))
                name = f"ensemble/shuffle/{member}"
                order = torch.randperm(total, generator=torch_generator(seed, name, epoch))
                members.append(drawn[order].int())
            self._orders[run] = (epoch, torch.stack(members))
        return self._orders[run][1]

    def _decays(self) -> list[float]:
        decays = {
            f"body.weights.{layer}": value for layer, value in enumerate(self.config.weight_decay)
        }
        return [decays.get(name, 0.0) for name, _ in self.network.named_parameters()]

    def _decay_learning_rate(self) -> None:
        share = self.config.final_decay_fraction
        if share == 0.0:
            return
        left = (self.updates - self.done) / (share * self.updates)
        self.optimiser.learning_rate = self.config.learning_rate * min(1.0, left)

    def _parameters(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def _take_snapshot(self, replace: Tensor, mse: Tensor, errors: Tensor) -> None:
        """Keep the present weights of the members ``replace [R, E]``; the bounds follow the run's latest snapshot."""
        chosen = replace.to(self.device)
        for name, value in self._parameters().items():
            mask = chosen if name.startswith("body.") else chosen.any(dim=1, keepdim=True)
            mask = mask.reshape(*mask.shape, *[1] * (value.ndim - 2))
            self.snapshot[name] = torch.where(mask, value, self.snapshot[name])
        self.best = torch.where(replace, mse, self.best)
        self.errors = torch.where(replace[..., None], errors, self.errors)
