"""The suite's ablations ask their question of every method that has the axis."""

from __future__ import annotations

from pathlib import Path

from paper_tables.plan import make_plan
from paper_tables.registry import read_registry

ROOT = Path(__file__).resolve().parents[2]
#: Value that a method of the suite's `rollout_length` must be run at more than one of.
AXES = {"rollout_length": "horizon"}


def test_every_method_with_the_axis_is_in_the_ablation() -> None:
    registry = read_registry(ROOT / "config", ROOT)
    plan = make_plan("paper", ["suite"], ROOT)
    for experiment, key in AXES.items():
        having = {
            name
            for name, algo in registry.algos.items()
            if key in algo.keys and algo.file.stage == "train"
        }
        values: dict[str, set[object]] = {}
        for arm in plan.arms:
            if arm.experiment == experiment:
                values.setdefault(arm.algo, set()).add(arm.hyperparameters[key])
        assert set(values) == having
        assert all(len(found) >= 3 for found in values.values())


def test_the_target_joins_the_papers_and_the_suite() -> None:
    plan = make_plan("paper", None, ROOT)
    joined = {(arm.paper, arm.experiment) for arm in plan.arms if arm.axis == "rollout_length"}
    assert joined >= {("romi", "table10"), ("romi", "table11"), ("suite", "rollout_length")}
    own = set(plan.results("suite", "rollout_length"))
    assert own <= set(plan.results(axis="rollout_length"))
    # Runs of table 10 are the suite's too: the same cell of the same tier.
    assert own & set(plan.results("romi", "table10"))
