"""The plan: every arm that a tier runs, and every job that it takes.

``python -m paper_tables.plan --tier quick`` prints the whole grid. Nothing is imported but the
standard library, yaml and pydantic, so planning works where torch is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from paper_tables.build import Builder, Wanted
from paper_tables.claim_arms import check_claims
from paper_tables.errors import select, unknown
from paper_tables.grid import Arm, Device, Job, Plan
from paper_tables.registry import read_papers, read_registry
from paper_tables.resolve import check_tier
from paper_tables.schema import PaperFile, Tier

__all__ = ["Arm", "Device", "Job", "Plan", "make_plan"]


def _wanted(
    tier: Tier, papers: Mapping[str, PaperFile], folder: Path, where: str
) -> Iterator[tuple[str, list[Wanted]]]:
    """Every entry of the tier with its experiments; a name that no paper declares is refused."""
    known = [f"{paper}/{name}" for paper, file in papers.items() for name in file.experiments]
    for entry, parts in tier.experiments.items():
        names = [
            name.partition("/")
            for name in select([entry], known, f"{where}: experiments", "experiment")
        ]
        for part in parts if isinstance(parts, list) else [parts]:
            yield (
                entry,
                [
                    Wanted(papers[paper], name, part, str(folder / paper / "experiments.yaml"))
                    for paper, _, name in names
                ],
            )


def make_plan(
    tier: str,
    papers: Iterable[str] | None = None,
    root: Path = Path(),
    *,
    config: Path | None = None,
    papers_dir: Path | None = None,
    device: Device = "cpu",
    source: str | None = None,
) -> Plan:
    """Plan one tier.

    Args:
        tier: a tier of `config/tiers.yaml`.
        papers: papers to keep; None keeps all.
        root: the checkout; `config` and `papers_dir` lie in it unless given.
        config: folder with `tasks.yaml`, `tiers.yaml` and `algos/`.
        papers_dir: folder with one folder a paper.
        device: decides how many runs pack into one job.
        source: `local`, `d4rl` or `file` in place of the tier's own data source.

    Raises:
        PlanError: any mistake in the files, as one line with file, key and nearest name.
    """
    folder = papers_dir or root / "paper_tables"
    registry = read_registry(config or root / "config", root)
    check_tier(registry, tier)
    files = read_papers(folder)
    kept = set(files) if papers is None else set(papers)
    for name in sorted(kept - set(files)):
        raise unknown(str(folder), "paper", name, files)
    builder = Builder(registry, tier, device, source, root)
    for entry, experiments in _wanted(builder.tier, files, folder, builder.resolver.where):
        if all(wanted.paper.paper in kept for wanted in experiments):
            builder.check_part(entry, experiments)
        for wanted in experiments:
            if wanted.paper.paper in kept:
                builder.add(wanted)
    check_claims(builder, (files[name] for name in files if name in kept), folder)
    blocked = {path: job for path, job in builder.blocked.items() if path not in builder.jobs}
    arms, misspelt = tuple(builder.arms.values()), tuple(builder.misspelt.values())
    return Plan(tier, builder.tier, arms, builder.jobs, blocked, misspelt)


if __name__ == "__main__":
    from paper_tables.overview import main

    sys.exit(main())
