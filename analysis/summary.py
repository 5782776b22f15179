"""One page at the end: what ran, what was judged and how, and where to look.

``python -m analysis.summary --tier quick`` prints it, with colour on a terminal, plain in a pipe.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from analysis.errors import AnalysisError
from analysis.labels import DASH
from analysis.ledger import COLUMNS, CONTRADICTED, STYLES, effect_text
from analysis.load import ArmResult, Results, distinct, read_elsewhere
from analysis.report_words import count
from analysis.verdicts import SILENT, Verdict
from analysis.workspace import Workspace, command_line
from paper_tables.paths import TierPaths

Row = Mapping[str, str]

#: So many arms of an algorithm are named where runs are missing; the others are counted.
MOST_NAMED = 5


@dataclass(frozen=True)
class Summary:
    """What the page shows; `claims` and `scores` are rows of the files written before.

    `exported` counts the runs that were read from exports, `absent` says which planned runs are missing,
    `waiting` which arms cannot run and why.
    """

    tier: str
    title: str
    finished: int
    failed: int
    missing: int
    claims: tuple[Row, ...]
    scores: tuple[Row, ...]
    tables: tuple[Path, ...]
    filled: int
    figures: tuple[Path, ...]
    ledger: Path
    problems: tuple[str, ...]
    exported: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Number of claims by verdict, in the order of the verdicts."""
        found = Counter(row["verdict"] for row in self.claims)
        return {verdict.value: found[verdict.value] for verdict in Verdict}

    @property
    def judged(self) -> list[Row]:
        """Claims that runs were compared for, or that runs leave open."""
        return [row for row in self.claims if row["verdict"] not in SILENT]


def _rows(path: Path) -> tuple[Row, ...]:
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def read_summary(space: Workspace, results: Results) -> Summary:
    """Collect the page from the files of the report.

    Raises:
        AnalysisError: the report of this tier was not written yet, or by another version.
    """
    paths = TierPaths(space.tier)
    ledger = space.root / paths.claims
    if not ledger.is_file():
        raise AnalysisError(
            f"no {paths.claims}; make it with: python -m analysis.report --tier {space.tier}"
        )
    lines = _rows(ledger)
    if lines and tuple(lines[0]) != COLUMNS:
        raise AnalysisError(
            f"{paths.claims}: written by another version; make it again with: "
            f"python -m analysis.report --tier {space.tier}"
        )
    tables = [p for n in space.papers for p in _written(space, paths.table(n, "*", "md"))]
    figures = [p for n in space.papers for p in _written(space, paths.figure(n, "*", "png"))]
    scores = [row for table in tables for row in _rows(table.with_suffix(".csv"))]
    unique = distinct(results.arms)  # experiments share runs
    return Summary(
        tier=space.tier,
        title=space.plan.settings.title,
        finished=sum(len(arm.runs) for arm in unique),
        failed=sum(len(arm.failed) for arm in unique),
        missing=sum(len(arm.missing) for arm in unique),
        claims=tuple(row for row in lines if row["paper"] in space.papers),
        scores=_once(row for row in scores if _has_runs(row)),
        tables=tuple(table.relative_to(space.root) for table in tables),
        filled=sum(
            any(_has_runs(row) for row in _rows(table.with_suffix(".csv"))) for table in tables
        ),
        figures=tuple(figure.relative_to(space.root) for figure in figures),
        ledger=Path(paths.claims),
        problems=results.problems,
        exported=tuple(read_elsewhere(unique)),
        absent=tuple(_absent(unique)),
        waiting=tuple(_waiting(results.arms)),
    )


def _absent(arms: Sequence[ArmResult]) -> Iterator[str]:
    """One line an algorithm: on what its planned runs are missing, in whole or in part."""
    for algo in dict.fromkeys(arm.arm.algo for arm in arms if arm.missing):
        missing = [arm for arm in arms if arm.arm.algo == algo and arm.missing]
        names = [
            f"{arm.arm.task} ({arm.arm.cell}), seeds {', '.join(map(str, arm.missing))}"
            for arm in missing[:MOST_NAMED]
        ]
        more = len(missing) - len(names)
        yield f"{algo}: {'; '.join(names)}" + (f"; and {more} more" if more else "")


def _waiting(arms: Sequence[ArmResult]) -> Iterator[str]:
    """One line a reason for which arms cannot run, with how many it stops."""
    for reason, number in Counter(arm.arm.reason for arm in arms if arm.arm.reason).most_common():
        yield f"{reason}: {count(number, 'arm')}"


def _has_runs(row: Row) -> bool:
    """Whether a line of a table shows runs of ours; lines of settings never do."""
    return row.get("ours_runs", "0") != "0"


def _once(rows: Iterable[Row]) -> tuple[Row, ...]:
    """Each number once, however many tables print it."""
    found = {(row["metric"], row["task"], row["algorithm"]): row for row in rows}
    return tuple(found.values())


def _written(space: Workspace, pattern: str) -> list[Path]:
    return sorted(space.root.glob(pattern))


def _number(text: str) -> str:
    return f"{float(text):.4g}" if text else DASH


def _pair(mean: str, spread: str, runs: str) -> str:
    if not mean:
        return DASH
    text = f"{_number(mean)} ± {_number(spread)}" if spread else _number(mean)
    return f"{text} ({runs})" if runs else text


def _ours(row: Row) -> str:
    """Ours with its interval: the half-width, or both ends where it is not symmetric."""
    if row["ours_half_width_95"] or not row["ours_low_95"]:
        return _pair(row["ours_mean"], row["ours_half_width_95"], row["ours_runs"])
    ends = f"[{_number(row['ours_low_95'])}, {_number(row['ours_high_95'])}]"
    return f"{_number(row['ours_mean'])} {ends} ({row['ours_runs']})"


