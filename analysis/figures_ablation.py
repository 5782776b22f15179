"""Ablations: one metric against one hyperparameter, a panel a task, a line a method.

Points are means over runs with their 95 % Student-t whisker from three runs on, small dots the
single runs. Values stand at equal distances: grids such as 1, 5, 10, 20 are not linear.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis import style
from analysis.curves import FEWEST_FOR_BAND
from analysis.labels import setting
from analysis.layout import FigureLayout
from analysis.load import ArmResult, Results
from analysis.statistics import Array, t_interval
from analysis.workspace import Workspace

#: How far the methods of a panel stand apart, in steps of the axis.
DODGE = 0.07
CAPTION_LETTERS_PER_INCH = 21
YLABEL_LETTERS = 36  # of the height of a panel
LEGEND_ROW = 0.17  # inches


@dataclass(frozen=True)
class Line:
    """One method on one task: values of the hyperparameter, and the runs at each."""

    algo: str
    title: str
    positions: tuple[float, ...]
    runs: tuple[Array, ...]


def arms_of_axis(
    results: Results, experiment: str, layout: FigureLayout, algo: str, task: str
) -> list[ArmResult]:
    """Arms of one method that ran, in order of the hyperparameter `layout.axis`.

    An experiment may be `paper/name+name`; an arm that lies in several counts once.
    """
    paper, _, names = experiment.partition("/")
    found = {
        arm.arm.digest: arm
        for name in names.split("+")
        for arm in results.select(f"{paper}/{name}", algo, task)
        if layout.axis in arm.arm.hyperparameters and len(arm.values(layout.metric))
    }
    return sorted(found.values(), key=lambda arm: float(arm.arm.hyperparameters[layout.axis]))


def ablation(
    space: Workspace, paper: str, experiment: str, layout: FigureLayout, results: Results
) -> Figure | None:
    """The figure of one ablation, None where fewer than two values of the axis ran."""
    panels: dict[str, list[Line]] = {}
    shown: list[ArmResult] = []
    for task in layout.tasks:
        for algo in layout.algorithms:
            arms = arms_of_axis(results, f"{paper}/{experiment}", layout, algo, task)
            if len(arms) < 2:
                continue
            positions = tuple(float(a.arm.hyperparameters[layout.axis]) for a in arms)
            runs = tuple(arm.values(layout.metric) for arm in arms)
            panels.setdefault(task, []).append(Line(algo, space.title(algo), positions, runs))
            shown += arms
    if not panels:
        return None
    counts = " or ".join(str(n) for n in sorted({len(arm.runs) for arm in shown}))
    caption = (
        f"Tier {space.tier}: {setting(shown, but=layout.axis)}; {counts} runs a point. Dots: single runs, "
        "whiskers: 95 % t interval from 3 runs on. The horizontal axis is not to scale."
    )
    return draw(panels, layout.label or layout.axis, layout.unit or layout.metric, caption)


def _draw(axes: Axes, lines: Sequence[Line], grid: Sequence[float]) -> None:
    for number, line in enumerate(lines):
        look = style.look(line.algo)
        shift = DODGE * (number - (len(lines) - 1) / 2)
        x = np.array([grid.index(value) + shift for value in line.positions])
        means = [t_interval(runs) for runs in line.runs]
        for place, runs in zip(x, line.runs, strict=True):
            axes.plot(
                np.full(len(runs), place), runs, ".", color=look.colour, alpha=0.45, markersize=3.5
            )
        whiskers = [m.half_width if m.n >= FEWEST_FOR_BAND else 0.0 for m in means]
        axes.errorbar(
            x,
            [m.mean for m in means],
            yerr=whiskers,
            color=look.colour,
            linestyle=look.dash,
            marker=look.marker,
            linewidth=1.4,
            elinewidth=0.8,
            capsize=2.0,
            markersize=4.8,
            markeredgecolor="white",
            markeredgewidth=0.5,
            label=line.title,
        )


def draw(panels: dict[str, list[Line]], label: str, unit: str, caption: str) -> Figure:
    """Draw one panel a task; all share the vertical axis."""
    style.apply()
    width = max(4.2, 2.6 * len(panels))
    titles = list(dict.fromkeys(line.title for lines in panels.values() for line in lines))
    columns = style.columns_that_fit(titles, width)
    height = 2.9 + LEGEND_ROW * (math.ceil(len(titles) / columns) - 1)
    figure, grid = plt.subplots(
        1, len(panels), figsize=(width, height), squeeze=False, sharey=True, layout="constrained"
    )
    for axes, (task, lines) in zip(grid[0], panels.items(), strict=True):
        values = sorted({value for line in lines for value in line.positions})
        _draw(axes, lines, values)
        axes.set_xticks(range(len(values)), [f"{value:g}" for value in values])
        axes.set_title(task, loc="left", pad=5)
        axes.set_xlabel(label)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0][0].set_ylabel(textwrap.fill(unit, YLABEL_LETTERS))
    handles = {
        str(h.get_label()): h for axes in grid[0] for h in axes.get_legend_handles_labels()[0]
    }
    style.legend(figure, [handles[title] for title in titles], columns)
    text = textwrap.fill(caption, int(CAPTION_LETTERS_PER_INCH * width))
    figure.supxlabel(text, x=0.005, ha="left", fontsize=6.2, color="#666666")
    return figure
