"""The one place that spells where results lie; all paths are relative to the project's root."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from paper_tables.digest import sha256

#: Longest cell name; above it the folder is a hash `cell.txt` beside its seeds spells it out.
CELL_LIMIT = 100
BASE_CELL = "base"

TRAIN_FILES = ("run.json", "policy.safetensors", "progress.csv")
FIT_FILES = ("fit.json", "model.safetensors", "progress.csv")
RESULT_FILE = "result.json"
EVALUATION_FILE = "evaluation.json"
DIAGNOSIS_FILES = ("diagnosis.json", "diagnosis.npz")
TABLE_FORMATS = ("md", "csv", "tex", "html")
CELL_NAME_FILE = "cell.txt"


def _slug(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "x".join(_slug(item) for item in value) or "none"
    return repr(value) if isinstance(value, float) else str(value)


def cell_name(overrides: Mapping[str, Any]) -> str:
    """`a=1,b=2` with sorted keys, or `base`; whatever its length."""
    return ",".join(f"{key}={_slug(overrides[key])}" for key in sorted(overrides)) or BASE_CELL


def cell_folder(name: str) -> str:
    """The folder of a cell: its name, or a hash of it when it is too long for a folder."""
    if len(name) <= CELL_LIMIT:
        return name
    return "cell-" + hashlib.sha256(name.encode()).hexdigest()[:16]


def seed_folder(seeds: Sequence[int]) -> str:
    """The folder of a block of consecutive seeds."""
    return f"seeds{seeds[0]}-{seeds[-1]}"


def data_file(spec: Mapping[str, Any]) -> str:
    """The file of a data spec (one concrete seed)."""
    return f"data/{spec['task']}/{spec['source']}-{sha256(dict(spec))[:8]}.hdf5"


def diagnosis_files(result: str) -> list[str]:
    """The files of a run's diagnosis, beside its result."""
    return [f"{result.rpartition('/')[0]}/{name}" for name in DIAGNOSIS_FILES]


@dataclass(frozen=True)
class TierPaths:
    """Everything below `results/{tier}`; pass `{tier}` itself to get a rule's pattern."""

    tier: str

    @property
    def root(self) -> str:
        """The folder of the tier."""
        return f"results/{self.tier}"

    def run(self, algo: str, task: str, cell: str, seeds: str) -> str:
        """Folder of one training job."""
        return f"{self.root}/runs/{algo}/{task}/{cell}/{seeds}"

    def fit(self, kind: str, task: str, cell: str, seeds: str) -> str:
        """Folder of one fit job."""
        return f"{self.root}/fits/{kind}/{task}/{cell}/{seeds}"

    def table(self, paper: str, number: str, suffix: str) -> str:
        """One table in one format."""
        return f"{self.root}/tables/{paper}/{number}.{suffix}"

    def figure(self, paper: str, name: str, suffix: str) -> str:
        """One figure in one format."""
        return f"{self.root}/figures/{paper}/{name}.{suffix}"

    @property
    def claims(self) -> str:
        """The ledger of claims."""
        return f"{self.root}/claims.csv"

    @property
    def summary(self) -> str:
        """The page printed at the end."""
        return f"{self.root}/summary.md"

    @property
    def report(self) -> str:
        """The page that shows everything, with the runs behind every number."""
        return f"{self.root}/report.html"

    def log(self, rule: str, name: str) -> str:
        """Log of one job; `name` is the job's own path below its kind."""
        return f"{self.root}/logs/{rule}/{name}.log"
