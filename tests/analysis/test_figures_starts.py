"""Figures of success by start: what is drawn where, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection, QuadMesh
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from result_sets import Bench
from start_sets import (
    ARM,
    CORRIDOR,
    PICK,
    PUSH,
    ROOM,
    WON,
    arm_outcomes,
    arm_starts,
    evaluation,
    finished,
    free_cells,
    maze_outcomes,
    maze_starts,
    place,
    space_of,
)

from analysis import case_studies, curves, figures_cells, figures_starts, start_panels, style
from analysis.layout import FigureLayout
from analysis.statistics import t_interval
from paper_tables.errors import PlanError
from paper_tables.schema import parse

LAYOUT: dict[str, Any] = {
    "kind": "starts",
    "source": "test",
    "metric": "evaluation.robustness",
    "experiment": {"smoke": "table1"},
    "tasks": [PUSH, PICK],
    "algorithms": ["il_bc", "bmil_code"],
}
MAZE = maze_starts(ROOM, 4)


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def layout(**changes: object) -> FigureLayout:
    return parse(FigureLayout, {**LAYOUT, **changes}, "tables.yaml")


def drawn(bench: Bench, **changes: object) -> Figure | None:
    one, space = layout(**changes), space_of(bench)
    return case_studies.DRAW[one.kind](space, "bmil", "table1", one, bench.results())


def panels(figure: Figure | None, count: int) -> list[Axes]:
    assert figure is not None
    return figure.axes[:count]


def dots(axes: Axes) -> tuple[np.ndarray, np.ndarray]:
    """Places of the failures and of the successes, [n, 2]."""
    failed, won = (c for c in axes.collections if isinstance(c, PathCollection))
    assert to_rgba(style.GREEN)[:3] == tuple(won.get_facecolor()[0][:3])
    return np.asarray(failed.get_offsets()), np.asarray(won.get_offsets())


def caption(figure: Figure | None) -> str:
    assert figure is not None
    return " ".join(figure.get_supxlabel().split())


# --- by start ---------------------------------------------------------------------------------


def test_dots_are_the_outcomes_of_the_first_run(pushes: Bench) -> None:
    figure = drawn(pushes)
    left, right = panels(figure, 2)
    places = np.array([ARM["x"], ARM["y"]]).T
    for axes, runs in ((left, WON["il_bc"]), (right, WON["bmil_code"])):
        failed, won = dots(axes)
        assert np.array_equal(won, places[np.array(runs[0])])
        assert np.array_equal(failed, places[~np.array(runs[0])])
    assert figure is not None and len(figure.axes) == 2  # nothing ran on the other task
    assert "first finished run" in caption(figure) and "Left out" not in caption(figure)


def test_panels_say_the_robustness_of_all_runs(pushes: Bench) -> None:
    _, right = panels(drawn(pushes), 2)
    mean = t_interval([100 * np.mean(won) for won in WON["bmil_code"]])
    own = 100 * np.mean(WON["bmil_code"][0])
    assert right.get_title(loc="left") == "BMIL (code)"
    assert right.texts[0].get_text() == (
        f"{mean.mean:.1f} ± {mean.half_width:.1f} %, 3 runs; shown: seed 0, {own:.1f} %"
    )


def test_successes_differ_from_failures_in_more_than_colour(pushes: Bench) -> None:
    left, _ = panels(drawn(pushes), 2)
    failed, won = (c for c in left.collections if isinstance(c, PathCollection))
    assert len(failed.get_paths()[0].vertices) != len(won.get_paths()[0].vertices)
    green, grey = (np.dot([0.3, 0.6, 0.1], to_rgba(c)[:3]) for c in (style.GREEN, "#B4B4B4"))
    assert grey - green > 0.2
    assert won.get_zorder() > failed.get_zorder()


def test_scene_stands_where_the_task_says(pushes: Bench) -> None:
    figure = drawn(pushes)
    left, _ = panels(figure, 2)
    marked = {line.get_marker(): (*line.get_xdata(), *line.get_ydata()) for line in left.lines}
    assert marked == {"o": (1.342, 0.749), "s": (1.379, 0.787), "*": (1.417, 0.824)}
    assert figure is not None
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["succeeded", "failed", "start", "object", "goal"]


def test_a_scene_is_optional(tmp_path: Path) -> None:
    bench = Bench(tmp_path, experiment="table1")
    starts = arm_starts(40, scene=False)
    bench.arm("il_bc", finished(), task=PUSH, evaluation=evaluation(starts, WON["il_bc"]))
    figure = drawn(bench)
    assert panels(figure, 1)[0].lines == [] or not [*panels(figure, 1)[0].lines]
    assert figure is not None and len(figure.legends[0].get_texts()) == 2


def test_axes_show_what_is_asked_and_every_start(pushes: Bench) -> None:
    left, _ = panels(drawn(pushes, xlim=[1.15, 1.55], ylim=[0.55, 0.95]), 2)
    assert left.get_xlim() == (1.15, 1.55) and left.get_ylim() == (0.55, 0.95)
    left, _ = panels(drawn(pushes, xlim=[1.3, 1.55]), 2)
    low, high = left.get_xlim()
    assert low < min(ARM["x"]) and high > 1.55  # a start is never cut off
    bottom, top = left.get_ylim()
    assert bottom < min(ARM["y"]) and max(ARM["y"]) < top


def test_a_goal_beyond_the_starts_is_shown(tmp_path: Path) -> None:
    bench = Bench(tmp_path, experiment="table1")
    far = {**ARM, "scene": {"goal": [2.0, 0.7]}}
    bench.arm("il_bc", finished(), task=PUSH, evaluation=evaluation(far, WON["il_bc"]))
    assert panels(drawn(bench, xlim=[1.15, 1.55]), 1)[0].get_xlim()[1] > 2.0


def test_rows_of_a_maze_run_downwards(tmp_path: Path) -> None:
    bench = Bench(tmp_path, experiment="table1")
    outcomes = maze_outcomes(MAZE, 4.0)
    bench.arm("il_bc", finished(), task=ROOM, evaluation=evaluation(MAZE, outcomes))
    assert panels(drawn(bench, tasks=[ROOM]), 1)[0].yaxis_inverted()


def test_what_has_nothing_to_show_says_why(pushes: Bench) -> None:
    pushes.arm("il_bc", finished(), task=PICK, evaluation=evaluation(ARM, WON["il_bc"]))
    pushes.arm("bmil_code", None, task=PICK)
    pushes.arm("vins", None, task=PUSH, reason="declared, not implemented")
    pushes.arm("bc", finished(), task=PUSH)
    figure = drawn(pushes, algorithms=["il_bc", "bmil_code", "vins", "bc"])
    texts = [[text.get_text() for text in axes.texts] for axes in panels(figure, 8)]
    words = [" ".join(text[-1].split()) for text in texts]
    assert words[2:4] == ["not implemented", "no outcomes by start"]
    assert words[5:] == ["not run"] * 3


def test_outcomes_that_cannot_be_used_are_named_in_the_caption(pushes: Bench) -> None:
    broken = {**evaluation(ARM, []), "runs": [{"seed": 0, "outcomes": "01"}]}
    pushes.change(pushes.arms[0], evaluation=broken)
    figure = drawn(pushes)
    left, _ = panels(figure, 2)
    assert " ".join(left.texts[0].get_text().split()) == "outcomes cannot be used"
    assert "Left out: results/quick/runs/il_bc/fetch-push-v0" in caption(figure)


@pytest.mark.parametrize("starts", [ARM, {}])
def test_a_run_without_outcomes_is_left_out_and_named(
    pushes: Bench, starts: dict[str, Any]
) -> None:
    found = {"protocol": "displaced_starts", "starts": starts, "runs": []}
    pushes.change(pushes.arms[0], evaluation=found)
    figure = drawn(pushes)
    left, _ = panels(figure, 2)
    assert "2 runs; shown: seed 1," in left.texts[0].get_text()
    assert "Left out: il_bc on fetch-push-v0" in caption(figure)
    assert "no outcomes of seed 0." in caption(figure)


def test_nothing_is_drawn_without_outcomes(tmp_path: Path) -> None:
    bench = Bench(tmp_path, experiment="table1")
    bench.arm("il_bc", finished(), task=PUSH)
    assert drawn(bench) is None
    assert drawn(bench, kind="cells") is None


def test_many_starts_become_a_picture(
    tmp_path: Path, pushes: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, _ = panels(drawn(pushes), 2)
    assert not any(c.get_rasterized() for c in left.collections)
    monkeypatch.setattr(figures_starts, "MOST_SHAPES", 50)
    left, _ = panels(drawn(pushes), 2)
    assert all(c.get_rasterized() for c in left.collections)


# --- by cell ----------------------------------------------------------------------------------


@pytest.fixture
def maze(tmp_path: Path) -> Bench:
    """BC in one maze: from the start cell every run succeeds, elsewhere some or none."""
    bench = Bench(tmp_path, experiment="table1")
    home = MAZE["cells"].index(place(ROOM, "S"))
    won = [[cell == home or cell % (2 + seed) == 0 for cell in MAZE["cell"]] for seed in range(3)]
    bench.arm("il_bc", finished(), task=ROOM, evaluation=evaluation(MAZE, won))
    return bench


def expected(name: str) -> float:
    """Share of the three runs that succeed in a cell."""
    number = MAZE["cells"].index(name)
    home = name == place(ROOM, "S")
    return float(np.mean([home or number % (2 + seed) == 0 for seed in range(3)]))


def test_cells_hold_the_mean_over_runs_and_walls_none(maze: Bench) -> None:
    (axes,) = panels(drawn(maze, kind="cells", tasks=[ROOM], algorithms=["il_bc"]), 1)
    ground, heat = (mesh for mesh in axes.collections if isinstance(mesh, QuadMesh))
    rates, free = np.ma.asarray(heat.get_array()), np.asarray(ground.get_array())
    names = set(free_cells(ROOM))
    for (row, column), rate in np.ndenumerate(rates.filled(np.nan)):
        name = f"{row + 1},{column + 1}"
        assert free[row, column] == (name in names)
        assert rate == pytest.approx(expected(name)) if name in names else np.isnan(rate)
    assert heat.get_clim() == (0, 1) and heat.get_cmap().name == "viridis"
    assert axes.yaxis_inverted()


def test_a_map_says_how_many_starts_a_cell_rests_on(maze: Bench) -> None:
    figure = drawn(maze, kind="cells", tasks=[ROOM], algorithms=["il_bc"])
    counts = {MAZE["cell"].count(index) for index in range(len(MAZE["cells"]))}
    assert len(counts) == 1
    assert f"share of {counts.pop()} starts a cell" in caption(figure)


def test_values_stand_in_their_cells(maze: Bench) -> None:
    (axes,) = panels(drawn(maze, kind="cells", tasks=[ROOM], algorithms=["il_bc"]), 1)
    found = {(round(t.get_position()[1]), t.get_position()[0]): t.get_text() for t in axes.texts}
    assert found[3, 1] == "1"
    for name in free_cells(ROOM):
        row, column = map(int, name.split(","))
        rate = expected(name)
        text = "0" if rate == 0 else "1" if rate == 1 else f"{rate:.2f}"[1:]
        assert found[row, column] == text, name


def test_start_and_goal_are_marked(maze: Bench) -> None:
    (axes,) = panels(drawn(maze, kind="cells", tasks=[ROOM], algorithms=["il_bc"]), 1)
    letters = {t.get_text(): t.get_position() for t in axes.texts if t.get_text() in "SG"}
    for letter, (x, y) in letters.items():
        assert place(ROOM, letter) == f"{round(y)},{round(x)}"
    assert set(letters) == {"S", "G"}
    assert sorted(box.get_x() for box in axes.patches) == pytest.approx([0.58, 10.58])


def test_narrow_cells_have_no_values(maze: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures_cells, "TEXT_CELL", 1.0)
    (axes,) = panels(drawn(maze, kind="cells", tasks=[ROOM], algorithms=["il_bc"]), 1)
    assert [t.get_text() for t in axes.texts[1:]] == ["S", "G"]


def test_a_map_needs_cells(pushes: Bench) -> None:
    assert drawn(pushes, kind="cells") is None
    found = start_panels.collect(
        space_of(pushes), "bmil", "table1", layout(kind="cells"), pushes.results()
    )
    assert found.problems == ["a map needs cells called 'row,column', not ''"] * 2


# --- wiring -----------------------------------------------------------------------------------


def test_figures_3_and_4_of_bmil_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "_METADATA", {"svg": {"Date": None}})
    bench = Bench(tmp_path, tier="standard", experiment="table1")
    for algo, reach in (("il_bc", 0.03), ("bmil_code", 0.07)):
        outcomes = arm_outcomes(ARM, reach)
        bench.arm(
            algo,
            finished(),
            task=PICK,
            experiment="figure3",
            evaluation=evaluation(ARM, outcomes),
        )
        starts = maze_starts(CORRIDOR, 2)
        outcomes = maze_outcomes(starts, 60 * reach)
        bench.arm(algo, finished(), task=CORRIDOR, evaluation=evaluation(starts, outcomes))
    written = case_studies.write_case_studies(space_of(bench), "bmil", bench.results())
    assert [path.name for path in written] == ["figure3.svg", "figure4.svg"]
    texts = [path.read_text(encoding="utf-8") for path in written]
    for text, task in zip(texts, (PICK, CORRIDOR), strict=True):
        assert task in text and "BMIL (code)" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "cells", "xlim": [0.0, 1.0]}, "of a figure of kind starts"),
        ({"ylim": [1.0, 0.0]}, r"\[low, high\]"),
        ({"xlim": [1.0]}, "xlim"),
        ({"algorithms": []}, "every figure needs them"),
    ],
)
def test_mistakes_in_a_layout_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        layout(**changes)
