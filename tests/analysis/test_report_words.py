"""How the report writes numbers, settings and durations."""

from __future__ import annotations

import math

import pytest

from analysis import report_words as words
from analysis.statistics import Interval


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-2.5, "\N{MINUS SIGN}2.5"),
        (16.2148, "16.21"),
        (0.00012345, "0.0001234"),
        (0.00001, "1.000e\N{MINUS SIGN}05"),
        (12345.6, "12,346"),
        (1000000.0, "1,000,000"),
        (123456789.0, "1.235e+08"),
        (9999.6, "1e+04"),
    ],
)
def test_four_significant_digits(value: float, text: str) -> None:
    assert words.significant(value) == text


@pytest.mark.parametrize(
    ("mean", "half_width", "text"),
    [
        (25.7649, 39.812, "25.8 ± 39.8"),
        (0.33671, 0.50394, "0.337 ± 0.504"),
        (1234.5, 200.2, "1234 ± 200"),
        (5.0, math.nan, "5"),
        (5.0, 0.0, "5 ± 0"),
        (0.00002, 0.00001, "2.000e\N{MINUS SIGN}05 ± 1.000e\N{MINUS SIGN}05"),
    ],
)
def test_mean_and_half_width_end_at_the_same_decimal(
    mean: float, half_width: float, text: str
) -> None:
    assert words.with_spread(Interval(mean, half_width, 3)) == text


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (32.72, -2.565, 68.005, "+32.7 [\N{MINUS SIGN}2.6, 68.0]"),
        (-4.0, -5.25, -2.75, "\N{MINUS SIGN}4.00 [\N{MINUS SIGN}5.25, \N{MINUS SIGN}2.75]"),
        (2.0, 1.5, 4.5, "+2.00 [1.50, 4.50]"),
        (3.5, math.nan, math.nan, "+3.5"),
        (-3.5, math.nan, math.nan, "\N{MINUS SIGN}3.5"),
        (math.nan, math.nan, math.nan, "\N{EN DASH}"),
    ],
)
def test_differences_have_a_sign_and_ends(value: float, low: float, high: float, text: str) -> None:
    assert words.difference(value, low, high) == text
    assert words.with_ends(value, low, high) == text.lstrip("+")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.02876, "0.029"), (0.00009, "< 0.0001"), (1.0, "1"), (math.nan, "\N{EN DASH}")],
)
def test_p_values(value: float, text: str) -> None:
    assert words.p_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (29.6, "30 s"),
        (31.0, "1 min"),
        (3599.0, "1 h"),
        (12000.0, "3 h 20 min"),
        (86400.0 * 2 + 3600 * 4, "2 d 4 h"),
        (86400.0, "1 d"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1000000, "1,000,000"),
        (True, "true"),
        (0.1, "0.1"),
        ([256, 256], "256, 256"),
        ([], "none"),
        (None, "none"),
        ("small", "small"),
    ],
)
def test_settings(value: object, text: str) -> None:
    assert words.plain(value) == text


def test_counts_agree_with_their_noun() -> None:
    assert words.count(1, "run") == "1 run"
    assert words.count(2000, "run") == "2,000 runs"
    assert words.count(0, "entry", "entries") == "0 entries"
