"""Tables of settings: what is configured here beside what the paper states, nothing from runs."""

from __future__ import annotations

import csv
import io
import math
import string
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from analysis.files import write_text
from analysis.labels import DASH, MINUS
from analysis.layout import Section, TableLayout
from analysis.published import Published, Value
from analysis.render import escape_latex, escape_markdown, markdown_line
from analysis.render_html import Cell, Group, Line, TableView, as_page, slug
from analysis.workspace import Workspace
from paper_tables.errors import PlanError, unknown
from paper_tables.paths import BASE_CELL, TierPaths
from paper_tables.registry import Registry

Content = float | str | None
Difference = Literal["same", "rounded", "different", "not reported"]

#: Digits after the point that are printed; the CSV file has all.
DECIMALS = 6
ROUNDED = "the paper's number is ours, rounded"
CSV_COLUMNS = ("section", "task", "setting", "ours", "paper", "difference")


@dataclass(frozen=True)
class Setting:
    """One setting of one task, ours and the paper's (None: not known, not reported), and its mark."""

    name: str
    ours: Content
    paper: Content
    difference: Difference
    mark: str = ""


@dataclass(frozen=True)
class Row:
    """All settings of one task."""

    section: str
    task: str
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class SettingsTable:
    """A table of settings ready for rendering."""

    label: str
    layout: TableLayout
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """Titles after the task: ours and the paper's of each setting."""
        titles = self.layout.columns.values()
        return [f"{title}, {whose}" for title in titles for whose in ("ours", "paper")]

    @property
    def caption(self) -> str:
        """Title and what is shown."""
        return f"{self.layout.title}. {self.layout.unit}."


def configured(registry: Registry, section: Section, task: str, name: str) -> Content:
    """A setting as configured: of the section's algorithm on the task, or of the task itself.

    Raises:
        PlanError: no such task, algorithm or setting.
    """
    where = f"{section.title}: {name}"
    if task not in registry.tasks:
        raise unknown(section.title, "task", task, registry.tasks)
    entry = registry.tasks[task]
    if section.algo:
        values = registry.algo(section.algo, where).for_task(task)
        if name not in values:
            raise unknown(where, f"key of {section.algo}", name, values)
        value = values[name]
        return value if isinstance(value, str) else float(value)
    low, high = entry.reference or (None, None)
    facts = {"ref_min": low, "ref_max": high, "episode_length": float(entry.horizon)}
    if name not in facts:
        raise unknown(where, "setting of a task", name, facts)
    return facts[name]


def compare(ours: Content, value: Value | None) -> tuple[Content, Difference]:
    """The paper's content of a setting, and how ours differs from it.

    A setting in words stands in the note of a published value without a number.
    """
    if value is None:
        return None, "not reported"
    paper: Content = value.note if math.isnan(value.mean) else value.mean
    if ours == paper:
        return paper, "same"
    if isinstance(ours, float) and isinstance(paper, float):
        decimals = len(repr(paper).partition(".")[2])
        return paper, "rounded" if round(ours, decimals) == paper else "different"
    return paper, "different"


def _reason(setting: Setting, value: Value | None) -> str:
    """The footnote of a setting that is not the paper's, empty for the others."""
    if setting.difference == "rounded":
        return ROUNDED
    if setting.difference != "different":
        return ""
    note = value.note if value and value.note != setting.paper else ""
    return f"not the paper's; {note}" if note else "not the paper's"


def build(
    label: str, layout: TableLayout, registry: Registry, published: Published
) -> SettingsTable:
    """Fill a layout of kind `settings`; each reason for a difference gets one letter."""
    letters: dict[str, str] = {}
    rows = []
    for section in layout.sections:
        for task in section.tasks:
            found = []
            for name in layout.columns:
                cell = BASE_CELL if layout.reference else ""
                value = published.find(layout.table, task, name, algo=layout.reference, cell=cell)
                ours = configured(registry, section, task, name)
                setting = Setting(name, ours, *compare(ours, value))
                reason = _reason(setting, value)
                if reason:
                    mark = letters.setdefault(reason, string.ascii_lowercase[len(letters)])
                    setting = Setting(name, ours, setting.paper, setting.difference, mark)
                found.append(setting)
            rows.append(Row(section.title, task, tuple(found)))
    notes = [layout.note] if layout.note else []
    notes += [f"({mark}) {reason}." for reason, mark in letters.items()]
    return SettingsTable(label, layout, tuple(rows), tuple(notes))


