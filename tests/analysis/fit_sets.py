"""Hand-made fits: an arm of models, its record and the history beside it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any

from result_sets import UMAZE, Bench

from paper_tables import paths
from paper_tables.digest import spec_digest
from paper_tables.plan import Arm

#: One epoch of the made-up fits is ROWS / BATCH = 100 updates.
ROWS, BATCH = 25_600, 256
HYPERPARAMETERS = {
    "direction": "backward",
    "batch_size": BATCH,
    "patience_epochs": 5,
    "improvement_threshold": 0.01,
    "max_updates": 1000,
    "final_decay_fraction": 0.3,
}
Point = dict[str, float]


def point(update: int, present: float, kept: float, reward: float | None = None) -> Point:
    """One evaluation of an ensemble with a reward and four state outputs."""
    reward = 5 * present if reward is None else reward
    return {
        "update": update,
        "holdout_mse": present,
        "best_holdout_mse": kept,
        "mse_reward": reward,
        **{f"mse_state_{i}": (5 * present - reward) / 4 for i in range(4)},
    }


def falling(scale: float, last: int = 1000, every: int = 100) -> list[Point]:
    """Errors that fall like scale / update; every evaluation is a new best."""
    return [point(u, scale / u, scale / u, 4.5 * scale / u) for u in range(every, last + 1, every)]


def fit_arm(
    bench: Bench,
    histories: Mapping[int, Sequence[Point]],
    task: str = UMAZE,
    experiment: str = "table5",
    overrides: Mapping[str, Any] | None = None,
    progress: bool = True,
    **hyperparameters: Any,
) -> Arm:
    """Plan an arm of ensembles in one block and write its record and history."""
    overrides, seeds = dict(overrides or {}), tuple(histories)
    own = {key: value for key, value in overrides.items() if "." not in key}
    values = {**HYPERPARAMETERS, **own, **hyperparameters}
    cell = paths.cell_name(overrides)
    spec = {
        "stage": "fit",
        "algo": "ensemble",
        "task": task,
        "data": {"source": "local", "transitions": ROWS},
        "precision": "float32",
        "hyperparameters": values,
    }
    folder = paths.TierPaths(bench.tier).fit("ensemble", task, cell, paths.seed_folder(seeds))
    arm = Arm(
        "romi",
        experiment,
        "ensemble",
        task,
        cell,
        overrides=overrides,
        seeds=seeds,
        status="planned",
        reason=None,
        results=(f"{folder}/fit.json",),
        digest=spec_digest(spec),
        stage="fit",
        hyperparameters=values,
    )
    bench.arms.append(arm)
    runs = [_entry(seed, history) for seed, history in histories.items()]
    bench.write(arm.results[0], {**spec, "seeds": list(seeds)}, runs, fits={}, evaluation=None)
    if progress:
        _write_progress(bench, folder, histories)
    return arm


def _entry(seed: int, history: Sequence[Point]) -> dict[str, Any]:
    last = history[-1]
    names = ["mse_reward", *(f"mse_state_{i}" for i in range(4))]
    return {
        "seed": seed,
        "status": "finished",
        "failure": None,
        "holdout_mse": last["best_holdout_mse"],
        "holdout_mse_by_dimension": [last[name] for name in names],
        "updates": int(last["update"]),
        "elites": [0, 1, 2, 3, 4],
    }


def _write_progress(bench: Bench, folder: str, histories: Mapping[int, Sequence[Point]]) -> None:
    rows = [{"seed": seed, **p} for seed, history in histories.items() for p in history]
    with (bench.root / folder / "progress.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
