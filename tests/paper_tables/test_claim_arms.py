"""Arms of claims are checked when a plan is made: declared where the claim is judged, or one line."""

from __future__ import annotations

from typing import Any

import pytest

from paper_tables.claim_arms import parse_arm, parse_sides
from paper_tables.errors import PlanError

CLAIMS = "paper_tables/made/claims.csv"
PAPER = "paper_tables/made/experiments.yaml"


def claims(project: Any, *rows: str) -> None:
    project.write(CLAIMS, "\n".join(["id,arms,tasks,judged_on,note", *rows]) + "\n")


def message(project: Any) -> str:
    with pytest.raises(PlanError) as caught:
        project.plan()
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    "row",
    [
        "A,learner > imaginer,maze-a;maze-b,tiny=main,",
        "A,imaginer;learner,maze-b,tiny=main:direction,",
        "A,imaginer[horizon=1] / imaginer[horizon=5],maze-a,tiny=length,",
        "A,imaginer[horizon=1] = learner,maze-a,tiny=main+length;huge=main+length,",
        "A,learner[rate=0.25],maze-a,tiny=main,",  # a task's own setting
        "A,,,,nothing is compared",
        "A,learner > imaginer,maze-a,,nothing judges it",
    ],
)
def test_declared_arms_pass(project: Any, row: str) -> None:
    claims(project, row)
    assert project.plan().arms


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            "A7,imaginer[horizon=9] > learner,maze-a,tiny=main+length,",
            "A7: imaginer[horizon=9] on maze-a is no arm of experiment main+length",
        ),
        (
            "A7,imaginer[horizon=1] > learner,maze-a,tiny=length,",
            "A7: learner on maze-a is no arm of experiment length",
        ),
        (
            "A7,learner > imaginer,maze-a;robot-a,tiny=main,",
            "A7: learner on robot-a is no arm of experiment main",
        ),
        (
            "A7,learner > imaginer,maze-a,tiny=main;huge=length,",
            "A7: learner on maze-a is no arm of experiment length",
        ),
        ("A7,learner[hue=1],maze-a,tiny=main,", "A7: learner[hue=1] on maze-a is no arm"),
        (
            "A7,lerner > imaginer,maze-a,tiny=main,",
            "A7: unknown algorithm 'lerner'; nearest: 'learner'",
        ),
        ("A7,learner,maze-c,tiny=main,", "A7: unknown task 'maze-c'; nearest: 'maze-"),
        (
            "A7,learner,maze-a,tiny=mane,",
            "A7: judged_on: unknown experiment 'mane'; nearest: 'main'",
        ),
        ("A7,Learner,maze-a,tiny=main,", "A7: 'Learner' is not an arm"),
        ("A7,learner>imaginer,maze-a,tiny=main,", "blanks around >, >=, / and ="),
        ("A7,learner[rate=1,clip=true],maze-a,tiny=main,", "A7: 6 cells, wanted 5; put cells with"),
        ("A7,learner,maze-a", "A7: 3 cells, wanted 5; an empty cell needs its comma"),
        ("A7,learner[rate],maze-a,tiny=main,", "A7: 'learner[rate]' needs key=value"),
    ],
)
def test_arms_that_nothing_declares_are_one_line(project: Any, row: str, words: str) -> None:
    claims(project, "A1,learner,maze-a,tiny=main,", row)
    text = message(project)
    assert words in text and CLAIMS in text


def test_an_experiment_that_the_tier_leaves_out_is_checked_too(project: Any) -> None:
    tiers = "config/tiers.yaml"
    project.edit(tiers, lambda c: c["tiers"]["tiny"].update(experiments={"made/main": {}}))
    claims(project, "A1,imaginer[horizon=1],maze-a,huge=length,")
    assert {arm.experiment for arm in project.plan().arms} == {"main"}
    claims(project, "A1,imaginer[horizon=2],maze-a,huge=length,")
    assert "A1: imaginer[horizon=2] on maze-a" in message(project)


def test_an_arm_that_is_declared_only_is_no_mistake(project: Any) -> None:
    (project.root / "algos/imaginer.py").unlink()
    claims(project, "A1,learner > imaginer,maze-a,tiny=main,")
    (arm,) = (a for a in project.plan().arms if (a.algo, a.task) == ("imaginer", "maze-b"))
    assert arm.status == "not implemented" and "algos/imaginer.py does not exist" in str(arm.reason)


def test_only_the_papers_that_are_planned_are_checked(project: Any) -> None:
    other = project.root / "paper_tables/other/experiments.yaml"
    other.parent.mkdir()
    other.write_text((project.root / PAPER).read_text().replace("paper: made", "paper: other"))
    claims(project, "A1,learner,robot-a,tiny=main,")
    project.edit(
        "config/tiers.yaml", lambda c: c["tiers"]["tiny"]["experiments"].update({"other/main": {}})
    )
    assert "A1" in message(project)
    assert {arm.paper for arm in project.plan(papers=["other"]).arms} == {"other"}


def test_a_missing_column_is_named(project: Any) -> None:
    project.write(CLAIMS, "id,arms,judged_on\n")
    assert message(project).endswith("claims.csv: there is no column 'tasks'")


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("a;b > c", ["a", "b"], ["c"]),
        ("a >= b[k=1]", ["a"], ["b[k=1]"]),
        ("a / b", ["a"], ["b"]),
        ("a = b", ["a"], ["b"]),
        ("a[k=1,m=x];b", ["a[k=1,m=x]", "b"], []),
        ("", [], []),
    ],
)
def test_both_sides_of_a_claim(text: str, left: list[str], right: list[str]) -> None:
    found = parse_sides(text, "here")
    assert ([str(arm) for arm in found[0]], [str(arm) for arm in found[1]]) == (left, right)


def test_settings_are_compared_as_text() -> None:
    arm = parse_arm("algo[clip=true,rate=0.5,mode=Fancy]", "here")
    declared = {"clip": True, "rate": 0.5, "mode": "fancy", "other": 3}
    assert arm.fits(declared)
    for change in ({"clip": False}, {"rate": 0.25}, {"mode": "plain"}):
        assert not arm.fits(declared | change)
    assert not arm.fits({"clip": True, "rate": 0.5})
