"""One tier of one checkout: its plan, the papers' descriptions and the command line for them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from analysis.claim_file import Claim, read_claims
from analysis.errors import exit_code
from analysis.exported import read_exported
from analysis.layout import Known, Layout, read_layout
from analysis.load import ArmResult, Results, load
from analysis.published import Published, read_published
from paper_tables.plan import Device, Plan, make_plan
from paper_tables.registry import Registry, read_papers, read_registry
from paper_tables.schema import Judged


@dataclass(frozen=True)
class Workspace:
    """Everything the analysis of one tier starts from.

    `tiers` as declared, in order of budget; `unimplemented` are the declared algorithms without code;
    `restricted`: only some of the papers were asked for; `exports`: folders of exported runs that stand
    in for missing ones.
    """

    root: Path
    tier: str
    tiers: tuple[str, ...]
    judged: Judged
    papers: tuple[str, ...]
    plan: Plan
    titles: Mapping[str, str] = field(default_factory=dict)
    papers_dir: Path | None = None
    unimplemented: frozenset[str] = frozenset()
    restricted: bool = False
    config: Path | None = None
    exports: tuple[Path, ...] = ()

    @property
    def registry(self) -> Registry:
        """Tasks and algorithms as configured."""
        return read_registry(self.config or self.root / "config", self.root)

    def load(self) -> Results:
        """Results of the plan; raises `AnalysisError` if the tier has none."""
        exported = read_exported(self.exports) if self.exports else None
        return load(self.plan, self.root, self.restricted, exported)

    @property
    def _described(self) -> Path:
        return self.papers_dir or self.root / "paper_tables"

    def folder(self, paper: str) -> Path:
        """Where a paper is described."""
        return self._described / paper

    def claims(self, paper: str) -> list[Claim]:
        """The claims of a paper (none if it lists none)."""
        path = self.folder(paper) / "claims.csv"
        return read_claims(path, paper, self.tiers) if path.is_file() else []

    def published(self, paper: str) -> Published:
        """The numbers that a paper reports."""
        return read_published(self.folder(paper) / "reference.csv")

    def layout(self, paper: str) -> Layout:
        """The tables of a paper."""
        return read_layout(self.folder(paper) / "tables.yaml", self.tiers)

    def check(self) -> None:
        """Check how every paper is described; `claims.csv`, `reference.csv` and `tables.yaml` need no runs.

        Raises:
            AnalysisError, PlanError: the first mistake, as one line with file and key.
        """
        known = self.registry
        for name, paper in read_papers(self._described, self.papers).items():
            self.claims(name)
            self.published(name)
            names = Known(known.algos, known.tasks, paper.experiments)
            names.check(self.layout(name), self.folder(name) / "tables.yaml")

    def title(self, algo: str) -> str:
        """The name of an algorithm as printed."""
        return self.titles.get(algo, algo)

    def absence(self, algo: str, result: ArmResult | None) -> str:
        """Why a figure has nothing to show of an algorithm."""
        declared = result is not None and result.arm.status != "planned"
        return "not implemented" if declared or algo in self.unimplemented else "not run"


def open_workspace(
    tier: str,
    papers: Sequence[str] | None = None,
    root: Path = Path(),
    device: Device = "cpu",
    source: str | None = None,
    config: Path | None = None,
    papers_dir: Path | None = None,
    exports: Sequence[Path] = (),
) -> Workspace:
    """Plan `tier` as the runs were planned (the last five as given to the workflow).

    Raises:
        PlanError: unknown tier or paper, or a mistake in the configuration.
    """
    config, papers_dir = config or root / "config", papers_dir or root / "paper_tables"
    plan = make_plan(
        tier, papers, root, config=config, papers_dir=papers_dir, device=device, source=source
    )
    registry = read_registry(config, root)
    names = tuple(read_papers(papers_dir)) if papers is None else tuple(papers)
    return Workspace(
        root=root,
        tier=tier,
        tiers=tuple(registry.tiers),
        judged=plan.settings.judged,
        papers=names,
        plan=plan,
        titles={name: algo.file.title for name, algo in registry.algos.items()},
        papers_dir=papers_dir,
        unimplemented=frozenset(
            name
            for name, algo in registry.algos.items()
            if registry.missing_module(algo.file.implementation)
        ),
        restricted=papers is not None,
        config=config,
        exports=tuple(exports),
    )


def options_parser(description: str) -> argparse.ArgumentParser:
    """The options that all commands share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--tier", required=True, help="a tier of config/tiers.yaml")
    parser.add_argument("--paper", action="append", help="a folder of paper_tables (default: all)")
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout (default: here)")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="device of runs")
    parser.add_argument("--source", choices=["local", "d4rl", "file"], help="data source of runs")
    parser.add_argument("--config", type=Path, help="configuration folder (default: config)")
    parser.add_argument("--papers-dir", type=Path, help="folder of papers (default: paper_tables)")
    parser.add_argument(
        "--exported",
        type=Path,
        action="append",
        default=[],
        help="folder of exported runs that stand in for missing ones, such as docs/results/bmil",
    )
    return parser


def from_options(options: argparse.Namespace, papers: Sequence[str] | None) -> Workspace:
    """The workspace that the shared options describe, for `papers` (None: all)."""
    return open_workspace(
        options.tier,
        papers,
        options.root,
        options.device,
        options.source,
        options.config,
        options.papers_dir,
        options.exported,
    )


def command_line(
    command: Callable[[Workspace], None], description: str, arguments: Sequence[str] | None
) -> int:
    """Parse the options that all commands share and run `command`; return the exit code."""
    options = options_parser(description).parse_args(arguments)
    return exit_code(lambda: command(from_options(options, options.paper)))
