import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from envs import storage
from envs.datasets import main
from envs.loader import load
from envs.spec import DataSpec, local_spec
from paper_tables import paths

TASK = "maze2d-umaze-v1"
SPEC = {
    "task": TASK,
    "source": "local",
    "generator": "waypoint",
    "version": 1,
    "seed": 0,
    "transitions": 6000,
    "options": {},
}


def refused(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as found:
        main(arguments)
    assert found.value.code == 2
    output = capsys.readouterr()
    assert output.out == "" and output.err.startswith("error: ") and output.err.count("\n") == 1
    assert message in output.err


def test_generate_from_a_spec(
    umaze_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "x.hdf5"
    main(["generate", "--spec", json.dumps(SPEC), "--out", str(out)])
    output = capsys.readouterr()
    assert output.out == f"{out}\n" and output.err == ""  # quiet when piped
    assert [path.name for path in out.parent.iterdir()] == ["x.hdf5"]
    with h5py.File(out) as file, h5py.File(umaze_file) as other:
        attributes = dict(file.attrs)
        assert attributes["sha256"] == other.attrs["sha256"]
        arrays = storage.read_arrays(file)
    assert attributes["sha256"] == storage.array_digest(arrays)
    assert json.loads(attributes["spec"]) == SPEC
    assert {k: attributes[k] for k in ("task", "source", "generator", "version", "seed")} == {
        k: SPEC[k] for k in ("task", "source", "generator", "version", "seed")
    }
    assert attributes["mujoco"].count(".") == 2


def test_flags_and_spec_are_the_same(umaze_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.hdf5"
    main(["generate", "--task", TASK, "--transitions", "6000", "--out", str(out)])
    assert load(out, TASK).sha256 == load(umaze_file, TASK).sha256


def test_default_place_is_the_plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main(["generate", "--task", TASK, "--transitions", "50", "--option", "noise=0.5"])
    spec = SPEC | {"transitions": 50, "options": {"noise": 0.5}}
    place = paths.data_file(spec)
    assert Path(place).exists() and DataSpec.parse(json.dumps(spec)).default_path == place


def test_two_runs_write_the_same_arrays(tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        command = [sys.executable, "-m", "envs.datasets", "generate", "--spec", json.dumps(SPEC)]
        done = subprocess.run(
            [*command, "--out", str(tmp_path / name)], capture_output=True, check=True
        )
        assert done.stderr == b""
        digests.add(load(tmp_path / name, TASK).sha256)
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "maze2d-umase-v1"}, "no task 'maze2d-umase-v1'; did you mean 'maze2d-umaze-v1'"),
        ({"task": 3}, "spec: task: missing, or not a string"),
        ({"source": "lokal"}, "'lokal' is not one of local, d4rl, file"),
        ({"generator": "sac"}, "task maze2d-umaze-v1 has 'waypoint', not 'sac'"),
        ({"version": 2}, "generator waypoint is at version 1, not 2"),
        ({"seed": "run"}, "spec: seed: must be an integer from 0 up, got 'run'"),
        ({"seed": True}, "spec: seed: must be an integer"),
        ({"transitions": 0}, "spec: transitions: must be an integer from 2 up"),
        ({"options": {"noize": 1}}, "no option 'noize'; did you mean 'noise'"),
        ({"options": []}, "spec: options: must be an object"),
        ({"transition": 5}, "unknown key 'transition'; did you mean 'transitions'"),
        ({"path": "x"}, "only source 'file' takes a path"),
        ({"source": "file"}, "source 'file' needs the path"),
        (
            {"task": "hopper-random-v2"},
            "no generator makes data of task hopper-random-v2; use source",
        ),
    ],
)
def test_bad_specs(
    change: dict[str, Any], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "x.hdf5"
    refused(["generate", "--spec", json.dumps(SPEC | change), "--out", str(out)], message, capsys)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "--spec", "{"], "spec: not JSON"),
        (["generate", "--spec", "[]"], "spec: must be a JSON object"),
        (["generate"], "give --task NAME or --spec JSON"),
        (["generate", "--spec", "{}", "--seed", "0"], "--seed: not together with --spec"),
        (
            ["generate", "--task", TASK, "--option", "noise"],
            "--option noise: write it as name=value",
        ),
        (
            ["generate", "--task", TASK, "--transitions", "-5"],
            "transitions: must be an integer from 2",
        ),
        (
            ["generate", "--task", "antmaze-umaze-v0"],
            "no generator makes data of task antmaze-umaze-v0",
        ),
        (
            ["generate", "--task", "relocate-v0"],
            "generator: 'relocate_plan' of task relocate-v0 is declared, not implemented",
        ),
        (["fetch", "--task", "fetch-push-v0"], "no file is published for task fetch-push-v0"),
        (["lint", "none.hdf5"], "none.hdf5: no such file"),
        (["info", "none.hdf5", "--task", TASK], "none.hdf5: no such file"),
        (["fetch", "--task", "hopper-randm-v2"], "did you mean 'hopper-random-v2'"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    refused(arguments, message, capsys)
    assert not list(tmp_path.iterdir())


def test_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))  # type: ignore[attr-defined]
    message = "a data file (x.hdf5) needs 0 MB, 0 MB are free; make room or choose another folder"
    refused(
        ["generate", "--task", TASK, "--transitions", "6000", "--out", str(tmp_path / "x.hdf5")],
        message,
        capsys,
    )
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "x.hdf5"
    refused(["generate", "--task", TASK, "--transitions", "60", "--out", str(out)], "file", capsys)


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.hdf5"
    storage.write(path, {"a": np.zeros(3)}, {})
    before = path.read_bytes()

    class Broken(h5py.File):  # type: ignore[misc]
        def create_dataset(self, *_: Any, **__: Any) -> Any:
            raise OSError("disk on fire")

    monkeypatch.setattr(h5py, "File", Broken)
    with pytest.raises(OSError, match="disk on fire"):
        storage.write(path, {"a": np.ones(3)}, {})
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["x.hdf5"]


