"""Which runs are diagnosed."""

from __future__ import annotations

from pathlib import Path

from paper_tables.plan import make_plan

ROOT = Path(__file__).resolve().parents[2]


def test_runs_of_the_experiments_that_ask_for_it_are_diagnosed() -> None:
    plan = make_plan("standard", root=ROOT)
    figures = ("figure3", "figure4")
    wanted = [arm for arm in plan.arms if arm.paper == "romi" and arm.experiment in figures]
    results = {path for arm in wanted for path in arm.results}
    folders = {str(Path(path).parent) for path in results}
    assert folders and {str(Path(path).parent) for path in plan.diagnoses()} == folders
    assert len(plan.diagnoses()) == 2 * len(folders)
    assert plan.diagnoses("romi", "table3") == []
    # figures show the runs of table 3, they add none
    assert results <= set(plan.results("romi", "table3"))


def test_fits_are_never_diagnosed() -> None:
    plan = make_plan("standard", root=ROOT)
    assert all("/runs/" in path for path in plan.diagnoses())
    assert all(not arm.diagnoses for arm in plan.arms if arm.stage == "fit")
