"""Learning curves: one figure a task, with the score, the time kept in the goal and overestimation.

The line is the mean over the finished runs, the band its 95 % Student-t interval, the thin lines
the single runs; a mean is drawn only where every run was evaluated, so a shorter run ends the line
and not the figure. A run that failed is drawn thin up to a cross. Overestimation is the critic's
value of the start states minus the discounted return that the episodes realise: it should stay
near 0. Mean Q stands in where that was not measured: one that keeps growing is overestimation.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from analysis import style
from analysis.files import write_bytes
from analysis.statistics import Array, t_half_width

#: Column of the evaluations table, title and axis label of each panel.
PANELS = (
    ("score", "Score", "D4RL-normalised score"),
    ("goal_hold", "Time kept in the goal", "fraction of steps"),
    ("overestimation", "Overestimation", "start value less return"),
    ("mean_q", "Mean Q", "estimated return"),
)
#: A metric that is drawn only where the other was not measured: it says the same less well.
STANDS_IN = {"mean_q": "overestimation"}
#: With two runs the interval is 12.7 standard errors wide: a band of it hides the figure.
FEWEST_FOR_BAND = 3
#: Letters that fit a line of the caption.
CAPTION_WIDTH = 175
#: Matplotlib writes the date into files, which would make equal figures differ.
_METADATA: dict[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None},
    "png": {"Software": None},
    "svg": {"Date": None},
}


@dataclass(frozen=True)
class Series:
    """The evaluations of one algorithm on one task: columns seed, status, update and metrics."""

    algo: str
    title: str
    points: pd.DataFrame
    published: float | None = None

    def has(self, metric: str) -> bool:
        """Whether any evaluation holds `metric`."""
        return metric in self.points and bool(self.points[metric].notna().any())

    def finished(self, metric: str) -> pd.DataFrame:
        """Metric of the finished runs, [updates, seeds]; NaN where a run has no evaluation."""
        if metric not in self.points:
            return pd.DataFrame()
        chosen = self.points[self.points["status"] == "finished"]
        table = chosen.pivot_table(index="update", columns="seed", values=metric, aggfunc="last")
        return table.dropna(axis="columns", how="all")

    def failed(self, metric: str) -> Iterator[tuple[Array, Array]]:
        """Updates and values of each failed run."""
        if metric not in self.points:
            return
        chosen = self.points[self.points["status"] == "failed"].dropna(subset=[metric])
        for _, run in chosen.groupby("seed"):
            yield run["update"].to_numpy(float), run[metric].to_numpy(float)


def _draw(axes: Axes, series: Series, metric: str) -> None:
    table, look = series.finished(metric), style.look(series.algo)
    if table.empty:
        return
    for seed in table:
        run = table[seed].dropna()
        axes.plot(run.index, run, color=look.colour, linewidth=0.55, alpha=0.5, zorder=2)
    whole = table.dropna()
    x, values = whole.index.to_numpy(float), whole.to_numpy(float)
    mean = values.mean(axis=1)
    if values.shape[1] >= FEWEST_FOR_BAND:
        half = t_half_width(values, axis=1)
        axes.fill_between(
            x, mean - half, mean + half, color=look.colour, alpha=0.13, linewidth=0, zorder=1
        )
    axes.plot(
        x,
        mean,
        color=look.colour,
        linestyle=look.dash,
        linewidth=1.6,
        marker=look.marker,
        markersize=4.2,
        markeredgecolor="white",
        markeredgewidth=0.5,
        markevery=max(1, len(x) // 12),
        zorder=3,
    )


def _draw_failed(axes: Axes, series: Series, metric: str) -> None:
    """Failed runs up to a cross; a value that ran away is shown at the frame's edge."""
    look, (low, high) = style.look(series.algo), axes.get_ylim()
    for x, y in series.failed(metric):
        inside = np.clip(y, low, high)
        axes.plot(x, inside, color=look.colour, linewidth=0.55, alpha=0.5)
        axes.plot(
            x[-1:],
            inside[-1:],
            marker="x",
            color=look.colour,
            markersize=5.5,
            markeredgewidth=1.4,
            zorder=5,
            clip_on=False,
        )


def _limits(axes: Axes, series: Sequence[Series], metric: str, lines: Sequence[float]) -> None:
    """Frame the finished runs and the published lines; wide bands are cut, the runs never."""
    seen = [s.finished(metric).to_numpy(float).ravel() for s in series]
    values = np.concatenate([*seen, np.asarray(lines, dtype=float)])
    values = values[np.isfinite(values)]
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    pad = 0.07 * (high - low or 1.0)
    axes.set_ylim(low - pad, high + pad)
    if metric == "goal_hold":
        axes.set_ylim(-0.04, 1.04)


