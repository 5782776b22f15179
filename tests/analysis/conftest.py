"""Fixtures of the analysis tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from result_sets import Bench, runs
from start_sets import ARM, PUSH, WON, evaluation, finished


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


@pytest.fixture
def pushes(tmp_path: Path) -> Bench:
    """BC and BMIL on push, three runs in a block each, with their outcomes from displaced starts."""
    bench = Bench(tmp_path, experiment="table1")
    for algo, won in WON.items():
        arm = bench.arm(algo, finished(), task=PUSH, blocks=3)
        for seed, path in enumerate(arm.results):
            content = json.loads((bench.root / path).read_text(encoding="utf-8"))
            content["evaluation"] = evaluation(ARM, [won[seed]], first=seed)
            (bench.root / path).write_text(json.dumps(content), encoding="utf-8")
    return bench
