"""Errors of dynamics models over training: one figure a task, a panel for each output of the model.

The first panel shows the snapshots that a fit keeps (the mean that a table reports), with the paper's
value and spread; all others the parameters as they are at that update. A line is the mean over the
runs, thin lines are the single runs. A cross marks where early stopping ends a run.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from analysis import curves, style
from analysis.claim_file import ArmPattern
from analysis.curves import Series
from analysis.evidence import find
from analysis.histories import KEPT
from analysis.labels import budget, listed
from analysis.layout import FigureLayout, Line, experiment_of
from analysis.load import ARM_COLUMNS, ArmResult, Results
from analysis.published import Value
from analysis.workspace import Workspace
from paper_tables.paths import TierPaths

COLUMNS = 4
CAPTION_WIDTH = 155


@dataclass(frozen=True)
class Model:
    """The fits of one direction: their evaluations, the paper's value, and where early stopping ends them.

    `stops` are (update, error of the kept snapshots), one for each run that is ended.
    """

    series: Series
    published: Value | None
    stops: tuple[tuple[float, float], ...]


def write_model_errors(space: Workspace, paper: str, results: Results) -> list[Path]:
    """Write the figures of model errors of a paper for every task that has histories."""
    written: list[Path] = []
    for name, layout in space.layout(paper).figures.items():
        experiment = experiment_of(layout.experiment, space.tier, space.tiers)
        if layout.kind != "model_error" or experiment is None:
            continue
        for task in layout.tasks:
            found = _models(space, paper, experiment, layout, results, task)
            if found:
                caption = _caption(space, [arm for arm, _ in found])
                figure = draw(task, layout.outputs, [model for _, model in found], caption)
                path = TierPaths(space.tier).figure(paper, f"{name}_{task}", "png")
                written += curves.save(figure, (space.root / path).with_suffix(""))
    return written


def _models(
    space: Workspace,
    paper: str,
    experiment: str,
    layout: FigureLayout,
    results: Results,
    task: str,
) -> list[tuple[ArmResult, Model]]:
    """The lines of a figure that have a history on one task."""
    published = space.published(paper)
    found = []
    for line in layout.lines:
        pattern = ArmPattern(str(line.algo), line.settings)
        arm, _ = find(results, f"{paper}/{experiment}", pattern, task)
        series = _series(line, arm, results) if arm else None
        if arm is None or series is None:
            continue
        value = published.find(layout.table, task, layout.metric, algo=series.algo, cell=line.cell)
        runs = [run.metrics for run in arm.runs]
        stops = [
            (run["early_stop_update"], run["early_stop_mse"])
            for run in runs
            if "early_stop_mse" in run
        ]
        found.append((arm, Model(series, value, tuple(stops))))
    return found


def _series(line: Line, arm: ArmResult, results: Results) -> Series | None:
    """Evaluations of one arm, looked like the paper's name of its model; None without any."""
    own = results.evaluations
    for column in ARM_COLUMNS:
        own = own[own[column] == getattr(arm.arm, column)]
    name = line.reference or str(line.algo)
    series = Series(name, line.label or name, own)
    return series if series.has(KEPT) else None


def _caption(space: Workspace, arms: Sequence[ArmResult]) -> str:
    counts = " or ".join(sorted({str(len(arm.runs)) for arm in arms}))
    updates = " or ".join(sorted({budget(arm) for arm in arms}))
    sources = listed(source for arm in arms for source in arm.sources)
    ended = any("early_stop_mse" in run.metrics for arm in arms for run in arm.runs)
    patience = arms[0].arm.hyperparameters.get("patience_epochs")
    rule = f"{patience} epochs without an improvement by 1 % of any member"
    stops = f"Cross: early stopping ({rule})." if ended else f"Early stopping ({rule}) ends no run."
    return (
        f"Tier {space.tier}: {updates} updates; {sources} data; {counts} runs a direction. Squared error "
        "on held-out rows, raw units, log scale. Thick: mean over runs; thin: single runs. First panel: snapshots "
        "kept so far, mean of the best members and of all outputs, as the table has it (dotted: the "
        f"paper, with its spread); other panels: the parameters at that update. {stops}"
    )


