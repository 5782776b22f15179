"""Figures of mazes: what is drawn where."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from diagnoses import MAZE, STARTS, write_diagnosis
from matplotlib.patches import Circle, Rectangle
from result_sets import UMAZE, Bench, learning_curve, runs

from analysis import case_studies, curves, figures_maze, style
from analysis.diagnosis import Maze, read_diagnosis
from analysis.figures_maze import Arm, Values

METHODS = {"bcq": [0.1, 0.2, 0.3], "romi_bcq": [0.2, 0.2, 0.2], "fomi_bcq": [0.3, 0.4, 0.5]}
UMAZE_MAZE = Maze("umaze", np.array(MAZE["walls"]), (1.0, 1.0), 0.5, 0.2, (1, 2, 3, 6, 5, 4, 0))


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    style.apply()
    yield
    plt.close("all")


@pytest.fixture
def diagnosed(bench: Bench) -> Bench:
    for algo, values in METHODS.items():
        arm = bench.arm(algo, runs([1.0, 2.0, 3.0]))
        write_diagnosis(bench.root, arm, values, imagines=algo != "bcq")
    bench.arm("mopo", None, reason="declared, not implemented")
    return bench


def covered(axes: plt.Axes, x: float, y: float) -> bool:
    """Whether a wall is drawn over the point (x down, y to the right)."""
    boxes = [p for p in axes.patches if isinstance(p, Rectangle)]
    return any(
        b.get_x() < y < b.get_x() + b.get_width() and b.get_y() < x < b.get_y() + b.get_height()
        for b in boxes
    )


def test_walls_stand_where_the_ball_meets_them() -> None:
    """The free cell (r, c) covers x in (r - 0.7, r + 0.3) and y in (c - 0.7, c + 0.3)."""
    axes = plt.subplots()[1]
    figures_maze.draw_maze(axes, UMAZE_MAZE)
    for (row, column), wall in np.ndenumerate(UMAZE_MAZE.walls):
        for dx, dy in ((-0.69, -0.69), (-0.69, 0.29), (0.29, -0.69), (0.29, 0.29)):
            assert covered(axes, row + dx, column + dy) == wall
    assert axes.yaxis_inverted() and not axes.xaxis_inverted()
    left, right = axes.get_xlim()
    assert left < 0.3 and right > 3.3
    goals = [p for p in axes.patches if isinstance(p, Circle)]
    assert {(p.center, p.radius) for p in goals} == {((1.0, 1.0), 0.5)}


def test_diagnoses_become_metrics_of_the_runs(diagnosed: Bench) -> None:
    (romi,) = diagnosed.results().select("romi/maze2d_small", "fomi_bcq", UMAZE)
    assert romi.values("diagnosis.discrepancy").tolist() == METHODS["fomi_bcq"]
    assert romi.values("diagnosis.imagined_wall_fraction").tolist() == [0.013] * 3
    assert romi.values("diagnosis.first_hit").tolist() == []
    found = read_diagnosis(romi, diagnosed.root)
    assert found is not None and found.maze is not None
    assert found.maze.farthest_start == 3
    assert sorted(found.paths) == sorted(found.chains) == [0, 1, 2]
    assert found.paths[1].shape == (7, 20, 2) and found.data.shape == (5, 30, 2)


@pytest.mark.parametrize("change", [{"digest": "other"}, {"schema": 2}])
def test_diagnoses_of_other_runs_are_not_read(diagnosed: Bench, change: dict[str, object]) -> None:
    write_diagnosis(diagnosed.root, diagnosed.arms[0], [0.9] * 3, **change)
    (bcq,) = diagnosed.results().select("romi/maze2d_small", "bcq", UMAZE)
    assert read_diagnosis(bcq, diagnosed.root) is None
    assert bcq.values("diagnosis.discrepancy").tolist() == []
    assert len(bcq.runs) == 3


def test_a_damaged_archive_leaves_the_method_out(diagnosed: Bench) -> None:
    numbers = write_diagnosis(diagnosed.root, diagnosed.arms[0], [0.9] * 3)
    numbers.with_suffix(".npz").write_bytes(b"PK cut off")
    (bcq,) = diagnosed.results().select("romi/maze2d_small", "bcq", UMAZE)
    assert read_diagnosis(bcq, diagnosed.root) is None


def texts(axes: plt.Axes) -> list[str]:
    return [text.get_text().replace("\n", " ") for text in axes.texts]


def test_case_study_has_the_panels_of_the_paper(
    diagnosed: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, plt.Figure] = {}
    monkeypatch.setattr(
        curves, "save", lambda figure, stem: drawn.update({stem.name: figure}) or []
    )
    case_studies.write_case_studies(diagnosed.space, "romi", diagnosed.results())
    assert set(drawn) == {"figure3", "figure4"}
    panels = drawn["figure3"].axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert [title[:3] for title in titles] == [f"({letter})" for letter in "abcdefghij"]
    assert titles[1] == "(b) ROMI-BCQ" and titles[7] == "(h) FOMI-BCQ rollouts"
    assert all(texts(panels[i]) == ["not implemented"] for i in (2, 5, 8))
    assert panels[1].get_xlabel() == "in the goal 25 %"
    assert panels[6].get_xlabel() == "in walls 1.3 %"
    # the farthest start, x down and y to the right; all three runs end at their own place
    lines = [line for line in panels[1].lines if len(line.get_xdata()) == 20]
    assert len(lines) == 3
    row, column = STARTS[3]
    assert all((line.get_xdata()[0], line.get_ydata()[0]) == (column, row) for line in lines)
    (thick,) = [line for line in lines if line.get_linewidth() > 1]
    assert thick.get_xdata()[-1] == 1.0
    heights = [patch.get_height() for patch in panels[9].patches]
    assert heights == pytest.approx([0.2, 0.2, 0.4, 0.05, 0.05, 0.1])


def test_bars_are_means_with_their_runs_and_interval() -> None:
    axes = plt.subplots()[1]
    arms = [Arm("bcq", "BCQ"), Arm("romi_bcq", "ROMI-BCQ"), Arm("mopo", "MOPO", None, "not run")]
    values = [np.array([1.0, 2.0, 3.0]), np.array([4.0, 6.0]), np.empty(0)]
    figures_maze.draw_bars(axes, [Values(a, v) for a, v in zip(arms, values, strict=True)])
    assert [patch.get_height() for patch in axes.patches] == [2.0, 5.0]
    dots = [c.get_offsets()[:, 1].tolist() for c in axes.collections if len(c.get_offsets()) > 1]
    assert dots == [[1.0, 2.0, 3.0], [4.0, 6.0]]
    assert len(axes.containers) == 3  # two bars and one whisker: two runs have no interval
    assert [label.get_text() for label in axes.get_xticklabels()] == ["BCQ", "ROMI", "MOPO"]
    assert texts(axes) == ["not run"]


def test_figures_are_written_where_there_is_anything_to_show(diagnosed: Bench) -> None:
    written = case_studies.write_case_studies(diagnosed.space, "romi", diagnosed.results())
    assert [path.name for path in written] == [
        f"figure{n}.{kind}" for n in (3, 4) for kind in ("pdf", "png", "svg")
    ]  # fmt: skip
    assert all(path.stat().st_size > 10_000 for path in written)
    before = [path.read_bytes() for path in written]
    case_studies.write_case_studies(diagnosed.space, "romi", diagnosed.results())
    assert [path.read_bytes() for path in written] == before


def test_no_figures_without_diagnoses(standard: Bench) -> None:
    assert case_studies.write_case_studies(standard.space, "romi", standard.results()) == []


def test_overestimation_takes_the_place_of_mean_q() -> None:
    rows = []
    for seed in range(3):
        entry = learning_curve(seed, 30.0, 4.0)
        for point in entry["evaluations"]:
            extra = {"overestimation": point["update"] / 1000 + seed}
            rows.append({"seed": seed, "status": "finished", **point, **extra})
    figure = curves.draw("a task", "", [curves.Series("bcq", "BCQ", pd.DataFrame(rows))])
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "Score", "Time kept in the goal", "Overestimation"
    ]  # fmt: skip
    lines = figure.axes[2].lines
    assert any(np.allclose(line.get_ydata(), 0.0) for line in lines)
    (mean,) = [line for line in lines if line.get_linewidth() > 1.5]
    assert mean.get_ydata() == pytest.approx(np.arange(1, 6) * 2.5 + 1)
