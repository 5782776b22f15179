"""Figures of mazes: where policies go, what models imagine, how far both are from the data.

x, the axis of the rows, runs downwards and y to the right, so that a maze looks like its layout.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from analysis import style
from analysis.diagnosis import Diagnosis, Maze
from analysis.statistics import Array, t_half_width

WALL, FREE, GOAL = "#B9B6AF", "#FFFFFF", "#BFE5D8"
#: What is shown of the walls around the free cells, in cells.
MARGIN = 0.28
#: Pieces of the data and imagined rollouts that a panel can show without turning black.
DATA_PIECES, ROLLOUTS = 24, 300
#: With two runs the interval is 12.7 standard errors wide: a whisker of it hides the bars.
FEWEST_FOR_WHISKER = 3
CAPTION_WIDTH = 172


@dataclass(frozen=True)
class Arm:
    """One method in a figure; `absent` says why it has nothing to show."""

    algo: str
    title: str
    diagnosis: Diagnosis | None = None
    absent: str | None = None


@dataclass(frozen=True)
class Values:
    """A metric of each run of one method on one task."""

    arm: Arm
    runs: Array


def draw_maze(axes: Axes, maze: Maze) -> None:
    """Walls, goal and frame of a maze."""
    rows, columns = np.nonzero(np.logical_not(maze.walls))
    for row, column in np.argwhere(maze.walls):
        corner = (column - maze.offset - 0.5, row - maze.offset - 0.5)
        axes.add_patch(
            Rectangle(corner, 1, 1, facecolor=WALL, edgecolor=WALL, linewidth=0.3, zorder=0)
        )
    centre = (maze.goal[1], maze.goal[0])
    axes.add_patch(Circle(centre, maze.goal_radius, facecolor=GOAL, linewidth=0, zorder=0.5))
    outline: dict[str, Any] = {
        "facecolor": "none",
        "edgecolor": style.GREEN,
        "linewidth": 0.8,
        "zorder": 3.5,
    }
    axes.add_patch(Circle(centre, maze.goal_radius, linestyle=(0, (3, 1.5)), **outline))
    reach = 0.5 + MARGIN
    axes.set_xlim(columns.min() - maze.offset - reach, columns.max() - maze.offset + reach)
    axes.set_ylim(rows.max() - maze.offset + reach, rows.min() - maze.offset - reach)
    _bare(axes)


def _bare(axes: Axes) -> None:
    axes.set_aspect("equal")
    axes.set(xticks=[], yticks=[], facecolor=FREE)
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.6, edgecolor="#8A8780")


def draw_data(axes: Axes, found: Diagnosis) -> None:
    """Pieces of the trajectories of the data."""
    for piece in found.data[:DATA_PIECES]:
        axes.plot(piece[:, 1], piece[:, 0], color="#333333", linewidth=0.35, alpha=0.55, zorder=2)


def draw_paths(axes: Axes, arm: Arm, found: Diagnosis, maze: Maze) -> None:
    """One episode of each run from the start cell farthest from the goal; the first run is thick."""
    colour = style.look(arm.algo).colour
    for number, episodes in enumerate(reversed(list(found.paths.values()))):
        path = episodes[maze.farthest_start]
        path = path[np.isfinite(path).all(axis=1)]
        first = number == len(found.paths) - 1
        width, alpha = (1.1, 1.0) if first else (0.6, 0.45)
        axes.plot(path[:, 1], path[:, 0], color=colour, linewidth=width, alpha=alpha, zorder=3)
        end: dict[str, Any] = {
            "color": colour,
            "markeredgecolor": "white",
            "markeredgewidth": 0.6,
            "zorder": 5,
        }
        axes.plot(*path[-1, ::-1], marker="s", markersize=4.2 if first else 3.2, **end)
        if first:
            start: dict[str, Any] = {
                "markerfacecolor": "white",
                "markeredgecolor": colour,
                "zorder": 4,
            }
            axes.plot(*path[0, ::-1], marker="o", markersize=4.6, **start)


def draw_chains(axes: Axes, arm: Arm, found: Diagnosis) -> None:
    """Imagined rollouts of the first run: a dot at the real state, a line along what was imagined."""
    colour = style.look(arm.algo).colour
    chains = next(iter(found.chains.values()))[:ROLLOUTS]
    for chain in chains:
        axes.plot(chain[:, 1], chain[:, 0], color=colour, linewidth=0.75, alpha=0.85, zorder=3)
    dots: dict[str, Any] = {"s": 1.3, "color": "#222222", "linewidth": 0, "zorder": 2}
    axes.scatter(chains[:, 0, 1], chains[:, 0, 0], **dots)


def draw_absent(axes: Axes, text: str) -> None:
    """An empty panel that says why."""
    axes.set(xticks=[], yticks=[], facecolor="#F7F7F7")
    axes.text(
        0.5,
        0.5,
        textwrap.fill(text, 16),
        ha="center",
        va="center",
        fontsize=6.5,
        color="#777777",
        transform=axes.transAxes,
    )
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.6, edgecolor="#CFCFCF", linestyle=(0, (3, 2)))


def draw_bars(axes: Axes, values: Sequence[Values], lighter: Sequence[Values] = ()) -> None:
    """Mean over runs, single runs as dots, 95 % t interval; `lighter` bars stand beside the others."""
    width = 0.38 if lighter else 0.62
    for position, entry in enumerate(values):
        at = position - width / 2 if lighter else position
        _bar(axes, at, width, entry, faded=False)
        if not len(entry.runs):
            text: dict[str, Any] = {
                "fontsize": 6,
                "color": "#777777",
                "rotation": 90,
                "ha": "center",
            }
            axes.text(position, 0.02, entry.arm.absent or "imagines nothing", va="bottom", **text,
                      transform=axes.get_xaxis_transform())  # fmt: skip
    for position, entry in enumerate(lighter):
        _bar(axes, position + width / 2, width, entry, faded=True)
    axes.set_xticks(range(len(values)), _short([entry.arm.title for entry in values]))
    axes.tick_params(axis="x", length=0, labelsize=6.2)
    axes.set_xlim(-0.6, len(values) - 0.4)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _short(titles: Sequence[str]) -> list[str]:
    """Titles without their learner (ROMI-BCQ: ROMI) where that tells them apart."""
    short = [title.partition("-")[0] for title in titles]
    return short if len(set(short)) == len(titles) else list(titles)


def _bar(axes: Axes, at: float, width: float, entry: Values, faded: bool) -> None:
    if not len(entry.runs):
        return
    colour = style.look(entry.arm.algo).colour
    look: dict[str, Any] = (
        {"facecolor": "white", "hatch": "//////"} if faded else {"facecolor": colour}
    )
    mean = float(entry.runs.mean())
    axes.bar(at, mean, width * 0.92, edgecolor=colour, linewidth=0.8, zorder=2, **look)
    if len(entry.runs) >= FEWEST_FOR_WHISKER:
        half = float(t_half_width(entry.runs, axis=0))
        low = min(half, mean)
        lines: dict[str, Any] = {
            "color": "#7A7A7A",
            "elinewidth": 0.9,
            "capsize": 1.8,
            "capthick": 0.9,
        }
        axes.errorbar(at, mean, [[low], [half]], fmt="none", zorder=3, **lines)
    spread = at + width * 0.16 * np.linspace(-1, 1, max(2, len(entry.runs)))[: len(entry.runs)]
    dots: dict[str, Any] = {
        "s": 7,
        "facecolor": "white",
        "edgecolor": "#222222",
        "linewidth": 0.6,
        "zorder": 4,
    }
    axes.scatter(spread, entry.runs, **dots)


@dataclass(frozen=True)
class CaseStudy:
    """Everything that figure 3 of ROMI shows; `arms` by algorithm."""

    task: str
    arms: dict[str, Arm]
    notes: dict[str, tuple[str, str]]
    discrepancy: Sequence[Values]
    discrepancy_xy: Sequence[Values]
    caption: str


#: Panels of figure 3 in the paper's order: letter, what it shows, algorithm.
PANELS = (
    ("a", "data", ""),
    ("b", "paths", "romi_bcq"),
    ("c", "paths", "mopo"),
    ("d", "paths", "bcq"),
    ("e", "paths", "fomi_bcq"),
    ("f", "penalty", "mopo"),
    ("g", "chains", "romi_bcq"),
    ("h", "chains", "fomi_bcq"),
    ("i", "chains", "mopo"),
)
_TITLES = {"paths": "", "penalty": " penalty", "chains": " rollouts"}
#: Inches.
CASE_SIZE = (7.4, 3.95)


def draw_case_study(study: CaseStudy) -> Figure:
    """Figure 3 of ROMI: data, execution paths, imagined rollouts, trajectory discrepancy."""
    style.apply()
    figure = plt.figure(figsize=CASE_SIZE)
    known = [arm.diagnosis for arm in study.arms.values() if arm.diagnosis]
    found = next(entry for entry in known if entry.maze)
    assert found.maze is not None
    for number, (letter, kind, algo) in enumerate(PANELS):
        axes = _place(figure, number)
        name = study.arms[algo].title + _TITLES[kind] if algo else "data set"
        axes.set_title(f"({letter}) {name}", loc="left", pad=3, fontsize=7.2)
        _panel(axes, study, kind, algo, found, found.maze)
    axes = _place(figure, len(PANELS), indent=0.13)
    draw_bars(axes, study.discrepancy, study.discrepancy_xy)
    axes.set_title("(j) distance to the data", loc="left", pad=3, fontsize=7.2, x=-0.14)
    axes.tick_params(axis="both", labelsize=5.8, pad=2)
    figure.text(0.008, 0.985, study.task, va="top", fontsize=9.5, fontweight="bold")
    text = textwrap.fill(study.caption, CAPTION_WIDTH)
    figure.text(0.008, 0.012, text, fontsize=6.0, color="#666666")
    return figure


def _place(figure: Figure, number: int, indent: float = 0.0) -> Axes:
    """A square panel of the case study, counted along the rows, five a row; sizes in inches."""
    width, height = CASE_SIZE
    side, gap, top = 1.26, 0.235, 0.44
    row, column = divmod(number, 5)
    left = 0.06 + column * (side + gap) + indent
    bottom = height - top - side - row * (side + 0.42)
    return figure.add_axes((left / width, bottom / height, (side - indent) / width, side / height))


def _panel(
    axes: Axes, study: CaseStudy, kind: str, algo: str, found: Diagnosis, maze: Maze
) -> None:
    """One of the panels with a maze."""
    if kind == "data":
        draw_maze(axes, maze)
        draw_data(axes, found)
        label: dict[str, Any] = {"fontsize": 5.5, "color": "#1B6B52", "ha": "center", "va": "top"}
        axes.text(maze.goal[1], maze.goal[0] - maze.goal_radius + 0.06, "goal", **label)
        return
    arm = study.arms[algo]
    own = arm.diagnosis
    if own is None or kind == "penalty" or (kind == "chains" and not own.chains):
        axes.set_box_aspect(1)
        draw_absent(axes, arm.absent or "not run")
        return
    draw_maze(axes, maze)
    if kind == "paths":
        draw_paths(axes, arm, own, maze)
    else:
        draw_chains(axes, arm, own)
    text: dict[str, Any] = {"loc": "left", "fontsize": 6.0, "color": "#555555", "labelpad": 2.5}
    axes.set_xlabel(study.notes[algo][kind == "chains"], **text)


@dataclass(frozen=True)
class Row:
    """One metric of a comparison: its label, and the values of every method by task."""

    label: str
    values: dict[str, Sequence[Values]]
    lighter: dict[str, Sequence[Values]]


def draw_comparison(tasks: Sequence[str], rows: Sequence[Row], caption: str) -> Figure:
    """Figure 4 of ROMI, and what belongs to it: bars of every method, a column a task."""
    style.apply()
    size = (7.2, 1.3 * len(rows) + 0.75)
    figure, grid = plt.subplots(
        len(rows), len(tasks), figsize=size, squeeze=False, layout="constrained"
    )
    for line, row in zip(grid, rows, strict=True):
        shown = [axes for axes, task in zip(line, tasks, strict=True) if _row(axes, row, task)]
        top = max((axes.get_ylim()[1] for axes in shown), default=1.0)
        for axes in shown:
            axes.set_ylim(0, top)
        line[0].set_ylabel(row.label, fontsize=7)
    for axes, task in zip(grid[0], tasks, strict=True):
        axes.set_title(task, loc="left", fontsize=8, fontweight="bold")
    text = textwrap.fill(caption, CAPTION_WIDTH)
    figure.supxlabel(text, x=0.005, ha="left", fontsize=6.0, color="#666666")
    return figure


def _row(axes: Axes, row: Row, task: str) -> bool:
    """The bars of one task; whether there are any."""
    there = any(len(entry.runs) for entry in row.values[task])
    if there:
        draw_bars(axes, row.values[task], row.lighter.get(task, ()))
    else:
        draw_absent(axes, "not run")
    return there
