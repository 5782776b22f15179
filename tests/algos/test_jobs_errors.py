"""Bad input of whole jobs: one line that names what is wrong and the remedy; nothing half-written stays."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from algos import jobs
from algos.core import checkpoint
from tests.algos.conftest import ROOT, expect_error, fitted, make_spec

Run = Callable[..., Path]


def test_data_made_from_another_spec_are_refused(
    run_job: Run, data: list[Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from algos.train import train

    arguments = ["--spec", make_spec("bcq"), "--data", str(data[1]), "--out", str(tmp_path / "out")]
    message = expect_error(capsys, lambda: train(arguments))
    assert f"{data[1]}: made with seed 1, the spec declares 0; generate it again" in message


def changed(spec: str, **changes: Any) -> str:
    from algos.core.spec import digest_of

    raw = json.loads(spec)
    raw["hyperparameters"] |= changes
    raw["digest"] = digest_of(raw)
    return json.dumps(raw)


def respecified(spec: str, **changes: Any) -> str:
    from algos.core.spec import digest_of

    raw = json.loads(spec) | changes
    return json.dumps(raw | {"digest": digest_of(raw)})


def test_bad_specs_are_one_line_errors(
    run_job: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    good = make_spec("bcq")
    cases = {
        changed(good, taau=1.0): "bcq: unknown key taau (did you mean tau?)",
        good.replace('"discount": 0.99', '"discount": 0.98'): "digest does not fit",
        good.replace('"precision"', '"precison"'): "missing key precision",
        changed(good, updates="two"): 'bcq: updates must be an integer, found "two"',
        changed(good, networks="huge"): 'bcq: networks must be one of paper, small, found "huge"',
        respecified(good, data=None): "bcq: data: must be an object, found null",
        respecified(good, data={"source": "local"}): "bcq: data: missing key seed",
        respecified(good, task="maze2d-umase-v1"): "did you mean 'maze2d-umaze-v1'?",
        respecified(good, implementation="algos.none:X"): "algos.none:X: cannot be imported",
        respecified(good, stage="fit"): "stage is fit, a train job needs train; use algos.fit",
    }
    for spec, expected in cases.items():
        message = expect_error(capsys, lambda spec=spec: run_job("train", spec, "x"))
        assert expected in message
    undeclared = json.loads(make_spec("ensemble"))["data"] | {"transitions": None}
    ensemble = respecified(make_spec("ensemble"), data=undeclared)
    message = expect_error(capsys, lambda: run_job("fit", ensemble, "x"))
    assert "ensemble: data of maze2d-umaze-v1 declare no number of transitions" in message
    fit = respecified(make_spec("ensemble"), stage="train")
    message = expect_error(capsys, lambda: run_job("fit", fit, "x"))
    assert "stage is train, a fit job needs fit; use algos.train for it" in message
    with pytest.raises(SystemExit):
        jobs.main(lambda: run_job("train", "{not json", "x"))
    assert not list(tmp_path.rglob("run.json"))


def test_fits_must_be_those_of_the_spec(run_job: Run, capsys: pytest.CaptureFixture[str]) -> None:
    spec = make_spec("romi_bcq", (0,), {"dynamics": "0" * 64}, rollout_policy="uniform")
    message = expect_error(capsys, lambda: run_job("train", spec, "x"))
    assert "--fits: the spec wants ['dynamics'], got []" in message
    folder, digest = fitted(run_job)
    message = expect_error(capsys, lambda: run_job("train", spec, "x", {"dynamics": folder}))
    assert "fit dynamics is of another spec; run the fit job again" in message
    others = make_spec("romi_bcq", (1,), {"dynamics": digest}, rollout_policy="uniform")
    message = expect_error(capsys, lambda: run_job("train", others, "x", {"dynamics": folder}))
    assert "fit dynamics has seeds [0], not (1,)" in message
    cvae = make_spec("romi_bcq", (0,), {"dynamics": digest}, rollout_policy="cvae")
    message = expect_error(capsys, lambda: run_job("train", cvae, "x", {"dynamics": folder}))
    assert "rollout_policy cvae: needs a fit in slot rollout_policy" in message


def test_a_checkpoint_of_another_spec_is_refused(
    run_job: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = make_spec("bcq")
    scratch = (
        tmp_path / "results" / "test" / "scratch" / json.loads(spec)["digest"][:16] / "seeds0-0"
    )
    checkpoint.save(scratch / checkpoint.CHECKPOINT, {"digest": "f" * 64})
    message = expect_error(capsys, lambda: run_job("train", spec, "x"))
    assert "belongs to another spec" in message and "delete its folder" in message
    assert (scratch / checkpoint.CHECKPOINT).exists()


def test_damaged_data_is_refused_before_training(
    tmp_path: Path,
    data: list[Path],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    from algos.train import train

    broken = tmp_path / "nan.hdf5"
    broken.write_bytes(data[0].read_bytes())
    with h5py.File(broken, "r+") as file:
        file["observations"][123, 0] = np.nan
    cut = tmp_path / "cut.hdf5"
    cut.write_bytes(data[0].read_bytes()[:5000])
    for path in (broken, cut, tmp_path / "missing.hdf5"):
        arguments = [
            "--spec",
            make_spec("bcq"),
            "--data",
            str(path),
            "--out",
            str(tmp_path / "out"),
        ]
        message = expect_error(capsys, lambda arguments=arguments: train(arguments))
        assert path.name in message
    assert os.listdir(tmp_path / "out") == ["scratch"]
    assert os.listdir(tmp_path / "out" / "scratch") == ["lock"]


def test_a_damaged_checkpoint_names_itself_and_the_remedy(
    run_job: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    spec = make_spec("bcq")
    scratch = (
        tmp_path / "results" / "test" / "scratch" / json.loads(spec)["digest"][:16] / "seeds0-0"
    )
    scratch.mkdir(parents=True)
    (scratch / checkpoint.CHECKPOINT).write_bytes(b"half a checkpoint")
    message = expect_error(capsys, lambda: run_job("train", spec, "x"))
    assert (
        "not a readable checkpoint" in message and "delete it to start this job afresh" in message
    )


def test_a_damaged_fit_names_itself_and_the_remedy(
    run_job: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, digest = fitted(run_job)
    spec = make_spec("romi_bcq", (0,), {"dynamics": digest}, rollout_policy="uniform")
    record, again = folder / "fit.json", "delete its folder and run the fit again"
    for content, expected in (
        ('{"half": ', "not readable"),
        ("{}", f"missing key digest; {again}"),
    ):
        record.write_text(content)
        message = expect_error(capsys, lambda: run_job("train", spec, "x", {"dynamics": folder}))
        assert f"{record}: {expected}" in message and message.endswith(f"; {again}\n")
    record.unlink()
    message = expect_error(capsys, lambda: run_job("train", spec, "x", {"dynamics": folder}))
    assert message == f"error: {record}: no such file; is --fits the folder of a finished fit?\n"


def test_a_device_that_is_not_there(
    run_job: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HINDCAST_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = expect_error(capsys, lambda: run_job("train", make_spec("bcq"), "x"))
    assert "HINDCAST_DEVICE=cuda" in message and "use device=cpu" in message


def test_stratified_episodes_must_fill_the_start_cells(
    run_job: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = make_spec("bcq", evaluation_episodes=10)
    message = expect_error(capsys, lambda: run_job("train", spec, "x"))
    assert "10 is not a multiple of the 7 start cells of maze2d-umaze-v1; use 14" in message


def test_no_space_left_is_said_before_training(
    run_job: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from algos.core import files

    monkeypatch.setattr(files.shutil, "disk_usage", lambda _: type("u", (), {"free": 10}))
    message = expect_error(capsys, lambda: run_job("train", make_spec("bcq"), "x"))
    assert "a training job needs 64 MB but only 0 MB are free; free some space" in message


def test_wrong_number_of_data_files(
    capsys: pytest.CaptureFixture[str], data: list[Path], tmp_path: Path
) -> None:
    from algos.train import train

    arguments = [
        "--spec",
        make_spec("bcq", (0, 1, 2)),
        "--out",
        str(tmp_path),
        "--data",
        *map(str, data[:2]),
    ]
    message = expect_error(capsys, lambda: train(arguments))
    assert "2 files for 3 seeds" in message


@pytest.mark.parametrize(
    ("precision", "device", "flags", "warned"),
    [
        ("bfloat16", "cpu", {"avx2"}, True),
        ("bfloat16", "cpu", {"avx2", "avx512_bf16"}, False),
        ("bfloat16", "cpu", set(), False),  # a system that does not tell
        ("bfloat16", "cuda", {"avx2"}, False),
        ("float32", "cpu", {"avx2"}, False),
    ],
)
def test_emulated_bfloat16_is_warned_of(
    precision: str,
    device: str,
    flags: set[str],
    warned: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(jobs.machine, "cpu_flags", lambda: flags)
    jobs._warn_of_emulation(SimpleNamespace(precision=precision), torch.device(device))  # type: ignore[arg-type]
    assert ("use precision float32 here" in capsys.readouterr().err) == warned
