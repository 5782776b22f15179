"""A synthetic tier of thousands of runs, as files: the published grid, were all of it implemented.

``python tests/analysis/many_runs.py FOLDER EVALUATIONS`` writes it (once) and prints what it takes to
judge it.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from result_sets import CHECKOUT, TIERS, TITLES

from analysis import claims
from analysis.report import write_tables
from analysis.workspace import Workspace
from paper_tables import paths
from paper_tables.digest import spec_digest
from paper_tables.plan import Arm, Plan, make_plan

SEEDS, BLOCK = 20, 5
METRICS = ("score", "return", "goal_hold", "start_value", "discounted_return", "overestimation")
LOSSES = ("mean_q", "critic_loss", "actor_loss", "vae_loss")


def workspace(root: Path) -> Workspace:
    """Tier `paper` of ROMI and the suite with 20 seeds, every algorithm taken as implemented."""
    plan = make_plan("paper", ["romi", "suite"], root=CHECKOUT)
    arms = tuple(_planned(arm)[0] for arm in plan.arms)
    whole = Plan("paper", plan.settings, arms, jobs={}, blocked={})
    folder = CHECKOUT / "paper_tables"
    return Workspace(root, "paper", TIERS, "all", ("romi", "suite"), whole, TITLES, folder)


def write_all(space: Workspace, evaluations: int) -> int:
    """Write the result files of every arm; returns the number of runs."""
    generator = np.random.default_rng(0)
    written = set()
    for arm in space.plan.arms:
        spec = _planned(arm)[1]
        for block, path in enumerate(arm.results):
            if path not in written:
                written.add(path)
                seeds = list(arm.seeds[block * BLOCK : (block + 1) * BLOCK])
                _write(space.root / path, spec | {"seeds": seeds}, generator, evaluations)
    return len(written) * BLOCK


def measure(space: Workspace) -> dict[str, float]:
    """Ledger, tables and tidy frames of a tier: CPU seconds of each, and peak memory in MB."""
    seconds: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        seconds[name] = time.process_time() - start
        return result

    results = timed("load", space.load)
    entries = timed("judge", lambda: claims.judge_all(space, results))
    timed("ledger", lambda: claims.write(entries, space))
    timed("tables", lambda: [write_tables(space, p, results, entries) for p in space.papers])
    timed("frames", lambda: (results.runs, results.evaluations))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    judged = sum(entry.judged for entry in entries)
    total = sum(seconds.values())
    return {**seconds, "total": total, "peak_mb": peak, "judged": judged, "claims": len(entries)}


def _planned(arm: Arm) -> tuple[Arm, dict[str, Any]]:
    """The arm with result files, whether its algorithm exists or not."""
    seeds = tuple(range(SEEDS))
    spec = {
        "stage": "train",
        "algo": arm.algo,
        "task": arm.task,
        "precision": "float32",
        "hyperparameters": {**arm.hyperparameters, "report_evaluations": 10},
    }
    place = paths.TierPaths("paper").run
    blocks = [seeds[i : i + BLOCK] for i in range(0, SEEDS, BLOCK)]
    cell = paths.cell_folder(arm.cell)
    files = [f"{place(arm.algo, arm.task, cell, paths.seed_folder(b))}/result.json" for b in blocks]
    changed = dataclasses.replace(
        arm,
        seeds=seeds,
        status="planned",
        reason=None,
        results=tuple(files),
        digest=spec_digest(spec),
        hyperparameters=spec["hyperparameters"],
    )
    return changed, spec


def _write(
    file: Path, spec: dict[str, Any], generator: np.random.Generator, evaluations: int
) -> None:
    runs = [_run(seed, generator, evaluations) for seed in spec["seeds"]]
    diagnosed = [
        {"seed": run["seed"], "discrepancy": 0.1 + generator.random(), "goal_hold": 0.5}
        for run in runs
    ]
    digest = spec_digest({k: v for k, v in spec.items() if k != "seeds"})
    content = {
        "schema": 1,
        "digest": digest,
        "tier": "paper",
        "spec": spec,
        "runs": runs,
        "evaluation": {
            "protocol": "stratified",
            "runs": [{"seed": r["seed"], "score": 1.0} for r in runs],
        },
        "fits": {
            "dynamics": {
                "digest": "f",
                "runs": [{"seed": r["seed"], "holdout_mse": 0.002} for r in runs],
            }
        },
        "wall_seconds": 60.0,
        "environment_steps": 0,
        "gradient_updates": 1_000_000 * len(runs),
        "versions": {"python": "3.11.7", "torch": "2.13.0", "hindcast": "abc1234"},
        "hardware": {"cpu": "Test CPU", "cores": 2, "device": "cpu", "gpu": None},
        "precision": "float32",
        "data": [
            {
                "seed": s,
                "source": "local",
                "generator": "waypoint",
                "sha256": "0",
                "transitions": 1_000_000,
            }
            for s in spec["seeds"]
        ],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    diagnosis = {"schema": 1, "digest": digest, "runs": diagnosed}
    file.with_name("diagnosis.json").write_text(json.dumps(diagnosis), encoding="utf-8")


def _run(seed: int, generator: np.random.Generator, evaluations: int) -> dict[str, Any]:
    names = (*METRICS, *LOSSES)
    curve = np.cumsum(generator.normal(0.5, 4.0, size=(evaluations, len(names))), axis=0)
    points = [
        {
            "update": 1_000_000 * (i + 1) // evaluations,
            **dict(zip(names, row, strict=True)),
            "returns_by_start": {f"1,{start}": row[0] for start in range(7)},
        }
        for i, row in enumerate(curve.tolist())
    ]
    final = dict(zip(names, curve[-1].tolist(), strict=True)) | {"holdout_mse": generator.random()}
    return {
        "seed": seed,
        "status": "finished",
        "failure": None,
        "final": final,
        "evaluations": points,
    }


if __name__ == "__main__":
    place = workspace(Path(sys.argv[1]))
    if not (place.root / "results").is_dir():
        print(json.dumps({"runs": write_all(place, int(sys.argv[2]))}))
    else:
        print(json.dumps(measure(place)))
