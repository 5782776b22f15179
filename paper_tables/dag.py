"""What the Snakefile asks of the plan: inputs, params and resources of each job, and targets."""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from paper_tables import paths
from paper_tables.digest import sha256
from paper_tables.errors import PlanError, unknown
from paper_tables.exported import exported_seeds
from paper_tables.plan import Device, Job, Plan, make_plan
from paper_tables.registry import read_papers, read_registry
from paper_tables.schema import DataSource
from paper_tables.yamlio import read_yaml

#: Settings that `snakemake --config` may give, with their defaults.
SETTINGS: dict[str, str] = {
    "tier": "quick",
    "device": "cpu",
    "config_dir": "config",
    "papers_dir": "paper_tables",
    "data_source": "",
    "exported": "",
    "container": "hindcast.sif",
}


#: What the report reads of a paper, besides its experiments.
PAPER_FILES = ("claims.csv", "reference.csv", "tables.yaml")

#: Files of a fit that training reads.
FIT_INPUTS = paths.FIT_FILES[:2]


#: The format of a table that Snakemake's own report shows.
REPORT_FORMAT = "html"


def _entry(caption: str, category: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Flags of a file in Snakemake's own report; captions lie beside the workflow."""
    return {
        "caption": f"workflow/report/{caption}.rst",
        "category": category,
        "labels": {**labels, "tier": "{tier}"},
    }


class Dag:
    """Plans of the tiers that are asked for; a tier is planned when first needed."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        for name in settings:
            if name not in SETTINGS:
                raise unknown("--config", "setting", name, SETTINGS)
        given = {key: str(value) for key, value in settings.items() if value is not None}
        self.settings = {**SETTINGS, **given}
        if self.settings["device"] not in ("cpu", "cuda"):
            raise unknown("--config", "device", self.settings["device"], ("cpu", "cuda"))
        if (source := self.settings["data_source"]) and source not in get_args(DataSource):
            raise unknown("--config", "data_source", source, get_args(DataSource))
        self.config_dir = self._folder("config_dir", Path(__file__).parents[1] / "config")
        self.papers_dir = self._folder("papers_dir", Path(__file__).parent)
        self._exports = [Path(name)] if (name := self.settings["exported"]) else []
        self._exported = exported_seeds(self._exports)
        self._plans: dict[str, Plan] = {}
        self._diagnosed: dict[str, set[str]] = {}
        self._jobs: dict[str, Job] = {}
        self.plan(self.tier)

    def _folder(self, setting: str, installed: Path) -> Path:
        """The folder a setting names; the installed one when the default is not here."""
        folder = Path(self.settings[setting])
        default = self.settings[setting] == SETTINGS[setting]
        return installed if default and not folder.is_dir() else folder

    @property
    def tier(self) -> str:
        """The tier that targets without a tier in their name belong to."""
        return self.settings["tier"]

    @property
    def device(self) -> Device:
        """The kind of device that jobs are packed for and run on."""
        return "cuda" if self.settings["device"] == "cuda" else "cpu"

    @property
    def environment(self) -> str:
        """Variables set in the shell lines of jobs that compute, as the shell reads them."""
        variables = {"HINDCAST_DEVICE": str(self.device)}
        if self.config_dir != Path(SETTINGS["config_dir"]):
            variables["HINDCAST_CONFIG"] = str(self.config_dir)
        return " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())

    def plan(self, tier: str) -> Plan:
        """The plan of a tier, made once."""
        if tier not in self._plans:
            source = self.settings["data_source"] or None
            self._plans[tier] = make_plan(
                tier,
                config=self.config_dir,
                papers_dir=self.papers_dir,
                device=self.device,
                source=source,
            )
            self._jobs.update(self._plans[tier].jobs)
        return self._plans[tier]

    def job(self, path: str, tier: str | None = None) -> Job:
        """The job that makes `path`."""
        if tier:
            self.plan(tier)
        if path not in self._jobs:
            raise PlanError(f"{path}: no arm of the planned tiers asks for it")
        return self._jobs[path]

    def data(self, wildcards: Any) -> Job:
        """The data job of a rule's wildcards."""
        file = f"{wildcards.source}-{wildcards.digest}.hdf5"
        return self.job(f"data/{wildcards.task}/{file}")

    def fit(self, wildcards: Any) -> Job:
        """The fit job of a rule's wildcards."""
        place = paths.TierPaths(wildcards.tier).fit
        return self.job(
            place(wildcards.algo, wildcards.task, wildcards.cell, wildcards.seeds), wildcards.tier
        )

    def train(self, wildcards: Any) -> Job:
        """The train job of a rule's wildcards."""
        place = paths.TierPaths(wildcards.tier).run
        return self.job(
            place(wildcards.algo, wildcards.task, wildcards.cell, wildcards.seeds), wildcards.tier
        )

    def fit_files(self, wildcards: Any) -> list[str]:
        """Files of the fits that a train job needs."""
        folders = self.train(wildcards).fits.values()
        return [f"{folder}/{name}" for folder in folders for name in FIT_INPUTS]

    def fit_options(self, wildcards: Any, files: Sequence[str]) -> list[str]:
        """The `--fits slot=DIR ..` part of a train job's shell line, empty without fits.

        The folders are those of `files`, the inputs that `fit_files` asked for: where results lie
        in a bucket, Snakemake hands out local copies of them elsewhere.
        """
        folders = [str(Path(file).parent) for file in files[:: len(FIT_INPUTS)]]
        items = zip(self.train(wildcards).fits, folders, strict=True)
        return ["--fits", *(f"{slot}={folder}" for slot, folder in items)] if folders else []

    def tier_files(self, tier: str) -> list[str]:
        """What a whole tier comes down to: its pages, and every result, also one that got lost."""
        place = paths.TierPaths(tier)
        return [place.summary, place.report, *self.report_inputs(tier)]

    def report_inputs(self, tier: str) -> list[str]:
        """Everything that the report of a tier is made of, but for exported runs."""
        plan = self.plan(tier)
        return self._to_run([*plan.results(), *plan.diagnoses()], tier)

    def tier_results(self, tier: str) -> list[str]:
        """Result files of a tier, but for those of exported runs."""
        return self._to_run(self.plan(tier).results(), tier)

    def _to_run(self, files: list[str], tier: str) -> list[str]:
        """Those of `files` of jobs that have a run which was not exported."""
        return [file for file in files if not self._is_exported(str(Path(file).parent), tier)]

    def _is_exported(self, folder: str, tier: str) -> bool:
        job = self.job(folder, tier)
        diagnosed = f"{folder}/{paths.DIAGNOSIS_FILES[0]}" in self._diagnoses(tier)
        return self._exported.has(job.digest, job.seeds, diagnosed)

    def _diagnoses(self, tier: str) -> set[str]:
        if tier not in self._diagnosed:
            self._diagnosed[tier] = set(self.plan(tier).diagnoses())
        return self._diagnosed[tier]

    def report_options(self, tier: str) -> list[str]:
        """Options of the report: the tier, and what else its plan was made with."""
        options = ["--tier", tier]
        if self.device != "cpu":
            options += ["--device", self.device]
        if self.settings["data_source"]:
            options += ["--source", self.settings["data_source"]]
        if self.settings["exported"]:
            options += ["--exported", self.settings["exported"]]
        if self.config_dir != Path(SETTINGS["config_dir"]):
            options += ["--config", str(self.config_dir)]
        if self.papers_dir != Path(SETTINGS["papers_dir"]):
            options += ["--papers-dir", str(self.papers_dir)]
        return options

    def report_digest(self, tier: str) -> str:
        """Digest of all that the report of a tier reads besides results: it changes the tables.

        Results are inputs of the report; this is how the papers are described, what is judged,
        and which arms belong to which experiment.
        """
        plan, registry = self.plan(tier), read_registry(self.config_dir)
        files = {
            f"{paper}/{name}": hashlib.sha256(path.read_bytes()).hexdigest()
            for paper in read_papers(self.papers_dir)
            for name in PAPER_FILES
            if (path := self.papers_dir / paper / name).is_file()
        }
        for folder in self._exports:
            for path in sorted(folder.rglob("*.csv")):
                files[str(path)] = hashlib.sha256(path.read_bytes()).hexdigest()
        content = {
            "files": files,
            "tiers": list(registry.tiers),
            "title": plan.settings.title,
            "judged": plan.settings.judged,
            "algorithms": {name: algo.file.title for name, algo in registry.algos.items()},
            "arms": [dataclasses.asdict(arm) for arm in plan.arms],
        }
        return sha256(content)

    def _tables(self) -> Iterator[tuple[str, str]]:
        """Paper and name of every table that is written."""
        for paper in read_papers(self.papers_dir):
            layout = self.papers_dir / paper / "tables.yaml"
            tables = read_yaml(layout).get("tables", {}) if layout.is_file() else {}
            yield from ((paper, name) for name in tables)

    def report_files(self) -> list[str]:
        """Files that the report of a tier always writes, but for those of `report_entries`.

        `{tier}` is left for the rule.
        """
        place = paths.TierPaths("{tier}")
        formats = [suffix for suffix in paths.TABLE_FORMATS if suffix != REPORT_FORMAT]
        tables = [place.table(*table, suffix) for table in self._tables() for suffix in formats]
        return [place.summary, *tables]

    def report_entries(self) -> dict[str, dict[str, Any]]:
        """The other files of a report, which `snakemake --report` shows: their flags by file."""
        place = paths.TierPaths("{tier}")
        entries = {
            place.claims: _entry("claims", "Overview", {"content": "claims and verdicts"}),
            place.report: _entry("page", "Overview", {"content": "the whole report"}),
        }
        for paper, name in self._tables():
            file = place.table(paper, name, REPORT_FORMAT)
            entries[file] = _entry("table", paper, {"content": name.replace("_", " ")})
        return entries

    def write_cell_names(self) -> None:
        """Spell out, beside the seeds, the cells whose name is too long for a folder."""
        for job in self._jobs.values():
            folder = Path(job.path).parent
            if job.kind != "data" and folder.name != job.cell:
                folder.mkdir(parents=True, exist_ok=True)
                (folder / paths.CELL_NAME_FILE).write_text(f"{job.cell}\n", encoding="utf-8")

    @cached_property
    def targets(self) -> dict[str, tuple[str | None, str | None, str | None]]:
        """Target name -> (paper, experiment, axis) it stands for."""
        targets: dict[str, tuple[str | None, str | None, str | None]] = {}
        for paper, file in read_papers(self.papers_dir).items():
            targets[paper] = (paper, None, None)
            for name, experiment in file.experiments.items():
                targets[f"{paper}_{name}"] = (paper, name, None)
                if experiment.axis:
                    targets[f"ablation_{experiment.axis}"] = (None, None, experiment.axis)
        return targets

    @cached_property
    def tiers(self) -> list[str]:
        """Names of all tiers."""
        return list(read_registry(self.config_dir).tiers)

    def target_results(self, target: str) -> list[str]:
        """Result and diagnosis files of a target in the configured tier; no result is an error."""
        paper, experiment, axis = self.targets[target]
        plan = self.plan(self.tier)
        results = plan.results(paper, experiment, axis)
        if not results:
            command = f"python -m paper_tables.plan --tier {self.tier}"
            raise PlanError(f"{target}: tier '{self.tier}' runs nothing of it; see: {command}")
        return self._to_run([*results, *plan.diagnoses(paper, experiment, axis)], self.tier)
