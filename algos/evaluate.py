"""Evaluate jobs: ``python -m algos.evaluate --run DIR --out FILE [--starts CSV]``.

The final policies from every start cell of the task in turn (stratified), with the time kept in the goal; policies that
imitate from displaced starts. A rule of its own, so that a new evaluation never retrains.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from algos import jobs
from algos.core import checkpoint, files, machine
from algos.core.loop import Failed
from algos.core.progress import reported
from algos.core.records import Kinds, RecordError, check_entries, read_record
from algos.core.spec import JobSpec, SpecError
from algos.evaluation import Episodes, run_episodes, summarise
from algos.merge import AGAIN, GIVEN_STARTS, NO_RUN, RUN
from algos.robustness import (
    Outcomes,
    describe,
    displaced_outcomes,
    summarise_starts,
    train_success,
)
from algos.train import build_learner, imitates, no_data, robustness_config
from envs.batch import make_batch
from envs.starts import displaced_starts, read_starts
from envs.tasks import get_task

EPISODES_PER_START = 3
#: What evaluations and diagnoses take from a record, one entry a seed.
ENTRIES: dict[str, dict[str, Kinds]] = {
    "runs": {"status": (str,)},
    "data": {"seed": (int,), "sha256": (str,)},
}
COUNTER = 2**31 - 1  # a stream of its own, apart from every evaluation during training


def evaluate(argv: Sequence[str] | None = None) -> None:
    """Run one evaluate job."""
    parser = argparse.ArgumentParser(description="Evaluate the final policies of a run.")
    parser.add_argument("--run", required=True, type=Path, help="folder of the run")
    parser.add_argument("--out", required=True, type=Path, help="the evaluation file")
    parser.add_argument(
        "--starts", type=Path, help="CSV with x and y (metres) in place of the task's own list"
    )
    args = parser.parse_args(argv)
    device = machine.prepare()
    record, spec, learner = load_run(args.run, device)
    if imitates(spec):
        found = _displaced(record, spec, learner, args.starts, jobs.default_scratch(args.run, spec))
    elif args.starts:
        raise SpecError(f"--starts: {spec.algo} is not judged from displaced starts; leave it out")
    else:
        found = _stratified(record, spec, learner)
    files.write_json(args.out, {"digest": spec.digest, **found})


def _displaced(
    record: dict[str, Any], spec: JobSpec, learner: Any, given: Path | None, scratch: Path
) -> dict[str, Any]:
    """Success from the displaced starts and from the start of the demonstrations."""
    config = robustness_config(spec)
    starts = (
        read_starts(given, spec.task)
        if given
        else displaced_starts(spec.task, config.robustness_starts, config.robustness_list)
    )
    alive = [run["status"] == "finished" for run in record["runs"]]
    label, steps = f"evaluate {spec.algo} {spec.task}", len(starts) * get_task(spec.task).horizon
    with reported(scratch, label, steps, "steps") as advance:
        outcomes = displaced_outcomes(learner, starts, alive, COUNTER, advance)
    trained = train_success(learner, spec.task, alive, COUNTER, config.training_starts)
    runs = [
        {"seed": seed, **summarise_starts(found, starts, np.array(path)), "train_success": success}
        for seed, found, path, success in zip(
            spec.seeds, outcomes, record["paths"], trained, strict=True
        )
        if isinstance(found, Outcomes) and success is not None
    ]
    known = [found for found in outcomes if isinstance(found, Outcomes)]
    listed = describe(starts, known[0].place) if known else {}
    return {**_protocol(given), "starts": listed, "runs": runs, **_failures(spec, outcomes)}


def _protocol(given: Path | None) -> dict[str, Any]:
    """What the policies were judged from; starts of one's own never pass for the task's list."""
    if given is None:
        return {"protocol": "displaced_starts"}
    checksum = hashlib.sha256(given.read_bytes()).hexdigest()
    return {"protocol": GIVEN_STARTS, "file": given.name, "sha256": checksum}


def _stratified(record: dict[str, Any], spec: JobSpec, learner: Any) -> dict[str, Any]:
    """Episodes from every start cell in turn."""
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
    return {**protocol, "runs": runs, **_failures(spec, found)}


def _failures(spec: JobSpec, found: Sequence[object]) -> dict[str, Any]:
    """Runs whose policies broke while they were judged, for the record and the log; nothing where none did."""
    failures = [
        {"seed": seed, "reason": each.reason}
        for seed, each in zip(spec.seeds, found, strict=True)
        if isinstance(each, Failed)
    ]
    for failure in failures:
        files.tell(f"seed {failure['seed']}: not judged: {failure['reason']}")
    return {"failures": failures} if failures else {}


def load_run(folder: Path, device: torch.device) -> tuple[dict[str, Any], JobSpec, Any]:
    """A finished run's record, its spec and a learner that acts with its final policies.

    Raises:
        RecordError: there is no record, or it lacks what evaluations need of it.
        SpecError: the record's spec is not one.
        CheckpointError: there are no policies, or their file is damaged.
    """
    path = folder / RUN
    wanted: dict[str, Kinds] = {"spec": (dict,), "runs": (list,), "data": (list,)}
    record = read_record(path, wanted, NO_RUN, AGAIN)
    spec = JobSpec.parse(json.dumps(record["spec"]), where=f"{path}: spec", stage="train")
    for key, entry in ENTRIES.items():
        check_entries(record[key], entry, len(spec.seeds), f"{path}: {key}", AGAIN)
    if imitates(spec):
        _check_paths(path, record.get("paths"), len(spec.seeds))
    learner = build_learner(spec, no_data(spec), device)
    policy = folder / "policy.safetensors"
    tensors = checkpoint.load(policy, NO_RUN)
    try:
        learner.restore_policy(tensors)
    except (KeyError, RuntimeError):
        raise checkpoint.CheckpointError(
            f"{policy}: holds other networks than {RUN} beside it describes; {AGAIN}"
        ) from None
    return record, spec, learner


def _check_paths(file: Path, paths: Any, count: int) -> None:
    """The demonstrated places of each run, ``[N][2]``, are needed when all episodes are driven: too late to find out.

    Raises:
        RecordError: they are not there.
    """
    if not isinstance(paths, list) or len(paths) != count or not all(map(_is_path, paths)):
        raise RecordError(f"{file}: paths: must hold a list of [x, y] for each seed; {AGAIN}")


def _is_path(places: Any) -> bool:
    try:
        shape = np.array(places, dtype=float).shape
    except (TypeError, ValueError):
        return False
    return len(shape) == 2 and shape[0] > 0 and shape[1] == 2


if __name__ == "__main__":
    jobs.main(lambda: evaluate())
