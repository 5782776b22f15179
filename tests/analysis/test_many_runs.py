"""Ten thousand runs, through files on disk: the analysis stays fast and small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from result_sets import CHECKOUT


def script(folder: Path) -> dict[str, float]:
    """Run the script in a process of its own, so that its memory is its own too."""
    file = Path(__file__).with_name("many_runs.py")
    paths = os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(file), str(folder), "20"],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_ten_thousand_runs_take_less_than_a_minute_and_two_gigabytes(tmp_path: Path) -> None:
    assert script(tmp_path)["runs"] >= 10_000
    found = script(tmp_path)
    assert found["judged"] > 60
    assert found["total"] < 60, found
    assert found["peak_mb"] < 1500, found
