"""A table as HTML: the fourth format, for browsers, and the form in which the report shows it.

Text reaches the page through templates that escape it; numbers can lead to the runs behind them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from analysis import render
from analysis.load import ArmResult
from analysis.report_plots import CURVE_FRAME, CURVE_SIZE, STRIP_SIZE, Strip, shared_axis, strip
from analysis.tables import Row, Table
from analysis.verdicts import Verdict

TEMPLATES = Path(__file__).parent / "templates"

#: Titles of the columns that are more than text.
OURS, SINGLES, CLAIMS = "Ours (runs)", "Single runs", "Claims"

#: Footnotes that stand open under a table; the others can be unfolded.
WARNINGS = ("Left out,", "Missing,", "Without a result:", "Without a number,")

#: A sign beside each verdict's word, so that colour never speaks alone.
SIGNS = {
    Verdict.REPRODUCED: "\N{CHECK MARK}",
    Verdict.DIRECTION_ONLY: "\N{UPWARDS ARROW}",
    Verdict.NOT_REPRODUCED: "\N{MULTIPLICATION SIGN}",
    Verdict.INCONCLUSIVE: "\N{ALMOST EQUAL TO}",
    Verdict.NOT_RUN: "\N{EN DASH}",
    Verdict.NOT_JUDGED: "\N{RING OPERATOR}",
}


@dataclass(frozen=True)
class Badge:
    """A verdict as it is printed: `name` says of which claim, `href` where that claim stands."""

    word: str
    sign: str
    slug: str
    name: str = ""
    href: str | None = None


@dataclass(frozen=True)
class Cell:
    """One cell: text, or a number that leads to runs, a strip of single runs, or badges."""

    text: str
    kind: str = "number"
    rest: str = ""
    anchors: tuple[str, ...] = ()
    strip: Strip | None = None
    badges: tuple[Badge, ...] = ()


@dataclass(frozen=True)
class Line:
    """One row of a table."""

    label: str
    cells: tuple[Cell, ...]
    compared: bool = False


@dataclass(frozen=True)
class Group:
    """The lines of one task."""

    title: str
    lines: tuple[Line, ...]
    filled: bool


@dataclass(frozen=True)
class TableView:
    """A table for the template.

    `rest` are the tasks that nothing of ours was run on, `warnings` the notes that no reader may miss.
    """

    anchor: str
    caption: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    groups: tuple[Group, ...]
    rest: tuple[Group, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    downloads: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class Links:
    """Where the numbers of a table lead: to the panel of an arm, to the line of a claim."""

    arm: Callable[[ArmResult], str | None] = lambda _: None
    claim: Callable[[str, str], str | None] = lambda _paper, _name: None


def slug(text: str) -> str:
    """Letters, digits and dashes: an identifier that needs no escaping."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")


def badge(verdict: Verdict, name: str = "", href: str | None = None) -> Badge:
    """The badge of a verdict."""
    return Badge(verdict.value, SIGNS[verdict], slug(verdict.value), name, href)


@cache
def environment() -> Environment:
    """The templates of the report; every value is escaped, an unknown name is an error."""
    found = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {
        "strip_size": STRIP_SIZE,
        "curve_size": CURVE_SIZE,
        "curve_frame": CURVE_FRAME,
    }
    return found


def _cell(title: str, text: str, row: Row, table: Table, links: Links) -> Cell:
    if title == OURS:
        number, opened, rest = text.partition(" (")
        anchors = tuple(filter(None, map(links.arm, row.arms))) if row.ours else ()
        return Cell(number, "ours", f"{opened}{rest}", anchors)
    if title == SINGLES:
        return Cell(text, "singles")
    if title == CLAIMS:
        found = [
            badge(verdict, name, links.claim(table.paper, name)) for name, verdict in row.verdicts
        ]
        return Cell(text, "claims", badges=tuple(found))
    return Cell(text)


def _groups(table: Table, links: Links) -> Iterator[Group]:
    columns = render.header(table)
    for task, found in groupby(table.rows, key=lambda row: row.task):
        rows = list(found)
        axes = {
            key: shared_axis([r for r in rows if _scale(r) == key]) for key in map(_scale, rows)
        }
        yield Group(
            task,
            tuple(_line(row, table, columns, links, axes[_scale(row)]) for row in rows),
            any(row.ours for row in rows),
        )


def _scale(row: Row) -> tuple[bool, str, str]:
    """Rows that agree in this share an axis: what compares two has its own, as has a metric."""
    return bool(row.runs), row.kind, row.metric


def _line(
    row: Row,
    table: Table,
    columns: Sequence[str],
    links: Links,
    source: tuple[float, float] | None,
) -> Line:
    texts = zip(columns, render.cells(row, table), strict=True)
    cells = [_cell(title, text, row, table, links) for title, text in texts]
    drawn = strip(row, source)
    cells = [
        Cell(cell.text, cell.kind, strip=drawn) if cell.kind == "singles" else cell
        for cell in cells
    ]
    return Line(row.label, tuple(cells), compared=row.kind != "arm")


def view(table: Table, links: Links | None = None, split: bool = False) -> TableView:
    """The model of the template; `split` parts the tasks that were run from the others."""
    columns = tuple(render.header(table))
    groups = tuple(_groups(table, links or Links()))
    notes = render.notes(table)
    first = tuple(group for group in groups if group.filled) if split else groups
    return TableView(
        anchor=f"table-{slug(table.paper)}-{slug(table.name)}",
        caption=table.caption,
        columns=("Algorithm", *columns),
        numeric=(False, *(column != CLAIMS for column in columns)),
        groups=first or groups,
        rest=tuple(group for group in groups if not group.filled) if first and split else (),
        warnings=tuple(note for note in notes if _warns(note, table)),
        notes=tuple(note for note in notes if not _warns(note, table)),
    )


def _warns(note: str, table: Table) -> bool:
    return note == table.layout.note or note.startswith(WARNINGS)


def as_page(table: TableView) -> str:
    """A table as a page of its own: one file, no script, nothing loaded from elsewhere."""
    text = environment().get_template("table.html.j2").render(table=table)
    return f"{text}\n"


def html(table: Table) -> str:
    """The table as a page of its own, without links: the runs are in the report."""
    return as_page(view(table))


FORMATS = {**render.FORMATS, "html": html}
