# ruff: noqa: RUF001, E501
"""Tables: golden small ones in all formats, escaping, footnotes and difference rows."""

from __future__ import annotations

import math
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from result_sets import CHECKOUT, MEDIUM, TIERS, UMAZE, Bench, failed_run, run, runs
from scipy import stats

from analysis import claims, labels, render, report
from analysis.errors import AnalysisError
from analysis.layout import Line, Section, TableLayout, read_layout
from analysis.published import Published, read_published
from analysis.statistics import Interval
from analysis.tables import Row, Table, build_table
from paper_tables.errors import PlanError

ROMI = CHECKOUT / "paper_tables" / "romi"
LAYOUT = TableLayout(
    table="3",
    title="Table 3",
    metric="score",
    unit="D4RL-normalised score",
    lines=[
        Line(algo="romi_bcq"),
        Line(algo="fomi_bcq"),
        Line(algo="bcq"),
        Line(difference=["romi_bcq", "bcq"]),
    ],
    sections=[Section(title="maze2d", experiment={"smoke": "maze2d_small"}, tasks=[UMAZE])],
)


def table(bench: Bench, layout: TableLayout = LAYOUT) -> Table:
    space, results = bench.space, bench.results()
    entries = claims.judge_all(space, results)
    return build_table("table3", layout, space, "romi", results, space.published("romi"), entries)


GOLDEN = """\
**Table 3. D4RL-normalised score; tier quick.**

| Task | Algorithm | Ours (runs) | Single runs | Paper (runs) | Ours − paper | Updates | Claims |
| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |
| maze2d-umaze-v1 | ROMI-BCQ | 30.7 ± 41.7 (3) | 20.0; 22.0; 50.0 | 139.5 ± 3.6 (3) | −108.8 ± 39.4 | 1,000 | – |
|  | FOMI-BCQ | – | – | 8.1 ± 15.5 (3) | – | – | – |
|  | BCQ | −4.3 ± 14.1 (3) | −9.0; −6.0; 2.0 | 41.1 ± 7.6 (3) | −45.4 ± 15.7 | 1,000 | – |
|  | ROMI-BCQ − BCQ | +35.0 ± 37.0 (3) | – | 98.4 (3) | −63.4 | 1,000 | R21 direction only |

- Ours: mean ± half-width of the 95 % Student-t interval over runs (seeds); a line with two algorithms is their difference with the Welch interval.
- Paper: mean ± standard deviation over runs.
- Ours − paper: with the 95 % Welch interval where the paper's spread allows one; budgets differ, see Updates.
- –: not run in this tier, or not reported.
- Data: generated locally (waypoint).
- Setting: networks=small.
- Budget: the configured defaults.
- Evaluation: mean of the last 3 evaluations of a run; protocol: random, 14 episodes an evaluation.
- Precision: float32.
- Hardware: Test CPU (2 cores).
- Versions: hindcast abc1234, python 3.11.7, torch 2.13.0.
"""


def test_golden_markdown(standard: Bench) -> None:
    assert render.markdown(table(standard)) == GOLDEN.replace("_", "\\_")


def test_numbers_behind_the_golden_table(standard: Bench) -> None:
    romi, fomi, bcq, difference = table(standard).rows
    assert romi.ours is not None
    assert romi.ours.half_width == pytest.approx(4.302653 * np.std([20, 22, 50], ddof=1) / 3**0.5)
    assert fomi.ours is None
    expected = stats.ttest_ind_from_stats(
        np.mean([20, 22, 50]), np.std([20, 22, 50], ddof=1), 3, 139.5, 3.6, 3, equal_var=False
    )
    own, paper = np.var([20, 22, 50], ddof=1) / 3, 3.6**2 / 3
    degrees = (own + paper) ** 2 / (own**2 / 2 + paper**2 / 2)
    assert romi.gap is not None
    scale = romi.gap.mean / expected.statistic  # the standard error of the difference
    assert romi.gap.half_width == pytest.approx(abs(scale) * stats.t.ppf(0.975, degrees))
    assert bcq.published is not None
    assert bcq.published.mean == 41.1
    assert difference.ours is not None
    assert difference.ours.mean == pytest.approx(92 / 3 + 13 / 3)