def _draw(axes: Axes, model: Model, metric: str) -> None:
    look, table = style.look(model.series.algo), model.series.finished(metric)
    if table.empty:
        return
    for seed in table:
        run = table[seed].dropna()
        axes.plot(run.index, run, color=look.colour, linewidth=0.6, alpha=0.5, zorder=2)
    mean = table.dropna().mean(axis=1)
    axes.plot(mean.index, mean, color=look.colour, linestyle=look.dash, linewidth=1.6, zorder=3)


def _draw_published(axes: Axes, model: Model) -> None:
    """The paper's value as a dotted line, its spread as a band."""
    value, colour = model.published, style.look(model.series.algo).colour
    if value is None or math.isnan(value.mean):
        return
    axes.axhline(value.mean, color=colour, linestyle=(0, (1, 2.2)), linewidth=1.1, zorder=1)
    if not math.isnan(value.spread):
        low, high = value.mean - value.spread, value.mean + value.spread
        axes.axhspan(low, high, color=colour, alpha=0.10, linewidth=0, zorder=0)


def _draw_stops(axes: Axes, model: Model) -> None:
    for update, error in model.stops:
        axes.plot(
            update,
            error,
            marker="X",
            markersize=6.5,
            color=style.look(model.series.algo).colour,
            markeredgecolor="white",
            markeredgewidth=0.6,
            linestyle="none",
            zorder=5,
        )


def _finish(axes: Axes, title: str) -> None:
    axes.set_yscale("log")
    axes.set_title(title, loc="left", pad=5)
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(curves.updates_label))
    _few_ticks(axes)
    axes.grid(axis="y", which="major")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(left=0)


def _few_ticks(axes: Axes) -> None:
    """Label 1, 2 and 5 of a decade where less than two are shown, else decades only."""
    low, high = axes.get_ylim()
    narrow = math.log10(high / low) < 2.0 if low > 0 else False
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if narrow else (1.0,)))
    axes.yaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-"))
    )
    axes.yaxis.set_minor_formatter(NullFormatter())


def _legend(figure: Figure, models: Sequence[Model]) -> None:
    handles = []
    for model in models:
        look, value = style.look(model.series.algo), model.published
        text = model.series.title
        if value is not None and not math.isnan(value.mean):
            spread = "" if math.isnan(value.spread) else f" ± {value.spread:g}"
            text += f" (paper: {value.mean:g}{spread})"
        handle = Line2D([], [], color=look.colour, linewidth=1.7, label=text)
        handle.set(linestyle=look.dash)
        handles.append(handle)
    style.legend(figure, handles, columns=1)  # beside a long name of a task


def draw(task: str, outputs: dict[str, str], models: Sequence[Model], caption: str) -> Figure:
    """The figure of one task; `outputs` gives the panels in order, those without any data are left out."""
    style.apply()
    panels = {
        metric: title
        for metric, title in outputs.items()
        if any(m.series.has(metric) for m in models)
    }
    rows = math.ceil(len(panels) / COLUMNS)
    figure, grid = plt.subplots(
        rows, min(COLUMNS, len(panels)), figsize=(7.4, 1.75 * rows + 0.7), squeeze=False,
        sharex=True, layout="constrained",
    )  # fmt: skip
    for axes, (metric, title) in zip(grid.flat, panels.items(), strict=False):
        for model in models:
            _draw(axes, model, metric)
        if metric == KEPT:
            for model in models:
                _draw_published(axes, model)
                _draw_stops(axes, model)
        _finish(axes, title)
    for number, axes in enumerate(grid.flat):
        axes.set_visible(number < len(panels))
        if number + COLUMNS >= len(panels):  # nothing below it
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("updates")
    for axes in grid[:, 0]:
        axes.set_ylabel("squared error")
    figure.suptitle(f"{task}   ", x=0.005, ha="left", fontsize=9.5, fontweight="bold")
    text = textwrap.fill(caption, CAPTION_WIDTH)
    figure.supxlabel(text, x=0.005, ha="left", fontsize=6.2, color="#666666")
    _legend(figure, models)
    return figure
