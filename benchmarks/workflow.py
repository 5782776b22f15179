"""Commands that are measured as a whole: planning with Snakemake, and a ROMI-BCQ job with a large model buffer."""

from __future__ import annotations

import json
import pstats
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.processes import ROOT, ProcessError, Usage, run
from benchmarks.results import Row
from benchmarks.windows import Progress
from benchmarks.worker import PROFILE_ROWS
from paper_tables.plan import Job, make_plan

DRY_RUN = ("snakemake", "-n", "--nocolor", "--config", "tier=bench")
TASK = "maze2d-umaze-v1"
#: Jobs of one seed of `PAPER`: data, fit, and train, evaluate, result of two algorithms.
JOBS_PER_SEED = 8
#: The report, and the target itself.
JOBS_ONCE = 2
PAPER = {
    "paper": "arms",
    "title": "two arms",
    "source": "benchmark",
    "experiments": {
        "main": {
            "title": "two arms",
            "source": "benchmark",
            "tasks": [TASK],
            "arms": [{"algorithms": ["bcq", "romi_bcq"]}],
        }
    },
}
PLANNED = {"full": (200, 2000, 10_000), "quick": (200,)}
REPEATS = {"full": 3, "quick": 1}


@dataclass(frozen=True)
class Size:
    """Budgets of a job; the evaluation is that of the suite's default but for its starts."""

    transitions: int
    buffer: int
    updates: int
    episodes: int


FULL = Size(transitions=1_000_000, buffer=4_000_000, updates=200, episodes=10)
SMALL = Size(transitions=20_000, buffer=50_000, updates=20, episodes=1)


def tier(seeds: int, size: Size) -> dict[str, Any]:
    """A tier of the paper above with short budgets."""
    train = {"updates": size.updates, "evaluate_every": size.updates, "report_evaluations": 1}
    train["evaluation_episodes"] = size.episodes
    return {
        "title": "benchmark",
        "judged": "none",
        "seeds": seeds,
        "seed_block": 1,
        "data": {"transitions": {"*": size.transitions}, "seed": "run"},
        "experiments": {"arms/main": {}},
        "budgets": {
            "bcq": train,
            "romi_bcq": {**train, "model_buffer_size": size.buffer},
            "ensemble": {"max_updates": size.updates, "evaluate_every": size.updates},
        },
    }


@contextmanager
def project(seeds: int, size: Size) -> Iterator[Path]:
    """A project folder with the suite's Snakefile, profiles, tasks and algorithms, and the tier ``bench``."""
    with tempfile.TemporaryDirectory(prefix="hindcast-benchmark-") as name:
        root = Path(name)
        for folder in ("profiles", "config"):
            shutil.copytree(ROOT / folder, root / folder)
        shutil.copy2(ROOT / "Snakefile", root)
        tiers = {"tiers": {"bench": tier(seeds, size)}}
        (root / "config/tiers.yaml").write_text(yaml.safe_dump(tiers), encoding="utf-8")
        paper = root / "paper_tables/arms/experiments.yaml"
        paper.parent.mkdir(parents=True)
        paper.write_text(yaml.safe_dump(PAPER, sort_keys=False), encoding="utf-8")
        yield root


def seeds_for(jobs: int) -> int:
    """Seeds that make about so many jobs."""
    return round((jobs - JOBS_ONCE) / JOBS_PER_SEED)


def planned_jobs(output: str) -> int:
    """The total of Snakemake's job table."""
    found = re.search(r"^total\s+(\d+)", output, re.MULTILINE)
    if not found:
        raise ProcessError("snakemake -n printed no job table")
    return int(found.group(1))


def planning(quick: bool, told: Progress) -> list[Row]:
    """CPU seconds and peak memory of a dry run and of the plan alone, by number of jobs."""
    kind = "quick" if quick else "full"
    sizes = PLANNED[kind]
    rows: dict[str, list[Usage]] = {}
    for repeat in range(REPEATS[kind]):
        for jobs in sizes:
            told(f"planning: {jobs:,} jobs, {repeat + 1}/{REPEATS[kind]}")
            with project(seeds_for(jobs), SMALL) as root:
                for name, used in _plan_once(root, jobs).items():
                    rows.setdefault(f"{name}, {jobs:,} jobs", []).append(used)
    return [_row(name, rows[name]) for name in sorted(rows, key=lambda each: each.split(",")[0])]


def _plan_once(root: Path, jobs: int) -> dict[str, Usage]:
    python = [sys.executable, "-m"]
    dry = run([*python, *DRY_RUN], cwd=root)
    found = planned_jobs(dry.output)
    if abs(found - jobs) > JOBS_PER_SEED:
        raise ProcessError(f"snakemake -n planned {found} jobs where {jobs} were asked for")
    plan = run([*python, "paper_tables.plan", "--tier", "bench", "--root", str(root)], cwd=root)
    return {"snakemake -n": dry, "the plan alone": plan}


def _row(name: str, used: list[Usage]) -> Row:
    return Row(
        name,
        "CPU-s",
        [each.cpu for each in used],
        peak_memory_mb=max(each.peak_mb for each in used),
    )


def profile_planning(name: str) -> list[dict[str, Any]]:
    """The functions that take most time of their own in the dry run of a row ``snakemake -n, N jobs``."""
    jobs = int(name.split(",", 1)[1].replace(",", "").removesuffix(" jobs"))
    with project(seeds_for(jobs), SMALL) as root:
        file = root / "profile"
        run([sys.executable, "-m", "cProfile", "-o", str(file), "-m", *DRY_RUN], cwd=root)
        found: Any = pstats.Stats(str(file))
    functions = sorted(found.stats.items(), key=lambda item: item[1][2], reverse=True)
    return [
        {
            "operator": function if path == "~" else f"{Path(path).name}:{line} {function}",
            "share": own / found.total_tt,
            "milliseconds": 1000 * own,
            "calls": calls,
        }
        for (path, line, function), (_, calls, own, *_) in functions[:PROFILE_ROWS]
    ]


def memory(quick: bool, told: Progress) -> list[Row]:
    """CPU seconds and peak memory of the jobs behind one short ROMI-BCQ run with a large model buffer."""
    size = SMALL if quick else FULL
    with project(1, size) as root:
        plan = make_plan("bench", root=root)
        jobs = [job for job in plan.jobs.values() if job.spec.get("algo") != "bcq"]
        jobs.sort(key=lambda job: ("data", "fit", "train").index(job.kind))
        rows = []
        for job in jobs:
            told(f"memory: {job.kind} {job.spec.get('algo', '')}")
            rows.append(_row(job_name(job, size), [run(command(job, root))]))
    return rows


def job_name(job: Job, size: Size) -> str:
    """Row name of a job."""
    if job.kind == "data":
        return f"data, {size.transitions:,} transitions"
    if job.spec["algo"] == "romi_bcq":
        return f"train romi_bcq, model buffer of {size.buffer:,} rows"
    return f"{job.kind} {job.spec['algo']}"


def command(job: Job, root: Path) -> list[str]:
    """The shell line of a job, with its files below ``root``."""
    module = {"data": "envs.datasets", "fit": "algos.fit", "train": "algos.train"}[job.kind]
    words = [sys.executable, "-m", module, *(["generate"] if job.kind == "data" else [])]
    words += ["--spec", json.dumps(job.spec)]
    if job.kind == "data":
        return [*words, "--out", str(root / job.path)]
    words += ["--data", *(str(root / file) for file in job.data)]
    if job.fits:
        words += ["--fits", *(f"{slot}={root / folder}" for slot, folder in job.fits.items())]
    return [*words, "--out", str(root / job.path)]