def _text(content: Content) -> str:
    if content is None:
        return DASH
    if isinstance(content, str):
        return content
    text = f"{content:.{DECIMALS}f}".rstrip("0").rstrip(".")
    return text.replace("-", MINUS)


def cells(row: Row) -> list[str]:
    """The columns of a row as text, ours with its mark."""
    texts = []
    for setting in row.settings:
        mark = f" ({setting.mark})" if setting.mark else ""
        texts += [_text(setting.ours) + mark, _text(setting.paper)]
    return texts


def markdown(table: SettingsTable) -> str:
    """The table as GitHub Markdown."""
    columns = ["Task", *table.columns]
    lines = [f"**{escape_markdown(table.caption)}**", "", markdown_line(columns)]
    lines.append(markdown_line(["---"] + ["---:"] * len(table.columns)))
    lines += [
        markdown_line([escape_markdown(x) for x in (row.task, *cells(row))]) for row in table.rows
    ]
    lines += ["", *(f"- {escape_markdown(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _plain(content: Content) -> str:
    if isinstance(content, float):
        return repr(int(content)) if content.is_integer() else repr(content)
    return content or ""


def comma_separated(table: SettingsTable) -> str:
    """The table as CSV, one setting a line, with all digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in table.rows:
        for setting in row.settings:
            ours, paper = _plain(setting.ours), _plain(setting.paper)
            writer.writerow([row.section, row.task, setting.name, ours, paper, setting.difference])
    return buffer.getvalue()


def _latex_row(texts: Sequence[str]) -> str:
    return " & ".join(escape_latex(text) for text in texts) + r" \\"


def latex(table: SettingsTable) -> str:
    """The table for `\\input` into a paper; needs booktabs."""
    body = [_latex_row([row.task, *cells(row)]) for row in table.rows]
    notes = r" \\ ".join(escape_latex(note) for note in table.notes)
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}[tp]",
            r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{escape_latex(table.caption)}}}",
            rf"\label{{tab:{table.label.replace('_', '-')}}}",
            rf"\begin{{tabular}}{{@{{}}l{'r' * len(table.columns)}@{{}}}}",
            r"\toprule",
            _latex_row(["Task", *table.columns]),
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\raggedright\tiny {notes}",
            r"\end{table}",
            "",
        ]
    )


def view(table: SettingsTable) -> TableView:
    """The table for the HTML template; every setting is a column, and all notes stand open."""
    groups = []
    for title, rows in groupby(table.rows, key=lambda row: row.section):
        lines = [Line(row.task, tuple(map(Cell, cells(row)))) for row in rows]
        groups.append(Group(title, tuple(lines), filled=True))
    return TableView(
        anchor=f"table-{slug(table.label)}",
        caption=table.caption,
        columns=("Task", *table.columns),
        numeric=(False, *(True for _ in table.columns)),
        groups=tuple(groups),
        rest=(),
        warnings=table.notes,
        notes=(),
    )


def html(table: SettingsTable) -> str:
    """The table as a page of its own."""
    return as_page(view(table))


FORMATS = {"md": markdown, "csv": comma_separated, "tex": latex, "html": html}


def write_settings_tables(space: Workspace, paper: str) -> list[SettingsTable]:
    """Write every table of settings of a paper in all formats.

    Raises:
        PlanError: the layout names a task, algorithm or setting that is not configured.
    """
    tables, paths = [], TierPaths(space.tier)
    for name, layout in space.layout(paper).tables.items():
        if layout.kind != "settings":
            continue
        try:
            table = build(f"{paper}-{name}", layout, space.registry, space.published(paper))
        except PlanError as error:
            raise PlanError(f"{space.folder(paper) / 'tables.yaml'}: {name}: {error}") from None
        for suffix, render in FORMATS.items():
            write_text(space.root / paths.table(paper, name, suffix), render(table))
        tables.append(table)
    return tables
