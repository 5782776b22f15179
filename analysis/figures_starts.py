"""Success by start: a row of panels a task, a panel a method.

`starts` draws every start of one policy, `cells` the share of successes in each cell of a maze over
all runs (figures 3 and 4 of BMIL). Titles give the robustness of all runs with its interval.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from analysis import labels, style
from analysis.claim_file import ArmPattern
from analysis.errors import AnalysisError
from analysis.evidence import find
from analysis.figures_maze import FREE, WALL, draw_absent
from analysis.layout import FigureLayout
from analysis.load import ArmResult, Results
from analysis.starts import Starts, read_starts
from analysis.statistics import Array, t_interval
from analysis.workspace import Workspace

#: Dots of successes and failures: shape, size and lightness differ as well as the colour.
FAILED = "#B4B4B4"
#: Area of a dot in square points for 1,000 starts; more starts get smaller dots.
DOT = 7.0
#: Above it the dots of a figure are stored as a picture: as shapes they make a file of megabytes.
MOST_SHAPES = 2500
#: What the training episode starts with and aims at: colour (those of the paper) and shape.
SCENE = {"start": (style.RED, "o"), "object": (style.ORANGE, "s"), "goal": (style.BLUE, "*")}
SCENE_SIZES = {"o": 6.5, "s": 6.0, "*": 11.0}
#: Share of the range of the starts that is left free around them.
PADDING = 0.04
#: Inches. Narrower cells have no room for their value.
PANEL, MAP_WIDTH, TEXT_CELL = 2.3, 3.1, 0.19
CAPTION_LETTERS_PER_INCH = 21
#: A map shows this much of the walls around its free cells, in cells.
MARGIN = 0.35
#: Above this share viridis is bright enough for black letters.
BRIGHT = 0.45
MARKED = {"start_cell": "S", "goal_cell": "G"}


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


def success_by_start(
    space: Workspace, paper: str, experiment: str, layout: FigureLayout, results: Results
) -> Figure | None:
    """Where one policy of each method succeeds; None where no outcomes are there."""
    found = collect(space, paper, experiment, layout, results)
    if not found.panels:
        return None
    text = (
        "Dots: the starts of one policy, that of the first finished run (its seed and its own value "
        "stand above them). Titles: mean over all runs ± half-width of the 95 % t "
        "interval."
    )
    limits = (layout.xlim, layout.ylim)
    return draw_starts(found.panels, limits, found.caption(space, text))


def success_by_cell(
    space: Workspace, paper: str, experiment: str, layout: FigureLayout, results: Results
) -> Figure | None:
    """Share of successes by cell over all runs of each method; None where no outcomes are there."""
    found = collect(space, paper, experiment, layout, results)
    if not found.panels:
        return None
    text = (
        "Colour and numbers: share of the starts of a cell that succeed, mean over all runs; grey: "
        "walls; S, G: start of the demonstrations and goal. Titles: mean over cells and runs ± "
        "half-width of the 95 % t interval over runs."
    )
    return draw_cells(found.panels, found.caption(space, text))


# --- one policy's starts ----------------------------------------------------------------------

Limits = tuple[Sequence[float] | None, Sequence[float] | None]


def draw_starts(panels: Panels, limits: Limits, caption: str) -> Figure:
    """A scatter of the starts in each panel; `limits` are the least that the axes show."""
    heights = [PANEL * _tallness(row, limits) for row in panels.values()]
    figure, grid = _grid(panels, PANEL, heights, between=0.5)
    drawn = [panel.starts for row in panels.values() for panel in row if panel.starts]
    heavy = sum(len(found.place) for found in drawn) > MOST_SHAPES
    scene: dict[str, None] = {}
    for line, (task, row) in zip(grid, panels.items(), strict=True):
        for axes, panel in zip(line, row, strict=True):
            if panel.starts is None:
                _nothing(axes, panel, _tallness(row, limits))
                continue
            _title(axes, panel, _shown(panel.starts))
            _dots(axes, panel.starts, heavy)
            axes.set_xlabel("x (m)")
            _frame(axes, panel.starts, limits)
            scene |= dict.fromkeys(_scene(axes, panel.starts))
        line[0].set_ylabel(f"{task}\ny (m)")
        filled = [axes for axes, panel in zip(line, row, strict=True) if panel.starts]
        for axes in filled[1:]:
            axes.tick_params(labelleft=False)
    handles = [_dot(style.GREEN, "o", 5, "succeeded"), _dot(FAILED, "x", 4, "failed")]
    handles += [_dot(*SCENE[name], SCENE_SIZES[SCENE[name][1]], name) for name in scene]
    style.legend(figure, handles, handletextpad=0.1, columnspacing=1.0)
    _caption(figure, caption)
    return figure


def _shown(starts: Starts) -> str:
    """Which run a scatter shows, and its own share of successes."""
    return f"shown: seed {starts.first}, {100 * starts.succeeded[starts.first].mean():.1f} %"


def _dots(axes: Axes, starts: Starts, heavy: bool) -> None:
    won = starts.succeeded[starts.first]
    x, y = starts.place.T
    area = DOT * min(1.0, 1000 / len(won))
    thin = max(0.3, 0.6 * math.sqrt(area / DOT))
    axes.scatter(
        x[~won], y[~won], s=area, marker="x", color=FAILED, linewidth=thin, zorder=2, rasterized=heavy
    )  # fmt: skip
    axes.scatter(
        x[won], y[won], s=1.5 * area, marker="o", color=style.GREEN, linewidth=0, alpha=0.85,
        zorder=3, rasterized=heavy,
    )  # fmt: skip


def _limits(starts: Starts, limits: Limits) -> list[tuple[float, float]]:
    """Ends of both axes: they show every start, and at least `limits`."""
    ends = []
    for values, least in zip(starts.place.T, limits, strict=True):
        low, high = float(values.min()), float(values.max())
        pad = PADDING * ((high - low) or 1.0)
        if least is not None and least[0] <= low and high <= least[1]:
            ends.append((least[0], least[1]))
        else:
            known = [low, high, *(least or ())]
            ends.append((min(known) - pad, max(known) + pad))
    return ends


def _frame(axes: Axes, starts: Starts, limits: Limits) -> None:
    """Both axes to the same scale; rows of a map run downwards."""
    x, y = _limits(starts, limits)
    axes.set(xlim=x, ylim=y[::-1] if starts.on_map else y)
    axes.set_aspect("equal")
    axes.locator_params(nbins=5)
    for spine in axes.spines.values():
        spine.set(linewidth=0.6, edgecolor="#8A8780")


def _tallness(row: Sequence[Panel], limits: Limits) -> float:
    """Height over width of the panels of a task."""
    x, y = _limits(next(panel.starts for panel in row if panel.starts), limits)
    return (y[1] - y[0]) / (x[1] - x[0])


def _scene(axes: Axes, starts: Starts) -> list[str]:
    """Mark start, object and goal of the training episode as far as they are known."""
    names = [name for name in SCENE if name in starts.scene]
    for name in names:
        colour, marker = SCENE[name]
        axes.plot(
            *starts.scene[name], marker=marker, color=colour, markersize=SCENE_SIZES[marker],
            markeredgecolor="white", markeredgewidth=0.7, linestyle="none", zorder=5,
        )  # fmt: skip
    return names


def _dot(colour: str, marker: str, size: float, label: str) -> Line2D:
    handle = Line2D([], [], color=colour, marker=marker, linestyle="none", label=label)
    handle.set(markersize=size, markeredgecolor=colour if marker == "x" else "white")
    handle.set_markeredgewidth(1.0 if marker == "x" else 0.6)
    return handle


# --- success by cell --------------------------------------------------------------------------


def draw_cells(panels: Panels, caption: str) -> Figure:
    """A heat map of each panel's cells with one scale for all."""
    heights = [MAP_WIDTH * _proportion(row) for row in panels.values()]
    figure, grid = _grid(panels, MAP_WIDTH, heights, between=0.28)
    for line, (task, row) in zip(grid, panels.items(), strict=True):
        for axes, panel in zip(line, row, strict=True):
            if panel.starts is None:
                _nothing(axes, panel, _proportion(row))
                continue
            _title(axes, panel)
            _map(axes, panel.starts)
        line[0].set_ylabel(task)
    scale = ScalarMappable(Normalize(0, 1), "viridis")
    bar = figure.colorbar(scale, ax=grid, fraction=0.03, pad=0.015, aspect=30)
    bar.set_label("share of starts that succeed")
    bar.outline.set_visible(False)
    _caption(figure, caption)
    return figure


