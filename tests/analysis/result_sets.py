"""Hand-made result sets: a small plan, its result files and the papers' descriptions."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from analysis.load import Results, load
from analysis.workspace import Workspace
from paper_tables import paths
from paper_tables.digest import spec_digest
from paper_tables.plan import Arm, Plan
from paper_tables.schema import Tier, TiersFile, read_model

CHECKOUT = Path(__file__).parents[2]
TIERS = tuple(read_model(TiersFile, CHECKOUT / "config" / "tiers.yaml").tiers)
TITLES = {"romi_bcq": "ROMI-BCQ", "fomi_bcq": "FOMI-BCQ", "bcq": "BCQ", "bc": "BC"}
UMAZE, MEDIUM = "maze2d-umaze-v1", "maze2d-medium-v1"

Run = dict[str, Any]


def run(seed: int, score: float, goal_hold: float = 0.4, **final: float | None) -> Run:
    """A finished run with two evaluations, the second at its final score."""
    values = {"score": score, "goal_hold": goal_hold, "mean_q": 4.5, **final}
    return {
        "seed": seed,
        "status": "finished",
        "failure": None,
        "final": values,
        "evaluations": [
            {"update": 500, "score": score / 2, "goal_hold": goal_hold / 2, "mean_q": 2.0},
            {"update": 1000, "score": score, "goal_hold": goal_hold, "mean_q": 4.5},
        ],
    }


def runs(scores: Sequence[float], goal_hold: float = 0.4) -> list[Run]:
    """Finished runs of seeds 0, 1, .. with these scores."""
    return [run(seed, score, goal_hold) for seed, score in enumerate(scores)]


def failed_run(seed: int) -> Run:
    """A run whose critic diverged."""
    return {
        "seed": seed,
        "status": "failed",
        "failure": {"update": 1200, "reason": "critic loss is not finite"},
        "final": None,
        "evaluations": [{"update": 500, "score": -3.0, "goal_hold": 0.0, "mean_q": 900.0}],
    }


@dataclass
class Bench:
    """A project folder under construction."""

    root: Path
    tier: str = "quick"
    judged: str = "listed"
    experiment: str = "maze2d_small"
    arms: list[Arm] = field(default_factory=list)

    def arm(
        self,
        algo: str,
        content: Sequence[Run] | None,
        task: str = UMAZE,
        seeds: Sequence[int] = (0, 1, 2),
        blocks: int = 1,
        overrides: Mapping[str, Any] | None = None,
        experiment: str | None = None,
        reason: str | None = None,
        stage: Literal["train", "fit"] = "train",
        budget_changes: Mapping[str, tuple[Any, Any]] | None = None,
        **changes: Any,
    ) -> Arm:
        """Plan an arm and write its runs (None: no file); `changes` alter the result files."""
        overrides = {"networks": "small"} if overrides is None else dict(overrides)
        cell = paths.cell_name(overrides)
        spec = {
            "stage": "train",
            "algo": algo,
            "task": task,
            "precision": "float32",
            "hyperparameters": {
                "updates": 1000,
                "report_evaluations": 3,
                "evaluation_episodes": 14,
                "evaluation_start": "random",
                **overrides,
            },
        }
        size = max(1, len(seeds) // blocks)
        groups = [tuple(seeds[i : i + size]) for i in range(0, len(seeds), size)]
        place = paths.TierPaths(self.tier).run
        results = [
            f"{place(algo, task, cell, paths.seed_folder(group))}/result.json" for group in groups
        ]
        arm = Arm(
            "romi",
            experiment or self.experiment,
            algo,
            task,
            cell,
            overrides=overrides,
            seeds=tuple(seeds),
            status="not implemented" if reason else "planned",
            reason=reason,
            results=() if reason else tuple(results),
            digest=spec_digest(spec),
            stage=stage,
            hyperparameters={"horizon": 5, **spec["hyperparameters"]},
            budget_changes=budget_changes or {},
        )
        self.arms.append(arm)
        if content is not None:
            for group, path in zip(groups, results, strict=True):
                own = [entry for entry in content if entry["seed"] in group]
                self.write(path, {**spec, "seeds": list(group)}, own, **changes)
        return arm

    def write(self, path: str, spec: Mapping[str, Any], own: list[Run], **changes: Any) -> None:
        """Write one result file; keyword arguments replace its fields."""
        content = {
            "schema": 1,
            "digest": spec_digest(dict(spec)),
            "tier": self.tier,
            "spec": spec,
            "runs": own,
            "evaluation": {
                "protocol": "stratified",
                "episodes_per_start": 3,
                "runs": [{"seed": entry["seed"], "score": 1.0} for entry in own],
            },
            "fits": {
                "dynamics": {
                    "digest": "f",
                    "runs": [{"seed": e["seed"], "holdout_mse": 0.002} for e in own],
                }
            },
            "wall_seconds": 60.0,
            "cpu_seconds": 55.0,
            "environment_steps": 0,
            "gradient_updates": 1000 * len(own),
            "peak_memory_bytes": 1,
            "versions": {"python": "3.11.7", "torch": "2.13.0", "hindcast": "abc1234"},
            "hardware": {"cpu": "Test CPU", "cores": 2, "device": "cpu", "gpu": None},
            "precision": "float32",
            "data": [
                {"seed": e["seed"], "source": "local", "generator": "waypoint", "sha256": "0"}
                for e in own
            ],
        } | changes
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content), encoding="utf-8")

    def change(self, arm: Arm, **fields: Any) -> None:
        """Replace fields in the first result file of an arm."""
        file = self.root / arm.results[0]
        content = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps(content | fields), encoding="utf-8")

    @property
    def plan(self) -> Plan:
        """The plan of the arms so far."""
        settings = Tier(title="a test", judged=self.judged, seeds=3, experiments={})
        return Plan(self.tier, settings, tuple(self.arms), jobs={}, blocked={})

    @property
    def space(self) -> Workspace:
        """The workspace of the arms so far, with the real description of ROMI."""
        folder = self.root / "paper_tables" / "romi"
        if not folder.is_dir():
            shutil.copytree(CHECKOUT / "paper_tables" / "romi", folder)
        judged = self.plan.settings.judged
        config = CHECKOUT / "config"
        return Workspace(
            self.root, self.tier, TIERS, judged, ("romi",), self.plan, TITLES, config=config
        )

    def results(self) -> Results:
        """What loading finds."""
        return load(self.plan, self.root)


def learning_curve(seed: int, level: float, q: float, points: int = 5, last: int = 12500) -> Run:
    """A smooth made-up learning curve that ends near `level`."""
    updates = [last * (i + 1) // points for i in range(points)]
    evaluations = [
        {
            "update": update,
            "score": -15
            + (level + 15) * (1 - math.exp(-3.0 * update / last))
            + 4 * math.sin(seed + i),
            "goal_hold": max(0.0, 0.012 * level * update / last + 0.03 * math.sin(2 * seed + i)),
            "mean_q": q * update / last + 0.2 * math.sin(seed + i),
        }
        for i, update in enumerate(updates)
    ]
    final = {
        key: sum(e[key] for e in evaluations[-3:]) / 3 for key in ("score", "goal_hold", "mean_q")
    }
    return {
        "seed": seed,
        "status": "finished",
        "failure": None,
        "final": final,
        "evaluations": evaluations,
    }
