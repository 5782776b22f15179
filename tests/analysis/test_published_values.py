"""What stands behind a plus-minus in a paper."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from analysis.errors import AnalysisError
from analysis.published import COLUMNS, Value, read_published, summary_sd
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


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": "nan"}, "reference.csv:2: n 'nan' is not a number of runs"),
        ({"n": "2.5"}, "reference.csv:2: n '2.5' is not a number of runs"),
        ({"n": "0"}, "reference.csv:2: n '0' is not a number of runs"),
        ({"spread": "-1"}, "reference.csv:2: a spread is at least 0, not -1"),
        ({"mean": "inf"}, "reference.csv:2: 'inf' is not a number"),
    ],
)
def test_numbers_that_no_paper_can_print(
    tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(AnalysisError) as caught:
        read_published(published_line(tmp_path, changes))
    assert str(caught.value).endswith(message)


def test_a_published_number_stands_once(tmp_path: Path) -> None:
    path = published_line(tmp_path, {})
    path.write_text(path.read_text() + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(AnalysisError, match=r"reference\.csv:3: this number is given twice"):
        read_published(path)


def published_line(folder: Path, changes: dict[str, str]) -> Path:
    """A reference file of one line."""
    row = dict.fromkeys(COLUMNS, "") | {"table": "1", "task": "t", "algo": "a", "metric": "score"}
    row |= {"mean": "1.5", "spread": "0.5", "spread_kind": "sd", "n": "3", **changes}
    path = folder / "reference.csv"
    path.write_text(",".join(COLUMNS) + "\n" + ",".join(row.values()) + "\n")
    return path
