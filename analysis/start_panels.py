"""Panels of figures of success by start: a row a task, a panel a method, and what stands around them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import labels, style
from analysis.claim_file import ArmPattern
from analysis.errors import AnalysisError
from analysis.evidence import find
from analysis.figures_maze import draw_absent
from analysis.layout import FigureLayout
from analysis.load import ArmResult, Results
from analysis.starts import Starts, read_starts
from analysis.statistics import Array, t_interval
from analysis.workspace import Workspace

CAPTION_LETTERS_PER_INCH = 21


@dataclass(frozen=True)
class Panel:
    """One method on one task; `starts` is None where there is nothing to draw, `absent` says why."""

    title: str
    starts: Starts | None = None
    robustness: Array | None = None
    absent: str = ""

    @property
    def numbers(self) -> str:
        """Robustness of all runs with its 95 % interval."""
        if self.robustness is None or not len(self.robustness):
            return ""
        mean, count = t_interval(self.robustness), len(self.robustness)
        spread = "" if math.isnan(mean.half_width) else f" ± {mean.half_width:.1f}"
        return f"{mean.mean:.1f}{spread} %, {count} run{'s' if count > 1 else ''}"


Panels = dict[str, list[Panel]]


@dataclass(frozen=True)
class Found:
    """The panels of each task that has anything to show, their arms, and what was left out."""

    panels: Panels
    shown: list[ArmResult]
    problems: list[str]

    def caption(self, space: Workspace, text: str) -> str:
        """Where the runs come from, `text`, and what was left out."""
        left_out = f" Left out: {'; '.join(self.problems)}." if self.problems else ""
        return f"{labels.made_of(space.tier, self.shown)} {text}{left_out}"


def collect(
    space: Workspace, paper: str, experiment: str, layout: FigureLayout, results: Results
) -> Found:
    """Read the outcomes of every method and task; a task without any has no panels."""
    found = Found({}, [], [])
    for task in layout.tasks:
        panels: list[Panel] = []
        for algo in layout.algorithms:
            result, _ = find(results, f"{paper}/{experiment}", ArmPattern(algo, {}), task)
            panel, problem = _panel(space, algo, result, layout)
            panels.append(panel)
            if result is not None and panel.starts is not None:
                found.shown.append(result)
            if problem:
                found.problems.append(problem)
        if any(panel.starts for panel in panels):
            found.panels[task] = panels
    return found


def _panel(
    space: Workspace, algo: str, result: ArmResult | None, layout: FigureLayout
) -> tuple[Panel, str]:
    """The panel of one arm, and what of its outcomes cannot be used and why."""
    title = space.title(algo)
    if result is None or not result.runs:
        return Panel(title, absent=space.absence(algo, result)), ""
    try:
        starts = read_starts(result, space.root)
        if starts is not None and layout.kind == "cells":
            starts.cells()
    except AnalysisError as error:
        return Panel(title, absent="outcomes cannot be used"), str(error)
    if starts is None:
        return Panel(title, absent="no outcomes by start"), ""
    seeds = ", ".join(map(str, starts.missing))
    problem = f"{result.name}: no outcomes of seed {seeds}" if seeds else ""
    return Panel(title, starts, result.values(layout.metric)), problem


def grid_of(
    panels: Panels, width: float, heights: Sequence[float], between: float
) -> tuple[Figure, Any]:
    """A figure with a row of panels for each task; inches."""
    style.apply()
    columns = max(len(row) for row in panels.values())
    size = (width * columns + 0.9, sum(heights) + between * len(heights) + 0.7)
    return plt.subplots(
        len(panels), columns, figsize=size, squeeze=False, height_ratios=heights,
        layout="constrained",
    )  # fmt: skip


def title(axes: Axes, panel: Panel, more: str = "") -> None:
    """The method, and below it its numbers."""
    axes.set_title(panel.title, loc="left", pad=13)
    text = "; ".join(filter(None, [panel.numbers, more]))
    axes.annotate(
        text, (0, 1), (0, 3.5), xycoords="axes fraction", textcoords="offset points", fontsize=6.3,
        color="#555555",
    )  # fmt: skip


def nothing(axes: Axes, panel: Panel, proportion: float) -> None:
    """An empty panel of a height over width that says why it is empty."""
    axes.set_title(panel.title, loc="left", pad=13)
    axes.set_box_aspect(proportion)
    draw_absent(axes, panel.absent)


def write_caption(figure: Figure, caption: str) -> None:
    """`caption` in lines that fit the figure, at its foot."""
    width = int(CAPTION_LETTERS_PER_INCH * figure.get_figwidth())
    text = textwrap.fill(caption, width)
    figure.supxlabel(text, x=0.005, ha="left", fontsize=6.2, color="#666666")


def frame(axes: Axes) -> None:
    """Both axes to the same scale in a thin frame."""
    axes.set_aspect("equal")
    for spine in axes.spines.values():
        spine.set(linewidth=0.6, edgecolor="#8A8780")
