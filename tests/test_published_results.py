"""Intervals, ratios and rows of runs on a published page come out of the runs published beside it."""

from __future__ import annotations

import csv
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis import ledger
from analysis.claims import judge_all
from analysis.equivalence import ratio_interval
from analysis.export import export
from analysis.exported import read_exported
from analysis.load import load
from analysis.statistics import t_half_width, welch_greater
from analysis.verdicts import SILENT
from analysis.workspace import open_workspace
from paper_tables.exported import exported_seeds

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
PAGES = sorted(path.parent.name for path in RESULTS.glob("*/runs.csv"))
#: What tells the arms of a page apart; every other column that holds numbers is a metric.
NAMES = ("task", "algo", "cell", "direction", "quirks")
#: Intervals of runs that are not published: three runs of version 1, told of beside those of version 2.
ELSEWHERE = {"+7.2 ± 5.4"}
#: Runs that are not published: a coefficient looked at early, values at other updates than the last.
ROWS_ELSEWHERE = {
    "5.3, 7.0, 5.3",
    "14.7, 10.7, 3.0",
    "15.0, 9.3, 3.3",
    "0.0027, 0.0015, 0.0037",
    "0.0043, 0.0061, 0.0038",
    "0.00019, 0.00015, 0.00015",
    "0.00018, 0.00015, 0.00015",
    "0.55, 0.78, 0.78",
    "13.5, 19.8, 16.2, 30.3, 12.5",  # the same five seeds on another CPU
}
#: Lines of generated tables have more cells than this, and ours are among the first four.
GENERATED = 7
MINUS = "\N{MINUS SIGN}"
INTERVAL = re.compile(rf"[+{MINUS}]?\d+(?:\.\d+)? ± \d+(?:\.\d+)?")
RATIO = re.compile(r"(\d+\.\d+) \[(\d+\.\d+), (\d+\.\d+)\]")
ROW = re.compile(rf"{MINUS}?\d+\.\d+(?:, {MINUS}?\d+\.\d+){{2,}}")

Arms = dict[tuple[str, ...], dict[str, list[float]]]


def read_arms(path: Path) -> Arms:
    """The values of each metric of each arm of a ``runs.csv``."""
    arms: Arms = defaultdict(lambda: defaultdict(list))
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            arm = arms[tuple(row.get(name, "") for name in NAMES)]
            for column, text in row.items():
                try:
                    arm[column].append(float(text))
                except ValueError:
                    continue
    return arms


def cut(arms: Arms) -> Iterator[tuple[tuple[str, ...], dict[str, list[float]]]]:
    """Arms with as many of their first runs as smaller arms have."""
    sizes = {len(values) for metrics in arms.values() for values in metrics.values()}
    for (task, *rest), metrics in arms.items():
        for size in sizes:
            fewer = {name: values[:size] for name, values in metrics.items() if len(values) > size}
            if fewer:
                yield (task, *rest, str(size)), fewer


def derived(arms: Arms) -> Iterator[tuple[float, float]]:
    """Means of arms and differences of arms of one task, with the half-widths of their 95 % intervals.

    Experiments may ask for the first runs of an arm only: it counts with as many as any other arm has, too.
    """
    arms = {**arms, **dict(cut(arms))}
    for metrics in arms.values():
        for values in metrics.values():
            if len(values) > 1:
                yield float(np.mean(values)), float(t_half_width(np.array(values)))
    for (one, first), (other, second) in itertools.permutations(arms.items(), 2):
        for metric in first.keys() & second.keys() if one[0] == other[0] else ():
            if min(len(first[metric]), len(second[metric])) > 1:
                welch = welch_greater(first[metric], second[metric])
                yield welch.difference, welch.half_width


def of_page(page: str) -> list[tuple[float, float]]:
    return [
        each for path in (RESULTS / page).rglob("runs.csv") for each in derived(read_arms(path))
    ]


def printed(path: Path) -> set[str]:
    """The intervals in the page's own words and in our columns of generated tables: not the paper's."""
    ours = []
    for line in path.read_text(encoding="utf-8").splitlines():
        cells = line.split(" | ")
        if not line.startswith("| **paper**"):
            ours.append(" ".join(cells[:4]) if len(cells) > GENERATED else line)
    return set(INTERVAL.findall("\n".join(ours))) - ELSEWHERE


def unfounded(path: Path, numbers: list[tuple[float, float]]) -> set[str]:
    """Printed intervals that no number rounds to."""
    return {interval for interval in printed(path) if not comes_out(interval, numbers)}


def comes_out(interval: str, numbers: list[tuple[float, float]]) -> bool:
    mean, half = interval.replace(MINUS, "-").split(" ± ")
    most = 0.51 * 10 ** -len(half.partition(".")[2])
    return any(
        abs(value - float(mean)) <= most and abs(width - float(half)) <= most
        for value, width in numbers
    )


def rounds_to(numbers: Sequence[float], texts: Sequence[str]) -> bool:
    """Each number, in order, is what its text is rounded from; further numbers do not matter."""
    return len(numbers) >= len(texts) and all(
        abs(number - float(text.replace(MINUS, "-"))) <= 0.51 * 10 ** -len(text.partition(".")[2])
        for number, text in zip(numbers, texts, strict=False)
    )


def ratios(arms: Arms) -> Iterator[tuple[float, float, float]]:
    """Ratios of the means of two arms of one task, with the ends of their 95 % intervals."""
    for (one, first), (other, second) in itertools.permutations(arms.items(), 2):
        for metric in first.keys() & second.keys() if one[0] == other[0] else ():
            a, b = first[metric], second[metric]
            if min(len(a), len(b)) > 1 and np.mean(b) > 0:
                yield float(np.mean(a) / np.mean(b)), *ratio_interval(a, b)


