"""Fixtures of the analysis tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_sets import Bench, runs


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty project folder, tier quick."""
    return Bench(tmp_path)


@pytest.fixture
def standard(bench: Bench) -> Bench:
    """The quick tier's two arms, all finished: a clear gap and three runs each."""
    bench.arm("bcq", runs([-9.0, -6.0, 2.0], goal_hold=0.1))
    bench.arm("romi_bcq", runs([20.0, 22.0, 50.0], goal_hold=0.7))
    return bench