def _spread(positions: Sequence[float], gap: float) -> list[float]:
    """Positions moved upwards just enough to lie `gap` apart, in the given order."""
    placed: dict[int, float] = {}
    last = -np.inf
    for index in sorted(range(len(positions)), key=lambda i: positions[i]):
        last = max(positions[index], last + gap)
        placed[index] = last
    return [placed[index] for index in range(len(positions))]


def _published(axes: Axes, series: Sequence[Series]) -> None:
    """Dotted lines at the paper's values, labelled beside the frame where no run can be hidden."""
    known = [(s, s.published) for s in series if s.published is not None]
    low, high = axes.get_ylim()
    heights = _spread([value for _, value in known], 0.075 * (high - low))
    where = axes.get_yaxis_transform()
    for (entry, value), height in zip(known, heights, strict=True):
        colour = style.look(entry.algo).colour
        axes.axhline(value, color=colour, linestyle=(0, (1, 2.2)), linewidth=1.0, zorder=1)
        text = f"{value:.1f} {entry.title}"
        axes.text(1.015, height, text, color=colour, fontsize=6.2, va="center", transform=where)
    if known:
        axes.text(
            1.015,
            1.0,
            "in the paper:",
            fontsize=6.2,
            color="#666666",
            va="bottom",
            transform=axes.transAxes,
        )


def updates_label(value: float, _: int) -> str:
    """Updates on an axis: 2,500 as 2.5k."""
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    return f"{value / 1e3:g}k" if value >= 1e3 else f"{value:g}"


def _finish(axes: Axes, title: str, label: str) -> None:
    axes.set_title(title, loc="left", pad=5)
    axes.set_ylabel(label)
    axes.set_xlabel("gradient updates")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(updates_label))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(left=0)


def _legend(figure: Figure, series: Sequence[Series]) -> None:
    handles = []
    for entry in series:
        look = style.look(entry.algo)
        line = Line2D([], [], color=look.colour, marker=look.marker, label=entry.title)
        line.set(linestyle=look.dash, linewidth=1.7, markersize=4.5, markeredgecolor="white")
        handles.append(line)
    style.legend(figure, handles, columnspacing=1.8)


def _panels(series: Sequence[Series]) -> list[tuple[str, str, str]]:
    """The panels that any series has something for."""
    measured = {metric for metric, _, _ in PANELS if any(s.has(metric) for s in series)}
    return [p for p in PANELS if p[0] in measured and STANDS_IN.get(p[0]) not in measured]


def draw(task: str, caption: str, series: Sequence[Series]) -> Figure:
    """The figure of one task; panels without any data are left out.

    `series` in the order of the legend; `caption` says tier and setting.
    """
    style.apply()
    panels = _panels(series)
    widths = [1.35 if metric == "score" else 1.0 for metric, _, _ in panels]
    figure, grid = plt.subplots(
        1,
        len(panels),
        figsize=(2.35 * sum(widths), 2.55),
        width_ratios=widths,
        squeeze=False,
        layout="constrained",
    )
    for axes, (metric, title, label) in zip(grid[0], panels, strict=True):
        lines = [s.published for s in series if s.published is not None and metric == "score"]
        for entry in series:
            _draw(axes, entry, metric)
        _limits(axes, series, metric, lines)
        for entry in series:
            _draw_failed(axes, entry, metric)
        if metric == "score":
            _published(axes, series)
        if metric == "overestimation":
            axes.axhline(0.0, color="#9A9A9A", linewidth=0.7, zorder=0.5)
        _finish(axes, title, label)
    figure.suptitle(f"{task}   ", x=0.005, ha="left", fontsize=9.5, fontweight="bold")
    text = textwrap.fill(caption, CAPTION_WIDTH)
    figure.supxlabel(text, x=0.005, ha="left", fontsize=6.2, color="#666666")
    _legend(figure, series)
    return figure


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem`.png, `stem`.pdf and `stem`.svg atomically and close the figure."""
    written = []
    for suffix in _METADATA:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=suffix, metadata=_METADATA[suffix])
        written.append(write_bytes(stem.with_name(f"{stem.name}.{suffix}"), buffer.getvalue()))
    plt.close(figure)
    return written
