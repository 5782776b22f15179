"""The model of a table: ours beside the paper's, before any formatting."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from analysis import labels
from analysis.claim_file import ArmPattern
from analysis.claims import Entry
from analysis.equivalence import ratio_interval
from analysis.evidence import find
from analysis.footnotes import Footnotes, footnotes
from analysis.layout import Line, Section, TableLayout, experiment_of
from analysis.load import ArmResult, Results
from analysis.published import Published, Value
from analysis.statistics import Array, Interval, t_interval, welch_from_summary, welch_greater
from analysis.verdicts import Verdict
from analysis.workspace import Workspace

#: Verdicts that say something about a number; the others are in the ledger only.
SPEAKING = (
    Verdict.REPRODUCED,
    Verdict.DIRECTION_ONLY,
    Verdict.NOT_REPRODUCED,
    Verdict.INCONCLUSIVE,
)


Kind = Literal["arm", "difference", "ratio"]
#: What stands between two algorithms that are compared.
SIGNS = {"difference": labels.MINUS, "ratio": "/"}


@dataclass(frozen=True)
class Row:
    """One line: an algorithm (or two compared) on one task; `metric` where it has its own.

    `ours` is None where nothing finished or a ratio has no meaning; `bounds` are the ends of its 95 %
    interval where that is not symmetric (infinite where the runs do not bound it). `gap` is ours minus
    the paper's, its half-width NaN unless the paper gives a standard deviation and a number of runs.
    `unread` are the finished runs without the metric, and why.
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
    kind: Kind = "arm"
    bounds: tuple[float, float] | None = None
    unread: tuple[tuple[str, str], ...] = ()

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the 95 % interval of `ours`; NaN where there is none."""
        if self.bounds is not None:
            return self.bounds
        return (self.ours.low, self.ours.high) if self.ours else (math.nan, math.nan)

    @property
    def neutral(self) -> float:
        """The value at which two algorithms are equal."""
        return 1.0 if self.kind == "ratio" else 0.0

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
        if line.pair:
            return self._of_two(section, task, line, experiment)
        value = self._value(task, line)
        algo = line.algo or (value.algo if value else "")
        arm = self._arm(experiment, algo, task, line) if algo else None
        label = line.label or self.space.title(algo)
        if line.role and line.label and algo:
            label = f"{line.label} ({self.space.title(algo)})"
        row = Row(section.title, task, label, published=value, metric=line.metric or "")
        if arm is None:
            return row
        metric = line.metric or self.layout.metric
        row = replace(row, unread=_unread(arm, metric))
        runs = tuple(float(x) for x in arm.values(metric))
        ours = t_interval(runs) if runs else None
        row = replace(row, arms=(arm,), ours=ours, runs=runs, planned=len(arm.arm.seeds))
        verdicts = () if line.metric else self._verdicts(task, algo)
        return replace(row, gap=_gap(row), verdicts=verdicts)

    def _of_two(self, section: Section, task: str, line: Line, experiment: str | None) -> Row:
        """Means of two algorithms compared, with the Welch or the Fieller interval."""
        kind: Kind = "ratio" if line.ratio else "difference"
        left, right = line.pair
        arms = [self._arm(experiment, algo, task, Line(algo=algo)) for algo in (left, right)]
        label = line.label or f"{self.space.title(left)} {SIGNS[kind]} {self.space.title(right)}"
        value = self._value_of_two(kind, task, left, right)
        unread = tuple(run for arm in arms if arm for run in _unread(arm, self.layout.metric))
        row = Row(section.title, task, label, published=value, kind=kind, unread=unread)
        samples = [arm.values(self.layout.metric) for arm in arms if arm]
        if len(samples) == 2 and all(len(values) for values in samples):
            ours, bounds = COMPARE[kind](*samples)
            used = tuple(arm for arm in arms if arm)
            planned = len(used[0].arm.seeds)
            row = replace(row, arms=used, ours=ours, bounds=bounds, planned=planned)
        return replace(row, gap=_gap(row), verdicts=self._verdicts_of_two(task, kind, left, right))

    def _value_of_two(self, kind: Kind, task: str, left: str, right: str) -> Value | None:
        """The printed difference or ratio. Papers print ratios to one baseline, whose own is 1."""
        if not self.layout.published:
            return None
        name = f"{self.layout.metric.rpartition('.')[2]}_{kind}"
        table = self.layout.table
        if kind == "difference":
            return self.published.find(table, task, name, algo=f"{left}-{right}", cell="base")
        own, base = (
            self.published.find(table, task, name, algo=algo, cell="base") for algo in (left, right)
        )
        return own if base and base.mean == 1.0 else None

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

    def _verdicts(self, task: str, algo: str) -> tuple[tuple[str, Verdict], ...]:
        """Verdicts on claims about one task that begin with `algo` and have no line of two."""
        pairs = [sorted(line.pair) for line in self.layout.lines if line.pair]
        return tuple(
            (entry.claim.id, entry.judgement.verdict)
            for entry in self._speaking(task)
            if _names(entry)[:1] == [algo] and sorted(_names(entry)) not in pairs
        )

    def _verdicts_of_two(
        self, task: str, kind: Kind, left: str, right: str
    ) -> tuple[tuple[str, Verdict], ...]:
        """Verdicts on claims about these two; those about ratios stand at the ratio, if it has a line."""
        pair = sorted((left, right))
        lines = [line for line in self.layout.lines if sorted(line.pair) == pair]
        both = any(line.ratio for line in lines) and any(line.difference for line in lines)
        return tuple(
            (entry.claim.id, entry.judgement.verdict)
            for entry in self._speaking(task)
            if sorted(_names(entry)) == pair
            and (not both or (entry.claim.kind == "ratio") == (kind == "ratio"))
        )

    def _speaking(self, task: str) -> Iterator[Entry]:
        """Claims about this metric on this task alone whose verdict says something."""
        for entry in self.entries:
            claim, verdict = entry.claim, entry.judgement.verdict
            here = claim.tasks == (task,) and claim.metric == self.layout.metric
            if here and verdict in SPEAKING:
                yield entry


def _unread(arm: ArmResult, metric: str) -> tuple[tuple[str, str], ...]:
    """Arm or runs of it that have no `metric`, and why."""
    absent: dict[str, list[int]] = {}
    for run, reading in zip(arm.runs, arm.readings(metric), strict=True):
        if reading.absent:
            absent.setdefault(reading.absent, []).append(run.seed)
    return tuple(
        (arm.name if len(seeds) == len(arm.runs) else f"{arm.name} {_seeds(seeds)}", reason)
        for reason, seeds in absent.items()
    )


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _names(entry: Entry) -> list[str]:
    return [str(arm) for arm in (*entry.claim.left, *entry.claim.right)]


Compared = tuple[Interval | None, tuple[float, float] | None]


def _difference(left: Array, right: Array) -> Compared:
    welch = welch_greater(left, right)
    return Interval(welch.difference, welch.half_width, min(len(left), len(right))), None


def _ratio(left: Array, right: Array) -> Compared:
    """Ratio of means before rounding; none over a mean that is not above 0."""
    if right.mean() <= 0:
        return None, None
    ratio = Interval(float(left.mean() / right.mean()), math.nan, min(len(left), len(right)))
    return ratio, ratio_interval(left, right)


COMPARE = {"difference": _difference, "ratio": _ratio}


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
    unread = dict.fromkeys(run for row in rows for run in row.unread)
    return Table(name, paper, space.tier, layout, rows, footnotes(arms, layout.metric, unread))
