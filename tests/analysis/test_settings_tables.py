"""Tables of settings: ours beside the paper's, and a mark with its reason where they differ."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from result_sets import CHECKOUT, TIERS, Bench

from analysis import settings_tables
from analysis.layout import TableLayout, read_layout
from analysis.published import Published, Value, read_published
from analysis.settings_tables import SettingsTable, build, compare
from paper_tables.errors import PlanError
from paper_tables.registry import read_papers, read_registry
from paper_tables.schema import parse

ROMI = CHECKOUT / "paper_tables" / "romi"
REGISTRY = read_registry(CHECKOUT / "config")
DENSE, HOPPER = "maze2d-umaze-dense-v1", "hopper-medium-v2"
TABLE6 = {
    "table": "6",
    "kind": "settings",
    "title": "Table 6",
    "unit": "Returns",
    "note": "A note.",
    "columns": {"ref_min": "low", "episode_length": "steps"},
    "sections": [{"title": "maze2d", "tasks": [DENSE]}, {"title": "gym", "tasks": [HOPPER]}],
}
TABLE7 = {
    "table": "7",
    "kind": "settings",
    "title": "Table 7",
    "unit": "Settings",
    "reference": "romi",
    "columns": {"eta": "share", "rollout_policy": "policy"},
    "sections": [{"title": "maze2d", "algo": "romi_bcq", "tasks": [DENSE]}],
}


def layout(content: dict[str, Any], **changes: Any) -> TableLayout:
    return parse(TableLayout, content | changes, "tables.yaml")


def value(mean: float, note: str = "", metric: str = "ref_min", task: str = DENSE) -> Value:
    return Value("6", task, "", "", metric, mean, math.nan, "none", None, "", note)


def romi(name: str) -> SettingsTable:
    one = read_layout(ROMI / "tables.yaml", TIERS).tables[name]
    return build(f"romi-{name}", one, REGISTRY, read_published(ROMI / "reference.csv"))


GOLDEN = """\
**Table 6. Returns.**

| Task | low, ours | low, paper | steps, ours | steps, paper |
| --- | ---: | ---: | ---: | ---: |
| maze2d-umaze-dense-v1 | 68.537689 (a) | 68.54 | 300 | 300 |
| hopper-medium-v2 | \N{MINUS SIGN}20.272305 (b) | \N{MINUS SIGN}20.2 | 1000 | \N{EN DASH} |

