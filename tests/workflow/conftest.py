"""A copy of the workflow in which every job is a shell script that writes empty results."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow import faults

ROOT = Path(__file__).resolve().parents[2]

# Stands in for `python`: logs its arguments and writes what the module it was asked for writes.
SHIM = """#!/bin/sh
module=$2
call=$(printf '%s\\036' "$@"; printf '\\035')
printf '%s' "$call" >> calls.log  # one write: jobs run side by side
echo "$module device=$HINDCAST_DEVICE config=$HINDCAST_CONFIG" >> environment.log
out=; previous=
for word; do [ "$previous" = --out ] && out=$word; previous=$word; done
make() { for name; do mkdir -p "$(dirname "$name")"; echo "$module" > "$name"; done; }
case "$module $*" in
    *"${FAIL:-nothing fails}"*) echo "made to fail"; exit 3;;
esac
case $module in
    envs.datasets|algos.evaluate|algos.merge) make "$out";;
    algos.fit) make "$out/progress.csv" "$out/model.safetensors" "$out/fit.json";;
    algos.diagnose) make "$out/diagnosis.npz" "$out/diagnosis.json";;
    algos.train) make "$out/progress.csv" "$out/policy.safetensors" "$out/run.json";;
    analysis.report) tier=$4; make $(sed "s/{tier}/$tier/" report_files);;
    *) echo "unknown module $module"; exit 4;;
