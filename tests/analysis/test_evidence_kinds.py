"""Hand-made result sets for every kind of claim: the verdict, its reason and the numbers beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from claim_sets import claim, curves, judge
from result_sets import MEDIUM, UMAZE, Bench, failed_run, run, runs
from scipy import stats

from analysis import claims
from analysis.claims import Entry
from analysis.statistics import needed_seeds
from analysis.verdicts import Verdict

LENGTHS = (1, 10, 20)
LADDER = ";".join(f"romi_bcq[horizon={length}]" for length in LENGTHS)


def two(bench: Bench, left: Sequence[float], right: Sequence[float], task: str = UMAZE) -> None:
    bench.arm("romi_bcq", runs(left), task=task, seeds=range(len(left)))
    bench.arm("bcq", runs(right), task=task, seeds=range(len(right)))


def ladder(bench: Bench, *scores: Sequence[float], first_seeds: Sequence[int] = (0, 0, 0)) -> None:
    """Arms of rollout length 1, 10 and 20."""
    for length, values, first in zip(LENGTHS, scores, first_seeds, strict=True):
        content = [run(first + seed, value) for seed, value in enumerate(values)]
        seeds = range(first, first + len(values))
        overrides = {"networks": "small", "horizon": length}
        bench.arm("romi_bcq", content, seeds=seeds, overrides=overrides)


def one(bench: Bench, tmp_path: Path, **fields: str) -> Entry:
    (entry,) = judge(bench, claim(tmp_path, **fields))
    return entry


def equal(bench: Bench, tmp_path: Path, margin: str, **fields: str) -> Entry:
    return one(bench, tmp_path, kind="equivalent", arms="romi_bcq = bcq", margin=margin, **fields)


def test_arms_within_a_margin_are_equal(bench: Bench, tmp_path: Path) -> None:
    two(bench, [10.0, 11.0, 12.0], [10.5, 11.5, 12.5])
    entry = equal(bench, tmp_path, "5")
    # The harder side: that romi_bcq is not lower by 5.
    harder = stats.ttest_ind(
        [15, 16, 17], [10.5, 11.5, 12.5], equal_var=False, alternative="greater"
    )
    assert entry.p == pytest.approx(harder.pvalue)
    assert entry.judgement.verdict is Verdict.REPRODUCED
    assert entry.judgement.reason == "equal within its margin"


def test_a_difference_beyond_the_margin_refutes_equality(bench: Bench, tmp_path: Path) -> None:
    two(bench, [90.0, 95.0, 100.0], [0.0, 5.0, 10.0])
    entry = equal(bench, tmp_path, "20")
    assert entry.judgement.verdict is Verdict.NOT_REPRODUCED
    assert entry.judgement.reason == "a difference beyond its margin is shown"
    # Two sides could have been found: twice the one-sided p.
    shifted = stats.ttest_ind([70, 75, 80], [0, 5, 10], equal_var=False, alternative="greater")
    assert entry.p_opposite_holm == pytest.approx(2 * shifted.pvalue)


def test_few_runs_show_no_equality_and_say_how_many_would(bench: Bench, tmp_path: Path) -> None:
    two(bench, [1.0, 11.0, 21.0], [0.0, 10.0, 20.0])
    entry = equal(bench, tmp_path, "12")
    expected = needed_seeds(11.0, (10.0, 10.0), power=0.9)
    assert entry.judgement.verdict is Verdict.INCONCLUSIVE
    assert entry.judgement.seeds_needed == expected
    assert f"about {expected} an arm might" in entry.judgement.reason


def test_a_margin_that_is_exactly_met_shows_nothing(bench: Bench, tmp_path: Path) -> None:
    two(bench, [5.0, 5.0, 5.0], [0.0, 0.0, 0.0])
    entry = equal(bench, tmp_path, "5")
    assert (entry.p, entry.p_opposite_holm) == (1.0, 1.0)
    assert entry.judgement.verdict is Verdict.INCONCLUSIVE
    assert equal(bench, tmp_path, "5.1").judgement.verdict is Verdict.REPRODUCED


def test_equality_in_a_reduced_setting_supports_nothing(bench: Bench, tmp_path: Path) -> None:
    two(bench, [-2.5, -2.5, -2.5], [-2.5, -2.5, -2.5])
    entry = equal(bench, tmp_path, "5", judged_on="quick=maze2d_small:direction")
    assert entry.judgement.verdict is Verdict.INCONCLUSIVE
    assert "what has not learned is alike" in entry.judgement.reason


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        # Equal values leave the sign test: 1/8 with three runs, 1/32 with five.
        ([0.0] * 3, "inconclusive"),
        ([0.0] * 5, "reproduced"),
        ([3.0] * 5, "inconclusive"),
        ([3.0] * 6, "not reproduced"),
        ([0.1, -0.1, 0.0, 0.1, -0.1], "reproduced"),
    ],
)
def test_equality_with_a_constant(
    bench: Bench, tmp_path: Path, scores: list[float], verdict: str
) -> None:
    bench.arm("bcq", runs(scores), seeds=range(len(scores)))
    entry = one(bench, tmp_path, kind="equivalent", arms="bcq", value="0", margin="1")
    assert entry.judgement.verdict == verdict


@pytest.mark.parametrize(
    ("value", "verdict", "reason"),
    [
        (">=1.5", "reproduced", "the ratio is in its range"),
        ("1.5..2.5", "reproduced", "the ratio is in its range"),
        ("<=2.5", "reproduced", "the ratio is in its range"),
        ("0.5..1.5", "not reproduced", "outside its range"),
        ("<=1.5", "not reproduced", "outside its range"),
        (">=1.99", "direction only", "on the claimed side of 1, short of its range"),
        (">=2.5", "direction only", "on the claimed side of 1, short of its range"),
        ("2..2.2", "inconclusive", "does not support the claim, nor refute it"),
        ("1.9..2.1", "inconclusive", "too few runs"),
    ],
)
def test_ratios(bench: Bench, tmp_path: Path, value: str, verdict: str, reason: str) -> None:
    two(bench, [20.0, 21.0, 22.0], [10.0, 10.5, 11.0])
    entry = one(bench, tmp_path, kind="ratio", arms="romi_bcq / bcq", value=value)
    assert entry.judgement.verdict == verdict
    assert reason in entry.judgement.reason
    fields = claims.row(entry)
    assert (fields["effect"], fields["difference"]) == ("ratio of means", "2")
    assert float(fields["low"]) < 2 < float(fields["high"])


@pytest.mark.parametrize(
    ("value", "verdict"), [("increasing", "reproduced"), ("decreasing", "not reproduced")]
)
def test_trends(bench: Bench, tmp_path: Path, value: str, verdict: str) -> None:
    ladder(bench, [1.0, 20.0, 40.0], [2.0, 21.0, 41.0], [3.0, 22.0, 42.0])
    entry = one(bench, tmp_path, kind="trend", arms=LADDER, value=value)
    assert entry.judgement.verdict == verdict
    # One of the 6 orders of three arms, in each of three seeds.
    assert min(entry.p, entry.p_opposite_holm) == pytest.approx(6**-3)
    assert claims.row(entry)["difference"] == "2"


def test_a_trend_of_ties_is_inconclusive(bench: Bench, tmp_path: Path) -> None:
    ladder(bench, [1.0] * 3, [1.0] * 3, [1.0] * 3)
    entry = one(bench, tmp_path, kind="trend", arms=LADDER, value="increasing")
    assert (entry.p, entry.judgement.verdict) == (1.0, Verdict.INCONCLUSIVE)


def test_a_trend_needs_the_same_seeds(bench: Bench, tmp_path: Path) -> None:
    ladder(bench, [1.0] * 3, [2.0] * 3, [3.0] * 3, first_seeds=(0, 1, 0))
    entry = one(bench, tmp_path, kind="trend", arms=LADDER, value="increasing")
    assert entry.judgement.verdict is Verdict.NOT_JUDGED
    assert "arms share 2 seeds" in entry.judgement.reason


@pytest.mark.parametrize(
    ("best", "verdict", "reason"),
    [
        ("romi_bcq[horizon=20]", "reproduced", "it is the best (2 of 2"),
        ("romi_bcq[horizon=10]", "not reproduced", "another one is shown to be better (1 of 2"),
    ],
)
def test_the_best_of_several(
    bench: Bench, tmp_path: Path, best: str, verdict: str, reason: str
) -> None:
    ladder(bench, [1.0, 2.0, 3.0], [11.0, 12.0, 13.0], [51.0, 52.0, 53.0])
    entry = one(bench, tmp_path, kind="best", arms=LADDER, value=best)
    assert entry.judgement.verdict == verdict
    assert reason in entry.judgement.reason


def test_best_on_so_many_tasks(bench: Bench, tmp_path: Path) -> None:
    for task, romi in ((UMAZE, [90.0, 95.0, 100.0]), (MEDIUM, [0.0, 1.0, 2.0])):
        two(bench, romi, [1.0, 2.0, 3.0], task)
        bench.arm("fomi_bcq", runs([40.0, 41.0, 42.0]), task=task)
    fields = {"kind": "best", "tasks": f"{UMAZE};{MEDIUM}"}
    either = {**fields, "arms": "romi_bcq;fomi_bcq > bcq"}
    entry = one(bench, tmp_path, **either, value="2 of 2")
    assert entry.judgement.verdict is Verdict.REPRODUCED
    alone = one(bench, tmp_path, **fields, arms="romi_bcq > bcq;fomi_bcq", value="1 of 2")
    assert alone.judgement.verdict is Verdict.REPRODUCED
    both = one(bench, tmp_path, **fields, arms="romi_bcq > bcq;fomi_bcq", value="2 of 2")
    assert both.judgement.verdict is Verdict.NOT_REPRODUCED
    level = {**fields, "arms": "bcq >= romi_bcq", "tasks": MEDIUM, "value": "1 of 1"}
    assert one(bench, tmp_path, **level, margin="10").judgement.verdict is Verdict.REPRODUCED


def test_spread(bench: Bench, tmp_path: Path) -> None:
    wide, narrow = [0.0, 20.0, 40.0, 60.0, 80.0, 100.0], [50.0, 51.0, 52.0, 53.0, 54.0, 55.0]
    two(bench, wide, narrow)
    entry = one(bench, tmp_path, kind="spread")
    assert entry.judgement.verdict is Verdict.REPRODUCED
    fields = claims.row(entry)
    assert (fields["effect"], fields["difference"]) == ("ratio of standard deviations", "20")
    turned = one(bench, tmp_path, kind="spread", arms="bcq > romi_bcq")
    assert turned.judgement.verdict is Verdict.NOT_REPRODUCED
    assert turned.judgement.reason == "the runs are shown to scatter less"


def test_spread_of_constant_arms_is_inconclusive(bench: Bench, tmp_path: Path) -> None:
    two(bench, [5.0] * 3, [1.0] * 3)
    entry = one(bench, tmp_path, kind="spread")
    assert (entry.p, entry.judgement.verdict) == (1.0, Verdict.INCONCLUSIVE)


def test_improvement_over_tasks(bench: Bench, tmp_path: Path) -> None:
    for task in (UMAZE, MEDIUM):
        two(bench, [3.0, 4.0, 5.0], [0.0, 1.0, 2.0], task)
    entry = one(bench, tmp_path, kind="improvement", tasks=f"{UMAZE};{MEDIUM}")
    # One split in 20 on each of two tasks.
    assert entry.p == pytest.approx(1 / 400)
    assert entry.judgement.verdict is Verdict.REPRODUCED
    fields = claims.row(entry)
    assert (fields["effect"], fields["difference"]) == ("probability of improvement", "1")
    assert fields["runs"].count(";") == 3


def test_who_arrives_first_when_some_never_do(bench: Bench, tmp_path: Path) -> None:
    """p is exactly alpha: one split in 20."""
    bench.arm("romi_bcq", curves([0, 9, 9], [9, 9, 9], [0, 0, 9]))
    bench.arm("bcq", curves([0, 0, 0], [1, 1, 1], [0, 0, 0]))
    entry = one(bench, tmp_path, arms="bcq > romi_bcq", metric="steps_to:score>=5")
    assert entry.p == 0.05
    assert entry.judgement.verdict is Verdict.REPRODUCED
    fields = claims.row(entry)
    assert "bcq maze2d-umaze-v1 networks=small: >300 >300 >300" in fields["runs"]
    assert "romi_bcq maze2d-umaze-v1 networks=small: 200 100 300" in fields["runs"]
    assert (fields["difference"], fields["low"]) == ("100", "")
    assert "never arrive" in fields["effect"]


@pytest.mark.parametrize(
    ("solved", "p", "verdict"), [(3, 0.05, "reproduced"), (2, 0.2, "inconclusive")]
)
def test_how_many_runs_solve_it(
    bench: Bench, tmp_path: Path, solved: int, p: float, verdict: str
) -> None:
    """Fisher: 3 of 3 against 0 of 3 has p = 1/20, 2 of 3 has 3/15."""
    bench.arm("romi_bcq", curves(*([[0, 9]] * solved), *([[0, 0]] * (3 - solved))))
    bench.arm("bcq", curves([0, 0], [0, 0], [0, 0]))
    entry = one(bench, tmp_path, metric="solved:score>=5")
    assert entry.p == pytest.approx(p)
    assert entry.judgement.verdict == verdict


@pytest.mark.parametrize("metric", ["auc:score", "solved:score>=50", "steps_to:score>=50"])
def test_curves_of_different_budgets_are_not_compared(
    bench: Bench, tmp_path: Path, metric: str
) -> None:
    bench.arm("romi_bcq", curves([0, 9], [0, 8], [0, 7]))
    bench.arm("bcq", curves([0, 9, 9], [0, 8, 8], [0, 7, 7]))
    entry = one(bench, tmp_path, metric=metric)
    assert entry.judgement.verdict is Verdict.NOT_JUDGED
    assert "training ended at 200 and 300" in entry.judgement.reason
    # Who arrived is known however long the others went on.
    assert one(bench, tmp_path, metric="steps_to:score>=7").judged


def test_a_ratio_of_steps_that_were_not_seen_is_not_known(bench: Bench, tmp_path: Path) -> None:
    bench.arm("romi_bcq", curves([0, 9], [9, 9], [0, 9]))
    bench.arm("bcq", curves([0, 0], [0, 9], [0, 9]))
    fields = {"kind": "ratio", "arms": "bcq / romi_bcq", "value": ">=1.5"}
    entry = one(bench, tmp_path, metric="steps_to:score>=5", **fields)
    assert entry.judgement.verdict is Verdict.NOT_JUDGED
    assert "runs never arrive" in entry.judgement.reason


KINDS = {
    "equivalent": {"arms": "romi_bcq = bcq", "margin": "5"},
    "ratio": {"arms": "romi_bcq / bcq", "value": "0.5..2"},
    "spread": {},
    "improvement": {},
    "best": {"arms": "romi_bcq;bcq", "value": "bcq"},
    "trend": {"arms": "romi_bcq;bcq;fomi_bcq", "value": "increasing"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_failed_missing_and_unknown_runs_close_every_kind(
    bench: Bench, tmp_path: Path, kind: str
) -> None:
    for algo in ("romi_bcq", "fomi_bcq"):
        bench.arm(algo, runs([1.0, 2.0, 3.0]))
    arm = bench.arm("bcq", [run(0, 1.0), failed_run(1), run(2, 3.0)])
    fields = {"kind": kind, **KINDS[kind]}
    entry = one(bench, tmp_path, **fields)
    assert entry.judgement.verdict is Verdict.INCONCLUSIVE
    assert "bcq on maze2d-umaze-v1: 1 of 3 runs failed" in entry.judgement.reason
    (bench.root / arm.results[0]).unlink()
    entry = one(bench, tmp_path, **fields)
    assert entry.judgement.verdict is Verdict.NOT_RUN
    assert "3 of 3 runs are missing" in entry.judgement.reason
    entry = one(bench, tmp_path, **fields, metric="scores")
    assert "no metric 'scores'; did you mean 'score'?" in entry.judgement.reason
