"""Made-up diagnoses of umaze runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from paper_tables.paths import diagnosis_files
from paper_tables.plan import Arm

LETTERS = ("#####", "#GOO#", "###O#", "#OOO#", "#####")
WALLS = [[letter == "#" for letter in line] for line in LETTERS]
STARTS = [(1, 2), (1, 3), (2, 3), (3, 1), (3, 2), (3, 3), (1, 1)]
MAZE = {
    "name": "umaze",
    "walls": WALLS,
    "goal": [1, 1],
    "goal_radius": 0.5,
    "frame_offset": 0.2,
    "steps_to_goal": [1, 2, 3, 6, 5, 4, 0],
}


def ramp(start: Any, end: Any, count: int) -> np.ndarray:
    """Straight lines ``[N, count, 2]`` from the rows of ``start`` to those of ``end``."""
    share = np.linspace(0, 1, count)[:, None]
    lines: np.ndarray = np.asarray(start)[:, None] * (1 - share) + np.asarray(end)[:, None] * share
    return lines


def write_diagnosis(
    root: Path, arm: Arm, discrepancy: list[float], imagines: bool = True, **changes: Any
) -> Path:
    """Write the diagnosis of an arm's only block, with the runs of seeds 0, 1, .."""
    numbers, archive = (root / name for name in diagnosis_files(arm.results[0]))
    arrays = {"data": ramp([(3.0, 1.0)] * 5, [(3.0, 3.0)] * 5, 30)}
    entries = []
    for seed, value in enumerate(discrepancy):
        entry = {"seed": seed, "discrepancy": value, "discrepancy_xy": value / 4, "goal_hold": 0.25,
                 "first_hit": None, "discrepancy_by_episode": [value]}  # fmt: skip
        arrays[f"paths/{seed}"] = ramp(STARTS, [(1.0, 1.0 + seed / 10)] * 7, 20)
        if imagines:
            entry["imagined_wall_fraction"] = 0.013
            arrays[f"chains/{seed}"] = ramp([(3.0, 3.0)] * 9, [(2.9, 2.9)] * 9, 6)
        entries.append(entry)
    np.savez(archive, **arrays)  # type: ignore[arg-type]
    content = {
        "schema": 1,
        "digest": arm.digest,
        "start_names": [f"{r},{c}" for r, c in STARTS],
        "maze": MAZE,
        "runs": entries,
    }
    numbers.write_text(json.dumps(content | changes), encoding="utf-8")
    return numbers