def test_golden_csv(standard: Bench) -> None:
    lines = render.comma_separated(table(standard)).splitlines()
    assert lines[0].split(",") == list(render.CSV_COLUMNS)
    assert lines[1] == (
        "quick,maze2d,maze2d-umaze-v1,ROMI-BCQ,score,30.6667,41.6664,-10.9998,72.3331,3,3,20 22 50,"
        "139.5,3.6,sd,3,-108.833,39.355,1000,"
    )
    assert lines[2] == ("quick,maze2d,maze2d-umaze-v1,FOMI-BCQ,score,,,,,0,0,,8.1,15.5,sd,3,,,,")
    assert lines[4].startswith(
        "quick,maze2d,maze2d-umaze-v1,ROMI-BCQ - BCQ,score,35,37.0497,-2.04968,72.0497,3,3,"
    )
    assert lines[4].endswith(",98.4,,none,3,-63.4,,1000,R21 direction only")


def test_golden_latex(standard: Bench) -> None:
    text = render.latex(table(standard))
    assert (
        r"\quad ROMI-BCQ & 30.7 $\pm$ 41.7 (3) & 20.0; 22.0; 50.0 & 139.5 $\pm$ 3.6 (3) & "
        r"$-$108.8 $\pm$ 39.4 & 1,000 & -- \\" in text
    )
    assert r"\toprule" in text and r"\bottomrule" in text
    assert "networks=small" in text
    assert "95 \\% Student-t" in text


def test_latex_escapes_every_special_character() -> None:
    assert render.escape_latex("a_b & 5% {x} #1 $ ~ ^ \\ < >") == (
        r"a\_b \& 5\% \{x\} \#1 \$ \textasciitilde{} \textasciicircum{} "
        r"\textbackslash{} \textless{} \textgreater{}"
    )


def test_markdown_escapes_pipes() -> None:
    row = Row("s", "a|b", "x")
    layout = LAYOUT.model_copy(update={"title": "T|U"})
    text = render.markdown(Table("t", "romi", "quick", layout, (row,)))
    assert "| a\\|b | x |" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
@pytest.mark.parametrize("name", ["table3", "table8"])
def test_latex_compiles(standard: Bench, tmp_path: Path, name: str) -> None:
    layout = read_layout(ROMI / "tables.yaml", TIERS).tables[name]
    (tmp_path / "table.tex").write_text(render.latex(table(standard, layout)))
    (tmp_path / "page.tex").write_text(
        r"\documentclass{article}\usepackage{booktabs,longtable}\begin{document}"
        r"\input{table}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-800:]


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [(-0.04, 1, "0.0"), (-2.55, 1, "−2.5"), (0.0061, 4, "0.0061"), (139.5, 0, "140")],
)
def test_numbers_have_a_true_minus_and_no_negative_zero(
    value: float, decimals: int, text: str
) -> None:
    assert render.figure(value, decimals) == text


def test_one_run_has_no_half_width() -> None:
    assert render.plus_minus(Interval(3.0, math.nan, 1), 1) == "3.0"


def test_failed_runs_are_counted_and_named(bench: Bench) -> None:
    bench.arm("bcq", [run(0, 1.0), failed_run(1), run(2, 3.0)])
    text = render.markdown(table(bench))
    assert "(2 of 3)" in text
    assert "Left out, bcq on maze2d-umaze-v1 (networks=small): seed 1: critic loss" in (
        text.replace("\\_", "_")
    )


def test_numbers_that_differ_in_origin_carry_marks(standard: Bench) -> None:
    standard.change(standard.arms[1], data=[{"seed": 0, "source": "d4rl", "transitions": 5}])
    text = render.markdown(table(standard))
    assert "20.0; 22.0; 50.0" in text
    assert "30.7 ± 41.7 (3) [a]" in text
    assert "−4.3 ± 14.1 (3) [b]" in text
    assert "Data: (a) d4rl file, 5 transitions; (b) generated locally (waypoint)." in text


def footnote(bench: Bench, title: str, layout: TableLayout = LAYOUT) -> str:
    lines = table(bench, layout).notes.lines
    return next(line for line in lines if line.startswith(f"{title}: "))


def test_budget_keys_that_differ_are_footnotes(bench: Bench) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]), budget_changes={"updates": (1000, 1000000)})
    changes = {
        "evaluation_start": ("stratified", "random"),
        "dynamics.max_updates": (12000, 0),
        "dynamics.final_decay_fraction": (0.3, 0.0),
    }
    bench.arm("romi_bcq", runs([1.0, 2.0, 3.0]), budget_changes=changes)
    assert footnote(bench, "Budget") == (
        "Budget: (a) dynamics.final_decay_fraction 0.3 (default 0.0), "
        "dynamics.max_updates 12,000 (default 0), evaluation_start stratified (default random); "
        "(b) updates 1,000 (default 1,000,000)."
    )


