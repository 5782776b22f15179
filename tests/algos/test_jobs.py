"""Whole jobs on a tiny data set: files, determinism, blocks, resuming, failures, bad input."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from algos.core import checkpoint
from algos.core.spec import digest_of
from algos.evaluate import evaluate
from algos.merge import merge
from algos.train import train
from tests.algos.conftest import ROOT, data_spec, fitted, make_spec

Run = Callable[..., Path]
METRIC_FILES = ("progress.csv", "policy.safetensors")


def romi(
    run_job: Run, seeds: tuple[int, ...], name: str, algo: str = "romi_bcq", **changes: Any
) -> Path:
    direction = "backward" if algo == "romi_bcq" else "forward"
    folder, digest = fitted(run_job, seeds, f"{name}-fit", direction=direction)
    spec = make_spec(algo, seeds, {"dynamics": digest}, rollout_policy="uniform", **changes)
    return run_job("train", spec, name, {"dynamics": folder})


def record(folder: Path, name: str = "run.json") -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize("algo", ["bc", "bcq", "romi_bcq", "fomi_bcq"])
def test_every_method_runs_to_a_result(run_job: Run, algo: str) -> None:
    plain = algo in ("bc", "bcq")
    folder = run_job("train", make_spec(algo), algo) if plain else romi(run_job, (0,), algo, algo)
    evaluate(["--run", str(folder), "--out", str(folder / "evaluation.json")])
    merge(["--run", str(folder), "--out", str(folder / "result.json")])
    result = record(folder, "result.json")
    run = result["runs"][0]
    assert run["status"] == "finished" and [e["update"] for e in run["evaluations"]] == [20, 40, 60]
    scores = [e["score"] for e in run["evaluations"]]
    assert run["final"]["score"] == pytest.approx(np.mean(scores[-2:]))
    assert run["final"]["score_best"] == max(scores) and run["final"]["score_last"] == scores[-1]
    assert result["evaluation"]["runs"][0]["seed"] == 0
    assert len(result["evaluation"]["runs"][0]["returns_by_start"]) == 7
    assert set(result["fits"]) == (set() if algo in ("bc", "bcq") else {"dynamics"})
    assert result["gradient_updates"] == 60 and result["data"][0]["source"] == "local"
    assert sorted(p.name for p in folder.iterdir()) == [
        "evaluation.json", "policy.safetensors", "progress.csv", "result.json", "run.json",
    ]  # fmt: skip


@pytest.mark.parametrize(("algo", "policy"), [("romi_bcq", "cvae"), ("romi_rbc_bcq", "rbc")])
def test_fitted_rollout_policies_run(run_job: Run, algo: str, policy: str) -> None:
    dynamics, digest = fitted(run_job)
    spec = make_spec(policy)
    fit = run_job("fit", spec, policy)
    slots = {"dynamics": digest, "rollout_policy": json.loads(spec)["digest"]}
    train = make_spec(algo, (0,), slots, rollout_policy=policy)
    folder = run_job("train", train, "romi", {"dynamics": dynamics, "rollout_policy": fit})
    assert record(folder)["runs"][0]["status"] == "finished"
    losses = (fit / "progress.csv").read_text().splitlines()
    assert "nan" not in losses[-1] and len(losses) > 1


def test_two_runs_of_one_spec_give_the_same_bytes(run_job: Run) -> None:
    first, second = romi(run_job, (0,), "a"), romi(run_job, (0,), "b")
    for name in METRIC_FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert record(first)["runs"] == record(second)["runs"]


def test_a_run_alone_equals_the_same_run_in_a_block_of_four(run_job: Run) -> None:
    block, alone = romi(run_job, (0, 1, 2, 3), "block"), romi(run_job, (2,), "alone")
    assert record(block)["runs"][2] == record(alone)["runs"][0]
    theirs = checkpoint.load(block / "policy.safetensors")
    own = checkpoint.load(alone / "policy.safetensors")
    assert all(torch.equal(theirs[name][2], own[name][0]) for name in own)


def test_eta_zero_equals_plain_bcq_bit_for_bit(run_job: Run) -> None:
    plain = run_job("train", make_spec("bcq"), "plain")
    mixed = romi(run_job, (0,), "mixed", eta=0.0)
    for name in METRIC_FILES:
        assert (plain / name).read_bytes() == (mixed / name).read_bytes()


def test_known_rewards_change_the_outcome(run_job: Run) -> None:
    model, known = romi(run_job, (0,), "model"), romi(run_job, (0,), "known", reward_source="known")
    assert (model / "progress.csv").read_bytes() != (known / "progress.csv").read_bytes()


def start(stage: str, spec: str, data: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        f"algos.{stage}",
        "--spec",
        spec,
        "--data",
        str(data),
        "--out",
        str(out),
    ]
    return subprocess.Popen([*command, *more], cwd=ROOT, stderr=subprocess.PIPE)


def start_train(spec: str, data: Path, out: Path, *more: str) -> subprocess.Popen[bytes]:
    return start("train", spec, data, out, *more)


def scratch_of(out: Path, spec: str) -> Path:
    digest = json.loads(spec)["digest"][:16]
    return out.parents[1] / "scratch" / digest / "seeds0-0"


def wait_for(process: subprocess.Popen[bytes], path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    assert path.exists() and process.poll() is None


def interrupt_twice(stage: str, spec: str, data: Path, out: Path, *more: str) -> None:
    """Stop a job with a checkpoint (SIGTERM), then kill its continuation at a random moment (SIGKILL)."""
    scratch = scratch_of(out, spec)
    first = start(stage, spec, data, out, *more)
    wait_for(first, scratch / "progress.json")  # the first updates are made
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 128 + signal.SIGTERM
    assert (scratch / checkpoint.CHECKPOINT).exists() and not out.exists()
    (scratch / "progress.json").unlink(missing_ok=True)  # it is gone after SIGTERM
    second = start(stage, spec, data, out, *more)
    wait_for(second, scratch / "progress.json")
    time.sleep(random.random() / 2)
    second.send_signal(signal.SIGKILL)
    assert second.wait(60) == -signal.SIGKILL
    assert not out.exists()


@pytest.fixture
def frequent_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats at once, so that a job can be caught in the middle."""
    monkeypatch.setenv("HINDCAST_BEAT_SECONDS", "0")