- A note.
- (a) the paper's number is ours, rounded.
- (b) not the paper's; a slip.
"""


@pytest.fixture
def table() -> SettingsTable:
    """One row rounded and equal, one different and not reported."""
    published = Published(
        (
            value(68.54, "the constant"),
            value(300.0, metric="episode_length"),
            value(-20.2, "a slip", task="hopper-*"),
        )
    )
    return build("romi-table6", layout(TABLE6), REGISTRY, published)


def test_golden_markdown(table: SettingsTable) -> None:
    assert settings_tables.markdown(table) == GOLDEN


def test_csv_has_all_digits_and_says_how_each_differs(table: SettingsTable) -> None:
    assert settings_tables.comma_separated(table).splitlines() == [
        "section,task,setting,ours,paper,difference",
        f"maze2d,{DENSE},ref_min,68.537689,68.54,rounded",
        f"maze2d,{DENSE},episode_length,300,300,same",
        f"gym,{HOPPER},ref_min,-20.272305,-20.2,different",
        f"gym,{HOPPER},episode_length,1000,,not reported",
    ]


def test_latex_has_as_many_columns_as_the_header(table: SettingsTable) -> None:
    text = settings_tables.latex(table)
    rows = [line for line in text.splitlines() if " & " in line]
    assert {line.count(" & ") for line in rows} == {4} and len(rows) == 3
    assert r"\begin{tabular}{@{}lrrrr@{}}" in text and r"$-$20.272305 (b)" in text


@pytest.mark.parametrize(
    ("ours", "paper", "difference"),
    [
        (0.7, 0.7, "same"),
        (193.66285642381482, 193.66, "rounded"),
        (193.666, 193.66, "different"),
        (5.0, 1.0, "different"),
        (20.272305, -20.272305, "different"),
        (None, 1.0, "different"),
    ],
)
def test_numbers(ours: float | None, paper: float, difference: str) -> None:
    assert compare(ours, value(paper)) == (paper, difference)


def test_words_stand_in_the_note() -> None:
    assert compare("uniform", value(math.nan, "uniform")) == ("uniform", "same")
    assert compare("uniform", value(math.nan, "cvae")) == ("cvae", "different")
    assert compare("uniform", None) == (None, "not reported")


def test_romis_table6_is_d4rls_up_to_rounding() -> None:
    """Six dense constants and the lower one of three robots on four data sets each."""
    settings = [setting for row in romi("table6").rows for setting in row.settings]
    assert Counter(s.difference for s in settings) == {"same": 72 - 18, "rounded": 18}
    assert {s.mark for s in settings} == {"", "a"}


def test_romis_table7_is_what_is_configured() -> None:
    rows = {row.task: [s.ours for s in row.settings] for row in romi("table7").rows}
    assert len(rows) == 24
    assert rows["maze2d-large-v1"] == [5.0, 0.3, "uniform"]
    assert rows["walker2d-random-v2"] == [1.0, 0.1, "cvae"]
    assert all(s.difference == "same" for row in romi("table7").rows for s in row.settings)


def test_a_setting_of_the_algorithm_that_is_not_the_papers_is_marked() -> None:
    published = Published(
        (Value("7", "*", "romi", "base", "eta", 0.1, math.nan, "none", None, "", ""),)
    )
    (row,) = build("t", layout(TABLE7), REGISTRY, published).rows
    assert [(s.ours, s.paper, s.mark) for s in row.settings] == [
        (0.7, 0.1, "a"),
        ("uniform", None, ""),
    ]


def test_the_report_writes_them_without_any_run(bench: Bench) -> None:
    settings_tables.write_settings_tables(bench.space, "romi")
    folder = bench.root / "results/quick/tables/romi"
    assert sorted(path.name for path in folder.iterdir()) == [
        f"table{n}.{suffix}" for n in (6, 7) for suffix in ("csv", "html", "md", "tex")
    ]


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (TABLE6, {"columns": {"ref_mim": "x"}}, "setting of a task 'ref_mim'; nearest: 'ref_min'"),
        (TABLE7, {"columns": {"etta": "x"}}, "key of romi_bcq 'etta'; nearest: 'eta'"),
        (
            TABLE6,
            {"sections": [{"title": "gym", "tasks": ["hoper-medium-v2"]}]},
            "task 'hoper-medium-v2'; nearest: 'hopper-medium-v2'",
        ),
    ],
)
def test_what_is_not_configured_is_named(
    content: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        build("t", layout(content, **changes), REGISTRY, Published())


@pytest.mark.parametrize(
    "changes",
    [
        {"columns": {}},
        {"metric": "eta"},
        {"kind": "comparison"},
        {"kind": "comparison", "columns": {}, "reference": "", "metric": "score"},
    ],
)
def test_a_layout_that_mixes_kinds_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match=r"table of settings has|comparison has"):
        layout(TABLE7, **changes)


@pytest.mark.parametrize("paper", sorted(read_papers(CHECKOUT / "paper_tables")))
def test_settings_of_every_paper_are_those_published(paper: str) -> None:
    folder = CHECKOUT / "paper_tables" / paper
    for name, table in read_layout(folder / "tables.yaml", TIERS).tables.items():
        if table.kind == "settings":
            built = build(name, table, REGISTRY, read_published(folder / "reference.csv"))
            marks = Counter(each.difference for row in built.rows for each in row.settings)
            assert marks["same"] + marks["rounded"] >= 4, f"{name}: {marks}"
            assert not marks["different"], f"{name}: {marks}"
