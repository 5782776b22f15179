"""From arms to the figures that a paper's `tables.yaml` asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from analysis import curves, figures_maze
from analysis.claim_file import ArmPattern
from analysis.diagnosis import read_diagnosis
from analysis.evidence import find
from analysis.figures_ablation import ablation
from analysis.figures_cells import success_by_cell
from analysis.figures_maze import Arm, CaseStudy, Row, Values
from analysis.figures_starts import success_by_start
from analysis.labels import made_of
from analysis.layout import FigureLayout, experiment_of
from analysis.load import ArmResult, Results
from analysis.workspace import Workspace
from paper_tables.paths import TierPaths

#: Metrics of figure 4: one a row, with the one that stands beside it.
ROWS = (
    ("distance to the data", "diagnosis.discrepancy", "diagnosis.discrepancy_xy"),
    ("imagined states\nin walls, share", "diagnosis.imagined_wall_fraction", None),
    ("time in the goal\nafter arrival, share", "diagnosis.goal_hold", None),
)
NONE = np.empty(0)
DISTANCE_NOTE = (
    "Distance to the data: Average Trajectory Discrepancy, the mean distance of the states of an "
    "episode to the nearest state of the data, raw units (filled: position and velocity, hatched: "
    "position alone); dots: runs, whiskers: 95 % t interval from 3 runs on, cut at 0."
)
#: Kinds of figures that are made of results alone; the others need diagnoses.
DRAW = {"ablation": ablation, "starts": success_by_start, "cells": success_by_cell}


def write_case_studies(space: Workspace, paper: str, results: Results) -> list[Path]:
    """Write the figures of a paper that have anything to show."""
    written: list[Path] = []
    for name, layout in space.layout(paper).figures.items():
        experiment = experiment_of(layout.experiment, space.tier, space.tiers)
        if experiment is None or layout.kind == "model_error":
            continue
        draw = DRAW.get(layout.kind, _of_diagnoses)
        figure = draw(space, paper, experiment, layout, results)
        if figure is not None:
            path = TierPaths(space.tier).figure(paper, name, "png")
            written += curves.save(figure, (space.root / path).with_suffix(""))
    return written


def _of_diagnoses(
    space: Workspace, paper: str, experiment: str, layout: FigureLayout, results: Results
) -> Figure | None:
    """A case study or comparison, None where nothing was diagnosed."""
    found = {task: _arms(space, paper, experiment, layout, results, task) for task in layout.tasks}
    shown = [r for arms in found.values() for a, r in arms.values() if r and a.diagnosis]
    if not shown:
        return None
    draw = _case_study if layout.kind == "case_study" else _comparison
    return draw(space, layout, found, shown)


Found = dict[str, tuple[Arm, ArmResult | None]]


def _arms(
    space: Workspace,
    paper: str,
    experiment: str,
    layout: FigureLayout,
    results: Results,
    task: str,
) -> Found:
    """Every method of a figure on one task, or why it is absent."""
    arms: Found = {}
    for algo in layout.algorithms:
        result, _ = find(results, f"{paper}/{experiment}", ArmPattern(algo, {}), task)
        diagnosis = read_diagnosis(result, space.root) if result else None
        absent = None if diagnosis else space.absence(algo, result)
        arms[algo] = Arm(algo, space.title(algo), diagnosis, absent), result
    return arms


def _values(arms: Found, metric: str) -> list[Values]:
    return [
        Values(arm, result.values(metric) if result and arm.diagnosis else NONE)
        for arm, result in arms.values()
    ]


def _case_study(
    space: Workspace, layout: FigureLayout, found: dict[str, Found], shown: Sequence[ArmResult]
) -> Figure:
    (task,) = layout.tasks
    arms = found[task]
    study = CaseStudy(
        task=task,
        arms={algo: arm for algo, (arm, _) in arms.items()},
        notes={algo: _notes(result) for algo, (_, result) in arms.items()},
        discrepancy=_values(arms, "diagnosis.discrepancy"),
        discrepancy_xy=_values(arms, "diagnosis.discrepancy_xy"),
        caption=f"{made_of(space.tier, shown)} (b)-(e): one episode of each run from the same start (circle) "
        "to its end (square), the first run thick; below: share of the steps after the first arrival that "
        "are spent in the goal, all starts and runs. (g)-(i): rollouts of the first run from real states "
        f"(dots); below: share of imagined states inside walls. (j) {DISTANCE_NOTE}",
    )
    return figures_maze.draw_case_study(study)


def _notes(result: ArmResult | None) -> tuple[str, str]:
    """What stands below the paths and below the rollouts of a method."""
    metrics = ("diagnosis.goal_hold", "diagnosis.imagined_wall_fraction")
    runs = [result.values(metric) if result else NONE for metric in metrics]
    share = [f"{100 * values.mean():.2g} %" if len(values) else "" for values in runs]
    return f"in the goal {share[0]}", f"in walls {share[1]}"


def _comparison(
    space: Workspace, layout: FigureLayout, found: dict[str, Found], shown: Sequence[ArmResult]
) -> Figure:
    rows = [
        Row(
            label,
            {task: _values(arms, metric) for task, arms in found.items()},
            {task: _values(arms, beside) for task, arms in found.items()} if beside else {},
        )
        for label, metric, beside in ROWS
    ]
    return figures_maze.draw_comparison(
        layout.tasks, rows, f"{made_of(space.tier, shown)} {DISTANCE_NOTE}"
    )
