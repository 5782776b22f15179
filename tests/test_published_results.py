"""Every interval that a published page prints comes out of the runs published beside it."""

from __future__ import annotations

import csv
import itertools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from analysis.statistics import t_half_width, welch_greater

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"
PAGES = sorted(path.parent.name for path in RESULTS.glob("*/runs.csv"))
#: What tells the arms of a page apart; every other column that holds numbers is a metric.
NAMES = ("task", "algo", "cell", "direction", "quirks")
#: Intervals of runs that are not published: three runs of version 1, told of beside those of version 2.
ELSEWHERE = {"+7.2 ± 5.4"}
#: Lines of generated tables have more cells than this, and ours are among the first four.
GENERATED = 7
MINUS = "\N{MINUS SIGN}"
INTERVAL = re.compile(rf"[+{MINUS}]?\d+(?:\.\d+)? ± \d+(?:\.\d+)?")

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


def derived(arms: Arms) -> Iterator[tuple[float, float]]:
    """Means of arms and differences of arms of one task, with the half-widths of their 95 % intervals."""
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


@pytest.mark.parametrize("page", PAGES)
def test_intervals_of_a_page_come_out_of_its_runs(page: str) -> None:
    numbers = of_page(page)
    paths = sorted((RESULTS / page).glob("*.md"))
    assert any(printed(path) for path in paths)
    assert not {path.name: found for path in paths if (found := unfounded(path, numbers))}


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
