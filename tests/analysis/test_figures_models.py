"""Figures of model errors: what they draw, beside which published values, and where crosses stand."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
from fit_sets import falling, fit_arm, point
from matplotlib.figure import Figure
from result_sets import UMAZE, Bench
from test_histories import PLATEAU

from analysis import figures_models, report, style
from analysis.layout import FigureLayout
from paper_tables.errors import PlanError
from paper_tables.schema import parse

LAYOUT = {
    "kind": "model_error",
    "source": "test",
    "table": "5",
    "metric": "holdout_mse",
    "experiment": {"quick": "table5"},
    "tasks": [UMAZE],
    "lines": [
        {"algo": "ensemble", "settings": {"direction": d}, "reference": f"{d}_model", "label": d}
        for d in ("backward", "forward")
    ],
    "outputs": {"best_holdout_mse": "kept", "mse_reward": "reward", "mse_state_9": "none has it"},
}
FORWARD = {"direction": "forward"}


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    plt.close("all")


def figure(bench: Bench) -> tuple[Figure, list[figures_models.Model]]:
    layout = parse(FigureLayout, LAYOUT, "tables.yaml")
    found = figures_models._models(bench.space, "romi", "table5", layout, bench.results(), UMAZE)
    models = [model for _, model in found]
    return figures_models.draw(UMAZE, layout.outputs, models, "caption"), models


@pytest.fixture
def both(bench: Bench) -> Bench:
    """Backward: one run that falls, one that stops on its plateau; forward: two that fall."""
    fit_arm(bench, {0: falling(2.0), 1: PLATEAU})
    fit_arm(bench, {0: falling(1.0), 1: falling(3.0)}, overrides=FORWARD)
    return bench


def test_thick_lines_are_means_over_runs(both: Bench) -> None:
    drawn, _ = figure(both)
    kept, reward, *_ = [axes for axes in drawn.axes if axes.get_visible()]
    assert [axes.get_title("left") for axes in (kept, reward)] == ["kept", "reward"]
    thick = [line for line in kept.lines if line.get_linewidth() == 1.6]
    colours = [style.BLUE, style.ORANGE]
    assert [line.get_color() for line in thick] == colours
    updates = np.arange(100, 1001, 100)
    np.testing.assert_allclose(thick[1].get_xdata(), updates)
    np.testing.assert_allclose(thick[1].get_ydata(), 2.0 / updates)
    thin = [line for line in reward.lines if line.get_linewidth() == 0.6]
    assert len(thin) == 4
    np.testing.assert_allclose(thin[2].get_ydata(), 4.5 / updates)
    assert {axes.get_yscale() for axes in (kept, reward)} == {"log"}


def test_the_papers_values_stand_in_the_first_panel_only(both: Bench) -> None:
    drawn, models = figure(both)
    kept, reward, *_ = [axes for axes in drawn.axes if axes.get_visible()]
    dotted = [line.get_ydata()[0] for line in kept.lines if line.get_linewidth() == 1.1]
    assert dotted == [0.0061, 0.0062]
    assert [(m.published.mean, m.published.spread) for m in models if m.published] == [
        (0.0061, 0.0019),
        (0.0062, 0.0019),
    ]
    assert len(kept.patches) == 2 and not reward.patches
    low, high = kept.patches[0].get_y(), kept.patches[0].get_y() + kept.patches[0].get_height()
    assert (low, high) == pytest.approx((0.0042, 0.0080))
    (legend,) = drawn.legends
    assert legend.get_texts()[0].get_text() == "backward (paper: 0.0061 ± 0.0019)"


def test_a_cross_stands_where_early_stopping_ends_a_run(both: Bench) -> None:
    drawn, models = figure(both)
    assert [model.stops for model in models] == [((800.0, 0.006),), ()]
    crosses = [line for line in drawn.axes[0].lines if line.get_marker() == "X"]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in crosses] == [(800.0, 0.006)]


def test_outputs_without_data_have_no_panel(both: Bench) -> None:
    drawn, _ = figure(both)
    assert len([axes for axes in drawn.axes if axes.get_visible()]) == 2


def test_one_direction_alone_is_drawn(bench: Bench) -> None:
    fit_arm(bench, {0: falling(2.0)}, overrides=FORWARD)
    _, models = figure(bench)
    assert [model.series.algo for model in models] == ["forward_model"]


def test_the_report_writes_romis_figures_of_tier_hour(bench: Bench) -> None:
    hour = Bench(bench.root, tier="hour", judged="none")
    fit_arm(hour, {0: falling(2.0), 1: falling(2.5)}, experiment="table5_capped")
    fit_arm(hour, {0: [point(9, 0.1, 0.1)]}, experiment="table5_capped", progress=False, task="x")
    report.write_report(hour.space, hour.results())
    figures = sorted(p.name for p in (hour.root / "results/hour/figures/romi").iterdir())
    assert figures == [f"figure_model_error_{UMAZE}.{kind}" for kind in ("pdf", "png", "svg")]
    table = (hour.root / "results/hour/tables/romi/table5_outputs.csv").read_text()
    line = next(x for x in table.splitlines() if "backward model: reward" in x)
    assert line.startswith(f"hour,maze2d,{UMAZE},backward model: reward,mse_reward,0.010125,")
    causes = (hour.root / "results/hour/tables/romi/table5_causes.csv").read_text()
    sums = next(x for x in causes.splitlines() if "backward model: sum" in x).split(",")
    assert sums[4:6] == ["summed_mse", "0.01125"] and sums[12] == "0.0061"


@pytest.mark.parametrize(
    "change",
    [
        {"lines": []},
        {"table": ""},
        {"outputs": {}},
        {"algorithms": ["bcq"]},
        {"kind": "comparison"},
    ],
)
def test_a_layout_that_cannot_be_drawn_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(PlanError, match="model_error"):
        parse(FigureLayout, {**LAYOUT, **change}, "tables.yaml")
