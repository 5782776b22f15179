"""`make all` and `make smoke` end with a report also when a job failed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")


def make(folder: Path, target: str, *, snakemake: int, python: int = 0) -> tuple[int, list[str]]:
    """Exit code of `make`, and the modules that were run after a snakemake that ends with a code."""
    tools = folder / "venv/bin"
    tools.mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "venv/.installed"):
        (folder / name).touch()
    for tool, code in {"snakemake": snakemake, "python": python}.items():
        script = f'#!/bin/sh\necho "{tool} $*" >> "{folder}/calls"\nexit {code}\n'
        (tools / tool).write_text(script)
        (tools / tool).chmod(0o755)
    words = ["make", "-f", str(ROOT / "Makefile"), target, "VENV=venv", "CORES=2"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.returncode, (folder / "calls").read_text().splitlines()


@pytest.mark.parametrize(("target", "tier"), [("all", "quick"), ("smoke", "smoke")])
def test_a_failed_job_leaves_a_report(tmp_path: Path, target: str, tier: str) -> None:
    code, calls = make(tmp_path, target, snakemake=1)
    assert code != 0
    assert calls == [
        f"snakemake --cores 2 --config tier={tier} -- all",
        f"python -m analysis.report --tier {tier}",
        f"python -m analysis.summary --tier {tier}",
    ]


def test_the_report_of_the_workflow_is_not_made_twice(tmp_path: Path) -> None:
    code, calls = make(tmp_path, "all", snakemake=0)
    assert code == 0
    assert [call.split()[:3] for call in calls[1:]] == [["python", "-m", "analysis.summary"]]


def test_a_page_that_cannot_be_printed_is_an_error(tmp_path: Path) -> None:
    assert make(tmp_path, "all", snakemake=0, python=2)[0] != 0
