"""One table model in three formats: Markdown to read, CSV to compute with, LaTeX to print."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from itertools import groupby

from analysis.labels import DASH, MINUS
from analysis.statistics import Interval
from analysis.tables import Row, Table

#: Ratios are printed with at least as many decimals.
RATIO_DECIMALS = 2

#: Longer tables do not fit a page and are set as `longtable`.
PAGE_ROWS = 45

SPREAD_WORDS = {
    "sd": "standard deviation over runs",
    "se": "standard error",
    "ci95": "half-width of a 95 % interval",
    "unknown": "a spread of a kind that the paper does not name",
}

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "±": r"$\pm$",
    MINUS: r"$-$",
    DASH: "--",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
}


def figure(value: float, decimals: int, signed: bool = False) -> str:
    """A number with a true minus sign, never a negative zero."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if float(text) == 0.0:
        text = f"{0.0:.{decimals}f}"
    return text.replace("-", MINUS)


def plus_minus(interval: Interval, decimals: int, signed: bool = False) -> str:
    """`mean ± half-width`, without the half-width where there is none."""
    text = figure(interval.mean, decimals, signed)
    if math.isnan(interval.half_width):
        return text
    return f"{text} ± {figure(interval.half_width, decimals)}"


def _ours(row: Row, table: Table) -> str:
    if row.ours is None:
        return DASH
    count = str(row.ours.n) if row.ours.n == row.planned else f"{row.ours.n} of {row.planned}"
    marks = table.notes.mark(row.arms[0]) if len(row.arms) == 1 else ""
    text = plus_minus(row.ours, _decimals(row, table), signed=row.kind == "difference")
    return f"{text}{_bounds(row, table)} ({count})" + (f" [{marks}]" if marks else "")


def _decimals(row: Row, table: Table) -> int:
    decimals = table.layout.decimals
    return max(RATIO_DECIMALS, decimals) if row.kind == "ratio" else decimals


def _bounds(row: Row, table: Table) -> str:
    """` [low, high]` of an interval that is not symmetric."""
    if row.bounds is None or any(map(math.isnan, row.bounds)):
        return ""
    if any(map(math.isinf, row.bounds)):
        return " [unbounded]"
    low, high = (figure(end, _decimals(row, table)) for end in row.bounds)
    return f" [{low}, {high}]"


def _paper(row: Row, decimals: int) -> str:
    value = row.published
    if value is None or math.isnan(value.mean):
        return DASH
    text = plus_minus(Interval(value.mean, value.spread, value.n or 0), decimals)
    return f"{text} ({value.n})" if value.n else text


def _verdicts(row: Row) -> str:
    return ", ".join(f"{name} {verdict.value}" for name, verdict in row.verdicts) or DASH


def header(table: Table) -> list[str]:
    """Column titles after task and algorithm."""
    columns = ["Ours (runs)", "Single runs"]
    if table.layout.published:
        columns += ["Paper (runs)", f"Ours {MINUS} paper"]
    return [*columns, "Updates", "Claims"]


def cells(row: Row, table: Table) -> list[str]:
    """The same columns of one row as text."""
    decimals = _decimals(row, table)
    singles = "; ".join(figure(value, decimals) for value in row.runs) or DASH
    found = [_ours(row, table), singles]
    if table.layout.published:
        gap = plus_minus(row.gap, decimals, signed=True) if row.gap else DASH
        found += [_paper(row, decimals), gap]
    return [*found, row.updates or DASH, _verdicts(row)]


def notes(table: Table) -> list[str]:
    """Everything below the table: how to read it, then where the numbers come from."""
    lines = [
        "Ours: mean ± half-width of the 95 % Student-t interval over runs (seeds); "
        "a line with two algorithms is their difference with the Welch interval."
    ]
    if any(row.kind == "ratio" for row in table.rows):
        lines.append(
            "A line with a slash is the ratio of two means before rounding with Fieller's 95 % interval; "
            "unbounded: the second mean is not clearly above 0."
        )
    if table.layout.published:
        kinds = {row.published.spread_kind for row in table.rows if row.published} - {"none"}
        words = "; ".join(SPREAD_WORDS[kind] for kind in sorted(kinds))
        lines.append(f"Paper: mean ± {words}." if words else "Paper: means without a spread.")
        lines.append(
            f"Ours {MINUS} paper: with the 95 % Welch interval where the paper's spread allows one; "
            "budgets differ, see Updates."
        )
    unread = ", run but without a number (see below)" if any(r.unread for r in table.rows) else ""
    lines.append(f"{DASH}: not run in this tier{unread}, or not reported.")
    if table.layout.note:
        lines.append(table.layout.note)
    return [*lines, *table.notes.lines]


