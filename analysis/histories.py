"""What the history of a model fit says: its evaluations, and what other rules of stopping would have kept.

A fit's record holds its final errors; its evaluations stand in `progress.csv` beside it. From them
follows what the same fit would have reported had it been stopped, or read, in another way.
"""

from __future__ import annotations

import csv
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paper_tables.paths import FIT_FILES

History = Sequence[Mapping[str, float]]

#: Error of the present parameters and of the kept snapshots, mean over the best members.
PRESENT, KEPT = "holdout_mse", "best_holdout_mse"
PREFIX = "mse_"


def read_progress(path: Path) -> dict[int, list[dict[str, float]]]:
    """Evaluations of each seed in order; empty if the file is not there or not a table of numbers."""
    found: dict[int, list[dict[str, float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                point = {name: float(value) for name, value in row.items() if value}
                found.setdefault(int(point.pop("seed")), []).append(point)
    except (OSError, ValueError, TypeError, KeyError):
        return {}
    return found


def with_history(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The record of a fit with each run's evaluations and what follows from them; `path` is the record's."""
    progress = read_progress(path.with_name(FIT_FILES[2]))
    runs = []
    for entry in content["runs"]:
        history = progress.get(int(entry["seed"]), [])
        finished = entry["status"] == "finished"
        more = metrics(entry, history, content["spec"]) if finished else {}
        runs.append({**entry, **more, "evaluations": history})
    return {**content, "runs": runs}


def metrics(
    entry: Mapping[str, Any], history: History, spec: Mapping[str, Any]
) -> dict[str, float]:
    """Metrics of one finished fit besides those in its record.

    Always, where the record has them: `mse_reward`, `mse_state_0`, .. of the kept snapshots, and
    `summed_mse`, their sum in place of the mean. From the history of an ensemble:

    * `early_stop_update`, `early_stop_mse`: where the rule of early stopping ends the fit, and the
      error of the snapshots it then keeps; absent if it does not;
    * `plateau_epochs`: the longest time without an improvement of a kept snapshot, in epochs;
    * `plateau_kept_mse`, `plateau_mse`: during it, the error kept (what a less patient rule would have
      reported) and that of the present parameters (median over its evaluations).
    """
    found = by_dimension(entry.get("holdout_mse_by_dimension") or [])
    if found:
        found["summed_mse"] = sum(found.values())
    points = [point for point in history if KEPT in point and PRESENT in point]
    settings, rows = spec["hyperparameters"], spec.get("data", {}).get("transitions")
    if not points or not rows or "patience_epochs" not in settings:
        return found
    epoch = max(1, rows // int(settings["batch_size"]))
    return found | _plateau(points, epoch) | _early_stop(points, settings, epoch)


def by_dimension(errors: Sequence[float]) -> dict[str, float]:
    """Errors of a model's outputs by name, as its evaluations call them: the reward comes first."""
    names = ["reward", *(f"state_{number}" for number in range(len(errors) - 1))]
    return {f"{PREFIX}{name}": float(error) for name, error in zip(names, errors, strict=False)}


def waits(points: History) -> list[float]:
    """Updates since the last improvement of a kept snapshot, at each evaluation.

    The history holds the mean over the best members only: an improvement of a member that stays
    outside them is not seen, so that a wait may come out too long, never too short.
    """
    since, best, found = points[0]["update"], float("inf"), []
    for point in points:
        if point[KEPT] < best:
            since, best = point["update"], point[KEPT]
        found.append(point["update"] - since)
    return found


def stop(points: History, patience: float) -> Mapping[str, float] | None:
    """The evaluation at which more than `patience` updates have passed without an improvement, or None."""
    return next((p for p, wait in zip(points, waits(points), strict=True) if wait > patience), None)


def _plateau(points: History, epoch: int) -> dict[str, float]:
    """The longest time without an improvement, and the errors meanwhile."""
    waited = waits(points)
    end = max(range(len(points)), key=lambda index: waited[index])
    since = points[end]["update"] - waited[end]
    during = [point for point in points[: end + 1] if point["update"] >= since]
    return {
        "plateau_epochs": waited[end] / epoch,
        "plateau_kept_mse": points[end][KEPT],
        "plateau_mse": statistics.median(point[PRESENT] for point in during),
    }


def _early_stop(points: History, settings: Mapping[str, Any], epoch: int) -> dict[str, float]:
    ended = stop(points, int(settings["patience_epochs"]) * epoch)
    if ended is None:
        return {}
    return {"early_stop_update": ended["update"], "early_stop_mse": ended[KEPT]}