@pytest.mark.parametrize("page", PAGES)
def test_intervals_of_a_page_come_out_of_its_runs(page: str) -> None:
    numbers = of_page(page)
    paths = sorted((RESULTS / page).rglob("*.md"))
    assert any(printed(path) for path in paths)
    assert not {path.name: found for path in paths if (found := unfounded(path, numbers))}


@pytest.mark.parametrize("page", PAGES)
def test_ratios_of_a_page_come_out_of_its_runs(page: str) -> None:
    numbers = [r for path in (RESULTS / page).rglob("runs.csv") for r in ratios(read_arms(path))]
    found = set(RATIO.findall((RESULTS / page / "README.md").read_text(encoding="utf-8")))
    assert found or page != "bmil"
    assert not {texts for texts in found if not any(rounds_to(each, texts) for each in numbers)}


@pytest.mark.parametrize("page", PAGES)
def test_rows_of_runs_are_those_of_an_arm_in_the_order_of_its_seeds(page: str) -> None:
    arms = [arm for path in (RESULTS / page).rglob("runs.csv") for arm in read_arms(path).values()]
    runs = [values for arm in arms for values in arm.values()]
    words = " ".join((RESULTS / page / "README.md").read_text(encoding="utf-8").split())
    rows = set(ROW.findall(words)) - ROWS_ELSEWHERE
    assert rows
    assert not {row for row in rows if not any(rounds_to(each, row.split(", ")) for each in runs)}


def test_the_readme_counts_the_declared_claims() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for paper in ("romi", "bmil"):
        with (ROOT / "paper_tables" / paper / "claims.csv").open(encoding="utf-8") as file:
            declared = sum(1 for _ in csv.DictReader(file))
        row = next(line for line in text.splitlines() if line.startswith(f"| {paper.upper()}"))
        assert f"{declared} claims" in row


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", RESULTS / "README.md"], ids=["readme", "index"]
)
def test_intervals_of_the_overviews_come_out_of_some_page(path: Path) -> None:
    assert not unfounded(path, [number for page in PAGES for number in of_page(page)])


@pytest.mark.parametrize(
    "interval", ["14.5 ± 19.4", "14.6 ± 19.3", "+14.6 ± 20", MINUS + "14.6 ± 19.4"]
)
def test_a_wrong_digit_or_sign_is_found(interval: str) -> None:
    runs = np.array([16.3333, 21.3333, 6.0])
    numbers = [(float(runs.mean()), float(t_half_width(runs)))]
    assert comes_out("14.6 ± 19.4", numbers)
    assert not comes_out(interval, numbers)


@pytest.mark.parametrize("row", ["16.3, 21.3, 6.1", "21.3, 16.3, 6.0", "16.3, 21.3, 6.0, 6.0"])
def test_a_wrong_digit_or_order_of_runs_is_found(row: str) -> None:
    runs = [16.3333, 21.3333, 6.0]
    assert rounds_to(runs, ["16.3", "21.3", "6.0"])
    assert not rounds_to(runs, row.split(", "))


#: Digests of published runs that an earlier version made, where the page says so.
OUTDATED: set[str] = set()
#: Pages whose claims were judged from what is published beside them, with their tier and paper.
JUDGED = [("bmil", "standard"), ("bmil/quick", "quick")]


@pytest.mark.parametrize(("page", "tier"), JUDGED)
def test_published_claims_come_out_of_the_published_runs(
    page: str, tier: str, tmp_path: Path
) -> None:
    """The ledger, judged again from the runs: every verdict and every number of it."""
    folder = RESULTS / page
    space = open_workspace(tier, root=ROOT, exports=[folder])
    results = load(space.plan, tmp_path, exported=read_exported([folder]))
    again = [ledger.row(entry) for entry in judge_all(replace(space, root=tmp_path), results)]
    judged = [row for row in again if row["paper"] == "bmil" and row["verdict"] not in SILENT]
    with (folder / "claims.csv").open(newline="", encoding="utf-8") as file:
        published = [*csv.DictReader(file)]
    assert len(published) > 0
    assert [row["id"] for row in judged] == [row["id"] for row in published]
    for mine, theirs in zip(judged, published, strict=True):
        for column, value in mine.items():
            assert alike(value, theirs[column]), (mine["id"], column, value, theirs[column])


def alike(value: object, text: str) -> bool:
    """Equal as text, or as numbers up to the six digits that runs are published with."""
    if str(value) == text:
        return True
    try:
        return float(str(value)) == pytest.approx(float(text), rel=2e-4, abs=1e-6)
    except ValueError:
        return False


@pytest.mark.parametrize("tier", ["quick", "hour", "standard"])
def test_published_runs_stand_in_for_those_of_a_checkout(tier: str, tmp_path: Path) -> None:
    """A report and an export of all that is published: no file of it is damaged or missing."""
    space = open_workspace(tier, root=ROOT, exports=[RESULTS])
    results = space.load()
    assert sum(len(arm.runs) for arm in results.arms) > 0
    assert not results.problems
    paths = export(space, tmp_path / "out", [], [])
    (outcomes,) = (path for path in paths if path.name == "outcomes.csv")
    assert {path.name for path in paths} >= {"runs.csv", "evaluations.csv", "starts.csv"}
    with outcomes.open(newline="", encoding="utf-8") as file:
        judged = {(row["algo"], row["task"]) for row in csv.DictReader(file)}
    assert judged


def test_every_published_run_is_one_that_a_tier_plans() -> None:
    planned = {
        arm.digest[:16]
        for tier in ("quick", "hour", "standard", "paper")
        for arm in open_workspace(tier, root=ROOT).plan.arms
    }
    published = exported_seeds([RESULTS]).seeds
    assert published and not set(published) - planned - OUTDATED
