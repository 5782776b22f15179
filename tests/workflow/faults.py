"""A small project that runs for real: helpers of the tests that break it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import yaml
from safetensors import safe_open

ROOT = Path(__file__).resolve().parents[2]
TASK = "maze2d-umaze-v1"
TIER = "faults"
TRANSITIONS = 6000
MODULES = ("envs.datasets", "algos.fit", "algos.train", "algos.evaluate", "analysis.report")
#: What may differ between two runs; versions have the commit, which may change under a long test.
VOLATILE = ("wall_seconds", "cpu_seconds", "peak_memory_bytes", "versions")
# Pictures, and pages and tables with versions in them.
NOT_COMPARED = (".png", ".pdf", ".svg", ".md", ".tex", ".html")
LOCKED = "Directory cannot be locked"
PATIENCE = 300.0  # seconds of wall time for anything on a busy machine
SMALL = {"networks": "small", "dynamics.hidden": 16}
TIERS = {
    TIER: {
        "title": "one run of ROMI-BCQ, seconds long",
        "judged": "none",
        "seeds": 1,
        "data": {"transitions": {"*": TRANSITIONS}},
        "experiments": {"romi/main": {}},
        "budgets": {
            "romi_bcq": {
                "updates": 120,
                "evaluate_every": 60,
                "evaluation_episodes": 7,
                "evaluation_start": "stratified",
                "report_evaluations": 2,
                "model_buffer_size": 3000,
            },
            "ensemble": {"max_updates": 640, "evaluate_every": 160},
        },
    }
}
PAPER = {
    "paper": "romi",
    "title": "ROMI",
    "source": "test",
    "experiments": {
        "main": {
            "title": "main",
            "source": "test",
            "tasks": [TASK],
            "arms": [{"algorithms": ["romi_bcq"], "set": SMALL}],
        }
    },
}
LAYOUT = {
    "tables": {
        "table3": {
            "table": "3",
            "title": "scores",
            "metric": "score",
            "unit": "score",
            "lines": [{"algo": "romi_bcq"}],
            "sections": [{"title": "maze2d", "experiment": {TIER: "main"}, "tasks": [TASK]}],
        }
    }
}


def build(root: Path) -> Project:
    """The suite itself, by links, with one tier and one paper of its own."""
    root.mkdir(parents=True, exist_ok=True)
    for name in ("algos", "analysis", "envs", "paper_tables", "profiles", "Snakefile"):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "config", root / "config")
    (root / "config/tiers.yaml").write_text(yaml.safe_dump({"tiers": TIERS}))
    paper = root / "papers/romi"
    paper.mkdir(parents=True)
    (paper / "experiments.yaml").write_text(yaml.safe_dump(PAPER))
    (paper / "tables.yaml").write_text(yaml.safe_dump(LAYOUT))
    return Project(root)


@dataclass
class Project:
    """A folder in which the suite runs; `run` is what a user types."""

    root: Path
    calls: list[int] = field(default_factory=list)

    def start(self, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """Snakemake in a process group of its own; what it prints goes to `output.txt`."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        command = [sys.executable, "-m", "snakemake", "--nocolor", "--cores", "1", *words]
        command += ["--config", f"tier={TIER}", "papers_dir=papers", "--", "all"]
        settings = {"PATH": path, "HINDCAST_CHECKPOINT_SECONDS": "0", **environment}
        with (self.root / "output.txt").open("wb") as output:
            call = subprocess.Popen(
                command,
                cwd=self.root,
                env={**os.environ, **settings},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.calls.append(call.pid)
        return call

    def run(self, *words: str, **environment: str) -> tuple[int, str]:
        """Exit code and output of one call."""
        code = self.start(*words, **environment).wait(PATIENCE)
        return code, self.output()

    def output(self) -> str:
        """What the last call printed."""
        return (self.root / "output.txt").read_text(encoding="utf-8")

    def finish(self) -> None:
        """Run to the end; a lock that a killed call left is removed as its message says."""
        code, output = self.run()
        if LOCKED in output:
            assert "--unlock" in output
            assert self.run("--unlock")[0] == 0
            code, output = self.run()
        assert code == 0, output

    def stop(self) -> None:
        """Kill whatever is left of this project's calls."""
        for group in self.calls:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def jobs(self) -> dict[int, str]:
        """Living jobs of this project: process id -> module."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, LookupError):  # processes come and go
                words = (folder / "cmdline").read_bytes().decode().split("\0")
                if (folder / "cwd").readlink() == self.root and words[1] == "-m":
                    found |= {int(folder.name): words[2]} if words[2] in MODULES else {}
        return found

    def wait_for(self, module: str, call: subprocess.Popen[bytes]) -> int | None:
        """Process id of a job of `module`; None when the call ended without one."""
        while call.poll() is None:
            for pid, found in self.jobs().items():
                if found == module:
                    return pid
            time.sleep(0.02)
        return None

    def files(self) -> list[Path]:
        """Every file of data and results, but for logs and locks."""
        folders = (self.root / "data", self.root / "results")
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        return [path for path in found if path.suffix != ".log" and path.name != "lock"]

    def leftovers(self) -> list[Path]:
        """Temporary files, which have hidden names or lie in hidden folders, and heartbeats."""
        own = [path.relative_to(self.root) for path in self.files()]
        return [p for p in own if p.suffix == ".tmp" or any(q.startswith(".") for q in p.parts)]

    def check_files(self) -> None:
        """Whatever has a final name is whole."""
        hidden = self.leftovers()
        for path in self.files():
            if path.relative_to(self.root) not in hidden:
                parse(path)

    def metrics(self) -> dict[str, Any]:
        """What the runs recorded, by file: bytes, or JSON without what may differ."""
        found: dict[str, Any] = {}
        for path in self.files():
            name = str(path.relative_to(self.root))
            if "scratch" in path.parts or path.suffix in NOT_COMPARED:
                continue
            if path.suffix == ".json":
                record = json.loads(path.read_text(encoding="utf-8"))
                found[name] = {key: record[key] for key in record if key not in VOLATILE}
            else:
                found[name] = path.read_bytes()
        return found

    def remove(self, *names: str) -> None:
        """Delete files and folders below the root."""
        for name in names:
            for path in list(self.root.glob(name)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def cpu_seconds(pid: int) -> float:
    """CPU time of a living process so far; infinite once it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("inf")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def parse(path: Path) -> None:
    """Read a file to its end; an error names it."""
    assert path.stat().st_size, f"{path}: empty"
    if path.suffix == ".json":
        json.loads(path.read_text(encoding="utf-8"))
    elif path.suffix == ".safetensors":
        with safe_open(str(path), framework="np") as file:
            assert all(file.get_tensor(name) is not None for name in file.keys())  # noqa: SIM118
    elif path.suffix == ".hdf5":
        with h5py.File(path) as file:
            assert len(file["observations"][()]) == TRANSITIONS
    else:
        assert path.read_bytes().endswith((b"\n", b"%%EOF\n", b"IEND\xaeB`\x82")), path
