"""Printing a plan: how much there is to run, by algorithm and task, and what cannot run yet."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paper_tables.errors import PlanError
from paper_tables.grid import Job, Plan
from paper_tables.plan import make_plan

SECONDS_PER_HOUR = 3600


@dataclass(frozen=True)
class Sheet:
    """A printed table."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Size:
    """How much a set of jobs is."""

    jobs: int
    runs: int
    core_hours: float

    @classmethod
    def of(cls, jobs: Iterable[Job]) -> Size:
        """Count fit and train jobs; data jobs take seconds and are left out."""
        kept = [job for job in jobs if job.kind != "data"]
        seconds = sum(job.core_seconds for job in kept)
        return cls(len(kept), sum(len(job.seeds) for job in kept), seconds / SECONDS_PER_HOUR)

    @property
    def cells(self) -> tuple[str, str, str]:
        """As printed."""
        return (str(self.jobs), str(self.runs), f"{self.core_hours:,.1f}")


def _by(plan: Plan, title: str, key: Callable[[Job], str]) -> Sheet:
    """Jobs to run and jobs declared only, grouped by `key`."""
    names = dict.fromkeys(
        key(job) for job in (*plan.jobs.values(), *plan.blocked.values()) if job.kind != "data"
    )
    rows = []
    for name in names:
        here = Size.of(job for job in plan.jobs.values() if key(job) == name)
        later = Size.of(job for job in plan.blocked.values() if key(job) == name)
        rows.append((name, *here.cells, *later.cells))
    total = (*Size.of(plan.jobs.values()).cells, *Size.of(plan.blocked.values()).cells)
    columns = (title, "jobs", "runs", "core-h", "blocked jobs", "blocked runs", "blocked core-h")
    return Sheet(f"By {title}", columns, (*rows, ("total", *total)))


def _experiments(plan: Plan) -> Sheet:
    rows = []
    for name in dict.fromkeys(f"{arm.paper}/{arm.experiment}" for arm in plan.arms):
        arms = [arm for arm in plan.arms if f"{arm.paper}/{arm.experiment}" == name]
        planned = [arm for arm in arms if arm.status == "planned"]
        seeds = max(len(arm.seeds) for arm in arms)
        rows.append((name, str(len(planned)), str(len(arms) - len(planned)), str(seeds)))
    return Sheet("By experiment", ("experiment", "arms", "not implemented", "seeds"), tuple(rows))


def _missing(plan: Plan) -> Sheet:
    """Why arms cannot run, with how many arms, algorithms and tasks each reason stops."""
    reasons = Counter(arm.reason for arm in plan.arms if arm.reason)
    rows = []
    for reason, count in reasons.most_common():
        stopped = [arm for arm in plan.arms if arm.reason == reason]
        algos = ", ".join(dict.fromkeys(arm.algo for arm in stopped))
        tasks = len({arm.task for arm in stopped})
        rows.append((str(reason), str(count), algos, str(tasks)))
    return Sheet("Declared, cannot run yet", ("reason", "arms", "algorithms", "tasks"), tuple(rows))


def sheets(plan: Plan, missing_only: bool = False) -> list[Sheet]:
    """Everything that is printed about a plan."""
    if missing_only:
        return [_missing(plan)]
    by_algo = _by(plan, "algorithm", lambda job: str(job.spec.get("algo")))
    by_task = _by(plan, "task", lambda job: str(job.spec["task"]))
    return [_experiments(plan), by_algo, by_task, *([_missing(plan)] if plan.blocked else [])]


def as_json(plan: Plan, missing_only: bool = False) -> str:
    """Arms and jobs as JSON."""
    arms = [arm for arm in plan.arms if not missing_only or arm.reason]
    content: dict[str, Any] = {
        "tier": plan.tier,
        "title": plan.settings.title,
        "arms": [dataclasses.asdict(arm) for arm in arms],
    }
    if not missing_only:
        content["jobs"] = [dataclasses.asdict(job) for job in plan.jobs.values()]
        content["blocked"] = [dataclasses.asdict(job) for job in plan.blocked.values()]
    return json.dumps(content, indent=1)


def print_sheets(title: str, content: Sequence[Sheet]) -> None:
    """Print tables: with rich on a terminal, tab-separated where the output goes elsewhere."""
    if not sys.stdout.isatty():
        print(title)
        for sheet in content:
            print(f"\n{sheet.title}\n" + "\t".join(sheet.columns))
            for row in sheet.rows:
                print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(title, style="bold")
    for sheet in content:
        table = Table(title=sheet.title, title_justify="left")
        for column in sheet.columns:
            numeric = all(row[sheet.columns.index(column)][:1].isdigit() for row in sheet.rows)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m paper_tables.plan", description="Print what a tier runs and what it costs."
    )
    parser.add_argument("--tier", default="quick", help="a tier of tiers.yaml (default: quick)")
    parser.add_argument("--paper", action="append", help="only this paper (may be repeated)")
    parser.add_argument("--missing", action="store_true", help="only what cannot run yet, and why")
    parser.add_argument("--json", action="store_true", help="arms and jobs as JSON")
    parser.add_argument("--config", type=Path, help="configuration folder (default: config)")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: here)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="device of jobs")
    parser.add_argument("--source", choices=["local", "d4rl", "file"], help="data source")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; exit code 2 and one line on standard error for a mistake in the files."""
    options = _options(arguments)
    try:
        plan = make_plan(
            options.tier,
            options.paper,
            options.root,
            config=options.config,
            device=options.device,
            source=options.source,
        )
    except PlanError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    try:
        _print_plan(plan, options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader (head, a pager) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _print_plan(plan: Plan, options: argparse.Namespace) -> None:
    if options.json:
        print(as_json(plan, options.missing))
    elif options.missing and not plan.blocked:
        print(f"{plan.tier}: everything that this tier declares can run")
    else:
        print_sheets(f"{plan.tier}: {plan.settings.title}", sheets(plan, options.missing))
