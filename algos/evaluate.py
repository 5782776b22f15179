"""Evaluate jobs: ``python -m algos.evaluate --run DIR --out FILE``.

The final policies from every start cell of the task in turn (stratified), with the time kept in the goal. A rule of its
own, so that a new evaluation never retrains.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from algos import jobs
from algos.core import checkpoint, files, machine
from algos.core.spec import JobSpec, canonical
from algos.data import layout_of
from algos.evaluation import Episodes, run_episodes, summarise
from algos.imagination.mixture import Mixture
from algos.merge import read
from algos.train import build_learner
from envs.batch import make_batch

EPISODES_PER_START = 3
COUNTER = 2**31 - 1  # a stream of its own, apart from every evaluation during training


def evaluate(argv: Sequence[str] | None = None) -> None:
    """Run one evaluate job."""
    parser = argparse.ArgumentParser(description="Evaluate the final policies of a run.")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--out", required=True, type=Path, help="the evaluation file")
    args = parser.parse_args(argv)
    device = machine.prepare()
    record, spec, learner = load_run(args.run, device)
    episodes = EPISODES_PER_START * make_batch(spec.task, 1).num_starts
    found = run_episodes(
        learner,
        spec.task,
        alive=[run["status"] == "finished" for run in record["runs"]],
        counter=COUNTER,
        episodes=episodes,
        start="stratified",
    )
    discount = spec.hyperparameters.get("discount")
    runs = [
        {"seed": seed, **summarise(each, spec.task, "stratified", discount)}
        for seed, each in zip(spec.seeds, found, strict=True)
        if isinstance(each, Episodes)
    ]
    protocol = {"protocol": "stratified", "episodes_per_start": EPISODES_PER_START}
    files.write_json(args.out, {"digest": spec.digest, **protocol, "runs": runs})


def load_run(folder: Path, device: torch.device) -> tuple[dict[str, Any], JobSpec, Any]:
    """A finished run's record, its spec and a learner that acts with its final policies."""
    record = read(folder / "run.json")
    spec = JobSpec.parse(canonical(record["spec"]))
    learner = build_learner(spec, _no_data(spec), device)
    learner.restore_policy(checkpoint.load(folder / "policy.safetensors"))
    return record, spec, learner


def _no_data(spec: JobSpec) -> Mixture:
    """A stand-in for the data: a learner's shapes do not depend on it."""
    layout = layout_of(spec.task)
    return Mixture(spec.seeds, [torch.zeros(2, layout.width) for _ in spec.seeds])


if __name__ == "__main__":
    jobs.main(lambda: evaluate())
