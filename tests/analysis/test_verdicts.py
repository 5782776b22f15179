"""Verdicts at every boundary."""

from __future__ import annotations

import dataclasses
import math

import pytest

from analysis.claim_checks import SHAPES
from analysis.claim_file import KINDS
from analysis.evidence import COMPARE
from analysis.verdicts import (
    RULES,
    ArmState,
    Evidence,
    Level,
    Verdict,
    gate,
    judge,
    undecidable,
)

COMPLETE = ArmState("romi_bcq on umaze", 3, 3, 0, None, frozenset({"local"}))
BASELINE = dataclasses.replace(COMPLETE, name="bcq on umaze")
CLEAR = Evidence(0.01, 0.01, 1.0, favourable=1, comparisons=1)
OPEN = Evidence(0.30, 0.30, 0.70, favourable=1, comparisons=1, seeds_needed=9)


def change(**fields: object) -> ArmState:
    return dataclasses.replace(COMPLETE, **fields)  # type: ignore[arg-type]


def test_complete_arms_pass_the_gate() -> None:
    assert gate([COMPLETE, BASELINE]) is None


@pytest.mark.parametrize(
    ("arm", "verdict", "reason"),
    [
        (change(not_run="no module", planned=0, finished=0), "not run", "no module"),
        (change(finished=2), "not run", "1 of 3 runs are missing"),
        (change(finished=0), "not run", "3 of 3 runs are missing"),
        (change(finished=2, failed=1), "inconclusive", "1 of 3 runs failed"),
        (change(finished=0, failed=3), "inconclusive", "3 of 3 runs failed"),
        (change(finished=1, failed=1), "not run", "1 of 3 runs are missing"),
        (change(planned=2, finished=2), "not judged", "runs planned: 2; at least 3"),
        (change(sources=frozenset({"d4rl"})), "not judged", "different data (d4rl, local)"),
    ],
)
def test_gate(arm: ArmState, verdict: str, reason: str) -> None:
    for arms in ([arm, BASELINE], [BASELINE, arm]):
        judgement = gate(arms)
        assert judgement is not None
        assert judgement.verdict == verdict
        assert reason in judgement.reason


def test_what_never_ran_outweighs_what_failed() -> None:
    judgement = gate([change(finished=2, failed=1), change(not_run="declared, not implemented")])
    assert judgement is not None
    assert judgement.verdict is Verdict.NOT_RUN


def test_a_clear_claim_is_reproduced_and_with_a_reduced_setting_its_direction_only() -> None:
    assert judge(CLEAR, "full").verdict is Verdict.REPRODUCED
    reduced = judge(CLEAR, "direction")
    assert reduced.verdict is Verdict.DIRECTION_ONLY
    assert "reduced networks or budget" in reduced.reason


@pytest.mark.parametrize(("p", "verdict"), [(0.05, "reproduced"), (0.0501, "inconclusive")])
def test_the_level_itself_counts(p: float, verdict: str) -> None:
    assert judge(Evidence(p, p, 1 - p, 1, 1), "full").verdict == verdict


def test_a_direction_short_of_its_margin_is_direction_only() -> None:
    judgement = judge(Evidence(0.2, 0.01, 0.6, 1, 1), "full")
    assert judgement.verdict is Verdict.DIRECTION_ONLY
    assert "short of its margin" in judgement.reason


@pytest.mark.parametrize("level", ["full", "direction"])
def test_the_opposite_is_not_reproduced_at_any_level(level: str) -> None:
    evidence = Evidence(0.99, 0.99, 0.01, favourable=0, comparisons=1)
    assert judge(evidence, level).verdict is Verdict.NOT_REPRODUCED  # type: ignore[arg-type]


def test_an_open_claim_says_how_many_seeds_it_needs() -> None:
    judgement = judge(OPEN, "full")
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.seeds_needed == 9
    assert "about 9 an arm" in judgement.reason


def test_a_tie_is_inconclusive_without_an_estimate() -> None:
    judgement = judge(Evidence(1.0, 1.0, 1.0, favourable=0, comparisons=1), "full")
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.seeds_needed is None
    assert "does not support the claim, nor refute it" in judgement.reason


def test_counts_are_named() -> None:
    judgement = judge(Evidence(0.2, 0.2, 0.9, favourable=5, comparisons=6), "full")
    assert judgement.reason.endswith("(5 of 6 comparisons in its direction)")


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize("level", ["full", "direction"])
@pytest.mark.parametrize("p", [0.05, 0.05 * (1 + 1e-12), 0.0501])
def test_every_kind_at_its_level(kind: str, level: Level, p: float) -> None:
    """p exactly alpha counts, also after the rounding of an exact test; above it nothing is shown."""
    shown = p < 0.0501
    found = judge(Evidence(p, p, 1.0, 1, 1), level, kind=kind).verdict
    best = Verdict.REPRODUCED if level == "full" else Verdict.DIRECTION_ONLY
    if level == "direction" and RULES[kind].sameness:
        best = Verdict.INCONCLUSIVE
    assert found is (best if shown else Verdict.INCONCLUSIVE)
    against = judge(Evidence(1.0, 1.0, p, 0, 1), level, kind=kind)
    assert against.verdict is (Verdict.NOT_REPRODUCED if shown else Verdict.INCONCLUSIVE)
    if shown:
        reduced = "" if level == "full" else ", with reduced networks or budget"
        assert against.reason == RULES[kind].opposite + reduced


def test_every_kind_but_a_description_has_a_rule() -> None:
    assert set(KINDS) - set(RULES) == {"descriptive"}
    assert set(RULES) == set(COMPARE) == set(SHAPES)


def test_nothing_differs_is_not_shown_by_a_reduced_setting() -> None:
    judgement = judge(Evidence(0.01, 0.01, 1.0, 1, 1), "direction", kind="not_less")
    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert "what has not learned is alike" in judgement.reason


@pytest.mark.parametrize(
    ("smallest", "family", "told"),
    [(0.05, 1, False), (0.05, 2, True), (0.025, 2, False), (math.nan, 9, False), (0.125, 1, True)],
)
def test_runs_that_cannot_decide_by_an_exact_test(smallest: float, family: int, told: bool) -> None:
    evidence = Evidence(0.01, 0.01, 1.0, 1, 1, smallest=smallest, family=family)
    judgement = judge(evidence, "full")
    # Welch decides; the reader is told that it does so alone.
    assert judgement.verdict is Verdict.REPRODUCED
    assert ("no exact test of so few runs can decide it" in judgement.reason) is told
    assert undecidable(smallest, family) is told


def test_the_bound_of_the_exact_test_is_named() -> None:
    evidence = Evidence(0.3, 0.3, 0.7, 1, 1, smallest=0.05, family=7)
    assert judge(evidence, "full").reason == (
        "too few runs to tell; no exact test of so few runs can decide it (0.05 > 0.05/7)"
    )
