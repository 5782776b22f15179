"""The coverage study: where theory fixes it, on the published page, and the pieces it is made of."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis import coverage, equivalence
from analysis.labels import DASH

PAGE = Path(__file__).resolve().parents[2] / "docs" / "statistics.md"
COLUMNS = [(data.name, n) for data in coverage.DATA for n in coverage.RUNS]
#: Intervals that cost next to nothing: many data sets.
CHEAP = [name for name in coverage.INTERVALS if "bootstrap" not in name and "degrees" not in name]
FEW = 100


def from_markdown(text: str) -> coverage.Table:
    """Read the one coverage table out of a page."""
    lines = text.splitlines()
    [start] = [n for n, line in enumerate(lines) if line.startswith("| interval |")]
    rows = itertools.takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    table: coverage.Table = {}
    for line in rows:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        table[name] = [None if cell == DASH else float(cell) for cell in cells]
    return table


@pytest.fixture(scope="module")
def few() -> coverage.Table:
    """All intervals on few data sets, with another seed than the published table."""
    return coverage.simulate(FEW, seed=1)


@pytest.fixture(scope="module")
def many() -> coverage.Table:
    """The cheap intervals on many data sets, with another seed than the published table."""
    return coverage.simulate(20_000, seed=1, intervals=CHEAP)


def row(table: coverage.Table, name: str, data: str) -> list[float]:
    cells = [cell for cell, column in zip(table[name], COLUMNS, strict=True) if column[0] == data]
    return [cell for cell in cells if cell is not None]


def test_student_t_covers_normal_data_as_theory_says(many: coverage.Table) -> None:
    assert row(many, "mean: Student-t", "normal") == pytest.approx([0.95] * 3, abs=0.01)


def test_mean_plus_minus_se_covers_what_student_says(many: coverage.Table) -> None:
    expected = [1 - 2 * stats.t.sf(1.0, n - 1) for n in coverage.RUNS]
    assert row(many, "mean ± se", "normal") == pytest.approx(expected, abs=0.01)


def test_mean_plus_minus_sd_covers_what_student_says(many: coverage.Table) -> None:
    expected = [1 - 2 * stats.t.sf(np.sqrt(n), n - 1) for n in coverage.RUNS]
    assert row(many, "mean ± sd", "normal") == pytest.approx(expected, abs=0.01)


def test_clopper_pearson_never_covers_less_than_it_says(many: coverage.Table) -> None:
    shares = many["share of runs: Clopper-Pearson"]
    # Three standard errors of 0.95 in 20,000 draws.
    assert min(share for share in shares if share is not None) >= 0.95 - 0.005


def test_collapsed_runs_that_were_not_seen_cannot_be_covered(many: coverage.Table) -> None:
    # 0.8^n of the samples hold no collapse; their intervals all but never reach the true mean.
    for share, n in zip(row(many, "mean ± se", "collapse"), coverage.RUNS, strict=True):
        assert share <= 1 - 0.8**n + 0.01


def test_expanded_percentiles_cover_better_than_raw_ones(few: coverage.Table) -> None:
    for kind in ("IQM of 9 tasks", "paired ratio"):
        raw, expanded = (
            np.mean([few[f"{kind}: bootstrap, {percentiles} percentiles"]])
            for percentiles in ("raw", "expanded")
        )
        assert abs(expanded - 0.95) < abs(raw - 0.95) - 0.01


def test_percentile_bootstrap_of_a_mean_is_too_narrow(few: coverage.Table) -> None:
    shares = row(few, "mean: percentile bootstrap", "normal")
    assert shares[0] < 0.85
    assert shares[0] < shares[2] < 0.95


def test_studentised_bootstrap_is_not_defined_for_three_runs(few: coverage.Table) -> None:
    cells = few["mean: studentised bootstrap"]
    missing = [n for cell, (_, n) in zip(cells, COLUMNS, strict=True) if cell is None]
    assert missing == [3, 3, 3]


@pytest.mark.parametrize("size", ["few", "many"])
def test_the_published_table_is_what_a_rerun_gives(
    size: str, request: pytest.FixtureRequest
) -> None:
    published = from_markdown(PAGE.read_text(encoding="utf-8"))
    found: coverage.Table = request.getfixturevalue(size)
    draws = FEW if size == "few" else 20_000
    assert list(published) == list(coverage.INTERVALS)
    for name, cells in found.items():
        for cell, printed, column in zip(cells, published[name], COLUMNS, strict=True):
            if cell is None or printed is None:
                assert (cell, printed) == (None, None)
                continue
            share = np.clip(printed, 0.01, 0.99)
            error = np.sqrt(share * (1 - share) * (1 / draws + 1 / coverage.DRAWS))
            assert abs(cell - printed) <= 4.5 * error + 0.0005, (name, column)


@pytest.mark.slow
def test_the_published_table_is_reproduced() -> None:
    published = from_markdown(PAGE.read_text(encoding="utf-8"))
    again = from_markdown(coverage.to_markdown(coverage.simulate(coverage.DRAWS)))
    for name, cells in published.items():
        pairs = zip(again[name], cells, strict=True)
        # The last digit may turn where another processor rounds a quantile the other way.
        assert all(a == b or abs((a or 0) - (b or 0)) < 0.0011 for a, b in pairs), name


@pytest.mark.parametrize("data", coverage.DATA, ids=lambda data: data.name)
def test_distributions_are_what_they_say(data: coverage.Data) -> None:
    points = data.quantile((np.arange(200_000) + 0.5) / 200_000)
    assert points.mean() == pytest.approx(data.mean, rel=1e-3)
    assert points.std() == pytest.approx(data.sd, rel=5e-3)
    assert (points > data.mean).mean() == pytest.approx(data.success, abs=1e-3)
    drawn = data.draw(np.random.default_rng(1), (20_000,))
    assert stats.ks_2samp(drawn, points).pvalue > 1e-3


def test_true_iqm_of_the_lognormal_is_the_closed_form() -> None:
    lognormal = coverage.DATA[1]
    # E[X | q25 < X < q75] of exp(sigma Z), by completing the square.
    quartile, sigma = stats.norm.ppf(0.75), 0.8
    inside = stats.norm.cdf(quartile - sigma) - stats.norm.cdf(-quartile - sigma)
    expected = np.exp(sigma**2 / 2) * inside / 0.5
    assert coverage.true_iqm(lognormal, np.zeros(9)) == pytest.approx(expected, rel=1e-4)
    normal = coverage.DATA[0]
    assert coverage.true_iqm(normal, np.linspace(-1, 1, 9)) == pytest.approx(normal.mean)


def test_the_ratio_row_counts_what_ratio_interval_gives() -> None:
    rng = np.random.default_rng(2)
    held = []
    for _ in range(40):
        a, b = 3 * rng.normal(5, 2, 3), rng.normal(5, 2, 3)
        low, high = equivalence.ratio_interval(a, b)
        errors = (a.var(ddof=1) / 3, b.var(ddof=1) / 3)
        excess = equivalence.contrast_excess((a.mean(), b.mean()), errors, (3, 3), 2.0)
        held.append(low <= 2.0 <= high)
        assert held[-1] == (low == -np.inf or float(excess) <= 0)
    assert 0 < sum(held) < 40


def test_a_cell_does_not_depend_on_the_rows_beside_it(many: coverage.Table) -> None:
    alone = coverage.simulate(20_000, seed=1, intervals=["mean ± se"])
    assert alone["mean ± se"] == many["mean ± se"]


def test_markdown_is_read_back() -> None:
    table: coverage.Table = {"a": [0.125, None], "b": [1.0, 0.0]}
    assert from_markdown("# Page\n\n" + coverage.to_markdown(table) + "\nend\n") == table
    heads = coverage.to_markdown(table).splitlines()[0]
    assert heads.startswith("| interval | normal, 3 | normal, 5 | normal, 10 | lognormal, 3 |")


def test_the_command_is_quiet_and_writes_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "coverage.md"
    assert coverage.main(["--draws", "1", "--out", str(path)]) == 0
    assert capsys.readouterr() == ("", "")
    assert list(from_markdown(path.read_text(encoding="utf-8"))) == list(coverage.INTERVALS)
    assert coverage.main(["--draws", "1"]) == 0
    assert capsys.readouterr() == (path.read_text(encoding="utf-8"), "")


def test_too_few_draws_are_a_one_line_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage.main(["--draws", "0"]) == 2
    assert capsys.readouterr() == ("", "error: the number of draws must be at least 1, not 0\n")
