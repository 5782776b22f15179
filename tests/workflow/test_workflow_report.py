"""What `snakemake --report` shows of a tier."""

from __future__ import annotations

from pathlib import Path

import pytest

from paper_tables.dag import Dag
from paper_tables.paths import TABLE_FORMATS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def dag() -> Dag:
    return Dag({"tier": "smoke"})


def test_every_output_is_declared_once(dag: Dag) -> None:
    plain, shown = dag.report_files(), dag.report_entries()
    assert not set(plain) & set(shown)
    assert len({*plain, *shown}) == len(plain) + len(shown)
    tables = [file for file in [*plain, *shown] if "/tables/romi/table3." in file]
    assert sorted(file.rpartition(".")[2] for file in tables) == sorted(TABLE_FORMATS)


def test_captions_exist_and_labels_tell_files_apart(dag: Dag) -> None:
    entries = dag.report_entries()
    assert {"results/{tier}/report.html", "results/{tier}/claims.csv"} <= set(entries)
    for file, entry in entries.items():
        assert (ROOT / entry["caption"]).is_file(), file
    keys = [(entry["category"], tuple(entry["labels"].values())) for entry in entries.values()]
    assert len(set(keys)) == len(keys)
    assert entries["results/{tier}/tables/romi/table3.html"]["category"] == "romi"


def test_a_tier_asks_for_its_page(dag: Dag) -> None:
    assert "results/smoke/report.html" in dag.tier_files("smoke")