SCORE_HEADER = ("Task", "Algorithm", "Metric", "Ours", "Paper", "Updates")
CLAIM_HEADER = ("Claim", "Verdict", "What it says", "Difference", "p (Holm)", "Seeds needed")


def score_cells(row: Row) -> tuple[str, ...]:
    """One score with its budget."""
    return (
        row["task"],
        row["algorithm"],
        row["metric"],
        _ours(row),
        _pair(row["paper_mean"], row["paper_spread"], row["paper_runs"]),
        f"{int(row['updates']):,}" if row["updates"].isdigit() else row["updates"],
    )


def claim_cells(row: Row) -> tuple[str, ...]:
    """One judged claim with its evidence."""
    setting = f"{row['claim']} ({row['setting']})" if row["setting"] else row["claim"]
    control = f"a control of {row['qualifies']}" if row["qualifies"] else ""
    says = "; ".join(filter(None, [setting, control, CONTRADICTED[row["contradicted"]]]))
    p = f"{_number(row['p'])} ({_number(row['p_holm'])})"
    name = f"{row['paper']} {row['id']}"
    return (name, row["verdict"], says, effect_text(row), p, row["seeds_needed"] or DASH)


def _where(summary: Summary) -> list[str]:
    lines = [f"every claim with its evidence: {summary.ledger}"]
    folders = {path.parent for path in (*summary.tables, *summary.figures)}
    kinds = {"tables": "tables (md, csv, tex)", "figures": "figures (png, pdf)"}
    lines += [f"{kinds.get(f.parent.name, 'files')}: {f}" for f in sorted(folders)]
    if summary.absent:
        lines.append(f"logs of jobs, also of those that failed: {summary.ledger.parent / 'logs'}")
    return [*lines, "how to read them: docs/results.md"]


def _runs(summary: Summary) -> str:
    elsewhere = f" Not made here: {', '.join(summary.exported)}." if summary.exported else ""
    return (
        f"{summary.finished} runs finished, {summary.failed} failed, {summary.missing} missing; "
        f"{len(summary.tables)} tables ({summary.filled} with numbers of ours) and "
        f"{len(summary.figures)} figures written.{elsewhere}"
    )


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["None."]
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines]


def markdown(summary: Summary) -> str:
    """The page as Markdown."""
    counts = [(name, str(count)) for name, count in summary.counts.items()]
    lines = [f"# Results of tier {summary.tier}", "", f"{summary.title}.", "", _runs(summary)]
    lines += ["", "## Claims", "", *_markdown_table(("Verdict", "Claims"), counts)]
    lines += ["", "## Judged", ""]
    lines += _markdown_table(CLAIM_HEADER, [claim_cells(row) for row in summary.judged])
    lines += ["", "## Numbers", ""]
    lines += _markdown_table(SCORE_HEADER, [score_cells(row) for row in summary.scores])
    if missing := (*summary.absent, *summary.waiting):
        lines += ["", "## Missing", "", *(f"- {line}" for line in missing)]
    if summary.problems:
        lines += ["", "## Left out", "", *(f"- {problem}" for problem in summary.problems)]
    lines += ["", "## Where to look", "", *(f"- {line}" for line in _where(summary))]
    return "\n".join(lines) + "\n"


def _outdated(summary: Summary, space: Workspace) -> bool:
    """Whether the last report wrote another page than its files and the runs now make."""
    page = space.root / TierPaths(space.tier).summary
    return not page.is_file() or page.read_text(encoding="utf-8") != markdown(summary)


def show(summary: Summary, console: Console) -> None:
    """The page on a terminal."""
    console.print(f"[bold]Results of tier {summary.tier}[/bold]: {summary.title}")
    console.print(_runs(summary), highlight=False)
    counts = Text("Claims: ")
    for name, number in summary.counts.items():
        style = STYLES[Verdict(name)] if number else "dim"
        counts.append(f"{number} {name}  ", style=style)
    console.print(counts)
    _show_table(console, "Judged claims", CLAIM_HEADER, [claim_cells(r) for r in summary.judged])
    _show_table(console, "Numbers", SCORE_HEADER, [score_cells(r) for r in summary.scores])
    for line in (*summary.absent, *summary.waiting):
        console.print(Text(f"missing: {line}", style="yellow"))
    for problem in summary.problems:
        console.print(Text(f"left out: {problem}", style="bold yellow"))
    for line in _where(summary):
        console.print(Text(line))


def _show_table(
    console: Console, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    if not rows:
        return
    table = RichTable(title=title, title_justify="left", box=None, padding=(0, 1))
    for column in header:
        table.add_column(column, overflow="fold")
    for row in rows:
        styles = [STYLES[Verdict(cell)] if cell in STYLES else "" for cell in row]
        table.add_row(*(Text(cell, style=s) for cell, s in zip(row, styles, strict=True)))
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line when there is nothing to show."""

    def run(space: Workspace) -> None:
        summary = read_summary(space, space.load())
        if not space.restricted and _outdated(summary, space):
            print(
                "warning: tables and verdicts are those of the last report, which runs or plan have left "
                f"behind; make it again with: python -m analysis.report --tier {space.tier}",
                file=sys.stderr,
            )
        if sys.stdout.isatty():
            show(summary, Console())
        else:
            print(markdown(summary), end="")

    return command_line(run, "Print what a tier's results say.", arguments)


if __name__ == "__main__":
    sys.exit(main())
