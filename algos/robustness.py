"""Success of final policies from displaced starts, and from the demonstrated one (Park and Wong 2022, section 4.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from algos.core.loop import Failed
from algos.core.progress import Advance
from algos.evaluation import Episodes, Policy, make_fleet, roll, run_episodes
from algos.imagination.demonstrations import PLACE
from envs.batch import BatchEnv
from envs.starts import StartList

#: Episodes that run side by side: robots of their own in memory, one call of the policies for all.
BATCH = 100
PERCENT = 100.0


@dataclass(frozen=True)
class RobustnessConfig:
    """Keys of ``config/algos/_imitation.yaml`` that say how final policies are judged."""

    robustness_starts: int
    robustness_list: int
    training_starts: int


@dataclass(frozen=True)
class Outcomes:
    """Episodes of one run from M displaced starts.

    Attributes:
        success: ``[M]`` bool.
        ever: ``[M]`` bool, the goal was reached, if only for a moment.
        steps: ``[M]`` length of each episode.
        place: ``[M, 2]`` where each began (metres).
    """

    success: np.ndarray
    ever: np.ndarray
    steps: np.ndarray
    place: np.ndarray


def displaced_outcomes(
    policy: Policy,
    starts: StartList,
    alive: list[bool],
    counter: int,
    advance: Advance = lambda _: None,
) -> list[Outcomes | Failed | None]:
    """One episode of every living run from each start of the list; None for dead runs, `Failed` for those that break.

    ``advance`` is told of the steps, starts times the horizon in all.
    """
    parts: list[list[Outcomes | Failed | None]] = []
    fleet: list[BatchEnv | None] = []
    for number, state in enumerate(_batched(starts.state)):
        # The same robots for all batches: MuJoCo's memory comes back in pieces that new ones do not fit into.
        if not number or len(state) < BATCH:
            fleet = make_fleet(starts.task, len(state), alive)

        def begin(_: int, env: BatchEnv, state: np.ndarray = state) -> np.ndarray:
            reset_to = env.reset_to  # type: ignore[attr-defined]
            observation: np.ndarray = reset_to(state)
            return observation

        found = roll(
            policy,
            starts.task,
            alive=alive,
            counter=counter + number,
            episodes=len(state),
            begin=begin,
            advance=advance,
            fleet=fleet,
        )
        parts.append([_outcomes(each) for each in found])
    return [_joined([part[run] for part in parts]) for run in range(len(alive))]


def _outcomes(found: Episodes | Failed | None) -> Outcomes | Failed | None:
    if not isinstance(found, Episodes):
        return found
    ever = (found.in_goal & found.running).any(axis=0)
    place = found.observation[0, :, :PLACE]
    return Outcomes(found.success(), ever, found.running.sum(axis=0), place)


def _joined(parts: list[Outcomes | Failed | None]) -> Outcomes | Failed | None:
    known = [part for part in parts if isinstance(part, Outcomes)]
    if len(known) < len(parts):
        return next((part for part in parts if isinstance(part, Failed)), None)
    return Outcomes(
        np.concatenate([part.success for part in known]),
        np.concatenate([part.ever for part in known]),
        np.concatenate([part.steps for part in known]),
        np.concatenate([part.place for part in known]),
    )


def _batched(rows: np.ndarray) -> list[np.ndarray]:
    """``rows`` in pieces of at most `BATCH`."""
    return [rows[first : first + BATCH] for first in range(0, len(rows), BATCH)]


def _distance(place: np.ndarray, path: np.ndarray) -> np.ndarray:
    """From each place ``[M, 2]`` to the nearest of ``path [N, 2]``; ``[M, N, 2]`` numbers in memory."""
    away: np.ndarray = np.linalg.norm(place[:, None] - path[None], axis=-1).min(axis=1)
    return away


def summarise_starts(found: Outcomes, starts: StartList, path: np.ndarray) -> dict[str, Any]:
    """Metrics of one run.

    ``robustness`` is the percentage of starts that succeed, the unweighted mean over cells where the task has cells
    (100 starts a cell in the paper). ``robustness_far`` is that of the half of the starts that is farther from the
    demonstrated path ``[N, 2]`` than the median, ``near_minus_far`` how much better the nearer half is.
    ``reached_cells`` counts the cells with any success, ``reached_cell_robustness`` is the mean over those.
    """
    by_cell = np.array(
        [found.success[starts.cell == cell].mean() for cell in np.unique(starts.cell)]
    )
    away = np.concatenate([_distance(place, path) for place in _batched(found.place)])
    far = away > np.median(away)
    far_success = found.success[far].mean() if far.any() else found.success.mean()
    near_success = found.success[~far].mean()
    reached = by_cell[by_cell > 0.0]
    return {
        "robustness": PERCENT * float(by_cell.mean()),
        "robustness_far": PERCENT * float(far_success),
        "near_minus_far": PERCENT * float(near_success - far_success),
        "reached_cells": float(len(reached)),
        "reached_cell_robustness": PERCENT * float(reached.mean()) if len(reached) else 0.0,
        "ever_success": PERCENT * float(found.ever.mean()),
        "mean_steps": float(found.steps.mean()),
        "outcomes": "".join("1" if each else "0" for each in found.success),
    }


def describe(starts: StartList, place: np.ndarray) -> dict[str, Any]:
    """The start list for the record: x and y in metres, the cell of each, the scene of the training episode."""
    return {
        "x": np.round(place[:, 0], 4).tolist(),
        "y": np.round(place[:, 1], 4).tolist(),
        "cell": starts.cell.tolist(),
        "cells": starts.cell_names,
        "scene": dict(starts.scene),
    }


def train_success(
    policy: Policy, task: str, alive: list[bool], counter: int, episodes: int
) -> list[float | None]:
    """Share of ``episodes`` from the start of the demonstrations that succeed, one a run."""
    found = run_episodes(
        policy, task, alive=alive, counter=counter, episodes=episodes, start="random", start_seed=0
    )
    return [float(e.success().mean()) if isinstance(e, Episodes) else None for e in found]
