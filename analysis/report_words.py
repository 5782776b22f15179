"""Numbers, settings and durations as the report writes them."""

from __future__ import annotations

import math
from typing import Any

from analysis.labels import DASH, MINUS
from analysis.render import figure, plus_minus
from analysis.statistics import Interval

#: Significant digits of a number whose unit is not known, and of a half-width.
DIGITS, SPREAD_DIGITS = 4, 3
#: Outside this range a number is written with a power of ten.
PLAIN_RANGE = (1e-4, 1e7)
#: Below it a p value is not told apart from 0.
SMALLEST_P = 1e-4


def _plain(value: float) -> bool:
    return value == 0 or PLAIN_RANGE[0] <= abs(value) < PLAIN_RANGE[1]


def significant(value: float) -> str:
    """A number with four significant digits, large ones in groups of three, a true minus sign."""
    if not _plain(value):
        return f"{value:.{DIGITS - 1}e}".replace("-", MINUS)
    text = f"{value:,.0f}" if abs(value) >= 10**DIGITS else f"{value:.{DIGITS}g}"
    return text.replace("-", MINUS)


def _decimals(half_width: float) -> int | None:
    """Decimals that give a half-width three significant digits; None where it needs a power of ten."""
    if math.isnan(half_width) or half_width == 0 or not _plain(half_width):
        return None
    return max(0, SPREAD_DIGITS - 1 - math.floor(math.log10(half_width)))


def with_spread(interval: Interval) -> str:
    """`mean ± half-width`, both to the same decimal; the mean alone where there is no half-width."""
    decimals = _decimals(interval.half_width)
    if decimals is not None:
        return plus_minus(interval, decimals)
    if math.isnan(interval.half_width):
        return significant(interval.mean)
    return f"{significant(interval.mean)} ± {significant(interval.half_width)}"


def with_ends(value: float, low: float, high: float) -> str:
    """`23.3 [8.6, 37.9]`: a number with the ends of its interval, if it has one; a dash for none."""
    decimals = _decimals((high - low) / 2)
    if math.isnan(value):
        return DASH
    if decimals is None:
        return significant(value)
    return f"{figure(value, decimals)} [{figure(low, decimals)}, {figure(high, decimals)}]"


def difference(value: float, low: float, high: float) -> str:
    """The same with the sign of a difference: `+23.3 [8.6, 37.9]`."""
    return f"{'+' if value > 0 else ''}{with_ends(value, low, high)}"


def p_value(value: float) -> str:
    """Two significant digits; below a ten-thousandth only that it is; a dash for none."""
    if math.isnan(value):
        return DASH
    return f"< {SMALLEST_P:.4f}" if value < SMALLEST_P else f"{value:.2g}"


def plain(value: Any) -> str:
    """A setting as text: whole numbers in groups of three digits, lists with commas."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value)) or "none"
    return "none" if value is None else str(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them: `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 run`, `1,000 runs`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
