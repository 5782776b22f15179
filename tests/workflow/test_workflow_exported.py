"""Runs that were exported are not run again, and the report is told where they are."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from paper_tables.exported import NEEDED, exported_seeds
from paper_tables.plan import Arm, make_plan

PAPER = "paper_tables/romi/experiments.yaml"


def write_export(folder: Path, arms: list[Arm], seeds: tuple[int, ...]) -> Path:
    """The lines of `runs.csv` that the plan looks at."""
    folder.mkdir(parents=True)
    with (folder / "runs.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, NEEDED)
        writer.writeheader()
        for arm in arms:
            one = {"algo": arm.algo, "task": arm.task, "cell": arm.cell, "status": "finished"}
            rest = {"digest": arm.digest[:16], "updates": 40, "precision": "float32"}
            writer.writerows({**one, **rest, "seed": seed} for seed in seeds)
    return folder


def plan_of(workflow: Any) -> dict[str, Arm]:
    return {arm.algo: arm for arm in make_plan("tiny", root=workflow.root).arms}


def jobs(workflow: Any, *words: str) -> set[str]:
    """Algorithms that a dry run would train, and `fit` and `report`."""
    done = workflow.snakemake("-n", *words, "--printshellcmds")
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    names = {name for name in ("bc", "bcq", "romi_bcq") if f'"algo":"{name}"' in text}
    return names | {name for name in ("fit", "tables", "data") if f"rule {name}:" in text}


def test_exported_runs_are_not_run_again(fresh: Any) -> None:
    arms = plan_of(fresh)
    write_export(fresh.root / "mine" / "deeper", [arms["bcq"], arms["romi_bcq"]], (0, 1))
    words = ("all", "--config", "tier=tiny", "exported=mine")
    assert jobs(fresh, *words) == {"bc", "data", "tables"}  # nor the model of romi_bcq
    assert jobs(fresh, "romi_main", *words[1:]) == {"bc", "data"}
    assert jobs(fresh, "results", *words[1:]) == {"bc", "data"}
    assert jobs(fresh, *words[:3]) == {"bc", "bcq", "romi_bcq", "fit", "data", "tables"}


def test_a_block_with_a_run_that_was_not_exported_is_run(fresh: Any) -> None:
    arms = plan_of(fresh)
    write_export(fresh.root / "mine", [arms["bc"]], (0,))
    words = ("romi_main", "--config", "tier=tiny", "exported=mine")
    assert "bc" in jobs(fresh, *words)


def test_runs_of_another_version_are_run(fresh: Any) -> None:
    write_export(fresh.root / "mine", [plan_of(fresh)["bc"]], (0, 1))
    fresh.edit("config/algos/bc.yaml", lambda c: c.update(version=99))
    assert "bc" in jobs(fresh, "romi_main", "--config", "tier=tiny", "exported=mine")


def test_a_target_that_was_exported_as_a_whole_is_reported(fresh: Any) -> None:
    write_export(fresh.root / "my runs", [*plan_of(fresh).values()], (0, 1))
    words = ("--cores", "1", "romi_main", "--config", "tier=tiny", "exported=my runs")
    done = fresh.snakemake(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    options = ["--tier", "tiny", "--exported", "my runs"]
    assert fresh.calls() == [["-m", "analysis.report", *options]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "mine: no runs.csv in or below it; python -m analysis.export writes it"),
        ("seed,digest\n0,abc\n", "mine/runs.csv: no column 'algo'; wanted is a file of python -m"),
        (f"{','.join(NEEDED)}\na,b\n", "mine/runs.csv, line 2: 2 cells, wanted 8"),
        (f"{','.join(NEEDED)}\n,,,x,,,,\n", "mine/runs.csv, line 2: seed is 'x', wanted a number"),
    ],
)
def test_a_folder_without_exported_runs_is_told(fresh: Any, text: str | None, message: str) -> None:
    if text:
        (fresh.root / "mine").mkdir()
        (fresh.root / "mine" / "runs.csv").write_text(text, encoding="utf-8")
    done = fresh.snakemake("-n", "all", "--config", "tier=tiny", "exported=mine")
    assert done.returncode == 1
    assert message in done.stdout + done.stderr


def test_seeds_of_several_folders_are_joined(fresh: Any) -> None:
    arms = plan_of(fresh)
    one = write_export(fresh.root / "one", [arms["bc"]], (0,))
    two = write_export(fresh.root / "two", [arms["bc"], arms["bcq"]], (1, 5))
    found = exported_seeds([one, two])
    assert found.seeds == {
        arms["bc"].digest[:16]: {0, 1, 5},
        arms["bcq"].digest[:16]: {1, 5},
    }
    assert found.has(arms["bc"].digest, (0, 1), diagnosed=False)
    assert not found.has(arms["bc"].digest, (0, 2), diagnosed=False)
    assert not found.has(arms["bc"].digest, (0, 1), diagnosed=True)


def test_runs_whose_diagnosis_was_not_exported_are_run(fresh: Any) -> None:
    fresh.edit(PAPER, lambda c: c["experiments"]["main"].update(diagnose=True))
    folder = write_export(fresh.root / "mine", [plan_of(fresh)["bc"]], (0, 1))
    words = ("all", "--config", "tier=tiny", "exported=mine")
    assert "bc" in jobs(fresh, *words)
    path = folder / "runs.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    ends = ["diagnosis.discrepancy", *["0.5"] * (len(lines) - 1)]
    rows = [*map(",".join, zip(lines, ends, strict=True))]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert "bc" not in jobs(fresh, *words)
    # a failed run counts as run: it has no diagnosis and never will
    rows[1] = rows[1].replace("finished", "failed").removesuffix("0.5")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert "bc" not in jobs(fresh, *words)
    # a finished one without the numbers does not
    rows[2] = rows[2].removesuffix("0.5")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    assert "bc" in jobs(fresh, *words)


def test_a_changed_export_makes_the_report_anew(done: Any) -> None:
    folder = write_export(done.root / "mine", [plan_of(done)["bc"]], (0, 1))
    words = ("all", "--config", "tier=tiny", "exported=mine")
    assert done.snakemake("--cores", "1", *words).returncode == 0
    assert jobs(done, *words) == set()
    path = folder / "runs.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",40,", ",41,"), encoding="utf-8")
    assert jobs(done, *words) == {"tables"}


def test_spreadsheets_and_whole_digests_are_read(fresh: Any) -> None:
    arm = plan_of(fresh)["bc"]
    path = write_export(fresh.root / "mine", [arm], (0, 1)) / "runs.csv"
    text = path.read_text(encoding="utf-8").replace(arm.digest[:16], arm.digest.upper())
    path.write_text(text, encoding="utf-8-sig")
    assert "bc" not in jobs(fresh, "romi_main", "--config", "tier=tiny", "exported=mine")
    assert "bc" in jobs(fresh, "romi_main", "--config", "tier=tiny", "exported=")
