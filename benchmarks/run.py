"""Measure speed and memory: ``python -m benchmarks.run [--quick] [--only NAME ..] [--out DIR]``.

Writes ``benchmarks.json`` and ``benchmarks.md`` after every benchmark, so that an interrupted run keeps what it has.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import catalogue, facts, report, workflow
from benchmarks.processes import ProcessError
from benchmarks.results import Result, Row, as_json, judge, read_targets
from benchmarks.windows import Comparison, Progress, session
from paper_tables.errors import PlanError

OUT = Path(__file__).with_name("out")


@dataclass(frozen=True)
class Benchmark:
    """A named benchmark: comparisons in windows, or commands measured as a whole."""

    title: str
    comparisons: Callable[[], list[Comparison]] = list
    commands: Callable[[bool, Progress], list[Row]] | None = None
    profile: Callable[[str], list[dict[str, Any]]] | None = None


BENCHMARKS: dict[str, Benchmark] = {
    "bcq": Benchmark(
        "BCQ training, networks of the authors' code, batch 100, metrics included",
        lambda: [catalogue.bcq(name) for name in catalogue.DIMENSIONS],
    ),
    "ensemble": Benchmark(
        "dynamics ensemble training, 7 networks of 4 x 200, batch 256",
        lambda: [catalogue.ensemble(name) for name in reversed(catalogue.DIMENSIONS)],
    ),
    "rollouts": Benchmark("imagined states", lambda: [catalogue.rollouts()]),
    "data": Benchmark("data generation", lambda: [catalogue.data()]),
    "plan": Benchmark("planning", commands=workflow.planning, profile=workflow.profile_planning),
    "memory": Benchmark("the jobs of one short ROMI-BCQ run", commands=workflow.memory),
    "evaluation": Benchmark("policy evaluation", lambda: [catalogue.evaluation()]),
    "imitation": Benchmark("BMIL training", lambda: [catalogue.imitation()]),
    "robustness": Benchmark(
        "policies from displaced starts",
        lambda: [
            catalogue.robustness("fetch-pick-and-place-v0", 20),
            catalogue.robustness("point-room5x11-v0", 2),
        ],
    ),
}


def measure(name: str, quick: bool, told: Progress) -> Result:
    """Run one benchmark; a failure is part of the result."""
    benchmark = BENCHMARKS[name]
    result = Result(name, benchmark.title)
    try:
        for comparison in benchmark.comparisons():
            _compare(result, comparison, quick, told)
        if benchmark.commands:
            result.rows += benchmark.commands(quick, told)
            _judge(result, result.rows, "", benchmark.profile)
    except (ProcessError, PlanError, OSError) as error:
        result.error = str(error)
    return result


def _compare(result: Result, comparison: Comparison, quick: bool, told: Progress) -> None:
    missing = facts.missing()
    result.notes += [
        f"{comparison.group}: {each.name} skipped, {missing[each.needs]}"
        for each in comparison.subjects
        if each.needs in missing
    ]
    with session(comparison, quick, missing, told) as running:
        running.warm()
        rows = running.measure()
        result.rows += rows
        _judge(result, rows, comparison.group, running.profile)


def _judge(
    result: Result,
    rows: Sequence[Row],
    group: str,
    profile: Callable[[str], list[dict[str, Any]]] | None,
) -> None:
    """Put rows beside their bounds, and say of those below them where the time goes."""
    judgements = judge(result.name, rows, read_targets(), facts.cpu_flags())
    result.judgements += judgements
    for judgement in judgements:
        if judgement.status != "met" and profile:
            title = f"{judgement.row} ({group})" if group else judgement.row
            result.profiles[title] = profile(judgement.row)


def write(out: Path, machine: dict[str, Any], results: Sequence[Result], quick: bool) -> Path:
    """Write both files; returns the page."""
    out.mkdir(parents=True, exist_ok=True)
    content = json.dumps(as_json(machine, results, quick), indent=1, allow_nan=False)
    (out / "benchmarks.json").write_text(content + "\n", encoding="utf-8")
    page = out / "benchmarks.md"
    page.write_text(report.markdown(machine, results, quick), encoding="utf-8")
    return page


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """A status line on a terminal, silence when piped."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield status.update


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 1 when a benchmark failed. A missed target is a result, not a failure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short windows: checks the tool only")
    parser.add_argument(
        "--only", nargs="+", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--out", type=Path, default=OUT, help="folder (default: benchmarks/out)")
    options = parser.parse_args(arguments)
    names = options.only or list(BENCHMARKS)
    results: list[Result] = []
    machine = facts.machine()  # before anything adds to the load
    page = options.out
    for name in names:
        with _progress() as told:
            results.append(measure(name, options.quick, told))
            page = write(options.out, machine, results, options.quick)
        if sys.stdout.isatty():
            report.show(Console(), results[-1])
    print(page)
    for failed in (result for result in results if result.error):
        print(f"error: {failed.name}: {failed.error}", file=sys.stderr)
    return int(any(result.error for result in results))


if __name__ == "__main__":
    sys.exit(main())
