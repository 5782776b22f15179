"""Made-up outcomes by start: a robot arm's square of starts, and mazes with cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from result_sets import CHECKOUT, TIERS, Bench, Run

from analysis.workspace import Workspace

PUSH, PICK = "fetch-push-v0", "fetch-pick-and-place-v0"
ROOM, CORRIDOR = "point-room5x11-v0", "point-corridor7x7-v0"
TITLES = {"il_bc": "BC", "bmil_code": "BMIL (code)", "vins": "VINS"}
#: Walls, start and goal as the paper draws them.
MAPS = {
    ROOM: """
#############
#.....#.....#
#.....#.....#
#S.........G#
#.....#.....#
#.....#.....#
#############""",
    CORRIDOR: """
#########
#S.#....#
#..#....#
#.....###
#.......#
###.....#
#....#..#
#....#.G#
#########""",
}


def place(task: str, sign: str) -> str:
    """The cell of a sign in a task's map, as it is named."""
    lines = MAPS[task].strip().splitlines()
    (found,) = [f"{r},{c}" for r, line in enumerate(lines) for c, s in enumerate(line) if s == sign]
    return found


def free_cells(task: str) -> list[str]:
    """Names of all cells that are no wall."""
    lines = MAPS[task].strip().splitlines()
    return [f"{r},{c}" for r, line in enumerate(lines) for c, s in enumerate(line) if s != "#"]


def evaluation(
    starts: dict[str, Any], outcomes: Sequence[Sequence[bool]], first: int = 0
) -> dict[str, Any]:
    """What an evaluation from displaced starts records; robustness is the mean over cells."""
    cell = np.array(starts["cell"])
    runs = []
    for seed, won in enumerate(outcomes, first):
        wins = np.array(won, dtype=float)
        rates = [wins[cell == number].mean() for number in range(len(starts["cells"]))]
        runs.append(
            {
                "seed": seed,
                "robustness": 100 * float(np.mean(rates)),
                "robustness_far": 3.0,
                "reached_cells": None,
                "train_success": 1.0,
                "outcomes": "".join("1" if one else "0" for one in won),
            }
        )
    return {"protocol": "displaced_starts", "starts": starts, "runs": runs}


def arm_starts(count: int, scene: bool = True) -> dict[str, Any]:
    """Starts of a gripper over a table, metres."""
    x, y = np.random.default_rng(0).uniform([[1.19], [0.6]], [[1.49], [0.9]], (2, count))
    starts = {"x": [*x], "y": [*y], "cell": [0] * count, "cells": [""]}
    places = {"start": [1.342, 0.749], "object": [1.379, 0.787], "goal": [1.417, 0.824]}
    return {**starts, "scene": places} if scene else starts


def arm_outcomes(starts: dict[str, Any], reach: float, seeds: int = 3) -> list[list[bool]]:
    """Successes along the line from start to goal, as wide as `reach` in metres."""
    x, y = np.array(starts["x"]) - 1.342, np.array(starts["y"]) - 0.749
    along, across = (x + y) / 2**0.5, (y - x) / 2**0.5
    chance = np.exp(-((across / reach) ** 2)) * (along > -reach) * (along < 0.13)
    draws = np.random.default_rng(1).random((seeds, len(x)))
    return [[*(draw < chance)] for draw in draws]


def maze_starts(task: str, each: int) -> dict[str, Any]:
    """Starts in every free cell of a maze, metres; the origin is the centre of the start cell."""
    names, home = free_cells(task), np.array([*map(int, place(task, "S").split(","))])
    cell = np.repeat(np.arange(len(names)), each)
    centre = np.array([[*map(int, name.split(","))] for name in names])[cell] - home
    y, x = 4.0 * (centre + np.random.default_rng(2).uniform(-0.4, 0.4, centre.shape)).T
    marked = {"start_cell": place(task, "S"), "goal_cell": place(task, "G"), "start": [0.0, 0.0]}
    return {"x": [*x], "y": [*y], "cell": [*map(int, cell)], "cells": names, "scene": marked}


def maze_outcomes(starts: dict[str, Any], reach: float, seeds: int = 3) -> list[list[bool]]:
    """Successes that get rarer with the distance from the straight way."""
    x, y = np.array(starts["x"]), np.array(starts["y"])
    far = np.abs(y - y.max() / max(1.0, x.max()) * x) if y.min() > -3 else np.abs(y)
    draws = np.random.default_rng(3).random((seeds, len(x)))
    return [[*(draw < np.exp(-far / reach))] for draw in draws]


def finished(seeds: int = 3) -> list[Run]:
    """Runs without evaluations during training."""
    return [
        {"seed": seed, "status": "finished", "failure": None, "final": {"loss": 0.1}}
        for seed in range(seeds)
    ]


def space_of(bench: Bench) -> Workspace:
    """The workspace of a bench whose arms belong to BMIL, with BMIL's own description."""
    bench.arms = [replace(arm, paper="bmil") for arm in bench.arms]
    papers = CHECKOUT / "paper_tables"
    return Workspace(
        bench.root, bench.tier, TIERS, "listed", ("bmil",), bench.plan, TITLES, papers_dir=papers
    )


#: Starts on the table, and from which of them three runs of each method succeed.
ARM = arm_starts(40)
WON = {"il_bc": arm_outcomes(ARM, 0.03), "bmil_code": arm_outcomes(ARM, 0.07)}
