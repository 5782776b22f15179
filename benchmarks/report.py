"""Results as Markdown and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.results import Judgement, Result, Row, Spread, Target

COLUMNS = ("", "median (range)", "unit", "ratio (range)", "against", "target", "", "peak MB")
BUSY = 1.1


def number(value: float) -> str:
    """Three significant digits; thousands are grouped."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """``median (min to max)``; the range only of several values."""
    found = Spread.of(values)
    if found is None:
        return ""
    if len(values) == 1:
        return number(found.median)
    return f"{number(found.median)} ({number(found.low)} to {number(found.high)})"


def bound(target: Target) -> str:
    """``at least 1.3``."""
    value, word = target.at_least, "at least"
    if value is None:
        value, word = target.at_most, "at most"
    assert value is not None
    unit = " MB" if target.measure == "peak_memory_mb" else ""
    return f"{word} {number(value)}{unit}"


def cells(row: Row, judgement: Judgement | None) -> list[str]:
    """A row as it is printed."""
    status: str = judgement.status if judgement else ""
    if judgement and judgement.status == "below, not judged":
        status = f"below; not judged without {judgement.target.needs}"
    return [
        row.name,
        spread(row.values),
        row.unit,
        spread(row.ratios),
        row.against or "",
        bound(judgement.target) if judgement else "",
        status,
        f"{row.peak_memory_mb:,.0f}" if row.peak_memory_mb else "",
    ]


def groups(result: Result) -> list[tuple[str, list[Row]]]:
    """The rows by group, in order."""
    names = dict.fromkeys(row.group for row in result.rows)
    return [(name, [row for row in result.rows if row.group == name]) for name in names]


def markdown(machine: dict[str, Any], results: Sequence[Result], quick: bool) -> str:
    """The page ``benchmarks.md``."""
    parts = ["# Benchmarks", _machine_lines(machine)]
    if quick:
        parts.append("**Quick run**: short windows without warm-up; these numbers prove nothing.")
    for result in results:
        parts.append(f"## {result.name}: {result.title}")
        parts += [_group_table(result, group, rows) for group, rows in groups(result)]
        parts += [f"- {note}" for note in _notes(result)]
        parts += [_profile_table(name, rows) for name, rows in result.profiles.items()]
    return "\n\n".join(parts) + "\n"


def _machine_lines(machine: dict[str, Any]) -> str:
    lines = ["| | |", "|---|---|"]
    for name, value in machine.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {each}" for key, each in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        lines.append(f"| {name} | {value if value != '' else 'none'} |")
    return "\n".join(lines)


def _group_table(result: Result, group: str, rows: Sequence[Row]) -> str:
    lines = [f"**{group}**", ""] if group else []
    lines += [_line(COLUMNS), _line(["---"] * len(COLUMNS))]
    lines += [_line(cells(row, result.judgement(row))) for row in rows]
    return "\n".join(lines)


def _line(words: Sequence[str]) -> str:
    return "| " + " | ".join(words) + " |"


def _notes(result: Result) -> list[str]:
    notes = list(result.notes)
    if result.error:
        notes.append(f"failed: {' '.join(result.error.split())}")
    busy = [row for row in result.rows if row.busy and row.busy > BUSY]
    if busy:
        worst = max(row.busy or 0.0 for row in busy)
        notes.append(
            f"the machine was busy: windows took up to {worst:.2f} times their CPU time; measure again when idle"
        )
    targets = {judgement.target for judgement in result.judgements}
    return notes + [
        f"target {bound(each)} ({each.rows}): {each.source}"
        for each in sorted(targets, key=lambda target: target.rows)
    ]


def _profile_table(name: str, rows: Sequence[dict[str, Any]]) -> str:
    lines = [f"Where the time of *{name}* goes (CPU time of its own):", ""]
    lines += ["| operator | share | ms | calls |", "|---|---|---|---|"]
    lines += [
        f"| `{row['operator']}` | {row['share']:.1%} | {row['milliseconds']:.1f} | {row['calls']} |"
        for row in rows
    ]
    return "\n".join(lines)


def show(console: Console, result: Result) -> None:
    """Print one benchmark."""
    for group, rows in groups(result):
        title = f"{result.name}: {group or result.title}"
        table = Table(title=escape(title), title_justify="left")
        for index, column in enumerate(COLUMNS):
            table.add_column(column, justify="right" if index in (1, 3, 7) else "left")
        for row in rows:
            table.add_row(*map(escape, cells(row, result.judgement(row))))
        console.print(table)
    for note in _notes(result):
        console.print(f"  {escape(note)}", style="dim", highlight=False)
