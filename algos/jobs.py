"""What the entry points of fit and train jobs share: arguments, scratch, records, one-line errors."""

from __future__ import annotations

import argparse
import hashlib
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from algos.core import checkpoint, files, machine
from algos.core.checkpoint import CheckpointError, FolderLock, LockedError
from algos.core.loop import Clock, History, MethodError, progress_csv
from algos.core.spec import JobSpec, SpecError, Stage, canonical
from algos.data import RunData
from envs.loader import DatasetError

FINAL = "final.safetensors"
MODEL = "model.safetensors"
BAD_INPUT = 2
EXPECTED_ERRORS = (
    SpecError,
    CheckpointError,
    LockedError,
    DatasetError,
    MethodError,
    OSError,
    ValueError,
)
#: Where a ``raise ValueError`` is meant for whoever gave the input.
OWN = tuple(Path(__file__).parents[1] / room for room in ("algos", "envs"))


@dataclass(frozen=True)
class Job:
    """A fit or train job: its spec, its inputs, where its outputs and its scratch go.

    ``versions`` are those it began with: a checkout may move on while it trains.
    """

    spec: JobSpec
    data: list[Path]
    fits: dict[str, Path]
    out: Path
    scratch: Path
    device: torch.device
    started: Clock
    versions: dict[str, str]


def parse(argv: Sequence[str] | None, stage: Stage, description: str) -> Job:
    """Read the command line of a fit or train job.

    Raises:
        SpecError: the spec is not one of that stage, or ``--fits`` are not those that it wants.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--spec", required=True, help="the job's spec, JSON, as the plan writes it")
    parser.add_argument(
        "--data", required=True, nargs="+", type=Path, help="one HDF5 file, or one a seed"
    )
    parser.add_argument(
        "--fits", nargs="*", default=[], metavar="SLOT=DIR", help="folders of fit jobs"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder for the results")
    parser.add_argument(
        "--scratch", type=Path, help="folder for checkpoints (default: beside the tier's runs)"
    )
    args = parser.parse_args(argv)
    started = Clock.now()
    spec = JobSpec.parse(args.spec, stage=stage)
    fits = fit_folders(args.fits, spec, "the spec wants")
    scratch = args.scratch or default_scratch(args.out, spec)
    device = machine.prepare()
    _warn_of_emulation(spec, device)
    return Job(spec, args.data, fits, args.out, scratch, device, started, machine.versions())


def fit_folders(items: Sequence[str], spec: JobSpec, wants: str) -> dict[str, Path]:
    """Folders of fits by slot, from the command line; ``wants`` begins the message when slots are missing.

    Raises:
        SpecError: an item is not ``SLOT=DIR``, or the slots are not those of the spec.
    """
    slots = {}
    for item in items:
        slot, _, folder = item.partition("=")
        if not slot or not folder:
            raise SpecError(
                f"--fits: {item}: write it as SLOT=DIR, a slot and the folder of its fit"
            )
        slots[slot] = Path(folder)
    if set(slots) != set(spec.fits):
        raise SpecError(f"--fits: {wants} {sorted(spec.fits)}, got {sorted(slots)}")
    return slots


def _warn_of_emulation(spec: JobSpec, device: torch.device) -> None:
    """Say why a job will be slow: a CPU of 2021 needs 50 times as long for products in bfloat16."""
    if spec.precision != "bfloat16" or device.type != "cpu":
        return
    if machine.cpu_flags() and not machine.bfloat16_units():
        known = ", ".join(machine.BFLOAT16_UNITS)
        files.tell(
            f"warning: precision bfloat16 on a CPU without units for it ({known}): products are emulated, "
            "many times slower than float32; use precision float32 here"
        )


def default_scratch(out: Path, spec: JobSpec) -> Path:
    """``results/{tier}/scratch/{digest}/seeds{first}-{last}`` beside ``runs`` or ``fits``, else inside ``out``."""
    block = f"seeds{spec.seeds[0]}-{spec.seeds[-1]}"
    for parent in out.absolute().parents:
        if parent.name in ("runs", "fits"):
            return parent.parent / "scratch" / spec.digest[:16] / block
    return out / "scratch"


def run_locked(job: Job, work: Callable[[], None]) -> None:
    """Do ``work`` with the scratch folder locked."""
    files.require_space(job.out, 64_000_000, "a training job")
    with FolderLock(job.scratch):
        work()


def main(entry: Callable[[], None]) -> None:
    """Run an entry point: expected errors become one line on stderr and exit code 2."""
    try:
        entry()
    except EXPECTED_ERRORS as error:
        if is_slip(error):
            raise
        files.tell(f"error: {files.explain(error)}")
        raise SystemExit(BAD_INPUT) from None


def is_slip(error: BaseException) -> bool:
    """Whether a bare ValueError comes from a mistake in code, such as ``a, b = three``: no own ``raise`` made it."""
    if type(error) is not ValueError:
        return False
    last = traceback.extract_tb(error.__traceback__)[-1]
    own = any(Path(last.filename).is_relative_to(room) for room in OWN)
    return not (own and (last.line or "").startswith("raise"))


def fingerprint(job: Job, data: list[RunData]) -> str:
    """sha256 over a job's seeds and the contents of its inputs: every seed's data and every fitted model.

    The digest knows neither: seeds are no part of it, and data and models are only declared. A checkpoint may be
    continued, and a finished state given out again, for the very same seeds and inputs only.
    """
    models = {
        slot: hashlib.sha256((folder / MODEL).read_bytes()).hexdigest()
        for slot, folder in job.fits.items()
    }
    contents = {
        "seeds": list(job.spec.seeds),
        "data": [run.info["sha256"] for run in data],
        "fits": models,
    }
    return hashlib.sha256(canonical(contents).encode()).hexdigest()


def finished_state(job: Job, inputs: str) -> Any | None:
    """What a finished job left in scratch, if it is this job's: its outputs can be emitted again at once."""
    path = job.scratch / FINAL
    if not path.exists():
        return None
    state = checkpoint.load(path)
    same = state["digest"] == job.spec.digest and state["inputs"] == inputs
    return state if same else None