@pytest.mark.usefixtures("frequent_beats")
def test_sigterm_and_sigkill_and_restart_give_the_same_bytes(
    tmp_path: Path, data: list[Path]
) -> None:
    spec = make_spec("bcq", updates=600, evaluate_every=300)
    whole, cut = tmp_path / "a" / "runs" / "x", tmp_path / "b" / "runs" / "x"
    interrupt_twice("train", spec, data[0], cut)
    assert start_train(spec, data[0], cut).wait(120) == 0
    assert start_train(spec, data[0], whole).wait(120) == 0
    for name in METRIC_FILES:
        assert (whole / name).read_bytes() == (cut / name).read_bytes()
    assert record(whole)["runs"] == record(cut)["runs"]


@pytest.mark.slow
@pytest.mark.usefixtures("frequent_beats")
def test_interrupted_fits_and_romi_give_the_same_bytes(tmp_path: Path, data: list[Path]) -> None:
    fit_spec = make_spec("ensemble", max_updates=1500, evaluate_every=100)
    digest = json.loads(fit_spec)["digest"]
    spec = make_spec(
        "romi_bcq",
        (0,),
        {"dynamics": digest},
        rollout_policy="uniform",
        updates=600,
        evaluate_every=300,
    )
    fits = {}
    for name in ("whole", "cut"):
        fits[name] = tmp_path / name / "fits" / "f"
        if name == "cut":
            interrupt_twice("fit", fit_spec, data[0], fits[name])
        assert start("fit", fit_spec, data[0], fits[name]).wait(240) == 0
    for name in ("progress.csv", "model.safetensors"):
        assert (fits["whole"] / name).read_bytes() == (fits["cut"] / name).read_bytes()
    runs = {}
    for name in ("whole", "cut"):
        runs[name] = tmp_path / name / "runs" / "r"
        more = ("--fits", f"dynamics={fits[name]}")
        if name == "cut":
            interrupt_twice("train", spec, data[0], runs[name], *more)
        assert start_train(spec, data[0], runs[name], *more).wait(240) == 0
    for name in METRIC_FILES:
        assert (runs["whole"] / name).read_bytes() == (runs["cut"] / name).read_bytes()


