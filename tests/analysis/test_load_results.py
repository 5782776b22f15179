"""Loading: what is usable comes back tidy, what is not is named and left out."""

from __future__ import annotations

import math
from typing import Any

import pytest
from result_sets import MEDIUM, Bench, failed_run, run, runs

from analysis.errors import AnalysisError
from analysis.load import distinct


def test_every_run_comes_back_once_and_tidy(bench: Bench) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    bench.arm("romi_bcq", runs([4.0, 5.0, 6.0]), task=MEDIUM)
    table = bench.results().runs
    assert table["score"].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert table["seed"].tolist() == [0, 1, 2, 0, 1, 2]
    assert set(table["cell"]) == {"networks=small"}
    assert table.loc[0, "fit.dynamics.holdout_mse"] == 0.002
    assert table.loc[0, "evaluation.score"] == 1.0


def test_evaluations_are_one_row_each(bench: Bench) -> None:
    bench.arm("bcq", [run(0, 8.0), run(1, 4.0), failed_run(2)])
    table = bench.results().evaluations
    assert table["update"].tolist() == [500, 1000, 500, 1000, 500]
    assert table["score"].tolist() == [4.0, 8.0, 2.0, 4.0, -3.0]
    assert table["status"].tolist() == ["finished"] * 4 + ["failed"]


def test_blocks_of_seeds_are_joined_in_order(bench: Bench) -> None:
    bench.arm("bcq", runs([3.0, 1.0, 2.0]), blocks=3)
    (arm,) = bench.results().arms
    assert arm.values("score").tolist() == [3.0, 1.0, 2.0]
    assert len(arm.records) == 3
    assert arm.records[0].updates == 1000


def test_an_arm_shared_by_experiments_is_read_for_both(bench: Bench) -> None:
    bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    bench.arm("bcq", None, experiment="table3")
    results = bench.results()
    assert [len(arm.runs) for arm in results.arms] == [3, 3]
    assert results.select("romi/table3", "bcq", "maze2d-umaze-v1")[0].values("score").sum() == 6.0


def test_a_failed_run_is_named_and_not_averaged(bench: Bench) -> None:
    bench.arm("bcq", [run(0, 1.0), failed_run(1), run(2, 3.0)])
    results = bench.results()
    (arm,) = results.arms
    assert arm.values("score").tolist() == [1.0, 3.0]
    assert arm.failed[0].reason == "critic loss is not finite at update 1,200"
    assert "seed 1 failed: critic loss is not finite" in results.problems[0]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_metric_that_is_not_finite_is_a_failed_run(bench: Bench, value: float) -> None:
    bench.arm("bcq", [run(0, 1.0), run(1, value), run(2, 3.0)])
    (arm,) = bench.results().arms
    assert arm.values("score").tolist() == [1.0, 3.0]
    assert arm.failed[0].reason == "score not finite"


def test_a_metric_that_a_task_does_not_have_is_left_out(bench: Bench) -> None:
    bench.arm("bcq", [run(seed, 1.0, mean_q=None) for seed in range(3)])
    (arm,) = bench.results().arms
    assert arm.values("mean_q").size == 0
    assert arm.values("score").size == 3


def test_missing_blocks_are_missing_seeds(bench: Bench) -> None:
    arm = bench.arm("bcq", runs([1.0, 2.0, 3.0]), blocks=3)
    (bench.root / arm.results[1]).unlink()
    (found,) = bench.results().arms
    assert found.missing == (1,)
    assert found.problems == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schema": 2}, "schema 2, this version reads schema 1"),
        ({"tier": "paper"}, "made in tier 'paper', not in 'quick'"),
        ({"digest": "0" * 64}, "digest does not fit the specification in the file"),
        ({"runs": "x"}, "not a complete result"),
        ({"runs": runs([1.0, 2.0])}, "holds seeds [0, 1], its specification says [0, 1, 2]"),
        ({"runs": [run(0, 1.0), run(0, 2.0), run(1, 3.0)]}, "seeds given twice: 0"),
        (
            {"data": [{"seed": 0, "source": "local"}, {"seed": 1, "source": "d4rl"}]},
            "mixes data sources (d4rl, local)",
        ),
    ],
)
def test_unusable_files_are_left_out_by_name(
    bench: Bench, fields: dict[str, Any], message: str
) -> None:
    arm = bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    bench.change(arm, **fields)
    results = bench.results()
    assert results.arms[0].runs == ()
    assert results.problems[0].startswith(f"{arm.results[0]}: ")
    assert message in results.problems[0]


def test_a_result_of_another_plan_is_stale(bench: Bench) -> None:
    arm = bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    other = bench.arm("romi_bcq", runs([1.0, 2.0, 3.0]))
    (bench.root / arm.results[0]).write_text((bench.root / other.results[0]).read_text())
    assert "another specification than the plan's: run it again" in bench.results().problems[0]


def test_text_that_is_no_json_is_named(bench: Bench) -> None:
    arm = bench.arm("bcq", runs([1.0, 2.0, 3.0]))
    (bench.root / arm.results[0]).write_text('{"schema": 1')
    assert bench.results().problems == (f"{arm.results[0]}: cannot be read as JSON",)


def test_data_of_several_sources_in_one_arm_are_never_averaged(bench: Bench) -> None:
    arm = bench.arm("bcq", runs([1.0, 2.0, 3.0]), blocks=3)
    bench.change(arm, data=[{"seed": 0, "source": "d4rl"}])
    results = bench.results()
    assert results.arms[0].runs == ()
    assert "data of several sources (d4rl, local); left out" in results.problems[0]


def test_no_results_says_what_makes_them(bench: Bench) -> None:
    bench.arm("bcq", None)
    with pytest.raises(AnalysisError, match=r"no results of tier 'quick'.*snakemake --cores"):
        bench.results()


def test_a_fit_of_its_own_is_read_like_a_run(bench: Bench) -> None:
    entries = [{"seed": s, "status": "finished", "holdout_mse": 0.1 * (s + 1)} for s in range(3)]
    bench.arm("ensemble", entries, fits={}, evaluation=None)
    (arm,) = bench.results().arms
    assert arm.values("holdout_mse") == pytest.approx([0.1, 0.2, 0.3])


def test_runs_that_experiments_share_are_counted_once(bench: Bench) -> None:
    content = runs([1.0, 2.0, 3.0])
    bench.arm("bcq", content, seeds=[0], experiment="smaller")
    bench.arm("bcq", content, blocks=3)  # the first file is that of the arm before
    bench.arm("bcq", content, blocks=3, overrides={"eta": 0.5})
    found = distinct(bench.results().arms)
    assert [(arm.arm.cell, len(arm.runs)) for arm in found] == [
        ("networks=small", 3),
        ("eta=0.5", 3),
    ]
