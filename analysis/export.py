"""A tier's results as a few small CSV files, to be published, mailed or read with pandas.

``python -m analysis.export --tier hour --out FOLDER [--paper bmil] [--experiment table2 ..]`` writes

* ``runs.csv``: a line a run with all its metrics, its budget and where it comes from;
* ``evaluations.csv``: a line an evaluation during training;
* ``starts.csv`` and ``outcomes.csv``: the displaced starts, and a digit for each of a run's (1: it succeeded);
* ``scenes.csv``: where the episode of the demonstrations starts, and its object and goal;
* ``claims.csv``: the lines of the ledger that these papers' runs were judged for.

``--exported FOLDER`` of every command reads them again (`analysis.exported`). Numbers have six significant digits.
A run that several experiments share has one line. The same results give the same bytes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from analysis import ledger
from analysis.claims import judge_all
from analysis.errors import AnalysisError, exit_code
from analysis.exported import EVALUATIONS_FILE, METRIC, RESERVED
from analysis.exported_starts import OUTCOMES_FILE, SCENES_FILE, STARTS_FILE
from analysis.files import csv_text, write_text
from analysis.load import ArmResult, Results, distinct
from analysis.records import FailedRun, Record, Run
from analysis.starts import Starts, read_starts
from analysis.verdicts import SILENT
from analysis.workspace import Workspace, from_options, options_parser
from paper_tables.errors import select
from paper_tables.exported import DIGEST, RUNS_FILE

Row = dict[str, Any]

#: Whole numbers below it, counts of updates say, are written in full.
WHOLE = 1e15
#: So much of a checksum is printed.
CHECKSUM = DIGEST


@dataclass(frozen=True)
class Shared:
    """One arm as it was run, with the experiments (`paper/experiment`) that ask for it."""

    result: ArmResult
    experiments: tuple[str, ...]

    @property
    def key(self) -> Row:
        """What its lines begin with."""
        arm = self.result.arm
        return {"algo": arm.algo, "task": arm.task, "cell": arm.cell}


def shared_arms(
    results: Results, papers: Sequence[str], experiments: Sequence[str]
) -> list[Shared]:
    """Arms with results of `papers` and `experiments` (none: all), each once."""
    chosen = [
        result
        for result in results.arms
        if result.records
        and (not papers or result.arm.paper in papers)
        and (not experiments or result.arm.experiment in experiments)
    ]
    names: dict[str, list[str]] = {}
    for result in chosen:
        name = f"{result.arm.paper}/{result.arm.experiment}"
        names.setdefault(result.arm.results[0], []).append(name)
    return [Shared(result, tuple(names[result.arm.results[0]])) for result in distinct(chosen)]


def run_rows(arm: Shared) -> Iterator[Row]:
    """A line for each finished or failed run."""
    for run in sorted(arm.result.every, key=lambda run: run.seed):
        record = next(record for record in arm.result.records if run.seed in record.seeds)
        reason = run.reason if isinstance(run, FailedRun) else ""
        yield {
            **arm.key,
            "experiments": " ".join(arm.experiments),
            "seed": run.seed,
            "status": "failed" if reason else "finished",
            "reason": reason,
            **({} if isinstance(run, FailedRun) else _metrics(run)),
            **_provenance(record, run.seed),
            "digest": arm.result.arm.digest[:CHECKSUM],
        }


def _metrics(run: Run) -> Row:
    """Its metrics; one that is called like another column gets a mark."""
    return {f"{METRIC}{k}" if k in RESERVED else k: value for k, value in run.metrics.items()}


def _provenance(record: Record, seed: int) -> Row:
    """Where a run comes from; runs of one job may share one data set or have one each."""
    data = next((entry for entry in record.data if entry.get("seed", seed) == seed), {})
    return {
        "updates": record.updates,
        "precision": record.precision,
        "version": record.version,
        "data_source": data.get("source"),
        "data_generator": data.get("generator"),
        "data_transitions": data.get("transitions"),
        "data_learnt": data.get("learnt"),
        "data_sha256": str(data.get("sha256", ""))[:CHECKSUM],
        "evaluation_protocol": record.evaluation.get("protocol"),
        "episodes_per_start": record.evaluation.get("episodes_per_start"),
        "commit": record.versions.get("hindcast"),
        "python": record.versions.get("python"),
        "torch": record.versions.get("torch"),
        "mujoco": record.versions.get("mujoco"),
        "hardware": record.hardware.get("cpu"),
        "gpu": record.hardware.get("gpu"),
        "cores": record.hardware.get("cores"),
        "capability": record.hardware.get("capability"),
        "runs_of_the_job": record.runs_of_the_job,
        "environment_steps_of_the_job": record.environment_steps,
        "cpu_seconds_of_the_job": record.cpu_seconds,
        "wall_seconds_of_the_job": record.wall_seconds,
    }


def evaluation_rows(arm: Shared) -> Iterator[Row]:
    """A line for each evaluation during training."""
    for row in arm.result.evaluations.to_dict("records"):
        yield {**arm.key, **{str(name): value for name, value in row.items()}}


def start_rows(arms: Sequence[Shared], root: Path) -> dict[str, list[Row]]:
    """Displaced starts, each list once, the outcomes of every run, and the scene of every task, by file.

    Raises:
        AnalysisError: outcomes that do not fit their starts.
    """
    lists: dict[tuple[str, int], list[Row]] = {}
    scenes: dict[str, list[Row]] = {}
    outcomes: list[Row] = []
    for arm in arms:
        starts = read_starts(arm.result, root)
        if starts is None:
            continue
        task, count = arm.result.arm.task, len(starts.place)
        place = {"task": task, "starts": count}
        rows = [
            {**place, "start": i, "x": _text(x), "y": _text(y), "cell": starts.names[cell]}
            for i, ((x, y), cell) in enumerate(zip(starts.place, starts.cell, strict=True))
        ]
        if lists.setdefault((task, count), rows) != rows:
            raise AnalysisError(f"{arm.result.name}: {count} other starts than another arm has")
        for seed, won in sorted(starts.succeeded.items()):
            digits = "".join("1" if one else "0" for one in won)
            outcomes.append({**arm.key, "seed": seed, "starts": count, "outcomes": digits})
        if found := scene_rows(task, starts):
            scenes[task] = found
    return {
        STARTS_FILE: list(chain.from_iterable(lists.values())),
        OUTCOMES_FILE: outcomes,
        SCENES_FILE: list(chain.from_iterable(scenes.values())),
    }


def scene_rows(task: str, starts: Starts) -> list[Row]:
    """Places in metres and cells of the training episode, as far as the task records them."""
    places = [(name, x, y, "") for name, (x, y) in sorted(starts.scene.items())]
    cells = [(name, None, None, f"{r},{c}") for name, (r, c) in sorted(starts.marked.items())]
    columns = ("task", "name", "x", "y", "cell")
    return [dict(zip(columns, (task, *one), strict=True)) for one in [*places, *cells]]


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with numbers as text; columns in the order in which they first occur."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return csv_text(({name: _text(value) for name, value in row.items()} for row in rows), columns)


def _text(value: Any) -> Any:
    if value is None or value != value:  # a metric that this evaluation does not have is NaN
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < WHOLE else f"{value:.6g}"
    return value


def export(
    space: Workspace, out: Path, papers: Sequence[str], experiments: Sequence[str]
) -> list[Path]:
    """Write the files below `out`; those that would be empty are left out. Returns what was written.

    Raises:
        AnalysisError: the tier, or the part that is asked for, has no results.
        PlanError: an experiment that no paper of the plan has.
    """
    select(papers, space.papers, "--paper", "paper")
    known = [arm.experiment for arm in space.plan.arms if not papers or arm.paper in papers]
    select(experiments, known, "--experiment", "experiment")
    results = space.load()
    arms = shared_arms(results, papers, experiments)
    if not arms:
        raise AnalysisError(
            f"nothing of tier '{space.tier}' to export: no results of "
            f"{', '.join([*papers, *experiments]) or 'any experiment'}"
        )
    of_runs = {name.partition("/")[0] for arm in arms for name in arm.experiments}
    chosen = set(experiments or known)
    files: dict[str, Sequence[Mapping[str, Any]]] = {
        RUNS_FILE: [row for arm in arms for row in run_rows(arm)],
        EVALUATIONS_FILE: [row for arm in arms for row in evaluation_rows(arm)],
        **start_rows(arms, space.root),
        "claims.csv": [
            row
            for row in map(ledger.row, judge_all(space, results))
            if row["paper"] in of_runs
            and row["experiment"] in chosen
            and row["verdict"] not in SILENT
        ],
    }
    return [write_text(out / name, _csv(rows)) for name, rows in files.items() if rows]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; exit code 2 and one line when the input cannot be used."""
    parser = options_parser("Write the results of a tier as a few small CSV files.")
    parser.add_argument(
        "--experiment", action="append", default=[], help="only these (default: all)"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the files")
    options = parser.parse_args(arguments)

    def run() -> None:
        space = from_options(options, papers=None)
        for path in export(space, options.out, options.paper or [], options.experiment):
            print(path)

    return exit_code(run)


if __name__ == "__main__":
    sys.exit(main())