def _span(starts: Starts) -> tuple[int, int, int, int]:
    """First and last row, first and last column of the free cells."""
    rows, columns = zip(*starts.cells(), strict=True)
    return min(rows), max(rows), min(columns), max(columns)


def _proportion(row: Sequence[Panel]) -> float:
    """Height over width of the map of a task."""
    top, bottom, left, right = _span(next(panel.starts for panel in row if panel.starts))
    return (bottom - top + 1 + 2 * MARGIN) / (right - left + 1 + 2 * MARGIN)


def _map(axes: Axes, starts: Starts) -> None:
    """Walls, free cells with their colour and value, start and goal."""
    top, bottom, left, right = _span(starts)
    shape = (bottom - top + 1, right - left + 1)
    free, rates = np.zeros(shape), np.full(shape, np.nan)
    for (row, column), rate in zip(starts.cells(), starts.rates, strict=True):
        free[row - top, column - left] = 1.0
        rates[row - top, column - left] = rate
    x, y = (np.arange(n + 1) - 0.5 + at for n, at in ((shape[1], left), (shape[0], top)))
    axes.set_facecolor(WALL)
    axes.pcolormesh(x, y, free, cmap=ListedColormap([WALL, FREE]), vmin=0, vmax=1)
    axes.pcolormesh(
        x, y, np.ma.masked_invalid(rates), cmap="viridis", vmin=0, vmax=1,
        edgecolor="white", linewidth=0.3,
    )  # fmt: skip
    axes.set(
        xticks=[], yticks=[],
        xlim=(x[0] - MARGIN, x[-1] + MARGIN), ylim=(y[-1] + MARGIN, y[0] - MARGIN),
    )  # fmt: skip
    axes.set_aspect("equal")
    for spine in axes.spines.values():
        spine.set(linewidth=0.6, edgecolor="#8A8780")
    if MAP_WIDTH / (shape[1] + 2 * MARGIN) >= TEXT_CELL:
        _values(axes, starts)
    _marks(axes, starts)