def test_a_finished_job_emits_its_outputs_again_without_training(
    run_job: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run_job("train", make_spec("bcq"), "a")
    before = {name: (folder / name).read_bytes() for name in METRIC_FILES}
    for path in folder.iterdir():
        path.unlink()
    monkeypatch.setattr("algos.core.loop.Loop.run", lambda _: pytest.fail("trained again"))
    run_job("train", make_spec("bcq"), "a")
    assert {name: (folder / name).read_bytes() for name in METRIC_FILES} == before


def test_the_recorded_commit_is_the_one_that_the_job_began_with(
    run_job: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkout moves on while it trains."""
    commits = iter(["began", "moved on", "moved on"])
    monkeypatch.setattr("algos.core.machine.project_version", lambda: next(commits))
    found = record(run_job("train", make_spec("bcq"), "a"))
    assert found["versions"]["hindcast"] == "began"


def test_other_inputs_are_never_answered_with_an_old_result(run_job: Run) -> None:
    """The same spec on another fit trains again: the digest declares inputs, the fingerprint is their content."""
    folder, digest = fitted(run_job)
    spec = make_spec("romi_bcq", (0,), {"dynamics": digest}, rollout_policy="uniform")
    before = run_job("train", spec, "a", {"dynamics": folder})
    policy = (before / "policy.safetensors").read_bytes()
    tensors = checkpoint.load(folder / "model.safetensors")
    tensors["body.biases.0"] += 0.5
    checkpoint.save(folder / "model.safetensors", tensors)
    after = run_job("train", spec, "a", {"dynamics": folder})
    assert (after / "policy.safetensors").read_bytes() != policy


def test_runs_that_share_their_data_do_not_share_their_result(
    tmp_path: Path, data: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds are no part of the digest, and a folder elsewhere than in `results` has one scratch for all."""
    monkeypatch.chdir(ROOT)

    def trained(seed: int, folder: str) -> bytes:
        spec = json.loads(make_spec("bcq", (seed,))) | {"data": data_spec(0)}
        text = json.dumps(spec | {"digest": digest_of(spec)})
        train(["--spec", text, "--out", str(tmp_path / folder), "--data", str(data[0])])
        return (tmp_path / folder / "policy.safetensors").read_bytes()

    first = trained(0, "one")
    second = trained(1, "one")
    assert second != first
    assert second == trained(1, "other")


def test_a_policy_that_breaks_right_before_an_evaluation_fails_alone(
    run_job: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = run_job("train", make_spec("bcq", (1,)), "alone")
    from algos.offline.bcq import BCQ

    plain = BCQ.update

    def poisoned(self: BCQ, drawn: Any, index: int) -> Any:
        metrics = plain(self, drawn, index)
        if index == 39 and len(self.seeds) == 2:  # after update 40, where an evaluation is due
            with torch.no_grad():
                self.actor.weights[0][0].fill_(torch.nan)
        return metrics

    monkeypatch.setattr(BCQ, "update", poisoned)
    runs = record(run_job("train", make_spec("bcq", (0, 1)), "block"))["runs"]
    assert runs[0]["failure"] == {"update": 40, "reason": "action is not finite"}
    assert runs[1] == record(healthy)["runs"][0]


def test_a_second_trainer_in_the_same_folder_is_turned_away(
    tmp_path: Path,
    data: list[Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec = make_spec("bcq", updates=100_000, evaluate_every=100_000)
    out = tmp_path / "runs" / "x"
    first = start_train(spec, data[0], out)
    lock = scratch_of(out, spec) / "lock"
    wait_for(first, lock)
    while not lock.read_text():
        time.sleep(0.02)
    second = start_train(spec, data[0], out)
    assert second.wait(60) == 2
    assert second.stderr is not None
    message = second.stderr.read().decode()
    assert f"pid {first.pid} on" in message and f"kill {first.pid}" in message
    assert message.count("\n") == 1
    assert first.poll() is None
    first.send_signal(signal.SIGKILL)
    first.wait(30)


def test_a_diverged_run_is_recorded_and_the_others_are_kept(
    run_job: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = run_job("train", make_spec("bcq", (1,)), "alone")
    from algos.offline.bcq import BCQ

    plain = BCQ.update

    def poisoned(self: BCQ, drawn: Any, index: int) -> Any:
        if index == 25:  # the 26th update of the first chunk
            with torch.no_grad():
                self.critic.weights[0][0].fill_(torch.nan)
        return plain(self, drawn, index)

    monkeypatch.setattr(BCQ, "update", poisoned)
    folder = run_job("train", make_spec("bcq", (0, 1)), "block")
    runs = record(folder)["runs"]
    assert runs[0]["status"] == "failed" and runs[0]["final"] is None
    assert runs[0]["failure"] == {"update": 26, "reason": "critic_loss is not finite"}
    assert [e["update"] for e in runs[0]["evaluations"]] == [20]
    assert runs[1] == record(healthy)["runs"][0]


def test_a_failed_fit_is_a_failed_run(run_job: Run) -> None:
    folder, digest = fitted(run_job, (0, 1))
    fit = record(folder, "fit.json")
    fit["runs"][0] = {
        "seed": 0,
        "status": "failed",
        "failure": {"update": 7, "reason": "loss is not finite"},
    }
    (folder / "fit.json").write_text(json.dumps(fit))
    spec = make_spec("romi_bcq", (0, 1), {"dynamics": digest}, rollout_policy="uniform")
    runs = record(run_job("train", spec, "romi", {"dynamics": folder}))["runs"]
    assert runs[0]["failure"] == {
        "update": 0,
        "reason": "fit dynamics: loss is not finite at update 7",
    }
    assert runs[1]["status"] == "finished"