def test_the_protocol_is_that_of_the_metric(standard: Bench) -> None:
    standard.arm("ensemble", runs([1.0, 2.0, 3.0]), stage="fit")
    metric = {"metric": "evaluation.score", "published": False}
    after = footnote(standard, "Evaluation", LAYOUT.model_copy(update=metric))
    assert after == (
        "Evaluation: of the final policy; protocol: stratified, 3 episodes from each start."
    )
    during = footnote(standard, "Evaluation")
    assert "protocol: random, 14 episodes an evaluation" in during
    lines = {"metric": "holdout_mse", "lines": [Line(algo="ensemble")]}
    held_out = footnote(standard, "Evaluation", LAYOUT.model_copy(update=lines))
    assert held_out == "Evaluation: by the fit itself, on rows held out of its data."


def test_arms_without_a_result_are_named(bench: Bench) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    bench.arm("romi_bcq", None)
    bench.arm("fomi_bcq", None, reason="declared, not implemented")
    assert footnote(bench, "Without a result") == (
        "Without a result: romi_bcq on maze2d-umaze-v1 (networks=small)."
    )


def test_other_tiers_and_other_cells_never_enter(bench: Bench) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    bench.arm("bcq", runs([100.0, 100.0, 100.0]), overrides={}, experiment="table3")
    rows = table(bench).rows
    assert rows[2].runs == (1.0, 2.0, 3.0)


def test_goal_hold_has_no_column_for_a_paper_without_numbers(standard: Bench) -> None:
    layout = read_layout(ROMI / "tables.yaml", TIERS).tables["table3_goal_hold"]
    text = render.markdown(table(standard, layout))
    assert "Paper" not in text.splitlines()[2]
    assert "| 0.70 ± 0.00 (3) |" in text


def test_all_tables_of_romi_find_their_published_values() -> None:
    published = read_published(ROMI / "reference.csv")
    layout = read_layout(ROMI / "tables.yaml", TIERS)
    beside = {"table3_goal_hold", "table5_outputs", "table5_causes"}
    assert set(layout.tables) == {f"table{n}" for n in range(1, 12)} | beside
    for name, one in layout.tables.items():
        if not one.published:
            continue
        for section in one.sections:
            for task in section.tasks:
                for line in one.lines:
                    assert _has_value(published, one, task, line), f"{name} {task} {line}"


def _has_value(published: Published, layout: TableLayout, task: str, line: Line) -> bool:
    if line.difference:
        algo, metric = "-".join(line.difference), f"{layout.metric}_difference"
        return published.find(layout.table, task, metric, algo=algo, cell="base") is not None
    algo = line.reference or line.algo or ""
    found = published.find(
        layout.table, task, layout.metric, algo=algo, cell=line.cell, role=line.role or ""
    )
    return found is not None


def test_published_numbers_of_romi() -> None:
    published = read_published(ROMI / "reference.csv")
    assert len(published.values) == 657
    value = published.find("10", MEDIUM, "score", algo="romi_bcq", cell="horizon=20")
    assert value is not None
    assert (value.mean, value.spread, value.spread_kind, value.n) == (104.5, 54.7, "sd", 3)
    pattern = published.find("7", "maze2d-umaze-dense-v1", "eta", algo="romi", cell="base")
    assert pattern is not None
    assert pattern.mean == 0.7


def test_a_published_line_with_a_cell_too_many_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "reference.csv"
    header, first = (ROMI / "reference.csv").read_text().splitlines()[:2]
    path.write_text(f"{header}\n{first}\n{first},more\n")
    with pytest.raises(AnalysisError, match=r"reference.csv:3: 12 cells, wanted 11; put cells"):
        read_published(path)


def test_a_layout_with_a_mistake_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "tables.yaml"
    path.write_text("tables: {t: {table: '1', title: x, metric: score, unit: y, colour: red}}")
    with pytest.raises(PlanError, match="colour"):
        read_layout(path, TIERS)
    path.write_text("curves: {table: '3', experiment: {soon: x}, tasks: [a], algorithms: [bcq]}")
    with pytest.raises(PlanError, match="unknown tier 'soon'"):
        read_layout(path, TIERS)


def test_runs_that_lack_the_metric_are_told_from_what_was_not_run(standard: Bench) -> None:
    layout = LAYOUT.model_copy(update={"metric": "scores"})
    text = render.markdown(table(standard, layout))
    assert (
        "- –: not run in this tier, run but without a number (see below), or not reported." in text
    )
    names = (
        "romi\\_bcq on maze2d-umaze-v1 (networks=small); bcq on maze2d-umaze-v1 (networks=small)"
    )
    reason = "its results have no metric 'scores'; did you mean 'score'?"
    assert f"- Without a number, {names}: {reason}\n" in text


