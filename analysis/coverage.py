"""How often intervals hold the truth at few runs: `python -m analysis.coverage [--draws N]`.

Draws many sets of runs whose true mean is known, computes every interval of the suite on each, and
counts. The table of docs/statistics.md is its output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from scipy import special, stats

from analysis import across_tasks, learning, statistics
from analysis.equivalence import contrast_excess
from analysis.errors import AnalysisError, exit_code
from analysis.files import write_text
from analysis.labels import DASH
from analysis.learning import Flags
from analysis.statistics import CONFIDENCE, Array

#: Data sets a cell of the published table; the standard error of a share is at most 0.008.
DRAWS = 4000
#: Bootstrap draws of each data set.
RESAMPLES = 1000
#: Data sets that share their bootstrap draws: new ones for each chunk, so that no draw matters.
CHUNK = 50
RUNS = (3, 5, 10)
TASKS = 9
SEED = 0
TAIL = (1 - CONFIDENCE) / 2
#: True ratio of the two arms of the ratio intervals.
RATIO = 2.0

Generator = np.random.Generator
#: Whether the interval holds the truth, for each of the data sets; None if it is not defined.
Covered = Flags | None


@dataclass(frozen=True)
class Data:
    """A distribution of runs with its true mean.

    `draw` takes a shape, `quantile` a list of probabilities; `success` is the share above `mean`.
    """

    name: str
    mean: float
    sd: float
    success: float
    draw: Callable[[Generator, tuple[int, ...]], Array]
    quantile: Callable[[Array], Array]


def _normal() -> Data:
    mean, sd = 5.0, 1.0
    return Data(
        "normal",
        mean,
        sd,
        success=0.5,
        draw=lambda generator, shape: generator.normal(mean, sd, shape),
        quantile=lambda p: mean + sd * special.ndtri(p),
    )


def _lognormal() -> Data:
    sigma = 0.8
    mean = float(np.exp(sigma**2 / 2))
    return Data(
        "lognormal",
        mean,
        sd=mean * float(np.sqrt(np.expm1(sigma**2))),
        success=float(stats.norm.sf(sigma / 2)),
        draw=lambda generator, shape: generator.lognormal(0.0, sigma, shape),
        quantile=lambda p: np.exp(sigma * special.ndtri(p)),
    )


def _collapse() -> Data:
    """One run in five collapses: its score is 20 instead of 100, each with a noise of sd 4."""
    good, bad, share, noise = 100.0, 20.0, 0.8, 4.0
    mean = share * good + (1 - share) * bad
    sd = float(np.sqrt(share * (1 - share) * (good - bad) ** 2 + noise**2))

    def draw(generator: Generator, shape: tuple[int, ...]) -> Array:
        level = np.where(generator.random(shape) < share, good, bad)
        return np.asarray(level + generator.normal(0.0, noise, shape))

    def quantile(p: Array) -> Array:
        # The two humps do not overlap (20 sd apart): below 1 - share the lower one, else the upper.
        low = p < 1 - share
        inner = np.where(low, p / (1 - share), (p - (1 - share)) / share)
        return np.asarray(np.where(low, bad, good) + noise * special.ndtri(inner))

    return Data("collapse", mean, sd, share, draw, quantile)


#: Counts on new data sets: data, runs, number of data sets, generator.
Count = Callable[[Data, int, int, Generator], Covered]

DATA = (_normal(), _lognormal(), _collapse())


def _chunks(draws: int) -> Iterator[int]:
    for start in range(0, draws, CHUNK):
        yield min(CHUNK, draws - start)


def _raw(_: int) -> float:
    """Tail of raw percentiles: the nominal one, whatever the number of runs."""
    return TAIL


def _inside(low: Array, high: Array, truth: float) -> Flags:
    return np.asarray((low <= truth) & (truth <= high))


def _around_mean(half_width: Callable[[Array], Array]) -> Count:
    def covered(data: Data, n: int, draws: int, generator: Generator) -> Covered:
        runs = data.draw(generator, (draws, n))
        return np.asarray(np.abs(runs.mean(axis=1) - data.mean) <= half_width(runs))

    return covered


def _sd(runs: Array) -> Array:
    return np.asarray(runs.std(axis=1, ddof=1))


def _se(runs: Array) -> Array:
    return np.asarray(runs.std(axis=1, ddof=1) / np.sqrt(runs.shape[1]))


def _t(runs: Array) -> Array:
    return statistics.t_half_width(runs, axis=1)


def _percentile(data: Data, n: int, draws: int, generator: Generator) -> Covered:
    covered = []
    for size in _chunks(draws):
        [drawn] = across_tasks.resample([data.draw(generator, (size, n))], RESAMPLES, generator)
        ends = statistics.percentile_interval(drawn.mean(axis=-1), TAIL)
        covered.append(_inside(*ends, data.mean))
    return np.concatenate(covered)


def _studentised(data: Data, n: int, draws: int, generator: Generator) -> Covered:
    """Bootstrap-t: quantiles of (mean* - mean) / se* in place of Student's.

    Undefined at n = 3: one resample in nine is a single run three times and has no spread, more
    than both tails together.
    """
    if n ** (1 - n) > 2 * TAIL:
        return None
    covered = []
    for size in _chunks(draws):
        runs = data.draw(generator, (size, n))
        [drawn] = across_tasks.resample([runs], RESAMPLES, generator)
        mean, error = runs.mean(axis=1, keepdims=True), drawn.std(axis=-1, ddof=1) / np.sqrt(n)
        gap = drawn.mean(axis=-1) - mean
        # Resamples without spread lie infinitely far out on their side.
        flat = np.ptp(drawn, axis=-1) == 0
        t = np.where(flat, np.copysign(np.inf, gap), gap / np.where(flat, 1.0, error))
        # Whole draws as quantiles: between an infinite one and a number lies nothing.
        low, high = np.quantile(t, [TAIL, 1 - TAIL], axis=-1, method="inverted_cdf")
        own = _se(runs)
        covered.append(_inside(mean[:, 0] - high * own, mean[:, 0] - low * own, data.mean))
    return np.concatenate(covered)


def _iqm(tail: Callable[[int], float]) -> Count:
    """IQM over nine tasks whose means lie up to one sd above and below the distribution's."""

    def covered(data: Data, n: int, draws: int, generator: Generator) -> Covered:
        offsets = np.linspace(-data.sd, data.sd, TASKS)
        truth = true_iqm(data, offsets)
        found = []
        for size in _chunks(draws):
            tasks = [data.draw(generator, (size, n)) + offset for offset in offsets]
            drawn = across_tasks.iqm(across_tasks.resample(tasks, RESAMPLES, generator))
            found.append(_inside(*statistics.percentile_interval(drawn, tail(n)), truth))
        return np.concatenate(found)

    return covered


