"""From result files to the ledger: evidence, multiplicity, verdicts, and the claims' own schema."""

from __future__ import annotations

import csv
import dataclasses
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from claim_sets import claim, judge, write_claims
from result_sets import CHECKOUT, MEDIUM, TIERS, UMAZE, Bench, failed_run, run, runs
from scipy import stats

from analysis import claims
from analysis.claim_file import parse_arm, read_claims
from analysis.errors import AnalysisError
from analysis.verdicts import Verdict
from paper_tables.registry import read_papers

ROMI = CHECKOUT / "paper_tables" / "romi" / "claims.csv"
CLEAR = {"romi_bcq": [90.0, 95.0, 100.0], "bcq": [0.0, 5.0, 10.0]}


def clear(bench: Bench, tasks: tuple[str, ...] = (UMAZE,)) -> None:
    for task in tasks:
        for algo, scores in CLEAR.items():
            bench.arm(algo, runs(scores), task=task)


def test_the_quick_tier_judges_one_direction_and_nothing_else(standard: Bench) -> None:
    entries = judge(standard, *read_claims(ROMI, "romi", TIERS))
    judged = {entry.claim.id: entry for entry in entries if entry.judged}
    assert set(judged) == {"R21"}
    entry = judged["R21"]
    expected = stats.ttest_ind([20, 22, 50], [-9, -6, 2], equal_var=False, alternative="greater")
    assert entry.p == pytest.approx(expected.pvalue)
    assert entry.p_holm == entry.p
    assert entry.judgement.verdict is Verdict.DIRECTION_ONLY
    assert len(entries) == 75
    others = {e.judgement.verdict for e in entries if e.claim.id != "R21"}
    assert others == {Verdict.NOT_JUDGED}


def test_the_smoke_tier_judges_nothing(bench: Bench) -> None:
    bench.tier, bench.judged = "smoke", "none"
    clear(bench)
    entries = judge(bench, *read_claims(ROMI, "romi", TIERS))
    assert {entry.judgement.verdict for entry in entries} == {Verdict.NOT_JUDGED}
    assert "its budgets mean nothing" in entries[20].judgement.reason


