"""Success by start: every start of one policy, a panel a method (figure 3 of BMIL).

Titles give the robustness of all runs with its interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import style
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
#: Width of a panel, inches.
PANEL = 2.3

Limits = tuple[Sequence[float] | None, Sequence[float] | None]


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


def draw_starts(panels: Panels, limits: Limits, caption: str) -> Figure:
    """A scatter of the starts in each panel; `limits` are the least that the axes show."""
    heights = [PANEL * _tallness(row, limits) for row in panels.values()]
    figure, grid = grid_of(panels, PANEL, heights, between=0.5)
    drawn = [panel.starts for row in panels.values() for panel in row if panel.starts]
    heavy = sum(len(found.place) for found in drawn) > MOST_SHAPES
    scene: dict[str, None] = {}
    for line, (task, row) in zip(grid, panels.items(), strict=True):
        for axes, panel in zip(line, row, strict=True):
            if panel.starts is None:
                nothing(axes, panel, _tallness(row, limits))
                continue
            title(axes, panel, _shown(panel.starts))
            _dots(axes, panel.starts, heavy)
            axes.set_xlabel("x (m)")
            _scale(axes, panel.starts, limits)
            scene |= dict.fromkeys(_scene(axes, panel.starts))
        line[0].set_ylabel(f"{task}\ny (m)")
        filled = [axes for axes, panel in zip(line, row, strict=True) if panel.starts]
        for axes in filled[1:]:
            axes.tick_params(labelleft=False)
    handles = [_dot(style.GREEN, "o", 5, "succeeded"), _dot(FAILED, "x", 4, "failed")]
    handles += [_dot(*SCENE[name], SCENE_SIZES[SCENE[name][1]], name) for name in scene]
    style.legend(figure, handles, handletextpad=0.1, columnspacing=1.0)
    write_caption(figure, caption)
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
    """Ends of both axes: they show every start, the scene, and at least `limits`."""
    ends = []
    places = np.array([*starts.place, *starts.scene.values()])
    for values, least in zip(places.T, limits, strict=True):
        low, high = float(values.min()), float(values.max())
        pad = PADDING * ((high - low) or 1.0)
        if least is not None and least[0] <= low and high <= least[1]:
            ends.append((least[0], least[1]))
        else:
            known = [low, high, *(least or ())]
            ends.append((min(known) - pad, max(known) + pad))
    return ends


def _scale(axes: Axes, starts: Starts, limits: Limits) -> None:
    """Limits of both axes; rows of a map run downwards."""
    x, y = _limits(starts, limits)
    axes.set(xlim=x, ylim=y[::-1] if starts.on_map else y)
    axes.locator_params(nbins=5)
    frame(axes)


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
