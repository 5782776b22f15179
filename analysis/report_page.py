"""The model of the report: everything that the page says, before any markup."""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis import labels, settings_tables
from analysis.claims import Entry
from analysis.layout import Layout
from analysis.load import ArmResult, Results, distinct, read_elsewhere
from analysis.render import FORMATS
from analysis.render_html import Badge, Links, TableView, badge, slug, view
from analysis.report_arms import ArmView, Catalogue
from analysis.report_claims import MEANINGS, ClaimView, claim_anchor, claim_view, counts
from analysis.report_figures import FigureView, embed
from analysis.report_words import count, duration, plain
from analysis.settings_tables import SettingsTable
from analysis.summary import Summary
from analysis.tables import Table
from analysis.verdicts import Verdict
from analysis.workspace import Workspace
from paper_tables.registry import read_papers

#: Formats of a table that can be taken out of the page, with their media types.
DOWNLOADS = {"csv": ("CSV", "text/csv"), "tex": ("LaTeX", "application/x-tex")}


@dataclass(frozen=True)
class Exhibits:
    """What was written for one paper: its tables, figures (without suffix), tables of settings."""

    tables: tuple[Table, ...] = ()
    figures: tuple[Path, ...] = ()
    settings: tuple[SettingsTable, ...] = ()


@dataclass(frozen=True)
class PaperView:
    """The section of one paper."""

    anchor: str
    name: str
    title: str
    source: str
    counts: tuple[tuple[Badge, int], ...]
    claims: tuple[ClaimView, ...]
    tables: tuple[TableView, ...]
    empty: tuple[TableView, ...]
    settings: tuple[TableView, ...]
    figures: tuple[FigureView, ...]
    absent: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """The whole report."""

    tier: str
    title: str
    command: str
    runs: tuple[tuple[str, int], ...]
    warnings: tuple[str, ...]
    problems: tuple[str, ...]
    absent: tuple[str, ...]
    provenance: tuple[tuple[str, tuple[str, ...]], ...]
    counts: tuple[tuple[Badge, int], ...]
    papers: tuple[PaperView, ...]
    arms: tuple[ArmView, ...]
    meanings: tuple[tuple[Badge, str], ...]


def build_page(
    space: Workspace,
    results: Results,
    entries: Sequence[Entry],
    exhibits: Mapping[str, Exhibits],
    summary: Summary,
) -> Page:
    """Join ledger, tables, figures and runs of a tier into one page."""
    catalogue = Catalogue(space, results)
    known = {(entry.claim.paper, entry.claim.id) for entry in entries}
    links = Links(
        arm=catalogue.anchor,
        claim=lambda paper, name: claim_anchor(paper, name) if (paper, name) in known else None,
    )
    stems = [stem for own in exhibits.values() for stem in own.figures]
    builder = _Papers(space, results, links, embed(stems))
    return Page(
        tier=space.tier,
        title=summary.title,
        command=" ".join([f"snakemake --cores 8 --config tier={space.tier}", *_exports(space)]),
        runs=(
            ("finished", summary.finished),
            ("failed", summary.failed),
            ("missing", summary.missing),
        ),
        warnings=tuple(_warnings(space, catalogue)),
        problems=summary.problems,
        absent=summary.absent,
        provenance=tuple(_provenance(catalogue)),
        counts=counts(entries),
        papers=tuple(
            builder.paper(
                name, [e for e in entries if e.claim.paper == name], exhibits.get(name, Exhibits())
            )
            for name in space.papers
        ),
        arms=tuple(catalogue.views()),
        meanings=tuple((badge(verdict), MEANINGS[verdict]) for verdict in Verdict),
    )