def test_a_line_of_two_says_what_it_lacks_and_single_runs_are_named(bench: Bench) -> None:
    bench.arm("bcq", [run(0, 1.0, extra=2.0), run(1, 2.0), run(2, 3.0)])
    lines = [Line(algo="bcq", metric="extra"), Line(difference=["bcq", "romi_bcq"])]
    layout = LAYOUT.model_copy(update={"metric": "areas", "lines": lines})
    notes = table(bench, layout).notes.lines
    arm = f"bcq on {UMAZE} (networks=small)"
    assert f"Without a number, {arm} seeds 1, 2: its results have no metric 'extra'." in notes
    assert f"Without a number, {arm}: its results have no metric 'areas'." in notes


TYPOS = {
    "algorithm of a line": (
        "  - {algo: vins}",
        "  - {algo: vinz}",
        "tables.table1.lines: unknown algorithm 'vinz'; nearest: 'vins'",
    ),
    "algorithm of a pair": (
        "ratio: [bmil_code, il_bc]",
        "ratio: [bmil_cod, il_bc]",
        "tables.table1.lines: unknown algorithm 'bmil_cod'; nearest: 'bmil_code'",
    ),
    "experiment of a section": (
        "experiment: {quick: presets}",
        "experiment: {quick: preset}",
        "tables.table1_presets.sections.Fetch.experiment: unknown experiment 'preset'; nearest: 'presets'",
    ),
    "task of a section": (
        "tasks: [fetch-push-v0]",
        "tasks: [fetch-pusch-v0]",
        "tables.figure5a.sections.Push.tasks: unknown task 'fetch-pusch-v0'; nearest: 'fetch-push-v0'",
    ),
    "experiment of a figure": (
        "experiment: {standard: table1, paper: figure4}",
        "experiment: {standard: table1, paper: figur4}",
        "figures.figure4.experiment: unknown experiment 'figur4'; nearest: 'figure4'",
    ),
    "setting of a line": (
        "settings: {model_schedule: first}",
        "settings: {model_shedule: first}",
        "tables.table6.lines.bmil_code.settings: unknown setting 'model_shedule'; nearest: 'model_schedule'",
    ),
    "axis that is no number": (
        "axis: epoch_updates",
        "axis: evaluation_start",
        "figures.figure6.axis: unknown number 'evaluation_start'; nearest:",
    ),
    "metric of a figure": (
        "metric: evaluation.train_success\n    unit: *training\n  figure6",
        "metric: accu:success\n    unit: *training\n  figure6",
        "figures.figure11.metric: metric 'accu:success': unknown form 'accu'",
    ),
}


@pytest.mark.parametrize("name", TYPOS)
def test_a_name_that_nothing_declares_is_refused_before_anything_is_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    (tmp_path / "config").symlink_to(CHECKOUT / "config")
    shutil.copytree(CHECKOUT / "paper_tables", tmp_path / "paper_tables")
    path, (old, new, message) = tmp_path / "paper_tables/bmil/tables.yaml", TYPOS[name]
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    arguments = ["--tier", "hour", "--paper", "bmil", "--root", str(tmp_path)]
    for command in (report.main, claims.main):
        assert command(arguments) == 2
        error = capsys.readouterr().err
        assert f"bmil/tables.yaml: {message}" in error and error.count("\n") == 1


def test_data_sets_of_single_seeds_are_summed_up_as_a_range(standard: Bench) -> None:
    entries = [
        {"seed": s, "source": "local", "generator": "waypoint", "transitions": 1000 + s}
        for s in range(3)
    ]
    for arm in standard.arms:
        standard.change(arm, data=entries)
    text = render.markdown(table(standard))
    assert (
        "Data: generated locally (waypoint), 1,000 to 1,002 transitions, a data set for each seed."
        in text
    )


def test_of_demonstrations_the_note_counts_what_was_learnt_from(bench: Bench) -> None:
    entries = [
        {"seed": s, "source": "local", "generator": "fetch_controller", "transitions": 1000}
        for s in range(3)
    ]
    places = [[[0.0, 0.0]] * (53 + seed) for seed in range(3)]
    settings = {"networks": "small", "demonstrations": 5}
    bench.arm("bcq", runs([1.0, 2.0, 3.0]), data=entries, paths=places, overrides=settings)
    (arm,) = bench.results().arms
    assert labels.data(arm) == (
        "generated locally (fetch_controller), 5 demonstrations a run, 53 to 55 transitions, "
        "a data set for each seed"
    )
