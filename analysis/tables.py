"""The model of a table: ours beside the paper's, before any formatting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from analysis import labels
from analysis.claim_file import ArmPattern
from analysis.claims import Entry
from analysis.evidence import find
from analysis.footnotes import Footnotes, footnotes
from analysis.layout import Line, Section, TableLayout, experiment_of
from analysis.load import ArmResult, Results
from analysis.published import Published, Value
from analysis.statistics import Interval, t_interval, welch_from_summary, welch_greater
from analysis.verdicts import Verdict
from analysis.workspace import Workspace

#: Verdicts that say something about a number; the others are in the ledger only.
SPEAKING = (
    Verdict.REPRODUCED,
    Verdict.DIRECTION_ONLY,
    Verdict.NOT_REPRODUCED,
    Verdict.INCONCLUSIVE,
)


@dataclass(frozen=True)
class Row:
    """One line: an algorithm (or a difference of two) on one task; `metric` where it has its own.

    `ours` is None where nothing finished; `gap` is ours minus the paper's, its half-width NaN
    unless the paper gives a standard deviation and a number of runs.
    """

    section: str
    task: str
    label: str
    arms: tuple[ArmResult, ...] = ()
    ours: Interval | None = None
    runs: tuple[float, ...] = ()
    planned: int = 0
    published: Value | None = None
    gap: Interval | None = None
    verdicts: tuple[tuple[str, Verdict], ...] = ()
    metric: str = ""

    @property
    def updates(self) -> str:
        """Budget behind `ours`."""
        found = {labels.budget(arm) for arm in self.arms if arm.runs}
        return " / ".join(sorted(found)) if self.ours else ""


@dataclass(frozen=True)
class Table:
    """A table ready for rendering."""

    name: str
    paper: str
    tier: str
    layout: TableLayout
    rows: tuple[Row, ...]
    notes: Footnotes = field(default_factory=Footnotes)

    @property
    def filled(self) -> int:
        """Rows with runs of ours."""
        return sum(row.ours is not None for row in self.rows)

    @property
    def caption(self) -> str:
        """Title, what is shown, and the budget's tier."""
        return f"{self.layout.title}. {self.layout.unit}; tier {self.tier}."


@dataclass(frozen=True)
class _Builder:
    space: Workspace
    paper: str
    layout: TableLayout
    results: Results
    published: Published
    entries: Sequence[Entry]

    def rows(self) -> Iterator[Row]:
        for section in self.layout.sections:
            for task in section.tasks:
                for line in self.layout.lines:
                    yield self._row(section, task, line)

    def _row(self, section: Section, task: str, line: Line) -> Row:
        experiment = experiment_of(section.experiment, self.space.tier, self.space.tiers)
        if line.difference:
            return self._difference(section, task, line, experiment, *line.difference)
        value = self._value(task, line)
        algo = line.algo or (value.algo if value else "")
        arm = self._arm(experiment, algo, task, line) if algo else None
        label = line.label or self.space.title(algo)
        if line.role and line.label and algo:
            label = f"{line.label} ({self.space.title(algo)})"
        row = Row(section.title, task, label, published=value, metric=line.metric or "")
        if arm is None:
            return row
        runs = tuple(float(x) for x in arm.values(line.metric or self.layout.metric))
        ours = t_interval(runs) if runs else None
        row = replace(row, arms=(arm,), ours=ours, runs=runs, planned=len(arm.arm.seeds))
        shown = {tuple(line.difference) for line in self.layout.lines if line.difference}
        verdicts = () if line.metric else self._verdicts(task, algo, None, shown)
        return replace(row, gap=_gap(row), verdicts=verdicts)

    def _difference(
        self,
        section: Section,
        task: str,
        line: Line,
        experiment: str | None,
        left: str,
        right: str,
    ) -> Row:
        """Mean of one algorithm minus mean of another, with the Welch interval."""
        arms = [self._arm(experiment, algo, task, Line(algo=algo)) for algo in (left, right)]
        label = line.label or f"{self.space.title(left)} {labels.MINUS} {self.space.title(right)}"
        value = self.published.find(
            self.layout.table,
            task,
            f"{self.layout.metric}_difference",
            algo=f"{left}-{right}",
            cell="base",
        )
        row = Row(section.title, task, label, published=value)
        samples = [arm.values(self.layout.metric) for arm in arms if arm]
        if len(samples) == 2 and all(len(values) for values in samples):
            welch = welch_greater(samples[0], samples[1])
            count = min(len(samples[0]), len(samples[1]))
            ours = Interval(welch.difference, welch.half_width, count)
            used = tuple(arm for arm in arms if arm)
            row = replace(row, arms=used, ours=ours, planned=len(used[0].arm.seeds))
        return replace(row, gap=_gap(row), verdicts=self._verdicts(task, left, right, set()))

    def _value(self, task: str, line: Line) -> Value | None:
        if not self.layout.published:
            return None
        return self.published.find(
            self.layout.table,
            task,
            self.layout.metric.rpartition(".")[2],
            algo=line.reference or line.algo or "",
            cell=line.cell,
            role=line.role or "",
        )

    def _arm(self, experiment: str | None, algo: str, task: str, line: Line) -> ArmResult | None:
        if experiment is None:
            return None
        pattern = ArmPattern(algo, line.settings)
        return find(self.results, f"{self.paper}/{experiment}", pattern, task)[0]

    def _verdicts(
        self, task: str, left: str, right: str | None, elsewhere: set[tuple[str, ...]]
    ) -> tuple[tuple[str, Verdict], ...]:
        """Verdicts on claims about this line: one task, `left` first, `right` second if given."""
        found = []
        for entry in self.entries:
            claim = entry.claim
            names = [str(arm) for arm in (*claim.left, *claim.right)]
            pair = tuple(sorted(names))
            taken = any(pair == tuple(sorted(other)) for other in elsewhere)
            fits = pair == tuple(sorted((left, right))) if right else names[:1] == [left]
            here = claim.tasks == (task,) and claim.metric == self.layout.metric
            if fits and here and not taken and entry.judgement.verdict in SPEAKING:
                found.append((claim.id, entry.judgement.verdict))
        return tuple(found)


def _gap(row: Row) -> Interval | None:
    """Ours minus the paper's; Welch from summaries where the paper's spread allows it."""
    if row.ours is None or row.published is None or math.isnan(row.published.mean):
        return None
    value, n = row.published, row.ours.n
    sd = value.sd
    if sd is None or value.n is None or len(row.runs) < 2:
        return Interval(row.ours.mean - value.mean, math.nan, n)
    own = float(np.std(row.runs, ddof=1))
    welch = welch_from_summary(row.ours.mean, own, n, value.mean, sd, value.n)
    return Interval(welch.difference, welch.half_width, n)


def build_table(
    name: str,
    layout: TableLayout,
    space: Workspace,
    paper: str,
    results: Results,
    published: Published,
    entries: Sequence[Entry],
) -> Table:
    """Fill a layout with the runs of one tier, the paper's numbers and the verdicts."""
    builder = _Builder(space, paper, layout, results, published, entries)
    rows = tuple(builder.rows())
    arms = list({id(arm): arm for row in rows for arm in row.arms}.values())
    return Table(name, paper, space.tier, layout, rows, footnotes(arms, layout.metric))
