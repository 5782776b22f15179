"""Success by cell: a map of each maze, a panel a method (figure 4 of BMIL).

Colours are the share of successes over all runs; titles give the robustness with its interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from analysis.figures_maze import FREE, WALL
from analysis.layout import FigureLayout
from analysis.load import Results
from analysis.start_panels import (
    Panel,
    Panels,
    collect,
    frame,
    grid_of,
    nothing,
    title,
    write_caption,
)
from analysis.starts import Starts
from analysis.workspace import Workspace

#: Width of a map, and of the narrowest cell that has room for its value; inches.
MAP_WIDTH, TEXT_CELL = 3.1, 0.19
#: A map shows this much of the walls around its free cells, in cells.
MARGIN = 0.35
#: Above this share viridis is bright enough for black letters.
BRIGHT = 0.45
#: Letters of the cells that the training episode names.
MARKED = {"start_cell": "S", "goal_cell": "G"}


def success_by_cell(
    space: Workspace, paper: str, experiment: str, layout: FigureLayout, results: Results
) -> Figure | None:
    """Share of successes by cell over all runs of each method; None where no outcomes are there."""
    found = collect(space, paper, experiment, layout, results)
    if not found.panels:
        return None
    text = (
        f"Colour and numbers: share of {_starts_a_cell(found.panels)} starts a cell that succeed, "
        "mean over all runs; grey: walls; S, G: start of the demonstrations and goal. Titles: mean "
        "over cells and runs ± half-width of the 95 % t interval over runs."
    )
    return draw_cells(found.panels, found.caption(space, text))


def _starts_a_cell(panels: Panels) -> str:
    """How many starts each run has in a cell: `10`, or `9 to 10`."""
    drawn = [panel.starts for row in panels.values() for panel in row if panel.starts is not None]
    counts = np.concatenate(
        [np.bincount(starts.cell, minlength=len(starts.names)) for starts in drawn]
    )
    return " to ".join(str(n) for n in sorted({int(counts.min()), int(counts.max())}))


def draw_cells(panels: Panels, caption: str) -> Figure:
    """A heat map of each panel's cells with one scale for all."""
    heights = [MAP_WIDTH * _proportion(row) for row in panels.values()]
    figure, grid = grid_of(panels, MAP_WIDTH, heights, between=0.28)
    for line, (task, row) in zip(grid, panels.items(), strict=True):
        for axes, panel in zip(line, row, strict=True):
            if panel.starts is None:
                nothing(axes, panel, _proportion(row))
                continue
            title(axes, panel)
            _map(axes, panel.starts)
        line[0].set_ylabel(task)
    scale = ScalarMappable(Normalize(0, 1), "viridis")
    bar = figure.colorbar(scale, ax=grid, fraction=0.03, pad=0.015, aspect=30)
    bar.set_label("share of starts that succeed")
    bar.outline.set_visible(False)
    write_caption(figure, caption)
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
    frame(axes)
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
