"""Figures of ablations: which arms they take, in which order, and what they draw."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import result_sets

from analysis import case_studies, figures_ablation, style
from analysis.layout import FigureLayout, Known, Layout
from paper_tables.errors import PlanError
from paper_tables.registry import read_registry
from paper_tables.schema import parse

UMAZE = result_sets.UMAZE
LAYOUT = {
    "kind": "ablation",
    "source": "test",
    "axis": "eta",
    "label": "share of imagined rows",
    "experiment": {"quick": "eta"},
    "tasks": [UMAZE, result_sets.MEDIUM],
    "algorithms": ["romi_bcq", "fomi_bcq"],
}
SCORES = {0.7: (5.0, 6.0, 10.0), 0.1: (1.0, 2.0, 3.0), 0.3: (4.0, 4.0, 4.0)}


@pytest.fixture
def bench(tmp_path: Path) -> result_sets.Bench:
    """Three values of eta for ROMI on one task, one for FOMI."""
    bench = result_sets.Bench(tmp_path, experiment="eta")
    for eta, scores in SCORES.items():
        bench.arm("romi_bcq", result_sets.runs(scores), overrides={"eta": eta})
    bench.arm("fomi_bcq", result_sets.runs((1.0, 1.0, 2.0)), overrides={"eta": 0.1})
    return bench


def layout(**changes: object) -> FigureLayout:
    return parse(FigureLayout, {**LAYOUT, **changes}, "tables.yaml")


def test_arms_come_in_order_of_the_axis(bench: result_sets.Bench) -> None:
    arms = figures_ablation.arms_of_axis(bench.results(), "romi/eta", layout(), "romi_bcq", UMAZE)
    assert [arm.arm.hyperparameters["eta"] for arm in arms] == [0.1, 0.3, 0.7]
    assert [arm.values("score").mean() for arm in arms] == [2.0, 4.0, 7.0]


def test_an_arm_of_two_experiments_counts_once(bench: result_sets.Bench) -> None:
    bench.arm("romi_bcq", result_sets.runs(SCORES[0.1]), overrides={"eta": 0.1}, experiment="again")
    arms = figures_ablation.arms_of_axis(
        bench.results(), "romi/eta+again", layout(), "romi_bcq", UMAZE
    )
    assert len(arms) == len(SCORES)


def test_the_figure_shows_means_whiskers_and_single_runs(bench: result_sets.Bench) -> None:
    figure = figures_ablation.ablation(bench.space, "romi", "eta", layout(), bench.results())
    assert figure is not None
    (axes,) = figure.axes
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.1", "0.3", "0.7"]
    (container,) = axes.containers
    line, _, (whiskers,) = container
    assert list(line.get_ydata()) == [2.0, 4.0, 7.0]
    # t(0.975, 2) sd / sqrt(3): 4.3027 / 1.7321 for the runs 1, 2, 3.
    low, high = whiskers.get_segments()[0][:, 1]
    assert (high - low) / 2 == pytest.approx(2.4841, abs=1e-4)
    dots = np.concatenate([line.get_ydata() for line in axes.lines if line.get_marker() == "."])
    assert sorted(dots) == sorted(np.concatenate([np.array(s) for s in SCORES.values()]))
    assert re.search(
        r"Tier \w+: [\d,]+ updates; local data; 3 runs a point", figure._supxlabel.get_text()
    )
    # One method alone has a line: a single value of the axis is no ablation.
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["ROMI-BCQ"]


def test_a_legend_takes_the_columns_that_its_figure_has_room_for() -> None:
    names = ["BC", "BMIL (forward model)", "BMIL (code)", "VINS"]
    assert style.columns_that_fit(names, 20.0) == 4
    assert style.columns_that_fit(names, 4.2) == 2
    assert style.columns_that_fit(names, 1.0) == 1
    assert style.columns_that_fit([], 1.0) == 1


def test_long_names_stay_inside_the_figure(tmp_path: Path) -> None:
    lines = [
        figures_ablation.Line(algo, title, (0.0, 10.0), (np.arange(5.0), np.arange(5.0) + 7))
        for algo, title in zip(
            ("il_bc", "bmil_forward", "bmil_code", "vins"),
            ("BC", "BMIL (forward model)", "BMIL (code)", "VINS"),
            strict=True,
        )
    ]
    unit = "Percent of displaced starts whose goal is reached at some moment"
    figure = figures_ablation.draw({"fetch-pick-and-place-v0": lines}, "steps", unit, "Caption.")
    figure.canvas.draw()
    frame = figure.bbox
    label = figure.axes[0].yaxis.label.get_window_extent()
    legend = figure.legends[0].get_window_extent()
    assert legend.x0 >= frame.x0 and legend.x1 <= frame.x1
    assert label.y0 >= frame.y0 and label.y1 <= legend.y1
    looks = {style.look(line.algo) for line in lines}
    assert len({look.colour for look in looks}) == len({look.marker for look in looks}) == 4


def test_nothing_is_drawn_of_a_single_value(tmp_path: Path) -> None:
    bench = result_sets.Bench(tmp_path, experiment="eta")
    bench.arm("romi_bcq", result_sets.runs((1.0, 2.0, 3.0)), overrides={"eta": 0.1})
    assert figures_ablation.ablation(bench.space, "romi", "eta", layout(), bench.results()) is None


def test_the_suites_figure_is_written(tmp_path: Path) -> None:
    bench = result_sets.Bench(tmp_path, tier="smoke", experiment="rollout_length_small")
    for horizon in (1, 5, 10, 20):
        overrides = {"networks": "small", "horizon": horizon}
        runs = result_sets.runs((horizon, horizon + 1.0))
        bench.arm("romi_bcq", runs, seeds=(0, 1), overrides=overrides)
    bench.arms = [replace(arm, paper="suite") for arm in bench.arms]
    shutil.copytree(result_sets.CHECKOUT / "paper_tables/suite", tmp_path / "paper_tables/suite")
    written = case_studies.write_case_studies(bench.space, "suite", bench.results())
    assert [path.name for path in written] == [
        f"rollout_length.{kind}" for kind in ("pdf", "png", "svg")
    ]
    assert all(path.stat().st_size > 5_000 for path in written)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axis": ""}, "an ablation needs it"),
        ({"kind": "comparison"}, "other figures have none"),
    ],
)
def test_axis_belongs_to_ablations(changes: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        layout(**changes)


def test_a_misspelt_axis_is_refused_with_the_nearest_number() -> None:
    registry = read_registry(result_sets.CHECKOUT / "config", result_sets.CHECKOUT)
    known = Known(registry.algos, registry.tasks, ["eta"])
    known.check(Layout(figures={"f": layout()}), Path("tables.yaml"))
    with pytest.raises(PlanError, match=r"figures\.f\.axis: unknown number 'etaa'; nearest: 'eta'"):
        known.check(Layout(figures={"f": layout(axis="etaa")}), Path("tables.yaml"))
