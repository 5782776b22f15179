"""Imagined rollouts as a diagnosis looks at them: whole chains, and numbers about many of them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from algos.core.replay import Batch, Layout
from algos.discrepancy import DataStates
from envs.metrics import has_maze, in_goal, wall_fraction
from envs.tasks import reward_function

#: Fastest component of a velocity in maze2d data is 5.24: clipped to 5, then one step of full thrust and contacts.
FASTEST = 5.3


@dataclass(frozen=True)
class Chains:
    """Imagined rollouts.

    Attributes:
        states: ``[M, h + 1, S]`` in the order they were imagined: the real start first; NaN after a chain has stopped.
        steps: the transitions of each step, as rows of the model buffer.
        reached: the states that each step reached, ``[B, S]`` each: s backwards, s' forwards.
    """

    states: np.ndarray
    steps: list[Batch]
    reached: list[np.ndarray]

    @classmethod
    def of(cls, starts: Tensor, rolled: Sequence[Tensor], layout: Layout, backward: bool) -> Chains:
        """Chains from what `Tracer.roll` made of ``starts [M, S]``.

        Later steps have fewer rows when chains have stopped; a row belongs to the chain whose last state it starts
        from, bit for bit.
        """
        steps = [layout.unpack(rows.cpu()) for rows in rolled]
        start = starts.cpu().numpy()
        states = np.full((len(start), len(steps) + 1, start.shape[1]), np.nan, dtype=np.float32)
        states[:, 0] = start
        chain = np.arange(len(start))
        reached: list[np.ndarray] = []
        for number, step in enumerate(steps):
            ends = (step.next_observation, step.observation)
            origin, target = (end.numpy() for end in (ends if backward else ends[::-1]))
            chain = _owners(states[chain, number], chain, origin)
            states[chain, number + 1] = target
            reached.append(target)
        return cls(states, steps, reached)


def _owners(last: np.ndarray, chain: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """The chain of each row ``origin [B, S]`` among ``chain``, whose last states are ``last``."""
    if len(last) == len(origin):
        return chain
    waiting: defaultdict[bytes, deque[int]] = defaultdict(deque)
    for number, state in zip(chain, last, strict=True):
        waiting[state.tobytes()].append(int(number))
    return np.array([waiting[state.tobytes()].popleft() for state in origin], dtype=np.int64)


def summarise_chains(chains: Chains, task: str, data: DataStates) -> dict[str, Any]:
    """Numbers about the imagined transitions of one run; lists have one entry a step of the rollout.

    * ``distance``, ``distance_xy``: mean distance of the states reached to the nearest state of the data;
    * in mazes ``wall_fraction``: share of states reached that lie in a wall; ``fast_fraction``: share with a
      component of the velocity above 5.3, which no data have;
    * ``reward_in_goal``, ``reward_outside_goal``: mean predicted reward of the transitions whose rewarded state
      (s, as in the files) is in the goal or is not, ``known_reward_in_goal`` what the task gives there, None where
      there are no such transitions.
    """
    reached = [states for states in chains.reached if len(states)]
    distance = [float(data.distance(states).mean()) for states in reached]
    position = [float(data.position_distance(states).mean()) for states in reached]
    count = [len(states) for states in reached]
    summary = {
        "transitions": sum(count),
        "distance": float(np.average(distance, weights=count)),
        "distance_xy": float(np.average(position, weights=count)),
        "distance_by_step": distance,
        "distance_xy_by_step": position,
    }
    if not has_maze(task):
        return summary
    wall = [wall_fraction(task, states) for states in reached]
    fast = [float((np.abs(states[:, 2:]) > FASTEST).any(axis=1).mean()) for states in reached]
    summary |= {
        "wall_fraction": float(np.average(wall, weights=count)),
        "fast_fraction": float(np.average(fast, weights=count)),
        "wall_fraction_by_step": wall,
        "fast_fraction_by_step": fast,
    }
    return summary | reward_calibration(chains.steps, task)


def reward_calibration(steps: Sequence[Batch], task: str) -> dict[str, float | None]:
    """Predicted against known rewards of imagined transitions; see `summarise_chains`."""
    parts = [
        [x.numpy() for x in (b.observation, b.action, b.next_observation, b.reward)] for b in steps
    ]
    state, action, following, predicted = (np.concatenate(x) for x in zip(*parts, strict=True))
    known = reward_function(task)(state, action, following)
    inside = in_goal(task, state)

    def mean(values: np.ndarray, where: np.ndarray) -> float | None:
        return float(values[where].mean()) if where.any() else None

    return {
        "reward_in_goal": mean(predicted[:, 0], inside),
        "known_reward_in_goal": mean(known, inside),
        "reward_outside_goal": mean(predicted[:, 0], ~inside),
        "known_reward_outside_goal": mean(known, ~inside),
        "transitions_in_goal": float(inside.sum()),
    }
