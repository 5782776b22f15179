"""ROMI's own tables, filled from made-up runs of the experiments that their layouts name."""

from __future__ import annotations

from pathlib import Path

import pytest
from result_sets import MEDIUM, UMAZE, Bench, runs

from analysis.tables import Row, build_table

#: Made-up scores at each rollout length; the paper has 82.0, 139.5, 134.4 and 135.6 on umaze.
SCORES = {
    1: (80.0, 84.0, 88.0),
    5: (130.0, 140.0, 150.0),
    10: (90.0, 95.0, 100.0),
    20: (1.0, 2.0, 3.0),
}


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    """Table 10 with umaze run at every length, medium at none but the table's own setting."""
    bench = Bench(tmp_path, tier="paper", experiment="table10")
    for horizon, scores in SCORES.items():
        overrides = {} if horizon == 5 else {"horizon": horizon}
        bench.arm("romi_bcq", runs(scores), overrides=overrides)
    bench.arm("romi_bcq", runs((60.0, 70.0, 80.0)), task=MEDIUM, overrides={})
    space = bench.space
    layout = space.layout("romi").tables["table10"]
    published = space.published("romi")
    table = build_table("table10", layout, space, "romi", bench.results(), published, [])
    return list(table.rows)


def test_table10_shows_each_length_beside_the_papers(rows: list[Row]) -> None:
    umaze = [row for row in rows if row.task == UMAZE]
    assert [row.label for row in umaze] == [
        f"ROMI-BCQ, {n} step{'s' if n > 1 else ''}" for n in SCORES
    ]
    assert [row.runs for row in umaze] == list(SCORES.values())
    assert [row.published.mean for row in umaze if row.published] == [82.0, 139.5, 134.4, 135.6]
    assert [row.gap.mean for row in umaze if row.gap] == pytest.approx([2.0, 0.5, -39.4, -133.6])


def test_table10_leaves_out_what_did_not_run(rows: list[Row]) -> None:
    medium = [row for row in rows if row.task == MEDIUM]
    assert [row.ours is None for row in medium] == [True, False, True, True]
    assert all(row.published is not None for row in rows)
    assert len(rows) == 6 * len(SCORES)