esac
"""

TIERS = {
    "tiny": {
        "title": "tiny",
        "judged": "none",
        "seeds": 2,
        "seed_block": 2,
        "runs_per_job": dict.fromkeys(("bc", "bcq", "romi_bcq", "fomi_bcq"), 2),
        "experiments": {"romi/main": {}},
    },
    "other": {"title": "other", "judged": "none", "seeds": 1, "experiments": {"romi/main": {}}},
}
PAPER = {
    "paper": "romi",
    "title": "ROMI",
    "source": "test",
    "experiments": {
        "main": {
            "title": "main",
            "source": "table 3",
            "tasks": ["maze2d-umaze-v1"],
            "arms": [{"algorithms": ["bc", "bcq", "romi_bcq"]}],
        },
        "length": {
            "title": "length",
            "source": "table 10",
            "axis": "horizon",
            "tasks": ["maze2d-umaze-v1"],
            "arms": [{"algorithms": ["romi_bcq"], "grid": {"horizon": [1, 5]}}],
        },
    },
}

Planned = set[tuple[str, str]]


@dataclass
class Workflow:
    """A project folder with the shim first in the path."""

    root: Path

    def snakemake(self, *words: str, fail: str = "") -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.root / "bin"), os.environ["PATH"]])
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--nocolor", *words],
            cwd=self.root,
            env={**os.environ, "PATH": path, **({"FAIL": fail} if fail else {})},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *words: str, tier: str = "tiny") -> None:
        done = self.snakemake("--cores", "2", *words, "--config", f"tier={tier}")
        assert done.returncode == 0, done.stderr + done.stdout

    def planned(self, *words: str, tier: str = "tiny") -> Planned:
        """(rule, output folder or file) of every job of a dry run, but for the last target."""
        done = self.snakemake("-n", *words, "--config", f"tier={tier}")
        text = done.stdout + done.stderr
        assert done.returncode == 0, text
        found = set()
        for rule, block in re.findall(r"^(?:local)?rule (\w+):\n((?: {4}.*\n?)+)", text, re.M):
            output = re.search(r"^    output: (.+?)(?:, |$)", block, re.M)
            found.add((rule, output.group(1) if output else ""))
        return {(rule, output) for rule, output in found if rule != "all"}

    def calls(self, module: str = "") -> list[list[str]]:
        """Arguments of every call of `module` so far."""
        text = (self.root / "calls.log").read_text() if (self.root / "calls.log").exists() else ""
        calls = [entry.split("\036")[:-1] for entry in text.split("\035")[:-1]]
        return [call for call in calls if module in ("", call[1])]

    def environment(self, module: str) -> set[str]:
        """The variables that the calls of `module` so far were given."""
        lines = (self.root / "environment.log").read_text().splitlines()
        return {line.partition(" ")[2] for line in lines if line.startswith(f"{module} ")}

    def edit(self, name: str, change: Callable[[Any], None]) -> None:
        """Rewrite a YAML file after `change` was applied to its content."""
        path = self.root / name
        content = yaml.safe_load(path.read_text())
        change(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def replace(self, name: str, old: str, new: str, count: int | None = 1) -> None:
        text = (self.root / name).read_text()
        assert old in text and count in (None, text.count(old))
        (self.root / name).write_text(text.replace(old, new))


def build(root: Path) -> Workflow:
    """The suite's own Snakefile, profiles, tasks and algorithms, with a small paper."""
    for name in ("profiles", "config"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy2(ROOT / "Snakefile", root)
    modules = ["envs/maze2d", "algos/offline/bc", "algos/offline/bcq", "algos/imagination/cvae"]
    modules += ["algos/imagination/ensemble", "algos/imagination/ensemble_fit"]
    for module in modules:
        (root / f"{module}.py").parent.mkdir(parents=True, exist_ok=True)
        (root / f"{module}.py").touch()
    (root / "paper_tables/romi").mkdir(parents=True)
    (root / "paper_tables/romi/experiments.yaml").write_text(yaml.safe_dump(PAPER))
    (root / "paper_tables/romi/tables.yaml").write_text("tables: {table3: {}}\n")
    (root / "config/tiers.yaml").write_text(yaml.safe_dump({"tiers": TIERS}))
    files = ["claims.csv", "summary.md", "report.html"]
    files += [f"tables/romi/table3.{suffix}" for suffix in ("md", "csv", "tex", "html")]
    (root / "report_files").write_text("\n".join(f"results/{{tier}}/{name}" for name in files))
    (root / "bin").mkdir()
    (root / "bin/python").write_text(SHIM)
    (root / "bin/python").chmod(0o755)
    return Workflow(root)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """A project whose tier `tiny` ran to the end; copy it before changing anything."""
    workflow = build(tmp_path_factory.mktemp("finished") / "project")
    workflow.run("all")
    return workflow


@pytest.fixture
def done(finished: Workflow, tmp_path: Path) -> Workflow:
    """An own copy of the finished project, with the times and the memory of its runs."""
    shutil.copytree(finished.root, tmp_path / "project")
    return Workflow(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path) -> Workflow:
    """A project in which nothing ran yet."""
    (tmp_path / "fresh").mkdir()
    return build(tmp_path / "fresh")


@dataclass(frozen=True)
class Reference:
    """An undisturbed run: its folder, what it recorded, and the CPU seconds of each kind of job."""

    project: faults.Project
    metrics: dict[str, Any]
    seconds: dict[str, float]


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The small real project, run without a fault; copy it before changing anything."""
    project = faults.build(tmp_path_factory.mktemp("reference") / "project")
    call, seconds = project.start(), dict.fromkeys(faults.MODULES, 0.0)
    while call.poll() is None:
        for pid, module in project.jobs().items():
            used = faults.cpu_seconds(pid)
            seconds[module] = max(seconds[module], used if used < float("inf") else 0.0)
        time.sleep(0.1)
    assert call.returncode == 0, project.output()
    project.check_files()
    assert project.leftovers() == []
    return Reference(project, project.metrics(), seconds)


@pytest.fixture
def ran(reference: Reference, tmp_path: Path) -> Iterator[faults.Project]:
    """An own copy of the undisturbed run; whatever is left running at the end is killed."""
    shutil.copytree(reference.project.root, tmp_path / "ran", symlinks=True)
    project = faults.Project(tmp_path / "ran")
    yield project
    project.stop()
