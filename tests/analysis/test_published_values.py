"""What stands behind a plus-minus in a paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.published import Value, summary_sd
from analysis.statistics import t_interval


def test_only_known_spreads_become_standard_deviations() -> None:
    def value(kind: str, n: int | None) -> Value:
        return Value("1", "t", "a", "base", "score", 1.0, 2.0, kind, n, "", "")

    assert value("sd", 4).sd == 2.0
    assert value("se", 4).sd == 4.0
    assert value("ci95", 400).sd == pytest.approx(2.0 * 20 / 1.96, rel=4e-3)
    assert value("ci95", None).sd is None
    assert value("unknown", 4).sd is None


def test_summary_sd_inverts_every_kind_of_spread() -> None:
    sd, n = float(np.std([1.0, 2.5, 4.5], ddof=1)), 3
    half = t_interval([1.0, 2.5, 4.5]).half_width
    assert summary_sd(sd, "sd", n) == sd
    assert summary_sd(sd / math.sqrt(n), "se", n) == pytest.approx(sd)
    assert summary_sd(half, "ci95", n) == pytest.approx(sd)


def test_summary_sd_does_not_guess() -> None:
    assert summary_sd(3.0, "unknown", 5) is None
    assert summary_sd(math.nan, "none", 5) is None
    assert summary_sd(None, "sd", 5) is None
    assert summary_sd(3.0, "se", None) is None
    assert summary_sd(3.0, "ci95", 1) is None
    assert summary_sd(3.0, "sd", None) == 3.0
    with pytest.raises(ValueError, match="kind of spread must be one of"):
        summary_sd(3.0, "std", 5)
    with pytest.raises(ValueError, match="at least 0"):
        summary_sd(-3.0, "sd", 5)