def true_iqm(data: Data, offsets: Array) -> float:
    """IQM of infinitely many runs of every task: the IQM of evenly spaced quantiles."""
    points = 20_000
    levels = (np.arange(points) + 0.5) / points
    return float(across_tasks.iqm([data.quantile(levels) + offset for offset in offsets]))


def _clopper_pearson(data: Data, n: int, draws: int, generator: Generator) -> Covered:
    """The share of runs above the true mean; of collapsing runs, those that learn."""
    counts = (data.draw(generator, (draws, n)) > data.mean).sum(axis=1)
    ends = np.array([learning.clopper_pearson(k, n) for k in range(n + 1)])[counts]
    return _inside(ends[:, 0], ends[:, 1], data.success)


def _ratio(data: Data, n: int, draws: int, generator: Generator) -> Covered:
    """`ratio_interval` holds a ratio exactly where its contrast is not rejected, or is unbounded."""
    arms = RATIO * data.draw(generator, (draws, n)), data.draw(generator, (draws, n))
    means = (arms[0].mean(axis=1), arms[1].mean(axis=1))
    errors = (arms[0].var(axis=1, ddof=1) / n, arms[1].var(axis=1, ddof=1) / n)
    unbounded = np.abs(means[1]) <= statistics.t_half_width(arms[1], axis=1)
    return np.asarray(unbounded | (contrast_excess(means, errors, (n, n), RATIO) <= 0))


