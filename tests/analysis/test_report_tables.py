"""Tables as HTML, and LaTeX that compiles."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from report_sets import Markup, page_of, rich
from result_sets import UMAZE, Bench

from analysis import claims, render, render_html, report
from analysis.report_plots import STRIP_MARGIN, STRIP_SIZE
from analysis.tables import Row, Table

PDFLATEX = shutil.which("pdflatex")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Table]:
    bench = rich(Bench(tmp_path_factory.mktemp("tables")))
    space, results = bench.space, bench.results()
    entries = claims.judge_all(space, results)
    return {table.name: table for table in report.write_tables(space, "romi", results, entries)}


def test_a_table_as_a_file_is_semantic(tables: dict[str, Table]) -> None:
    table = tables["table3"]
    markup = Markup(render_html.html(table))
    assert len(markup.all("table")) == len(markup.all("caption")) == len(markup.all("main")) == 1
    columns = 1 + len(render.header(table))
    scopes = [head["scope"] for head in markup.all("th")]
    assert scopes.count("col") == columns
    assert scopes.count("rowgroup") == len(markup.all("tbody")) == 12
    assert scopes.count("row") == len(table.rows)
    assert len(markup.all("td")) == len(table.rows) * (columns - 1)
    assert markup.all("th", "group") == []
    for text in ("ROMI, table 3", "ROMI-BCQ \N{MINUS SIGN} BCQ", "139.5 ± 3.6 (3)", UMAZE):
        assert text in markup.text, text


def test_every_number_of_the_other_formats_is_there(tables: dict[str, Table]) -> None:
    for table in tables.values():
        text = Markup(render_html.html(table)).text.replace(" (", "(")
        for row in table.rows:
            for cell in render.cells(row, table)[:-1]:
                assert cell.replace(" (", "(") in text, (table.name, cell)


def test_unknown_links_are_left_out(tables: dict[str, Table]) -> None:
    assert 'href="#' not in render_html.html(tables["table3"])


def test_the_report_parts_what_was_run_from_what_was_not(bench: Bench) -> None:
    (paper,) = page_of(rich(bench)).papers
    table = next(table for table in paper.tables if table.anchor == "table-romi-table3")
    assert [group.title for group in table.groups] == [UMAZE]
    assert len(table.rest) == 11 and not any(group.filled for group in table.rest)
    assert {label for label, _, _ in table.downloads} == {"CSV", "LaTeX"}
    assert table.warnings[0].startswith("Left out, fomi_bcq")
    assert not [note for note in table.notes if note in table.warnings]


def test_badges_lead_to_their_claims(bench: Bench) -> None:
    (paper,) = page_of(rich(bench)).papers
    badges = [
        badge
        for table in paper.tables
        for group in table.groups
        for line in group.lines
        for cell in line.cells
        for badge in cell.badges
    ]
    names = {claim.anchor: (claim.name, claim.badge.word) for claim in paper.claims}
    assert badges
    assert {(b.name, b.word) for b in badges} <= {names[b.href or ""] for b in badges}


def _columns(line: str) -> int:
    """Cells of a line of a tabular; escaped ampersands and those of \\multicolumn do not count."""
    spans = re.findall(r"\\multicolumn\{(\d+)\}", line)
    return 1 + len(re.findall(r"(?<!\\)&", line)) + sum(int(span) - 1 for span in spans)


def test_latex_has_matching_braces_environments_and_columns(tables: dict[str, Table]) -> None:
    for table in tables.values():
        text = render.latex(table)
        bare = re.sub(r"\\[{}\\]", "", text)
        assert bare.count("{") == bare.count("}"), table.name
        begun = re.findall(r"\\begin\{(\w+)\}", text)
        assert sorted(begun) == sorted(re.findall(r"\\end\{(\w+)\}", text)), table.name
        lines = [line for line in text.splitlines() if line.endswith((r" \\", r" \\*"))]
        assert {_columns(line) for line in lines} == {1 + len(render.header(table))}, table.name


@pytest.mark.skipif(not PDFLATEX, reason="needs pdflatex (package texlive-latex-extra)")
def test_latex_compiles(tables: dict[str, Table], tmp_path: Path) -> None:
    parts = [r"\input{" + table.name + "}" for table in tables.values()]
    for table in tables.values():
        (tmp_path / f"{table.name}.tex").write_text(render.latex(table), encoding="utf-8")
    packages = r"\usepackage[T1]{fontenc}\usepackage{booktabs,longtable,textcomp}"
    body = "\n".join([r"\documentclass{article}", packages, r"\begin{document}", *parts])
    (tmp_path / "all.tex").write_text(body + "\n\\end{document}\n", encoding="utf-8")
    command = [PDFLATEX or "", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (tmp_path / "all.pdf").read_bytes().startswith(b"%PDF")


def test_tables_of_settings_are_shown_with_their_marks(bench: Bench) -> None:
    (paper,) = page_of(rich(bench)).papers
    table = next(table for table in paper.settings if table.anchor == "table-romi-table7")
    text = (bench.root / "results/quick/tables/romi/table7.html").read_text(encoding="utf-8")
    markup = Markup(text)
    assert table.columns[0] == "Task" and len(table.columns) % 2 == 1
    assert [head["scope"] for head in markup.all("th")].count("col") == len(table.columns)
    lines = [line for group in table.groups for line in group.lines]
    assert len(lines) == 24 and lines[0].label == UMAZE
    assert all(len(line.cells) == len(table.columns) - 1 for line in lines)
    assert all(note in markup.text for note in table.warnings)
    assert {label for label, _, _ in table.downloads} == {"CSV", "LaTeX"}


def test_lines_of_another_metric_have_an_axis_of_their_own(tables: dict[str, Table]) -> None:
    table = tables["table3"]
    first, second = (replace(row, published=None) for row in table.rows[:2])

    def width(other: Row) -> float:
        """How far apart the runs of the first line are drawn."""
        group, *_ = render_html.view(replace(table, rows=(first, other))).groups
        (strip,) = (cell.strip for cell in group.lines[0].cells if cell.strip)
        return max(strip.runs) - min(strip.runs)

    far = replace(second, runs=tuple(1e6 + value for value in second.runs))
    assert width(far) < 1.0
    assert width(replace(far, metric="other")) == STRIP_SIZE[0] - 2 * STRIP_MARGIN
