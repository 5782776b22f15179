"""How far states are from a data set: the Average Trajectory Discrepancy of ROMI (definition 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from algos.core.replay import Layout
from algos.data import RunData

POSITION = 2  # leading columns of a maze state that hold its position


@dataclass(frozen=True)
class DataStates:
    """All states of a data set, ready to be asked for the nearest one.

    Attributes:
        full: tree over ``[N, S]``, raw units (definition 1 of ROMI: no scaling).
        position: tree over the positions ``[N, 2]``.
    """

    full: KDTree
    position: KDTree

    @classmethod
    def of(cls, data: RunData, layout: Layout) -> DataStates:
        """Every state of a run's data: the rows' own and the last one of each trajectory."""
        batch = layout.unpack(data.rows.cpu())
        ends = np.append(np.flatnonzero(np.diff(data.trajectory)), len(data.trajectory) - 1)
        own, last = batch.observation.numpy(), batch.next_observation.numpy()[ends]
        states = np.concatenate([own, last])
        return cls(_tree(states), _tree(states[:, :POSITION]))

    def distance(self, states: np.ndarray) -> np.ndarray:
        """Euclidean distance of each state ``[..., S]`` to the nearest one of the data, ``[...]``."""
        return _distance(self.full, states)

    def position_distance(self, states: np.ndarray) -> np.ndarray:
        """The same for positions alone."""
        return _distance(self.position, states[..., :POSITION])


def _tree(points: np.ndarray) -> KDTree:
    # Sliding midpoints build several times faster than medians and are as fast to ask.
    return KDTree(points, balanced_tree=False, compact_nodes=False)


def _distance(tree: KDTree, states: np.ndarray) -> np.ndarray:
    distance: np.ndarray = tree.query(states)[0]
    return distance


def trajectory_discrepancy(distance: np.ndarray, visited: np.ndarray) -> np.ndarray:
    """``D(tau) = mean over the H + 1 visited states of min over the data |s_t - s|`` (ROMI, definition 1), ``[N]``.

    Args:
        distance: of each state to the data, ``[H + 1, N]``.
        visited: which states belong to the trajectory, bool ``[H + 1, N]``.
    """
    total: np.ndarray = (distance * visited).sum(axis=0) / visited.sum(axis=0)
    return total
