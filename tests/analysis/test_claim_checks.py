"""Claims that no rule can judge are refused when they are read, with what the field must hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from claim_sets import claim, write_claims
from result_sets import CHECKOUT, TIERS, UMAZE

from analysis.claim_file import read_claims
from analysis.errors import AnalysisError
from paper_tables.registry import read_papers

THREE = "romi_bcq;bcq;fomi_bcq"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"arms": "romi_bcq = bcq"}, "is written with '>', not '='"),
        ({"kind": "not_less"}, "is written with '>=', not '>'"),
        ({"kind": "ratio", "value": ">=2"}, "is written with '/', not '>'"),
        ({"kind": "threshold", "value": ">0.5"}, "is written with a plain list, not '>'"),
        ({"kind": "spread", "arms": THREE}, "compares two sides, left > right"),
        ({"arms": "romi_bcq > ;"}, "a side is empty"),
        ({"tasks": ""}, "names at least one"),
        ({"margin": "-1"}, "margin must be a number of at least 0"),
        ({"margin": "nan"}, "margin must be a number of at least 0"),
        ({"kind": "spread", "margin": "2"}, "a claim of kind spread has no margin"),
        ({"metric": "solved:score>=5", "margin": "2"}, "'solved:score>=5' has no margin"),
        ({"kind": "equivalent", "arms": "romi_bcq = bcq"}, "needs a margin above 0"),
        ({"kind": "equivalent", "arms": "bcq", "margin": "1"}, "or a list of arms with a value"),
        (
            {"kind": "equivalent", "arms": "romi_bcq = bcq", "margin": "1", "value": "0"},
            "or a list of arms with a value",
        ),
        ({"kind": "ratio", "arms": "romi_bcq / bcq", "value": "2"}, "a value such as 0.5..2"),
        ({"kind": "ratio", "arms": "romi_bcq / bcq", "value": "2..1"}, "a value such as 0.5..2"),
        ({"kind": "trend", "arms": THREE, "value": "up"}, "(increasing or decreasing)"),
        ({"kind": "trend", "arms": "romi_bcq;bcq", "value": "increasing"}, "at least 3 arms"),
        (
            {"kind": "best", "arms": THREE, "value": "bc"},
            "the best of at least two arms, as listed",
        ),
        ({"kind": "best", "value": "2 of 2"}, "value must be 'k of 1', one for each task"),
        ({"kind": "count", "value": "0 of 1"}, "value must be 'k of 1', one for each comparison"),
        ({"metric": "acu:score"}, "unknown form 'acu'; did you mean 'auc'?"),
        ({"metric": "steps_to:score"}, "must be written steps_to:NAME>=X"),
        (
            {"kind": "spread", "metric": "solved:score>=1"},
            "a claim of kind spread cannot be judged on 'solved:'",
        ),
        ({"kind": "threshold", "arms": "bcq", "value": ">1.2.3"}, "needs a value such as >0.5"),
        ({"kind": "ratio", "arms": "romi_bcq / bcq", "value": "1.2.3..4"}, "such as 0.5..2"),
        ({"value": "1 of 1"}, "a claim of kind greater has no value; leave it empty"),
        ({"arms": "bcq > bcq"}, "arms: bcq is given twice"),
        ({"tasks": f"{UMAZE};{UMAZE}"}, f"tasks: {UMAZE} is given twice"),
        ({"judged_on": "quick=table3;quick=table3"}, "judged_on: tier quick is given twice"),
        (
            {"judged_on": "quick=table3:direction", "margin": "2"},
            "':direction' judges the sign alone, which a claim with a margin",
        ),
        ({"note": "qualifies R99"}, "X1: qualifies R99, which is no claim"),
    ],
)
def test_claims_that_no_rule_can_judge(
    tmp_path: Path, fields: dict[str, str], message: str
) -> None:
    with pytest.raises(AnalysisError) as caught:
        claim(tmp_path, **fields)
    assert message in str(caught.value)
    assert "X1" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "ends"),
    [("0.5..2", (0.5, 2.0)), (">=2", (2.0, None)), ("<= .5", (None, 0.5)), ("0..1", (0.0, 1.0))],
)
def test_ranges(tmp_path: Path, value: str, ends: tuple[float | None, float | None]) -> None:
    assert claim(tmp_path, kind="ratio", arms="romi_bcq / bcq", value=value).range == ends


def test_a_control_names_the_claim_it_qualifies(tmp_path: Path) -> None:
    rows = [{"id": "RT-C01"}, {"id": "RT-X01", "note": "our control; qualifies RT-C01, see there"}]
    path = write_claims(tmp_path / "claims.csv", *rows)
    first, second = read_claims(path, "recall_traces", TIERS)
    assert (first.qualifies, second.qualifies) == ("", "RT-C01")


def test_a_description_needs_nothing(tmp_path: Path) -> None:
    found = claim(tmp_path, kind="descriptive", arms="", tasks=UMAZE, metric="", judged_on="")
    assert found.left == ()


@pytest.mark.parametrize("paper", read_papers(CHECKOUT / "paper_tables"))
def test_every_claim_of_every_paper_can_be_judged_as_written(paper: str) -> None:
    path = CHECKOUT / "paper_tables" / paper / "claims.csv"
    if path.is_file():
        assert read_claims(path, paper, TIERS)
