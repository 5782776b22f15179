"""How good the scripted experts are: ``python -m envs.experts`` prints a table in Markdown.

The module that generates a task's demonstrations says so itself, in a function
``measure(task: Task, episodes: int, options: dict, seed: int) -> Measured``.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.errors import DatasetError, TaskError
from envs.spec import DEFAULT_GENERATOR, generator_of
from envs.tasks import Task, all_tasks, get_task

BAD_INPUT = 2
HEADINGS = ("task", "expert", "success", "first success (step)", "seconds per episode")


@dataclass(frozen=True)
class Measured:
    """Outcome of an expert's episodes from the start of the demonstrations.

    Attributes:
        expert: what it is, for the table.
        episodes: episodes driven, failed ones among them.
        successes: how many of them count as demonstrations.
        first_success: steps until the first success of each episode that had one, ``[at most episodes]`` int.
    """

    expert: str
    episodes: int
    successes: int
    first_success: np.ndarray


def measurable(task: Task) -> bool:
    """Whether the task exists and its generator can measure its expert."""
    local = task.data.get("local")
    if local is None or not task.implemented:
        return False
    if importlib.util.find_spec(local.get("implementation", DEFAULT_GENERATOR)) is None:
        return False
    return hasattr(generator_of(task), "measure")


def measure(name: str, episodes: int, noise: float | None, seed: int) -> tuple[Measured, float]:
    """The outcome of a task's expert and the seconds that an episode took; ``noise`` None: the task's own.

    Raises:
        TaskError: no such task, no expert to measure, or options that do not fit.
    """
    task = get_task(name)
    if not measurable(task):
        raise TaskError(f"task {name} has no expert that can be measured; leave it out of --tasks")
    generator = generator_of(task)
    options: dict[str, Any] = dict(task.data["local"].get("options", {}))
    if noise is not None and "noise" in options:
        options["noise"] = noise
    generator.check_options(options)
    begun = time.perf_counter()
    found: Measured = generator.measure(task, episodes, options, seed)
    return found, (time.perf_counter() - begun) / episodes


def table(names: Sequence[str], episodes: int, noise: float | None, seed: int) -> str:
    """The Markdown table of some tasks' experts.

    Raises:
        TaskError: see `measure`.
    """
    lines = [_line(HEADINGS), _line(["---"] * len(HEADINGS))]
    for name in names:
        found, seconds = measure(name, episodes, noise, seed)
        steps = found.first_success
        lines.append(
            _line(
                (
                    name,
                    found.expert,
                    f"{found.successes}/{found.episodes}",
                    f"{steps.mean():.1f}" if len(steps) else "-",
                    f"{seconds:.3f}",
                )
            )
        )
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m envs.experts", description=__doc__)
    parser.add_argument("--tasks", nargs="+", metavar="NAME", help="default: all with an expert")
    parser.add_argument("--episodes", type=int, default=100, help="episodes a task (default 100)")
    parser.add_argument(
        "--noise",
        type=float,
        help="standard deviation of noise on actions (default: that of the task's demonstrations)",
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table; bad input ends with one line on stderr and exit code 2."""
    arguments = build_parser().parse_args(argv)
    names = arguments.tasks or [task.name for task in all_tasks().values() if measurable(task)]
    try:
        if arguments.episodes < 1:
            raise TaskError(f"--episodes: must be at least 1, got {arguments.episodes}")
        if arguments.seed < 0:
            raise TaskError(f"--seed: must not be negative, got {arguments.seed}")
        print(table(names, arguments.episodes, arguments.noise, arguments.seed))
    except (TaskError, DatasetError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(BAD_INPUT) from None


if __name__ == "__main__":
    main()