def _paired_ratio(tail: Callable[[int], float]) -> Count:
    """Both runs of a pair share half of what makes them differ from the mean."""

    def covered(data: Data, n: int, draws: int, generator: Generator) -> Covered:
        found = []
        for size in _chunks(draws):
            shared, first, second = (data.draw(generator, (size, n)) for _ in range(3))
            ratios = learning.ratio_draws(
                RATIO * (shared + first), shared + second, RESAMPLES, generator
            )
            found.append(_inside(*statistics.percentile_interval(ratios, tail(n)), RATIO))
        return np.concatenate(found)

    return covered


#: Every interval of the table by its name.
INTERVALS: dict[str, Count] = {
    "mean: Student-t": _around_mean(_t),
    "mean: percentile bootstrap": _percentile,
    "mean: studentised bootstrap": _studentised,
    "mean ± sd": _around_mean(_sd),
    "mean ± se": _around_mean(_se),
    "IQM of 9 tasks: bootstrap, raw percentiles": _iqm(_raw),
    "IQM of 9 tasks: bootstrap, expanded percentiles": _iqm(
        lambda n: statistics.expanded_tail(n, TASKS * (n - 1))
    ),
    "IQM of 9 tasks: the same with the degrees of one task": _iqm(statistics.expanded_tail),
    "share of runs: Clopper-Pearson": _clopper_pearson,
    "ratio of means: Welch contrasts inverted": _ratio,
    "paired ratio: bootstrap, raw percentiles": _paired_ratio(_raw),
    "paired ratio: bootstrap, expanded percentiles": _paired_ratio(statistics.expanded_tail),
}

Table = dict[str, list[float | None]]


def simulate(
    draws: int,
    seed: int = SEED,
    intervals: Sequence[str] = tuple(INTERVALS),
    advance: Callable[[], None] = lambda: None,
) -> Table:
    """Coverage of each interval: `DATA` x `RUNS` cells, from `draws` data sets each.

    Every cell has a generator of its own, so that it does not depend on which others are computed.
    """
    if draws < 1:
        raise AnalysisError(f"the number of draws must be at least 1, not {draws}")
    table: Table = {}
    for name in intervals:
        row = list(INTERVALS).index(name)
        table[name] = []
        for column, data in enumerate(DATA):
            for n in RUNS:
                generator = np.random.default_rng((seed, row, column, n))
                covered = INTERVALS[name](data, n, draws, generator)
                table[name].append(None if covered is None else float(covered.mean()))
                advance()
    return table


def to_markdown(table: Table) -> str:
    """Coverage as a Markdown table, three decimals, a dash where an interval is not defined."""
    heads = [f"{data.name}, {n}" for data in DATA for n in RUNS]
    lines = [f"| interval | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for name, row in table.items():
        cells = [DASH if share is None else f"{share:.3f}" for share in row]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, nothing where standard error goes elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda: None
        return
    with Progress(console=console, transient=True) as bar:
        job = bar.add_task("coverage", total=total)
        yield lambda: bar.advance(job)


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: print the table, or write it to a file."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m analysis.coverage")
    parser.add_argument("--draws", type=int, default=DRAWS, help="data sets a cell (default: 4000)")
    parser.add_argument("--out", type=Path, help="write the table to this file, not to the screen")
    options = parser.parse_args(arguments)

    def run() -> None:
        with _progress(len(INTERVALS) * len(DATA) * len(RUNS)) as advance:
            page = to_markdown(simulate(options.draws, advance=advance))
        if options.out:
            write_text(options.out, page)
        else:
            print(page, end="")

    return exit_code(run)


if __name__ == "__main__":
    sys.exit(main())