def keep_finished(
    job: Job, inputs: str, history: History, tensors: dict[str, Tensor], extra: dict[str, Any]
) -> Any:
    """Store the small final state and drop the checkpoint; returns what was stored."""
    state = {
        "digest": job.spec.digest,
        "inputs": inputs,
        "history": vars(history),
        "tensors": tensors,
        "peak_memory_bytes": machine.peak_memory(),
        "versions": job.versions,
        "hardware": machine.hardware(job.device),
        **extra,
    }
    checkpoint.save(job.scratch / FINAL, state)
    (job.scratch / checkpoint.CHECKPOINT).unlink(missing_ok=True)
    return state


def infos(spec: JobSpec, data: list[RunData]) -> list[dict[str, Any]]:
    """Provenance of each seed's data, for the record."""
    return [{"seed": seed, **run.info} for seed, run in zip(spec.seeds, data, strict=True)]


def common_record(job: Job, state: Any) -> dict[str, Any]:
    """The part of a record that every job writes."""
    history = state["history"]
    return {
        "schema": 1,
        "digest": job.spec.digest,
        "tier": job.spec.tier,
        "spec": job.spec.raw,
        "wall_seconds": history["wall_seconds"],
        "cpu_seconds": history["cpu_seconds"],
        "environment_steps": 0,
        "gradient_updates": history["update"] * len(job.spec.seeds),
        "peak_memory_bytes": state["peak_memory_bytes"],
        "versions": state["versions"],
        "hardware": state["hardware"],
        "precision": job.spec.precision,
        "data": state["data"],
    }


def emit(job: Job, state: Any, record: dict[str, Any], names: tuple[str, str]) -> None:
    """Write progress, tensors and, last of all, the record."""
    record_name, tensor_name = names
    evaluations = state["history"]["evaluations"]
    files.write_text(job.out / "progress.csv", progress_csv(job.spec.seeds, evaluations))
    checkpoint.save(job.out / tensor_name, state["tensors"])
    files.write_json(job.out / record_name, record)
