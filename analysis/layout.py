"""How a paper's tables are laid out: `paper_tables/<paper>/tables.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from analysis.errors import AnalysisError
from analysis.metrics import parse_metric
from paper_tables.algorithms import Algo
from paper_tables.errors import PlanError, unknown
from paper_tables.schema import Name, Strict, read_model

#: Two algorithms that a line compares.
Pair = Annotated[list[Name], Field(min_length=2, max_length=2)]
Tasks = Annotated[list[str], Field(min_length=1)]
#: The experiment that fills a figure, from each tier upwards.
Experiments = Annotated[dict[str, str], Field(min_length=1)]
#: Lower and upper end of an axis.
Limits = Annotated[list[float], Field(min_length=2, max_length=2)]


class Line(Strict):
    """One line for each task of a section: an algorithm, the best of a class, or two compared.

    `difference` and `ratio` name two algorithms: mean of the first minus, or over, mean of the second.
    `metric` goes over the table's own; a published value is of the table's own metric.
    """

    algo: Name | None = None
    settings: dict[str, str] = Field(default_factory=dict)
    cell: str = "base"
    role: Name | None = None
    difference: Pair | None = None
    ratio: Pair | None = None
    label: str | None = None
    reference: str | None = None
    metric: str | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Line:
        given = [self.algo, self.role, self.difference, self.ratio]
        if sum(item is not None for item in given) != 1:
            raise ValueError("a line is one of algo, role, difference and ratio")
        if self.settings and not self.algo:
            raise ValueError("settings: they single out an arm of a line's algo")
        return self

    @property
    def pair(self) -> list[Name]:
        """The two algorithms that the line compares; none where it shows one."""
        return self.difference or self.ratio or []


class Section(Strict):
    """Tasks of one domain, with the experiment that fills them from each tier upwards.

    In a table of settings `algo` is the algorithm whose settings are shown; without it they are the
    task's own.
    """

    title: str
    experiment: dict[str, str] = Field(default_factory=dict)
    tasks: Tasks
    algo: Name | None = None


class TableLayout(Strict):
    """One table. `table` is its number in the paper, for looking up the published values.

    `comparison`: a line for each method of `lines`, filled from runs. `settings`: what is configured
    here beside what the paper states, a column for each of `columns` (name of the setting -> title);
    `reference` is the paper's name of the method.
    """

    table: str
    title: str
    metric: str = ""
    unit: str
    decimals: Annotated[int, Field(ge=0)] = 1
    published: bool = True
    kind: Literal["comparison", "settings"] = "comparison"
    note: str | None = None
    lines: list[Line] = Field(default_factory=list)
    columns: dict[str, str] = Field(default_factory=dict)
    reference: str = ""
    sections: list[Section] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> TableLayout:
        if self.kind == "settings":
            if not self.columns or self.lines or self.metric:
                raise ValueError("a table of settings has columns, no lines and no metric")
        elif self.columns or self.reference or not (self.lines and self.metric):
            raise ValueError("a comparison has lines and a metric, no columns and no reference")
        elif not all(section.experiment for section in self.sections):
            raise ValueError("sections: a comparison needs the experiments that fill it")
        return self


class Curves(Strict):
    """Learning curves: one figure a task; `table` gives the lines of published values."""

    table: str
    experiment: Experiments
    tasks: Tasks
    algorithms: list[Name]


class FigureLayout(Strict):
    """A figure beside the learning curves, with the experiment that fills it from each tier upwards.

    `case_study`: paths and rollouts in one maze; `comparison`: bars of every method, a column a task;
    `ablation`: `metric` against the hyperparameter `axis`, a panel a task; `model_error`: errors of the
    models of `lines` over training, one figure a task, with the values of `table`. `outputs` names its
    panels: metric of an evaluation -> title. `starts`, `cells`: where policies succeed, a row a task and a
    panel a method, by start (the axes show at least `xlim` and `ylim`) or by cell of a maze; `metric` of
    all runs, in percent, stands above.
    """

    kind: Literal["case_study", "comparison", "ablation", "model_error", "starts", "cells"]
    source: str
    experiment: Experiments
    tasks: Tasks
    algorithms: list[Name] = Field(default_factory=list)
    axis: str = ""
    label: str = ""
    metric: str = "score"
    unit: str = ""
    table: str = ""
    lines: list[Line] = Field(default_factory=list)
    outputs: dict[str, str] = Field(default_factory=dict)
    xlim: Limits | None = None
    ylim: Limits | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> FigureLayout:
        models = self.kind == "model_error"
        if models != bool(self.table and self.lines and self.outputs):
            raise ValueError(
                "table, lines, outputs: model_error needs them, other figures have none"
            )
        if models == bool(self.algorithms):
            raise ValueError("algorithms: every figure needs them but model_error")
        if self.kind == "case_study" and len(self.tasks) != 1:
            raise ValueError("a case study shows one task")
        if (self.kind == "ablation") != bool(self.axis):
            raise ValueError("axis: an ablation needs it, other figures have none")
        if self.kind != "ablation" and (self.label or self.unit):
            raise ValueError(
                "label, unit: they name the axes of an ablation, other figures have none"
            )
        for limits in filter(None, (self.xlim, self.ylim)):
            if self.kind != "starts" or limits[0] >= limits[1]:
                raise ValueError("xlim, ylim: [low, high] of a figure of kind starts")
        return self


class Layout(Strict):
    """`tables.yaml`: tables and figures by file name, and the learning curves."""

    task_groups: dict[str, list[str]] = Field(default_factory=dict)
    tables: dict[Name, TableLayout] = Field(default_factory=dict)
    curves: Curves | None = None
    figures: dict[Name, FigureLayout] = Field(default_factory=dict)


def experiment_of(choice: dict[str, str], tier: str, order: Sequence[str]) -> str | None:
    """The experiment of `tier`, or of the highest tier below it; `order` runs upwards."""
    for name in reversed(order[: order.index(tier) + 1]):
        if name in choice:
            return choice[name]
    return None


def read_layout(path: Path, tiers: Sequence[str]) -> Layout:
    """Read and check a paper's tables; a paper without the file has none.

    Raises:
        PlanError: unknown key or tier, as one line with file and key.
    """
    if not path.is_file():
        return Layout()
    layout = read_model(Layout, path)
    choices = [section.experiment for t in layout.tables.values() for section in t.sections]
    choices += [layout.curves.experiment] if layout.curves else []
    choices += [figure.experiment for figure in layout.figures.values()]
    for choice in choices:
        for tier in set(choice) - set(tiers):
            raise PlanError(f"{path}: experiment: unknown tier '{tier}'")
    return layout


@dataclass(frozen=True)
class Known:
    """Names that a layout may use; `experiments` are those of its own paper."""

    algorithms: Mapping[str, Algo]
    tasks: Collection[str]
    experiments: Collection[str]

    def check(self, layout: Layout, path: Path) -> None:
        """Refuse the first name that nothing declares: its cells would look like runs not made.

        Raises:
            PlanError: one line with file, table or figure, key and nearest name.
        """
        for where, kind, names in _names(layout):
            known = getattr(self, f"{kind}s")
            for name in names:
                if name not in known:
                    raise unknown(f"{path}: {where}", kind, name, known)
        for where, line in _lines(layout):
            self._check_settings(line, f"{path}: {where}")
        for name, figure in layout.figures.items():
            if figure.axis and figure.axis not in (numbers := self._numbers(figure.algorithms)):
                raise unknown(f"{path}: figures.{name}.axis", "number", figure.axis, numbers)
        for where, metric in _metrics(layout):
            try:
                parse_metric(metric)
            except AnalysisError as error:
                raise PlanError(f"{path}: {where}: {error}") from None

    def _numbers(self, algorithms: Sequence[str]) -> set[str]:
        """Hyperparameters that are numbers, of any of these algorithms."""
        return {
            key
            for algo in algorithms
            for key, spec in self.algorithms[algo].keys.items()
            if spec.type in ("int", "float")
        }

    def _check_settings(self, line: Line, where: str) -> None:
        if line.algo is None:
            return
        algo = self.algorithms[line.algo]
        for key in line.settings:
            slot, dot, _ = key.partition(".")
            if key not in algo.keys and not (dot and slot in ("data", *algo.fits)):
                raise unknown(f"{where}.{line.algo}.settings", "setting", key, algo.keys)


def _names(layout: Layout) -> Iterator[tuple[str, str, Iterable[str]]]:
    """Place, kind and names of everything that a layout takes from elsewhere."""
    for name, table in layout.tables.items():
        for section in table.sections:
            where = f"tables.{name}.sections.{section.title}"
            yield f"{where}.experiment", "experiment", _parts(section.experiment)
            yield f"{where}.tasks", "task", section.tasks
            yield f"{where}.algo", "algorithm", filter(None, [section.algo])
        yield f"tables.{name}.lines", "algorithm", _algorithms(table.lines)
    figures: list[tuple[str, Curves | FigureLayout]] = [
        (f"figures.{name}", figure) for name, figure in layout.figures.items()
    ]
    for where, figure in [*figures, *([("curves", layout.curves)] if layout.curves else [])]:
        yield f"{where}.experiment", "experiment", _parts(figure.experiment)
        yield f"{where}.tasks", "task", figure.tasks
        yield f"{where}.algorithms", "algorithm", figure.algorithms
        if isinstance(figure, FigureLayout):
            yield f"{where}.lines", "algorithm", _algorithms(figure.lines)


def _parts(choice: dict[str, str]) -> Iterator[str]:
    """Experiments by name, also of `one+another`."""
    return (part for names in choice.values() for part in names.split("+"))


def _algorithms(lines: Sequence[Line]) -> Iterator[str]:
    return (algo for line in lines for algo in (line.algo, *line.pair) if algo)


def _lines(layout: Layout) -> Iterator[tuple[str, Line]]:
    for part, holders in (("tables", layout.tables), ("figures", layout.figures)):
        for name, holder in holders.items():
            yield from ((f"{part}.{name}.lines", line) for line in holder.lines)


def _metrics(layout: Layout) -> Iterator[tuple[str, str]]:
    """Place and text of every metric of a layout."""
    for name, table in layout.tables.items():
        yield from ((f"tables.{name}.metric", metric) for metric in filter(None, [table.metric]))
    for name, figure in layout.figures.items():
        yield f"figures.{name}.metric", figure.metric
        yield from ((f"figures.{name}.outputs", metric) for metric in figure.outputs)
    for where, line in _lines(layout):
        yield from ((f"{where}.metric", metric) for metric in filter(None, [line.metric]))