def _values(axes: Axes, starts: Starts) -> None:
    """The share of every cell, without the leading zero."""
    for cell, rate in zip(starts.cells(), starts.rates, strict=True):
        if not math.isnan(rate):
            text = f"{rate:.2f}".removeprefix("0") if rate < 0.995 else "1"
            lower = 0.16 if cell in starts.marked.values() else 0.05
            axes.text(
                cell[1], cell[0] + lower, text if rate >= 0.005 else "0", ha="center", va="center",
                fontsize=5.6, color="black" if rate > BRIGHT else "white",
            )  # fmt: skip


def _marks(axes: Axes, starts: Starts) -> None:
    """A frame and a letter for the cells of start and goal."""
    outline = [patheffects.withStroke(linewidth=2.6, foreground="black")]
    letter = [patheffects.withStroke(linewidth=1.4, foreground="black")]
    for key, text in MARKED.items():
        if key not in starts.marked:
            continue
        row, column = starts.marked[key]
        box: dict[str, Any] = {"facecolor": "none", "edgecolor": "white", "linewidth": 1.2}
        axes.add_patch(
            Rectangle((column - 0.42, row - 0.42), 0.84, 0.84, path_effects=outline, **box)
        )
        axes.text(
            column - 0.35, row - 0.38, text, ha="left", va="top", fontsize=5.0, fontweight="bold",
            color="white", path_effects=letter,
        )  # fmt: skip


# --- both -------------------------------------------------------------------------------------


def _grid(
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


def _title(axes: Axes, panel: Panel, more: str = "") -> None:
    """The method, and below it its numbers."""
    axes.set_title(panel.title, loc="left", pad=13)
    text = "; ".join(filter(None, [panel.numbers, more]))
    axes.annotate(
        text, (0, 1), (0, 3.5), xycoords="axes fraction", textcoords="offset points", fontsize=6.3,
        color="#555555",
    )  # fmt: skip


def _nothing(axes: Axes, panel: Panel, proportion: float) -> None:
    axes.set_title(panel.title, loc="left", pad=13)
    axes.set_box_aspect(proportion)
    draw_absent(axes, panel.absent)


def _caption(figure: Figure, caption: str) -> None:
    width = int(CAPTION_LETTERS_PER_INCH * figure.get_figwidth())
    text = textwrap.fill(caption, width)
    figure.supxlabel(text, x=0.005, ha="left", fontsize=6.2, color="#666666")
