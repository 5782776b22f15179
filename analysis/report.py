"""Everything that a tier's results are turned into: ledger, tables, figures, summary and page.

``python -m analysis.report --tier quick [--paper romi]``
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from analysis import claims, curves
from analysis.case_studies import write_case_studies
from analysis.claim_file import ArmPattern
from analysis.claims import Entry
from analysis.evidence import find
from analysis.figures_models import write_model_errors
from analysis.files import write_text
from analysis.labels import setting
from analysis.layout import Curves, experiment_of
from analysis.load import ArmResult, Results
from analysis.published import Published
from analysis.render_html import FORMATS
from analysis.report_html import write_page
from analysis.report_page import Exhibits, build_page
from analysis.settings_tables import write_settings_tables
from analysis.summary import markdown, read_summary
from analysis.tables import Table, build_table
from analysis.workspace import Workspace, command_line
from paper_tables.paths import TierPaths


def write_tables(
    space: Workspace, paper: str, results: Results, entries: Sequence[Entry]
) -> list[Table]:
    """Write every table of a paper in all formats; tables of settings are not filled from runs."""
    published = space.published(paper)
    paths = TierPaths(space.tier)
    tables = []
    for name, layout in space.layout(paper).tables.items():
        if layout.kind == "settings":
            continue
        table = build_table(name, layout, space, paper, results, published, entries)
        for suffix, render in FORMATS.items():
            write_text(space.root / paths.table(paper, name, suffix), render(table))
        tables.append(table)
    return tables


def _series(
    space: Workspace, layout: Curves, arms: dict[str, ArmResult], task: str
) -> Iterator[curves.Series]:
    """Evaluations of each arm that has any, with the paper's value for its algorithm."""
    published = space.published(next(iter(arms.values())).arm.paper) if arms else Published()
    for algo, result in arms.items():
        if result.evaluations.empty:
            continue
        value = published.find(layout.table, task, "score", algo=algo, cell="base")
        mean = value.mean if value else None
        yield curves.Series(algo, space.title(algo), result.evaluations, mean)


def write_curves(space: Workspace, paper: str, results: Results) -> list[Path]:
    """Write the learning curves of every task that has evaluations."""
    layout = space.layout(paper).curves
    experiment = experiment_of(layout.experiment, space.tier, space.tiers) if layout else None
    if layout is None or experiment is None:
        return []
    written: list[Path] = []
    for task in layout.tasks:
        arms: dict[str, ArmResult] = {}
        for algo in layout.algorithms:
            arm, _ = find(results, f"{paper}/{experiment}", ArmPattern(algo, {}), task)
            if arm is not None and (arm.runs or arm.failed):
                arms[algo] = arm
        series = list(_series(space, layout, arms, task))
        if series:
            figure = curves.draw(task, _caption(space, list(arms.values())), series)
            path = TierPaths(space.tier).figure(paper, f"curves_{task}", "png")
            written += curves.save(figure, (space.root / path).with_suffix(""))
    return written


def _caption(space: Workspace, arms: Sequence[ArmResult]) -> str:
    counts = sorted({str(len(arm.runs)) for arm in arms})
    return (
        f"Tier {space.tier}: {setting(arms)}; {' or '.join(counts)} runs a method. Thick: mean, with "
        "its 95 % Student-t band from 3 runs on (cut at the frame). Thin: single runs, a cross where "
        "one failed. Dotted: the values of the paper, at its own budget."
    )


def write_report(space: Workspace, results: Results) -> str:
    """Write everything for the papers of `space` and return the summary as Markdown."""
    entries = claims.judge_all(space, results)
    claims.write(entries, space)
    exhibits: dict[str, Exhibits] = {}
    for paper in space.papers:
        own = [entry for entry in entries if entry.claim.paper == paper]
        tables = write_tables(space, paper, results, own)
        settings = write_settings_tables(space, paper)
        figures = [
            *write_curves(space, paper, results),
            *write_case_studies(space, paper, results),
            *write_model_errors(space, paper, results),
        ]
        stems = dict.fromkeys(figure.with_suffix("") for figure in figures)
        exhibits[paper] = Exhibits(tuple(tables), tuple(stems), tuple(settings))
    summary = read_summary(space, results)
    write_page(build_page(space, results, entries, exhibits, summary), space)
    text = markdown(summary)
    write_text(space.root / TierPaths(space.tier).summary, text)
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line when the input cannot be used."""

    def run(space: Workspace) -> None:
        space.check()
        results = space.load()
        for problem in results.problems:
            print(f"warning: {problem}", file=sys.stderr)
        write_report(space, results)
        paths = TierPaths(space.tier)
        print(f"{space.root / paths.summary}\n{space.root / paths.report}")

    return command_line(run, "Write the tables, figures and ledger of a tier.", arguments)


if __name__ == "__main__":
    sys.exit(main())
