"""The printed ledger: controls beside their claims, few runs under Holm, what is not run, bad files."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import pytest
from claim_sets import claim, curves, judge, write_claims
from result_sets import CHECKOUT, MEDIUM, TIERS, UMAZE, Bench, failed_run, run, runs
from rich.console import Console

from analysis import claims, ledger, report, summary, tables
from analysis.claim_file import read_claims
from analysis.errors import AnalysisError
from analysis.load import load
from analysis.statistics import t_interval
from analysis.verdicts import Verdict
from paper_tables.plan import make_plan

HIGH, LOW = [90.0, 95.0, 100.0], [0.0, 5.0, 10.0]
PATH = Path("results/quick/claims.csv")


def clear(bench: Bench) -> None:
    bench.arm("bcq", runs(LOW))
    bench.arm("romi_bcq", runs(HIGH))


def test_controls_stand_right_behind_their_claim(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    rows = [
        {"id": "C01"},
        {"id": "C02"},
        {"id": "X01", "note": "qualifies C01"},
        {"id": "X02", "note": "our control; qualifies X01: why"},
        {"id": "X03", "note": "qualifies C01"},
    ]
    path = write_claims(tmp_path / "claims.csv", *rows)
    found = judge(bench, *read_claims(path, "romi", TIERS))
    assert [entry.claim.id for entry in found] == ["C01", "X01", "X02", "X03", "C02"]
    assert [claims.row(entry)["qualifies"] for entry in found] == ["", "C01", "X01", "C01", ""]
    names = [ledger.cells_of(claims.row(entry))[0] for entry in found]
    assert names[1] == "X01 (qualifies C01)"


def test_claims_that_qualify_each_other_are_not_lost(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    rows = [{"id": "X1", "note": "qualifies X2"}, {"id": "X2", "note": "qualifies X1"}]
    path = write_claims(tmp_path / "claims.csv", *rows)
    found = judge(bench, *read_claims(path, "romi", TIERS))
    assert sorted(entry.claim.id for entry in found) == ["X1", "X2"]


def test_three_runs_cannot_decide_two_claims_by_an_exact_test(bench: Bench, tmp_path: Path) -> None:
    """1/20 is not below 0.05/2, whatever the runs say."""
    bench.arm("romi_bcq", curves([0, 90], [0, 95], [0, 99]))
    bench.arm("bcq", curves([0, 1], [0, 5], [0, 9]))
    solved = claim(tmp_path, id="X1", metric="solved:score>=50")
    faster = claim(tmp_path, id="X2", metric="solved:score>=60")
    for entry in judge(bench, solved, faster):
        assert (entry.p, entry.p_holm) == (pytest.approx(0.05), pytest.approx(0.1))
        assert entry.judgement.verdict is Verdict.INCONCLUSIVE
        assert entry.judgement.reason == (
            "too few runs to tell; no exact test of so few runs can decide it (0.05 > 0.05/2)"
        )


def test_welch_may_decide_where_no_exact_test_can(bench: Bench, tmp_path: Path) -> None:
    bench.arm("romi_bcq", curves([0, 90], [0, 95], [0, 99]))
    bench.arm("bcq", curves([0, 1], [0, 5], [0, 9]))
    solved = claim(tmp_path, id="X1", metric="solved:score>=50")
    exact, welch = judge(bench, solved, claim(tmp_path, id="X2"))
    assert welch.judgement.verdict is Verdict.REPRODUCED
    assert welch.judgement.reason.endswith("can decide it (0.05 > 0.05/2)")
    # Holm rejects Welch's smaller p first; what is left has the whole level.
    assert exact.p_holm == pytest.approx(0.05)
    assert exact.judgement.verdict is Verdict.REPRODUCED
    assert exact.judgement.reason == "the claim holds"


def test_descriptions_show_their_numbers_and_are_not_judged(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    fields = {"kind": "descriptive", "arms": "romi_bcq;bcq;fomi_bcq"}
    (entry,) = judge(bench, claim(tmp_path, **fields))
    assert entry.judgement.verdict is Verdict.NOT_JUDGED
    assert entry.judgement.reason == "a description"
    row = claims.row(entry)
    assert row["runs"].startswith("romi_bcq maze2d-umaze-v1 networks=small: 90 95 100; bcq ")
    assert (row["n"], row["p"]) == ("3", "")
    (nothing,) = judge(bench, claim(tmp_path, **fields, metric="data.goal_dwell"))
    assert nothing.judgement.reason == "a description; nothing measures it in this tier"
    (nowhere,) = judge(bench, claim(tmp_path, kind="descriptive", arms="", judged_on=""))
    assert nowhere.judgement.reason == "a description; nothing measures it in this tier"


def test_a_paper_whose_methods_do_not_exist_has_a_reason_on_every_line(
    bench: Bench, tmp_path: Path
) -> None:
    for algo in ("romi_bcq", "bcq"):
        bench.arm(algo, None, reason="declared, not implemented")
    bench.arm("bc", runs([1.0, 2.0, 3.0]), task=MEDIUM)
    rows = [{"id": "C01"}, {"id": "C02", "kind": "spread"}]
    rows += [{"id": "C03", "kind": "descriptive"}, {"id": "C04", "judged_on": ""}]
    path = write_claims(tmp_path / "claims.csv", *rows)
    found = judge(bench, *read_claims(path, "romi", TIERS))
    assert [entry.judgement.verdict.value for entry in found] == [
        "not run",
        "not run",
        "not judged",
        "not run",
    ]
    assert "declared, not implemented" in found[0].judgement.reason
    assert "nothing measures 'score'" in found[3].judgement.reason
    assert all(entry.judgement.reason for entry in found)


def test_a_claim_that_only_other_tiers_judge_names_them(bench: Bench, tmp_path: Path) -> None:
    bench.tier = "hour"
    clear(bench)
    (entry,) = judge(bench, claim(tmp_path, judged_on="quick=maze2d_small;paper=table3"))
    assert entry.judgement.verdict is Verdict.NOT_JUDGED
    assert entry.judgement.reason == "not judged in tier hour, only in quick, paper"


def test_part_of_a_tier_may_have_no_results(bench: Bench) -> None:
    """A paper without results is no error where the tier has some."""
    clear(bench)
    own = tuple(bench.arms)
    bench.arms.clear()
    bench.arm("fomi_bcq", None)
    found = load(bench.plan, bench.root, may_be_empty=True)
    assert [arm.missing for arm in found.arms] == [(0, 1, 2)]
    for arm in own:
        (bench.root / arm.results[0]).unlink()
    with pytest.raises(ValueError, match="no results of tier 'quick'"):
        load(bench.plan, bench.root, may_be_empty=True)


def text_of(bench: Bench, tmp_path: Path, **fields: str) -> str:
    entries = judge(bench, claim(tmp_path, **fields))
    rows = [claims.row(entry) for entry in entries]
    return ledger.plain(rows, bench.results().problems, PATH)


def test_plain_text_is_tab_separated_and_complete(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    lines = text_of(bench, tmp_path, contradicted="yes").splitlines()
    (found,) = csv.DictReader(lines[:2], delimiter="\t")
    assert found["verdict"] == "reproduced"
    assert (found["n"], found["difference"], found["contradicted"]) == ("3", "90", "yes")
    assert float(found["low"]) < 90 < float(found["high"])
    assert found["p_permutation_smallest"] == "0.05"
    assert lines[2:] == ["# 1 reproduced", f"# all claims: {PATH}"]


def test_a_terminal_shows_the_same_with_flags_in_words(bench: Bench, tmp_path: Path) -> None:
    clear(bench)
    entries = judge(bench, claim(tmp_path, contradicted="partly"))
    console = Console(file=io.StringIO(), width=250, force_terminal=False)
    problems = ["x.json: cannot be read as JSON"]
    ledger.show("quick", [claims.row(entries[0])], problems, PATH, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    for part in ("romi, tier quick", "reproduced", "90 [78.67, 101.3]", "against it in part"):
        assert part in text, part
    assert "left out: x.json: cannot be read as JSON" in text


BROKEN = {
    "truncated": "cannot be read as JSON",
    "schema": "schema 9, this version reads schema 1",
    "digest": "digest does not fit the specification",
    "duplicate": "seeds given twice: 0",
    "sources": "mixes data sources (d4rl, local)",
    "moved": "holds seeds [0, 1, 2]: copied from another folder",
    "disorder": "evaluations are not in order of training",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_bad_files_are_named_in_the_ledger_and_never_averaged(
    bench: Bench, tmp_path: Path, kind: str
) -> None:
    clear(bench)
    arm = bench.arms[1]
    file = bench.root / arm.results[0]
    content = json.loads(file.read_text())
    backwards = curves([0.0, 9.0], [0.0, 9.0], [0.0, 9.0])
    backwards[1]["evaluations"].reverse()
    changes = {
        "schema": {"schema": 9},
        "digest": {"digest": "0" * 64},
        "duplicate": {"runs": [run(0, 90.0), run(0, 95.0), run(2, 99.0)]},
        "sources": {"data": [{"seed": 0, "source": "local"}, {"seed": 1, "source": "d4rl"}]},
        "disorder": {"runs": backwards},
    }
    if kind == "truncated":
        file.write_text(file.read_text()[:-20])
    elif kind == "moved":
        other = bench.arm("romi_bcq", None, seeds=(3, 4, 5))
        target = bench.root / other.results[0]
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(content))
        bench.arms.remove(arm)
    else:
        file.write_text(json.dumps(content | changes[kind]))
    text = text_of(bench, tmp_path)
    assert "\tnot run\t" in text
    assert f"result left out: {BROKEN[kind]}" in text
    assert any(line.startswith("# left out: results/quick/") for line in text.splitlines())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([run(0, 90.0), run(1, math.nan), run(2, 99.0)], "seed 1 failed: score not finite"),
        ([run(0, 90.0), failed_run(1), run(2, 99.0)], "seed 1 failed: critic loss is not finite"),
    ],
)
def test_a_run_without_a_number_leaves_the_claim_open_and_is_named(
    bench: Bench, tmp_path: Path, content: list[dict[str, object]], reason: str
) -> None:
    bench.arm("bcq", runs(LOW))
    bench.arm("romi_bcq", content)
    text = text_of(bench, tmp_path)
    assert "\tinconclusive\t" in text
    assert "1 of 3 runs failed" in text
    assert f"# left out: romi_bcq on {UMAZE} (networks=small): {reason}" in text


def command(bench: Bench, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = claims.main(["--tier", "quick", "--root", str(bench.root), *options])
    return code, "".join(capsys.readouterr())


@pytest.fixture
def checkout(bench: Bench) -> Bench:
    """A folder that plans like the checkout, with one (unusable) result in tier quick."""
    for name in ("config", "paper_tables", "algos", "envs"):
        (bench.root / name).symlink_to(CHECKOUT / name)
    file = bench.root / make_plan("quick", root=CHECKOUT).results()[0]
    file.parent.mkdir(parents=True)
    file.write_text("{")
    return bench


def test_the_command_writes_all_and_prints_what_was_asked_for(
    checkout: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = command(checkout, capsys, "--paper", "romi", "--verdict", "not run")
    assert code == 0
    lines = text.splitlines()
    shown = list(csv.DictReader([li for li in lines if not li.startswith("#")], delimiter="\t"))
    assert {row["paper"] for row in shown} == {"romi"}
    assert {row["verdict"] for row in shown} == {"not run"}
    assert "R21" in {row["id"] for row in shown}
    assert any("cannot be read as JSON" in line for line in lines if line.startswith("# left out"))
    with (checkout.root / PATH).open() as file:
        written = list(csv.DictReader(file))
    assert {"romi", "suite"} <= {row["paper"] for row in written}
    assert len(written) > len(shown)


def test_the_command_refuses_what_it_does_not_know(
    checkout: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text = command(checkout, capsys, "--paper", "rommi")
    assert code == 2
    assert "unknown paper 'rommi'; nearest: 'romi'" in text
    with pytest.raises(SystemExit):
        command(checkout, capsys, "--verdict", "maybe")


def test_the_summary_names_what_was_left_out_and_refuses_an_old_ledger(bench: Bench) -> None:
    clear(bench)
    bench.change(bench.arms[0], schema=9)
    text = report.write_report(bench.space, bench.results())
    assert "## Left out\n\n- results/quick/runs/bcq/" in text
    assert "schema 9, this version reads schema 1" in text
    (bench.root / PATH).write_text("paper,id,verdict\nromi,R01,not run\n")
    with pytest.raises(AnalysisError, match="written by another version; make it again with"):
        summary.read_summary(bench.space, bench.results())


def test_a_paper_value_without_spread_enters_no_verdict(bench: Bench, tmp_path: Path) -> None:
    """Table 8 prints baselines without a spread: a gap without an interval, the verdict as without it."""
    clear(bench)
    entry, *_ = judge(bench, claim(tmp_path))
    value = bench.space.published("romi").find("8", UMAZE, "score", algo="bcq", cell="base")
    assert value is not None
    assert (value.spread_kind, value.sd) == ("none", None)
    row = tables.Row("", UMAZE, "BCQ", ours=t_interval(LOW), runs=tuple(LOW), published=value)
    gap = tables._gap(row)
    assert gap is not None
    assert gap.mean == pytest.approx(5.0 - value.mean)
    assert math.isnan(gap.half_width)
    assert entry.judgement.verdict is Verdict.REPRODUCED
    assert entry.judgement.reason == "the claim holds"
