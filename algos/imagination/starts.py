"""Which real rows imagined trajectories start from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

Starts = Callable[[int, torch.Generator], Tensor]


def trajectory_returns(reward: np.ndarray, trajectory: np.ndarray) -> np.ndarray:
    """Every row's weight: the undiscounted return of its trajectory, ``[N]`` float64."""
    totals = np.bincount(trajectory, weights=reward.astype(np.float64))
    returns: np.ndarray = totals[trajectory]
    return returns


def return_weights(returns: np.ndarray) -> np.ndarray:
    """``w <- (w - min w) / max(1, max w - min w)`` (ROMI code): zero for the worst trajectories."""
    low = returns.min()
    weights: np.ndarray = (returns - low) / max(1.0, float(returns.max() - low))
    return weights


def uniform_starts(rows: int) -> Starts:
    """Row indices drawn uniformly with replacement."""

    def draw(count: int, generator: torch.Generator) -> Tensor:
        return torch.randint(rows, (count,), generator=generator)

    return draw


def weighted_starts(weights: np.ndarray) -> Starts:
    """Row indices with probability proportional to ``weights``, without replacement inside one draw.

    Drawn one after another with replacement, skipping rows already taken, which is successive sampling without
    replacement. Rows of weight zero are never drawn.

    Raises:
        ValueError: fewer rows of positive weight than are to be drawn.
    """
    cumulative = torch.from_numpy(np.cumsum(weights, dtype=np.float64))
    positive = int(np.count_nonzero(weights > 0))

    def draw(count: int, generator: torch.Generator) -> Tensor:
        if positive < count:
            raise ValueError(
                f"start states: {positive} rows have a positive return weight, {count} are to be drawn without "
                "replacement; use a smaller rollout_batch or prioritize_starts: false"
            )
        chosen: dict[int, None] = {}
        while len(chosen) < count:
            points = (
                torch.rand(2 * count, generator=generator, dtype=torch.float64) * cumulative[-1]
            )
            rows = torch.searchsorted(cumulative, points, right=True)
            for row in rows.clamp_(max=len(cumulative) - 1).tolist():
                chosen.setdefault(row)
        return torch.tensor(list(chosen)[:count])

    return draw
