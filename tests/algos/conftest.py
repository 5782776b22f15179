"""Small jobs: a tiny data set and specs built from the registered defaults."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from algos import jobs
from algos.core.spec import digest_of

ROOT = Path(__file__).resolve().parents[2]
TASK = "maze2d-umaze-v1"
TRANSITIONS = 6000
SHORT = {
    "updates": 60, "evaluate_every": 20, "evaluation_episodes": 7, "evaluation_start": "stratified",
    "report_evaluations": 2, "networks": "small", "target_samples": 3, "acting_samples": 4,
    "model_buffer_size": 3000, "rollout_batch": 100,
    "max_updates": 40, "hidden": 16, "holdout_max": 300, "eta": 0.5,
}  # fmt: skip
LISTS_OF_WIDTHS = ("bc", "il_bc", "cvae", "rbc")


def data_spec(seed: int) -> dict[str, Any]:
    return {"task": TASK, "source": "local", "generator": "waypoint", "version": 1,
            "seed": seed, "transitions": TRANSITIONS, "options": {}}  # fmt: skip


@pytest.fixture(autouse=True)
def denormals() -> Iterator[None]:
    """Jobs flush denormals for their process; other tests in it must not see that."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One small umaze data set for each of seeds 0 to 3."""
    folder = tmp_path_factory.mktemp("data")
    files = []
    for seed in range(4):
        path = folder / f"{seed}.hdf5"
        command = [sys.executable, "-m", "envs.datasets", "generate", "--spec",
                   json.dumps(data_spec(seed)), "--out", str(path)]  # fmt: skip
        subprocess.run(command, check=True, cwd=ROOT)
        files.append(path)
    return files


def defaults(algo: str) -> dict[str, Any]:
    """Default values of an algorithm's keys."""
    content = yaml.safe_load(
        (ROOT / "config" / "algos" / f"{algo}.yaml").read_text(encoding="utf-8")
    )
    found: dict[str, Any] = {}
    for parent in content.get("keys_from", []):
        found |= defaults(parent)
    return found | {name: key["default"] for name, key in (content.get("keys") or {}).items()}


def make_spec(
    algo: str, seeds: tuple[int, ...] = (0,), fits: dict[str, str] | None = None, **changes: Any
) -> str:
    """A short train or fit spec as the plan would write it."""
    content = yaml.safe_load(
        (ROOT / "config" / "algos" / f"{algo}.yaml").read_text(encoding="utf-8")
    )
    values = defaults(algo)
    if algo in LISTS_OF_WIDTHS:
        values["hidden"] = [16, 16]
    values |= {
        k: v
        for k, v in SHORT.items()
        if k in values and not (k == "hidden" and algo in LISTS_OF_WIDTHS)
    }
    spec: dict[str, Any] = {
        "stage": content["stage"],
        "algo": algo,
        "implementation": content["implementation"],
        "version": 1,
        "tier": "test",
        "task": TASK,
        "seeds": list(seeds),
        "data": {**data_spec(0), "seed": "run"},
        "precision": "float32",
        "hyperparameters": values | changes,
    }
    if content["stage"] == "train":
        spec["fits"] = fits or {}
    return json.dumps(spec | {"digest": digest_of(spec)})


@pytest.fixture
def run_job(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, data: list[Path]
) -> Callable[..., Path]:
    """Run a fit or train job in this process; returns its folder."""
    monkeypatch.chdir(ROOT)

    def run(stage: str, spec: str, out: str, fits: dict[str, Path] | None = None) -> Path:
        from algos.fit import fit
        from algos.train import train

        folder = tmp_path / "results" / "test" / ("fits" if stage == "fit" else "runs") / out
        seeds = json.loads(spec)["seeds"]
        arguments = ["--spec", spec, "--out", str(folder), "--data", *(str(data[s]) for s in seeds)]
        if fits:
            arguments += ["--fits", *(f"{slot}={path}" for slot, path in fits.items())]
        (fit if stage == "fit" else train)(arguments)
        return folder

    return run


def expect_error(capsys: pytest.CaptureFixture[str], work: Callable[[], Any]) -> str:
    """The one line that a job prints when its input is bad."""
    with pytest.raises(SystemExit) as stopped:
        jobs.main(work)
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and message.count("\n") == 1
    return message


def fitted(
    run_job: Callable[..., Path],
    seeds: tuple[int, ...] = (0,),
    name: str = "dynamics",
    **changes: Any,
) -> tuple[Path, str]:
    spec = make_spec("ensemble", seeds, **changes)
    return run_job("fit", spec, name), json.loads(spec)["digest"]