def test_a_stopped_job_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "envs.datasets", "generate", "--task", "maze2d-large-v1"]
    job = subprocess.Popen([*command, "--out", str(tmp_path / "x.hdf5")], stderr=subprocess.PIPE)
    time.sleep(2.0)
    job.send_signal(signal.SIGTERM)
    job.wait(timeout=20)
    assert job.returncode in (143, -signal.SIGTERM) and not list(tmp_path.iterdir())


def test_a_file_of_the_users_is_checked_and_copied(
    umaze_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {"task": TASK, "source": "file", "path": str(umaze_file)}
    out = tmp_path / "x.hdf5"
    main(["generate", "--spec", json.dumps(spec), "--out", str(out)])
    assert out.read_bytes() == umaze_file.read_bytes()
    capsys.readouterr()
    out.unlink()
    wrong = json.dumps(spec | {"task": "maze2d-large-v1"})
    refused(
        ["generate", "--spec", wrong, "--out", str(out)],
        "holds data of task maze2d-umaze-v1",
        capsys,
    )
    assert not out.exists()


def test_published_files_are_fetched(
    umaze_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, published_like: Any
) -> None:
    given = published_like()
    asked = []

    def fake(url: str, out: Path, sha256: str | None, size: int | None, *_: Any) -> None:
        asked.append((url, sha256, size))
        out.parent.mkdir(parents=True)
        shutil.copy(given, out)

    monkeypatch.setattr("envs.datasets.fetch", fake)
    monkeypatch.chdir(tmp_path)
    spec = {"task": TASK, "source": "d4rl", "generator": None, "version": None, "seed": None,
            "transitions": None, "options": {"file": "maze2d-umaze-sparse-v1.hdf5"}}  # fmt: skip
    main(["generate", "--spec", json.dumps(spec), "--out", "a/x.hdf5"])
    main(["fetch", "--task", TASK])
    assert Path("data", TASK, "maze2d-umaze-sparse-v1.hdf5").exists() and Path("a/x.hdf5").exists()
    url = "http://rail.eecs.berkeley.edu/datasets/offline_rl/maze2d/maze2d-umaze-sparse-v1.hdf5"
    assert asked == [(url, None, None)] * 2


def test_lint_and_info(umaze_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["lint", str(umaze_file)])
    assert capsys.readouterr().out == f"{umaze_file}: ok, 6000 rows of {TASK}\n"
    main(["info", str(umaze_file)])
    facts = dict(
        line.split(maxsplit=1)
        for line in capsys.readouterr().out.splitlines()
        if " at" not in line[:10]
    )
    assert facts["source"] == "local" and facts["rows"] == "6000" and facts["task"] == TASK


def test_local_spec_takes_the_published_size() -> None:
    spec = local_spec("maze2d-large-dense-v1", 7)
    assert (spec.transitions, spec.seed, spec.generator, spec.version) == (
        4_000_000,
        7,
        "waypoint",
        1,
    )