def escape_markdown(text: str) -> str:
    """`text` with every character that Markdown reads as a command made literal."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("_", "\\_")


def markdown_line(values: Sequence[str]) -> str:
    """One line of a Markdown table."""
    return "| " + " | ".join(values) + " |"


def markdown(table: Table) -> str:
    """The table as GitHub Markdown; a task is printed once for its lines."""
    columns = ["Task", "Algorithm", *header(table)]
    right = ["---", "---"] + ["---:" if c != "Claims" else "---" for c in columns[2:]]
    lines = [
        f"**{escape_markdown(table.caption)}**",
        "",
        markdown_line(columns),
        markdown_line(right),
    ]
    previous = ""
    for row in table.rows:
        task = row.task if row.task != previous else ""
        previous = row.task
        lines.append(
            markdown_line([escape_markdown(x) for x in (task, row.label, *cells(row, table))])
        )
    lines += ["", *(f"- {escape_markdown(line)}" for line in notes(table))]
    return "\n".join(lines) + "\n"


CSV_COLUMNS = (
    "tier",
    "section",
    "task",
    "algorithm",
    "metric",
    "ours_mean",
    "ours_half_width_95",
    "ours_low_95",
    "ours_high_95",
    "ours_runs",
    "ours_runs_planned",
    "ours_single_runs",
    "paper_mean",
    "paper_spread",
    "paper_spread_kind",
    "paper_runs",
    "difference",
    "difference_half_width_95",
    "updates",
    "claims",
)


def _plain(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6g}"


def _csv_row(row: Row, table: Table) -> list[str]:
    ours, value, gap = row.ours, row.published, row.gap
    return [
        table.tier,
        row.section,
        row.task,
        row.label.replace(MINUS, "-"),
        row.metric or table.layout.metric,
        _plain(ours.mean if ours else None),
        _plain(ours.half_width if ours else None),
        *map(_plain, row.ends),
        str(ours.n) if ours else "0",
        str(row.planned),
        " ".join(_plain(run) for run in row.runs),
        _plain(value.mean if value else None),
        _plain(value.spread if value else None),
        value.spread_kind if value else "",
        str(value.n or "") if value else "",
        _plain(gap.mean if gap else None),
        _plain(gap.half_width if gap else None),
        row.updates.replace(",", ""),
        "; ".join(f"{name} {verdict.value}" for name, verdict in row.verdicts),
    ]


def comma_separated(table: Table) -> str:
    """The table as CSV with one number a column."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(_csv_row(row, table) for row in table.rows)
    return buffer.getvalue()


def escape_latex(text: str) -> str:
    """`text` with every character that LaTeX reads as a command made literal."""
    return "".join(_LATEX.get(sign, sign) for sign in text)


def latex(table: Table) -> str:
    """The table for `\\input` into a paper; needs booktabs, and longtable if it is long."""
    columns = ["Algorithm", *header(table)]
    spec = "l" + "r" * (len(columns) - 2) + "l"
    head = " & ".join(escape_latex(column) for column in columns) + r" \\"
    body: list[str] = []
    for task, rows in groupby(table.rows, key=lambda row: row.task):
        body.append(rf"\multicolumn{{{len(columns)}}}{{l}}{{\textit{{{escape_latex(task)}}}}} \\*")
        for row in rows:
            values = [escape_latex(text) for text in (row.label, *cells(row, table))]
            body.append(r"\quad " + " & ".join(values) + r" \\")
        body.append(r"\addlinespace")
    return (
        _long(table, spec, head, body)
        if len(table.rows) > PAGE_ROWS
        else _short(table, spec, head, body)
    )


def _notes_latex(table: Table) -> str:
    return r" \\ ".join(escape_latex(line) for line in notes(table))


def _short(table: Table, spec: str, head: str, body: Sequence[str]) -> str:
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}[tp]",
            r"\centering\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{escape_latex(table.caption)}}}",
            rf"\label{{tab:{table.paper}-{table.name.replace('_', '-')}}}",
            rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
            r"\toprule",
            head,
            r"\midrule",
            *body[:-1],
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\raggedright\tiny {_notes_latex(table)}",
            r"\end{table}",
            "",
        ]
    )


def _long(table: Table, spec: str, head: str, body: Sequence[str]) -> str:
    return "\n".join(
        [
            "% needs \\usepackage{booktabs,longtable}",
            r"\begingroup\scriptsize\setlength{\tabcolsep}{3pt}",
            rf"\begin{{longtable}}{{@{{}}{spec}@{{}}}}",
            rf"\caption{{{escape_latex(table.caption)}}}"
            rf"\label{{tab:{table.paper}-{table.name.replace('_', '-')}}}\\",
            r"\toprule",
            head,
            r"\midrule\endfirsthead",
            r"\toprule",
            head,
            r"\midrule\endhead",
            r"\bottomrule\endlastfoot",
            *body[:-1],
            r"\end{longtable}",
            rf"\par\raggedright\tiny {_notes_latex(table)}\par\endgroup",
            "",
        ]
    )


FORMATS = {"md": markdown, "csv": comma_separated, "tex": latex}
