"""Lines of ratios: "relative to BC", ours with Fieller's interval beside the printed ratio."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from result_sets import CHECKOUT, TIERS, UMAZE, Bench, runs
from scipy import stats
from start_sets import PICK, PUSH, finished, space_of

from analysis import claims, render, render_html, summary
from analysis.claim_file import Claim
from analysis.claims import Entry
from analysis.labels import budget
from analysis.layout import Line, Section, TableLayout, read_layout
from analysis.published import read_published
from analysis.tables import Row, Table, build_table
from analysis.verdicts import Judgement, Verdict
from paper_tables.errors import PlanError
from paper_tables.schema import parse

BMIL = CHECKOUT / "paper_tables" / "bmil"
ROMI, BCQ = [20.0, 22.0, 50.0], [9.0, 6.0, 12.0]
LAYOUT = TableLayout(
    table="3",
    title="Table 3",
    metric="score",
    unit="D4RL-normalised score",
    lines=[Line(algo="romi_bcq"), Line(algo="bcq"), Line(ratio=["romi_bcq", "bcq"])],
    sections=[Section(title="maze2d", experiment={"smoke": "maze2d_small"}, tasks=[UMAZE])],
)


def built(bench: Bench, layout: TableLayout = LAYOUT) -> Table:
    space, results = bench.space, bench.results()
    return build_table("table3", layout, space, "romi", results, space.published("romi"), [])


def ratio_of(bench: Bench, left: list[float], right: list[float]) -> tuple[Row, Table]:
    bench.arm("romi_bcq", runs(left), seeds=range(len(left)))
    bench.arm("bcq", runs(right), seeds=range(len(right)))
    table = built(bench)
    return table.rows[2], table


def contrast_p(ratio: float) -> float:
    """Two-sided Welch p of mean(ROMI) = ratio mean(BCQ)."""
    return float(stats.ttest_ind(ROMI, ratio * np.array(BCQ), equal_var=False).pvalue)


def test_the_ratio_is_of_means_before_rounding_with_fiellers_interval(bench: Bench) -> None:
    row, _ = ratio_of(bench, ROMI, BCQ)
    assert row.ours is not None and row.bounds is not None
    assert row.kind == "ratio" and row.label == "ROMI-BCQ / BCQ" and row.ours.n == 3
    assert row.ours.mean == pytest.approx(np.mean(ROMI) / np.mean(BCQ))
    low, high = row.bounds
    assert low < row.ours.mean < high
    # The ends are the ratios that Welch's test only just does not reject at 5 %.
    assert [contrast_p(low), contrast_p(high)] == pytest.approx([0.05, 0.05], abs=1e-6)
    assert high - row.ours.mean > row.ours.mean - low


def test_a_ratio_is_printed_with_both_ends_of_its_interval(bench: Bench) -> None:
    row, table = ratio_of(bench, ROMI, BCQ)
    assert row.bounds is not None
    low, high = row.bounds
    text = f"3.41 [{low:.2f}, {high:.2f}] (3)".replace("-", "\N{MINUS SIGN}")
    line = next(line for line in render.markdown(table).splitlines() if "ROMI-BCQ / BCQ" in line)
    assert text in line
    assert text in " ".join(render.latex(table).replace("$-$", "\N{MINUS SIGN}").split())
    csv = render.comma_separated(table).splitlines()
    found = dict(zip(render.CSV_COLUMNS, csv[3].split(","), strict=True))
    assert (found["ours_mean"], found["ours_half_width_95"]) == ("3.40741", "")
    assert found["ours_low_95"] == f"{low:.6g}" and found["ours_high_95"] == f"{high:.6g}"
    assert any("Fieller" in note for note in render.notes(table))
    assert summary.score_cells(found)[3] == f"3.407 [{low:.4g}, {high:.4g}] (3)"


def test_tables_without_ratios_do_not_explain_them(standard: Bench) -> None:
    table = built(standard, LAYOUT.model_copy(update={"lines": LAYOUT.lines[:2]}))
    assert not any("slash" in note for note in render.notes(table))


@pytest.mark.parametrize(
    ("right", "text"),
    [
        ([-1.0, 0.5, 4.0], "26.29 [unbounded] (3)"),  # 92/3 over 7/6
        ([0.0, 0.0, 0.0], "\N{EN DASH}"),
        ([-3.0, -2.0, -1.0], "\N{EN DASH}"),
    ],
)
def test_a_ratio_over_nothing(bench: Bench, right: list[float], text: str) -> None:
    row, table = ratio_of(bench, ROMI, right)
    assert render.cells(row, table)[0] == text


def test_single_runs_have_a_ratio_without_an_interval(bench: Bench) -> None:
    row, table = ratio_of(bench, [6.0], [4.0])
    assert render.cells(row, table)[0] == "1.50 (1)"


def test_a_ratio_has_an_axis_of_its_own_with_a_mark_at_1(bench: Bench) -> None:
    row, table = ratio_of(bench, ROMI, BCQ)
    (group,) = render_html.view(table).groups
    assert [line.compared for line in group.lines] == [False, False, True]
    strip = next(cell.strip for cell in group.lines[2].cells if cell.strip)
    assert strip.interval is not None and strip.zero is not None
    assert strip.interval[0] < strip.mean < strip.interval[1]
    assert row.bounds is not None
    # On a straight axis the mark of equality divides the interval as 1 divides its ends.
    share = (strip.zero - strip.interval[0]) / (strip.interval[1] - strip.interval[0])
    low, high = row.bounds
    assert share == pytest.approx((1 - low) / (high - low), abs=0.01)


def test_an_unbounded_ratio_is_drawn_to_the_ends_of_its_axis(bench: Bench) -> None:
    _, table = ratio_of(bench, ROMI, [-1.0, 0.5, 4.0])
    (group,) = render_html.view(table).groups
    strip = next(cell.strip for cell in group.lines[2].cells if cell.strip)
    assert strip.interval == (5.0, 175.0)


def test_a_line_is_of_one_kind() -> None:
    with pytest.raises(PlanError, match="one of algo, role, difference and ratio"):
        parse(Line, {"algo": "bcq", "ratio": ["romi_bcq", "bcq"]}, "tables.yaml")
    with pytest.raises(PlanError, match="ratio"):
        parse(Line, {"ratio": ["bcq"]}, "tables.yaml")


# --- BMIL -------------------------------------------------------------------------------------


@pytest.fixture
def bmil(tmp_path: Path) -> Bench:
    """Table 1 on push: BC at 10 %, VINS at 11 %, BMIL at 15 %, three runs each."""
    bench = Bench(tmp_path, tier="standard", experiment="table1")
    for algo, mean in (("il_bc", 10.0), ("vins", 11.0), ("bmil_code", 15.0)):
        found = [{"seed": s, "robustness": mean + s - 1} for s in range(3)]
        bench.arm(
            algo,
            finished(),
            task=PUSH,
            evaluation={"protocol": "displaced_starts", "runs": found},
        )
    return bench


def bmil_table(bench: Bench, name: str = "table1", entries: list[Entry] | None = None) -> Table:
    space = space_of(bench)
    layout = space.layout("bmil").tables[name]
    published = space.published("bmil")
    return build_table(name, layout, space, "bmil", bench.results(), published, entries or [])


def test_table_1_prints_ratios_to_bc_beside_the_papers(bmil: Bench) -> None:
    table = bmil_table(bmil)
    found = {row.label: row for row in table.rows if row.task == PUSH}
    assert list(found)[-2:] == ["VINS / BC", "BMIL (code) / BC"]
    cells = render.cells(found["BMIL (code) / BC"], table)
    assert cells[0].startswith("1.50 [") and cells[0].endswith("] (3)")
    assert cells[2:4] == ["1.21 (400)", "+0.29"]
    assert render.cells(found["VINS / BC"], table)[2] == "1.06 (400)"


@pytest.mark.parametrize("name", ["table1", "table2"])
def test_every_printed_ratio_of_bmil_has_its_line(name: str) -> None:
    """All ratios to BC in the paper's tables are shown, and no line of a ratio stands without."""
    layout = read_layout(BMIL / "tables.yaml", TIERS).tables[name]
    ratios = {
        (value.task, value.algo): value.mean
        for value in read_published(BMIL / "reference.csv").values
        if (value.table, value.metric) == (layout.table, "robustness_ratio")
    }
    tasks = [task for section in layout.sections for task in section.tasks]
    lines = {
        (task, line.ratio[0]) for task in tasks for line in layout.lines if line.ratio is not None
    }
    assert lines == {key for key in ratios if key[1] != "il_bc"}
    assert {line.ratio[1] for line in layout.lines if line.ratio} == {"il_bc"}
    assert all(ratios[task, "il_bc"] == 1.0 for task in tasks)


