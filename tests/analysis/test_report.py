"""The whole report on a made-up tier: files, curves, summary and command lines."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import matplotlib.image as mpimg
import numpy as np
import pandas as pd
import pytest
from result_sets import CHECKOUT, UMAZE, Bench, failed_run, learning_curve, run
from rich.console import Console

from analysis import curves, report, style, summary
from analysis.errors import AnalysisError
from analysis.files import write_text
from analysis.workspace import open_workspace
from paper_tables.paths import TABLE_FORMATS


@pytest.fixture
def written(standard: Bench) -> Bench:
    report.write_report(standard.space, standard.results())
    return standard


def test_every_declared_output_is_written(written: Bench) -> None:
    folder = written.root / "results" / "quick"
    expected = ["claims.csv", "summary.md", "report.html"]
    expected += [f"tables/romi/table3.{suffix}" for suffix in TABLE_FORMATS]
    expected += [f"figures/romi/curves_{UMAZE}.{suffix}" for suffix in ("png", "pdf", "svg")]
    for name in expected:
        assert (folder / name).stat().st_size > 100, name
    leftovers = [path for path in folder.rglob("*") if path.name.startswith(".")]
    assert leftovers == []


def test_the_report_is_the_same_twice(written: Bench) -> None:
    files = [path for path in (written.root / "results/quick").rglob("*") if path.suffix]
    before = {path: path.read_bytes() for path in files if path.suffix != ".json"}
    report.write_report(written.space, written.results())
    assert [path.name for path in before if path.read_bytes() != before[path]] == []


def test_summary_counts_and_shows_what_was_judged(written: Bench) -> None:
    text = (written.root / "results/quick/summary.md").read_text()
    assert "6 runs finished, 0 failed, 0 missing" in text
    assert "| direction only | 1 |" in text
    assert "| not judged | 74 |" in text
    assert "| romi R21 | direction only |" in text
    assert "35 [-2.05, 72.05]" in text
    assert f"| {UMAZE} | ROMI-BCQ | score | 30.67 ± 41.67 (3) | 139.5 ± 3.6 (3) | 1,000 |" in text
    assert "results/quick/claims.csv" in text


def test_runs_that_experiments_share_are_counted_once(standard: Bench) -> None:
    standard.arm("bcq", None, experiment="table3")
    text = report.write_report(standard.space, standard.results())
    assert "6 runs finished, 0 failed, 0 missing" in text


def test_summary_on_a_terminal_says_the_same(written: Bench) -> None:
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    summary.show(summary.read_summary(written.space, written.results()), console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "1 direction only" in text
    assert "R21" in text
    assert "\x1b[" not in text


def test_summary_before_the_report_says_what_to_run(standard: Bench) -> None:
    with pytest.raises(AnalysisError, match=r"python -m analysis.report --tier quick"):
        summary.read_summary(standard.space, standard.results())


def test_a_summary_whose_plan_has_changed_asks_for_the_report(
    written: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("analysis.workspace.from_options", lambda *_: written.space)
    assert summary.main(["--tier", "quick"]) == 0
    assert capsys.readouterr().err == ""
    written.arms.pop()
    assert summary.main(["--tier", "quick"]) == 0
    found = capsys.readouterr()
    assert "3 runs finished" in found.out and "ROMI-BCQ" in found.out
    assert "python -m analysis.report --tier quick" in found.err and found.err.count("\n") == 1


def test_failed_runs_are_named_in_the_summary(bench: Bench) -> None:
    bench.arm("bcq", [run(0, 1.0), failed_run(1), run(2, 3.0)])
    text = report.write_report(bench.space, bench.results())
    assert "2 runs finished, 1 failed, 0 missing" in text
    assert "- bcq on maze2d-umaze-v1 (networks=small): seed 1 failed: critic loss" in text


def test_missing_runs_are_named_in_the_summary(standard: Bench) -> None:
    standard.arm("fomi_bcq", None)
    text = report.write_report(standard.space, standard.results())
    assert "6 runs finished, 0 failed, 3 missing" in text
    assert "## Missing\n\n- fomi_bcq: maze2d-umaze-v1 (networks=small), seeds 0, 1, 2\n" in text
    assert "- logs of jobs, also of those that failed: results/quick/logs" in text
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    summary.show(summary.read_summary(standard.space, standard.results()), console)
    assert "missing: fomi_bcq" in console.file.getvalue()  # type: ignore[attr-defined]


def test_arms_that_cannot_run_are_listed_with_the_reason(standard: Bench) -> None:
    reason = "fomi_bcq is declared, not implemented (algos/offline/fomi.py does not exist)"
    for horizon in (1, 5):
        standard.arm("fomi_bcq", None, overrides={"horizon": horizon}, reason=reason)
    text = report.write_report(standard.space, standard.results())
    assert "6 runs finished, 0 failed, 0 missing" in text
    assert f"## Missing\n\n- {reason}: 2 arms\n" in text
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    summary.show(summary.read_summary(standard.space, standard.results()), console)
    assert f"missing: {reason}: 2 arms" in console.file.getvalue()  # type: ignore[attr-defined]


def test_many_missing_arms_are_counted(standard: Bench) -> None:
    for horizon in range(8):
        standard.arm("romi_bcq", None, overrides={"horizon": horizon}, seeds=(0,))
    text = report.write_report(standard.space, standard.results())
    assert "(horizon=4), seeds 0; and 3 more\n" in text


def test_a_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_text(tmp_path / "a" / "b.txt", "old")

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", broken)
    with pytest.raises(AnalysisError, match=r"b\.txt: disk full; make room"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def series(
    algo: str, runs: list[dict[str, object]], published: float | None = None
) -> curves.Series:
    rows = [
        {"seed": entry["seed"], "status": entry["status"], **point}
        for entry in runs
        for point in entry["evaluations"]  # type: ignore[attr-defined]
    ]
    return curves.Series(algo, algo, pd.DataFrame(rows), published)


def test_curves_show_mean_band_runs_and_published_value() -> None:
    entries = [learning_curve(seed, level, 4.0) for seed, level in enumerate([20.0, 30.0, 50.0])]
    one = series("romi_bcq", entries, 139.5)
    axes = curves.draw("a task", "caption", [one]).axes
    assert [a.get_ylabel() for a in axes] == [
        "D4RL-normalised score",
        "fraction of steps",
        "estimated return",
    ]
    thick = [line for line in axes[0].lines if line.get_linewidth() > 1.5]
    table = one.finished("score")
    assert thick[0].get_ydata() == pytest.approx(table.mean(axis=1))
    assert len([line for line in axes[0].lines if line.get_linewidth() < 0.6]) == 3
    assert len(axes[0].collections) == 1
    assert any(text.get_text() == "139.5 romi_bcq" for text in axes[0].texts)
    assert axes[0].get_ylim()[1] > 139.5


def test_a_mean_ends_where_a_run_ends_and_two_runs_have_no_band() -> None:
    long, short = learning_curve(0, 30.0, 4.0), learning_curve(1, 40.0, 4.0)
    short["evaluations"] = short["evaluations"][:3]
    axes = curves.draw("a task", "caption", [series("bcq", [long, short])]).axes[0]
    thick = [line for line in axes.lines if line.get_linewidth() > 1.5]
    assert len(thick[0].get_xdata()) == 3
    assert sorted(len(line.get_xdata()) for line in axes.lines if line.get_linewidth() < 1) == [
        3,
        5,
    ]
    assert len(axes.collections) == 0


def test_a_failed_run_is_drawn_to_a_cross_inside_the_frame() -> None:
    finished = [learning_curve(seed, 30.0, 4.0) for seed in range(3)]
    axes = curves.draw("a task", "caption", [series("bcq", [*finished, failed_run(3)])]).axes[2]
    (cross,) = [line for line in axes.lines if line.get_marker() == "x"]
    assert cross.get_ydata()[0] == axes.get_ylim()[1]


def test_a_panel_without_data_is_left_out() -> None:
    entries = [learning_curve(seed, 30.0, 4.0) for seed in range(3)]
    for entry in entries:
        entry["evaluations"] = [{"update": 1, "score": 2.0}, {"update": 2, "score": 3.0}]
    assert len(curves.draw("a task", "", [series("bcq", entries)]).axes) == 1


def test_looks_are_fixed_and_told_apart_in_grey() -> None:
    shown = ["romi_bcq", "fomi_bcq", "bcq", "bc"]
    looks = [style.look(algo) for algo in shown]
    assert len({look.dash for look in looks}) == len({look.marker for look in looks}) == 4
    weights = np.array([0.299, 0.587, 0.114])
    grey = [
        float(np.array([int(look.colour[i : i + 2], 16) for i in (1, 3, 5)]) @ weights)
        for look in looks[:3]
    ]
    assert min(abs(a - b) for i, a in enumerate(grey) for b in grey[:i]) > 60
    assert style.look("new_method") == style.look("new_method")


def test_figures_can_be_opened(written: Bench) -> None:
    stem = written.root / f"results/quick/figures/romi/curves_{UMAZE}"
    assert mpimg.imread(stem.with_name(stem.name + ".png")).shape[1] > 1200
    assert stem.with_name(stem.name + ".pdf").read_bytes().startswith(b"%PDF")


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", ["analysis.report", "analysis.claims", "analysis.summary"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tier", "quik"], "nearest: 'quick'"),
        (["--tier", "quick", "--paper", "romy"], "nearest: 'romi'"),
    ],
)
def test_bad_names_exit_with_one_line(
    module: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main = __import__(module, fromlist=["main"]).main
    assert main([*arguments, "--root", str(CHECKOUT)]) == 2
    text = capsys.readouterr().err
    assert message in text
    assert text.count("\n") == 1


def test_other_folders_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").symlink_to(CHECKOUT / "config")
    (tmp_path / "papers").symlink_to(CHECKOUT / "paper_tables")
    folders = ["--config", str(tmp_path / "mine"), "--papers-dir", str(tmp_path / "papers")]
    assert report.main(["--tier", "quick", "--root", str(tmp_path)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    assert report.main(["--tier", "quick", "--root", str(tmp_path), *folders]) == 2
    assert "no results of tier 'quick'" in capsys.readouterr().err
    found = open_workspace(
        "quick", root=tmp_path, config=tmp_path / "mine", papers_dir=tmp_path / "papers"
    )
    assert found.folder("romi") == tmp_path / "papers/romi" and found.claims("romi")


def test_no_results_exits_with_what_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("config", "paper_tables"):
        (tmp_path / folder).symlink_to(CHECKOUT / folder)
    assert report.main(["--tier", "quick", "--root", str(tmp_path)]) == 2
    assert "no results of tier 'quick'" in capsys.readouterr().err


def test_the_command_works_and_never_loads_torch() -> None:
    code = (
        "import sys, analysis.report, analysis.summary, analysis.claims;"
        "print(sorted({n.split('.')[0] for n in sys.modules} & {'torch', 'algos', 'envs'}))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_ledger_rows_can_be_read_back(written: Bench) -> None:
    with (written.root / "results/quick/claims.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 75
    assert {row["verdict"] for row in rows} == {"direction only", "not judged"}