def test_a_full_setting_may_reproduce(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    (entry,) = judge(bench, claim(tmp_path))
    assert entry.judgement.verdict is Verdict.REPRODUCED


def test_the_opposite_is_not_reproduced(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    (entry,) = judge(bench, claim(tmp_path, arms="bcq > romi_bcq"))
    assert entry.judgement.verdict is Verdict.NOT_REPRODUCED


def test_overlapping_runs_are_inconclusive_and_say_what_is_needed(
    bench: Bench, tmp_path: Path
) -> None:
    bench.arm("bcq", runs([0.0, 10.0, 20.0]))
    bench.arm("romi_bcq", runs([8.0, 18.0, 28.0]))
    (entry,) = judge(bench, claim(tmp_path))
    assert entry.judgement.verdict is Verdict.INCONCLUSIVE
    assert entry.judgement.seeds_needed == 21
    row = claims.row(entry)
    assert row["seeds_needed"] == "21"
    assert row["p_permutation_smallest"] == "0.05"
    assert "romi_bcq maze2d-umaze-v1 networks=small: 8 18 28" in row["runs"]


def test_arms_that_are_equal_and_constant_are_inconclusive(bench: Bench, tmp_path: Path) -> None:
    for algo in ("bcq", "romi_bcq"):
        bench.arm(algo, runs([-2.5, -2.5, -2.5]))
    (entry,) = judge(bench, claim(tmp_path))
    assert (entry.p, entry.judgement.verdict) == (1.0, Verdict.INCONCLUSIVE)
    assert entry.judgement.seeds_needed is None


def test_arms_without_spread_are_decided_by_the_exact_test(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([0.0, 0.0, 0.0]))
    bench.arm("romi_bcq", runs([30.0, 30.0, 30.0]))
    (entry,) = judge(bench, claim(tmp_path))
    assert entry.p == pytest.approx(1 / 20)
    assert entry.judgement.verdict is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("content", "verdict", "reason"),
    [
        ([run(0, 90.0), failed_run(1), run(2, 99.0)], Verdict.INCONCLUSIVE, "1 of 3 runs failed"),
        (None, Verdict.NOT_RUN, "3 of 3 runs are missing"),
    ],
)
def test_failed_and_missing_runs(
    bench: Bench, tmp_path: Path, content: Any, verdict: Verdict, reason: str
) -> None:
    bench.arm("bcq", runs([0.0, 5.0, 10.0]))
    bench.arm("romi_bcq", content)
    (entry,) = judge(bench, claim(tmp_path))
    assert entry.judgement.verdict is verdict
    assert reason in entry.judgement.reason
    assert claims.row(entry)["p"] == ""


def test_reasons_of_arms_that_do_not_run(bench: Bench, tmp_path: Path) -> None:
    bench.arm("bcq", runs([0.0, 5.0, 10.0]))
    assert "no such arm in experiment maze2d_small" in (
        judge(bench, claim(tmp_path))[0].judgement.reason
    )
    bench.arm("romi_bcq", None, reason="declared, not implemented")
    (entry,) = judge(bench, claim(tmp_path))
    assert entry.judgement.verdict is Verdict.NOT_RUN
    assert "declared, not implemented" in entry.judgement.reason


def test_a_file_left_out_is_not_run_with_its_reason(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    bench.change(bench.arms[0], schema=9)
    (entry,) = judge(bench, claim(tmp_path))
    assert entry.judgement.verdict is Verdict.NOT_RUN
    assert "result left out: schema 9" in entry.judgement.reason


def test_arms_on_different_data_are_not_compared(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    bench.change(bench.arms[1], data=[{"seed": 0, "source": "d4rl"}])
    (entry,) = judge(bench, claim(tmp_path))
    assert entry.judgement.verdict is Verdict.NOT_JUDGED
    assert "different data" in entry.judgement.reason


def test_a_metric_that_runs_do_not_have_is_named(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    (entry,) = judge(bench, claim(tmp_path, metric="area"))
    assert "no metric 'area'" in entry.judgement.reason


def test_claims_judged_together_are_adjusted_together(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    bench.arm("bcq", runs([0.0, 10.0, 20.0]), task=MEDIUM)
    bench.arm("romi_bcq", runs([30.0, 35.0, 45.0]), task=MEDIUM)
    first, second = claim(tmp_path), claim(tmp_path, id="X2", tasks=MEDIUM)
    found = judge(bench, first, second)
    raw = [entry.p for entry in found]
    assert [entry.p_holm for entry in found] == pytest.approx([2 * raw[0], raw[1]])
    assert {entry.family for entry in found} == {2}


def test_our_own_controls_do_not_make_a_papers_claim_harder(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    path = write_claims(
        tmp_path / "claims.csv",
        {"id": "R-C1"},
        {"id": "R-X1", "note": "our control; qualifies R-C1"},
    )
    alone, control = read_claims(path, "romi", TIERS)
    (before,), (after, beside) = judge(bench, alone), judge(bench, alone, control)
    assert (after.p_holm, after.family) == (before.p_holm, 1) == (before.p, 1)
    assert (beside.p_holm, beside.family) == (before.p, 1)


def test_all_tasks_must_hold_unless_the_claim_counts(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    for algo in ("bcq", "romi_bcq"):
        bench.arm(algo, runs([10.0, 20.0, 30.0]), task=MEDIUM)
    both = claim(tmp_path, tasks=f"{UMAZE};{MEDIUM}")
    one = claim(tmp_path, id="X2", tasks=f"{UMAZE};{MEDIUM}", kind="count", value="1 of 2")
    every, counted = judge(bench, both, one)
    assert every.judgement.verdict is Verdict.INCONCLUSIVE
    assert every.p == pytest.approx(0.5)
    assert counted.judgement.verdict is Verdict.REPRODUCED
    assert "(1 of 2 comparisons in its direction)" in counted.judgement.reason
    assert claims.row(counted)["difference"] == ""


def test_margins(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    short = claim(tmp_path, margin="85")
    forgiven = claim(tmp_path, id="X2", kind="not_less", arms="bcq >= romi_bcq", margin="200")
    strict = claim(tmp_path, id="X3", kind="not_less", arms="bcq >= romi_bcq", margin="5")
    verdicts = [entry.judgement.verdict for entry in judge(bench, short, forgiven, strict)]
    assert verdicts == [Verdict.DIRECTION_ONLY, Verdict.REPRODUCED, Verdict.NOT_REPRODUCED]


@pytest.mark.parametrize(
    ("value", "verdict"),
    [(">50", "reproduced"), ("<50", "not reproduced"), (">94", "inconclusive")],
)
def test_thresholds(bench: Bench, tmp_path: Path, value: str, verdict: str) -> None:
    clear(bench)
    (entry,) = judge(bench, claim(tmp_path, kind="threshold", arms="romi_bcq", value=value))
    assert entry.judgement.verdict == verdict


def test_an_arm_is_found_by_its_setting(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    bench.arm("romi_bcq", runs([1.0, 2.0, 3.0]), overrides={"networks": "small", "horizon": 20})
    long = claim(tmp_path, arms="romi_bcq > romi_bcq[horizon=20]")
    (entry,) = judge(bench, long)
    assert entry.combined is not None
    assert entry.combined.comparisons[0].difference == pytest.approx(95.0 - 2.0)


def test_the_ledger_is_written_with_one_line_a_claim(standard: Bench) -> None:
    space = standard.space
    path = claims.write(claims.judge_all(space, standard.results()), space)
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert path == standard.root / "results/quick/claims.csv"
    assert [row["id"] for row in rows] == [f"R{number:02d}" for number in range(1, 76)]
    (row,) = [row for row in rows if row["id"] == "R21"]
    difference = np.mean([20, 22, 50]) - np.mean([-9, -6, 2])
    assert float(row["difference"]) == pytest.approx(difference, rel=1e-3)
    assert row["setting"] == "networks=small; 1,000 updates; local data"
    assert row["experiment"] == "maze2d_small"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "bigger"}, "unknown kind 'bigger'"),
        ({"arms": "romi_bcq"}, "compares two sides"),
        ({"arms": "ROMI > bcq"}, "'ROMI' is not an arm"),
        ({"arms": "romi_bcq[horizon] > bcq"}, "needs key=value"),
        ({"kind": "count", "value": "2 of 2"}, "value must be 'k of 1'"),
        ({"kind": "threshold", "arms": "bcq", "value": "high"}, "needs a value such as >0.5"),
        ({"margin": "some"}, "margin 'some' is not a number"),
        ({"judged_on": "quick"}, "is not tier=experiment"),
        ({"judged_on": "quik=table3"}, "judged_on: unknown tier 'quik'; nearest: 'quick'"),
        ({"minimum_tier": "papers"}, "minimum_tier: unknown tier 'papers'; nearest: 'paper'"),
        ({"arms": "romi_bcq>bcq"}, "is not an arm (algo or algo[key=value]; blanks around >, "),
        ({"minimum_tier": "paper"}, "not the first tier of judged_on"),
        ({"contradicted": "maybe"}, "contradicted must be one of"),
    ],
)
def test_claims_that_cannot_be_judged_as_written(
    tmp_path: Path, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(AnalysisError) as caught:
        claim(tmp_path, **fields)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("backward imagination helps", "it helps, somewhat", "15 cells, wanted 14; put cells with"),
        ("X1,", "X1", "13 cells, wanted 14; an empty cell needs its comma"),
    ],
)
def test_a_line_with_a_wrong_number_of_cells(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    claim(tmp_path)
    path = tmp_path / "one.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(AnalysisError, match=f"one.csv: X1.*: {message}"):
        read_claims(path, "romi", TIERS)


def test_the_command_checks_the_file_before_any_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config").symlink_to(CHECKOUT / "config")
    shutil.copytree(CHECKOUT / "paper_tables", tmp_path / "paper_tables")
    path = tmp_path / "paper_tables/suite/claims.csv"
    command = ["--tier", "hour", "--root", str(tmp_path)]
    assert claims.main(command) == 2
    assert "no results of tier 'hour'" in capsys.readouterr().err
    path.write_text(path.read_text().replace(",hour=", ",huor=", 1))
    assert claims.main(command) == 2
    assert "judged_on: unknown tier 'huor'; nearest: 'hour'" in capsys.readouterr().err


def test_ids_are_unique_and_columns_complete(tmp_path: Path) -> None:
    claim(tmp_path)
    path = tmp_path / "one.csv"
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(AnalysisError, match="X1: id given twice"):
        read_claims(path, "romi", TIERS)
    path.write_text("id,claim\n")
    with pytest.raises(AnalysisError, match="columns must be id,claim,source"):
        read_claims(path, "romi", TIERS)


def test_arms_print_as_they_are_written() -> None:
    assert str(parse_arm("romi_bcq[horizon=20,networks=small]", "")) == (
        "romi_bcq[horizon=20,networks=small]"
    )


PAPERS = read_papers(CHECKOUT / "paper_tables")


@pytest.mark.parametrize("paper", PAPERS)
def test_every_claim_names_experiments_that_exist(paper: str) -> None:
    experiments = set(PAPERS[paper].experiments)
    path = CHECKOUT / "paper_tables" / paper / "claims.csv"
    for entry in read_claims(path, paper, TIERS) if path.is_file() else []:
        for place in entry.judged_on.values():
            assert set(place.experiment.split("+")) <= experiments, entry.id


def test_claims_against_the_papers_own_numbers_are_flagged() -> None:
    flagged = {c.id for c in read_claims(ROMI, "romi", TIERS) if c.contradicted == "yes"}
    # Table 3: FOMI-BCQ above ROMI-BCQ on three tasks; table 4: RBC below BCQ on two.
    assert flagged == {"R10", "R15", "R18", "R43"}


def test_forward_imagination_overestimates_more_is_judged_by_the_suite(bench: Bench) -> None:
    """A family of its own: Holm over the suite's claims never touches those of a paper."""
    bench.tier = "hour"
    values = {"bcq": [1.0, 2.0, 3.0], "romi_bcq": [2.0, 3.0, 4.0], "fomi_bcq": [30.0, 33.0, 39.0]}
    for algo, found in values.items():
        own = [run(seed, 0.0, overestimation=value) for seed, value in enumerate(found)]
        arm = bench.arm(algo, own, experiment="mechanism_small")
        bench.arms[-1] = dataclasses.replace(arm, paper="suite")
    path = CHECKOUT / "paper_tables" / "suite" / "claims.csv"
    entries = {entry.claim.id: entry for entry in judge(bench, *read_claims(path, "suite", TIERS))}
    assert entries["S01"].judgement.verdict is Verdict.DIRECTION_ONLY
    assert entries["S01"].family == 1
    assert entries["S04"].judgement.verdict is Verdict.NOT_RUN  # nothing was diagnosed
    assert "no metric 'diagnosis.discrepancy'" in entries["S04"].judgement.reason
    assert entries["S02"].judgement.verdict is Verdict.NOT_JUDGED