def test_a_printed_ratio_is_only_shown_over_its_own_baseline(bmil: Bench) -> None:
    layout = space_of(bmil).layout("bmil").tables["table1"]
    other = layout.model_copy(update={"lines": [Line(ratio=["bmil_code", "vins"])]})
    space = space_of(bmil)
    published = space.published("bmil")
    table = build_table("t", other, space, "bmil", bmil.results(), published, [])
    assert table.rows[0].published is None and table.rows[0].ours is not None


def entry(claim: Claim) -> Entry:
    return Entry(claim, Judgement(Verdict.REPRODUCED, "it holds"))


def test_claims_about_ratios_stand_at_the_ratio(bmil: Bench) -> None:
    known = {claim.id: claim for claim in space_of(bmil).claims("bmil")}
    about = [known["BMIL-C01"], known["BMIL-C03"]]  # greater, and the ratio, of BMIL and BC
    vins = replace(known["BMIL-C05"], tasks=(PUSH,))
    greater = replace(vins, id="X", kind="greater")
    rows = bmil_table(bmil, entries=[entry(claim) for claim in (*about, vins, greater)]).rows
    found = {row.label: [name for name, _ in row.verdicts] for row in rows if row.task == PUSH}
    assert found == {
        "BC": [],
        "VINS": [],
        "BMIL (code)": [],
        "BMIL (code) \N{MINUS SIGN} BC": ["BMIL-C01"],
        "VINS / BC": ["BMIL-C05", "X"],
        "BMIL (code) / BC": ["BMIL-C03"],
    }


def test_claims_are_judged_as_the_ratio_line_says(bmil: Bench) -> None:
    """The interval of the line and the test of the claim are the same statistics."""
    entries = [
        e for e in claims.judge_all(space_of(bmil), bmil.results()) if e.claim.id == "BMIL-C03"
    ]
    row = next(r for r in bmil_table(bmil).rows if r.label == "BMIL (code) / BC" and r.task == PUSH)
    (found,) = entries
    assert found.combined is not None
    effect = found.combined.comparisons[0].effect
    assert row.ours is not None
    assert (effect.value, effect.low, effect.high) == (row.ours.mean, *row.ends)


def test_many_different_budgets_are_a_range(bmil: Bench) -> None:
    arm = bmil.arm("bmil_code", finished(), task=PICK, blocks=3)
    result = next(found for found in bmil.results().arms if found.arm is arm)
    records = [
        replace(record, updates=count)
        for record, count in zip(result.records, (9_000, 1_200, 3_000), strict=True)
    ]
    assert budget(replace(result, records=tuple(records))) == "1,200 to 9,000"
    assert budget(replace(result, records=tuple(records[:2]))) == "1,200 / 9,000"
    assert math.isnan(Row("s", "t", "a").ends[0])