@dataclass(frozen=True)
class _Papers:
    space: Workspace
    results: Results
    links: Links
    addresses: Mapping[Path, str]

    def paper(self, name: str, entries: Sequence[Entry], exhibits: Exhibits) -> PaperView:
        """The section of one paper."""
        folder = self.space.folder(name).parent
        described = (folder / name / "experiments.yaml").is_file()
        known = read_papers(folder, [name]) if described else {}
        layout = self.space.layout(name)
        tables = [self._table(table) for table in exhibits.tables]
        filled = [bool(table.filled) for table in exhibits.tables]
        own = [arm for arm in self.results.arms if arm.arm.paper == name]
        return PaperView(
            anchor=f"paper-{slug(name)}",
            name=name,
            title=known[name].title if name in known else name,
            source=known[name].source if name in known else "",
            counts=counts(entries),
            claims=tuple(claim_view(entry, self.links, self.space.titles) for entry in entries),
            tables=tuple(t for t, full in zip(tables, filled, strict=True) if full),
            empty=tuple(t for t, full in zip(tables, filled, strict=True) if not full),
            settings=tuple(map(self._settings, exhibits.settings)),
            figures=tuple(self._figure(name, stem, layout) for stem in exhibits.figures),
            absent=tuple(self._absent(own)),
            problems=tuple(dict.fromkeys(problem for arm in own for problem in arm.problems)),
        )

    def _table(self, table: Table) -> TableView:
        texts = {suffix: FORMATS[suffix](table) for suffix in DOWNLOADS}
        shown = view(table, self.links, split=True)
        return replace(shown, downloads=_downloads(f"{table.paper}_{table.name}", texts))

    def _settings(self, table: SettingsTable) -> TableView:
        texts = {suffix: settings_tables.FORMATS[suffix](table) for suffix in DOWNLOADS}
        name = table.label.replace("-", "_")
        return replace(settings_tables.view(table), downloads=_downloads(name, texts))

    def _figure(self, paper: str, stem: Path, layout: Layout) -> FigureView:
        kind, _, task = stem.name.partition("_")
        caption = f"Learning curves, {task}" if kind == "curves" else stem.name
        if stem.name in layout.figures:
            figure = layout.figures[stem.name]
            caption = f"{figure.source}: {', '.join(figure.tasks)}"
        anchor = f"figure-{slug(paper)}-{slug(stem.name)}"
        return FigureView(anchor, caption, self.addresses[stem])

    def _absent(self, arms: Sequence[ArmResult]) -> Iterator[str]:
        """How much of a paper this tier has not run, and why."""
        waiting = [arm for arm in arms if arm.arm.status != "planned"]
        if waiting:
            names = {self.space.title(arm.arm.algo) for arm in waiting}
            yield f"{count(len(waiting), 'arm')} of methods without an implementation: {labels.listed(names)}"
        missing = sum(len(arm.missing) for arm in arms if arm.arm.status == "planned")
        if missing:
            yield f"{count(missing, 'planned run')} without a result"


def _downloads(name: str, texts: Mapping[str, str]) -> tuple[tuple[str, str, str], ...]:
    """Label, file name and address of each text, by suffix."""
    found = []
    for suffix, text in texts.items():
        label, media = DOWNLOADS[suffix]
        content = base64.b64encode(text.encode("utf-8")).decode("ascii")
        found.append((label, f"{name}.{suffix}", f"data:{media};charset=utf-8;base64,{content}"))
    return tuple(found)


def _warnings(space: Workspace, catalogue: Catalogue) -> Iterator[str]:
    """What a reader must know before the first number."""
    if space.judged == "none":
        yield (
            f"Tier {space.tier} proves that everything runs. Its budgets are far too small for any "
            "number on this page to mean something, and no claim is judged."
        )
        return
    arms = [group[0] for group in catalogue.groups.values() if group[0].runs]
    small = [arm for arm in arms if arm.arm.budget_changes]
    if not small:
        return
    key, (value, own) = _telling(small)
    share = "Every arm" if len(small) == len(arms) else f"{len(small)} of {len(arms)} arms"
    yield (
        f"{share} of this tier ran with a budget other than the published one, for example "
        f"{plain(value)} {key.replace('_', ' ')} in place of {plain(own)}. Compare such a score with "
        "other scores of the same budget; beside the paper's it shows the budget as much as the method."
    )


def _exports(space: Workspace) -> Iterator[str]:
    """The setting that has exported runs not made again; the workflow takes one folder."""
    yield from (f"exported={shlex.quote(str(folder))}" for folder in space.exports[:1])


def _telling(arms: Sequence[ArmResult]) -> tuple[str, tuple[object, object]]:
    """The change of budget that says most: that of the updates, where there is one."""
    for arm in arms:
        if "updates" in arm.arm.budget_changes:
            return "updates", arm.arm.budget_changes["updates"]
    return next(iter(arms[0].arm.budget_changes.items()))


def _provenance(catalogue: Catalogue) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What made the numbers of this page, over all its runs."""
    arms = [group[0] for group in catalogue.groups.values() if group[0].records]
    records = {record.path: record for arm in arms for record in arm.records}
    wall = sum(record.wall_seconds or 0.0 for record in records.values())
    pairs: list[tuple[str, Iterable[str]]] = [
        ("Compute", [f"{duration(wall)} of wall time in {count(len(records), 'job')}"]),
        ("Not made here", read_elsewhere(distinct(arms))),
        ("Hardware", map(labels.machine, records.values())),
        ("Precision", map(labels.precision, arms)),
        ("Data", map(labels.data, arms)),
        ("Versions", map(labels.versions_of, records.values())),
    ]
    for label, texts in pairs:
        if found := tuple(sorted(set(filter(None, texts)))):
            yield label, found
