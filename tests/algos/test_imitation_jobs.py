"""Imitation from the data file to the result: jobs of train, evaluate and merge on a few real demonstrations."""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from algos.core import checkpoint
from algos.core.spec import digest_of
from algos.evaluate import evaluate
from algos.merge import merge
from algos.train import train
from envs.datasets import make
from envs.spec import local_spec
from tests.algos.conftest import ROOT, defaults, expect_error

TASK = "fetch-push-v0"
OPTIONS = {"demonstrations": 3, "noise": 0.1}
SHORT = {
    "demonstrations": 2, "hidden": [16, 16], "batch_size": 16, "epochs": 3, "epoch_updates": 4, "evaluate_every": 6,
    "evaluation_episodes": 1, "evaluation_start": "random", "report_evaluations": 1, "robustness_starts": 6,
    "training_starts": 2, "model_width": 16, "repeat": 2, "horizon": 2,
}  # fmt: skip
Jobs = Callable[..., Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three demonstrations for each of seeds 0 and 1."""
    folder = tmp_path_factory.mktemp("demonstrations")
    paths = [folder / f"{seed}.hdf5" for seed in range(2)]
    for seed, path in enumerate(paths):
        make(local_spec(TASK, seed, options=OPTIONS), path)
    return paths


def spec(algo: str, seeds: tuple[int, ...] = (0, 1), **changes: Any) -> str:
    known = defaults(algo)
    values = known | {key: value for key, value in SHORT.items() if key in known} | changes
    module = "bc:BC" if algo == "il_bc" else "bmil:BMIL"
    declared: dict[str, Any] = {
        "stage": "train", "algo": algo, "implementation": f"algos.imitation.{module}", "version": 1, "tier": "test",
        "task": TASK, "seeds": list(seeds), "precision": "float32", "hyperparameters": values, "fits": {},
        "data": {"task": TASK, "source": "local", "generator": "fetch_controller", "version": 1, "seed": "run",
                 "transitions": None, "options": OPTIONS},
    }  # fmt: skip
    return json.dumps(declared | {"digest": digest_of(declared)})


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, files: list[Path]) -> Jobs:
    """Train a spec; returns the folder of the run."""
    monkeypatch.chdir(ROOT)

    def work(text: str, name: str = "a", data: list[Path] | None = None) -> Path:
        out = tmp_path / "results" / "test" / "runs" / name
        seeds = json.loads(text)["seeds"]
        given = data or [files[seed] for seed in seeds]
        train(["--spec", text, "--data", *map(str, given), "--out", str(out)])
        return out

    return work


def result(folder: Path, *options: str) -> dict[str, Any]:
    evaluate(["--run", str(folder), "--out", str(folder / "evaluation.json"), *options])
    merge(["--run", str(folder), "--out", str(folder / "result.json")])
    found: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return found


@pytest.mark.parametrize("algo", ["il_bc", "bmil_code", "bmil_paper", "bmil_forward"])
def test_from_demonstrations_to_a_result(algo: str, run: Jobs) -> None:
    found = result(run(spec(algo)))
    evaluation = found["evaluation"]
    assert evaluation["protocol"] == "displaced_starts"
    starts = evaluation["starts"]
    assert len(starts["x"]) == len(starts["y"]) == len(starts["cell"]) == 6
    assert np.ptp(starts["x"]) > 0.02, "the starts are displaced"
    for each in evaluation["runs"]:
        assert len(each["outcomes"]) == 6
        assert each["robustness"] == pytest.approx(100 * each["outcomes"].count("1") / 6)
        assert 0.0 <= each["train_success"] <= 1.0
    final = found["runs"][1]["final"]
    assert final["policy_steps"] == 12
    assert "score" not in final and 0.0 <= final["success"] <= 1.0
    model_steps = final.get("model_steps", 0.0)
    assert final["gradient_steps"] == 12 + model_steps
    assert (model_steps >= 15) is (algo != "il_bc")
    assert len(found["paths"]) == 2 and len(found["paths"][0][0]) == 2


def test_equal_specs_give_equal_results_alone_and_in_a_block(run: Jobs) -> None:
    block = result(run(spec("bmil_code"), "block"))
    alone = result(run(spec("bmil_code", (1,)), "alone"))
    assert block["runs"][1]["evaluations"] == alone["runs"][0]["evaluations"]
    assert block["evaluation"]["runs"][1] == alone["evaluation"]["runs"][0]
    assert block["evaluation"]["starts"] == alone["evaluation"]["starts"]


def test_policies_that_break_while_they_are_judged_are_named(
    run: Jobs, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(spec("il_bc"))
    tensors = checkpoint.load(folder / "policy.safetensors")
    for tensor in tensors.values():
        tensor[1] = math.nan
    checkpoint.save(folder / "policy.safetensors", tensors)
    evaluation = result(folder)["evaluation"]
    assert [each["seed"] for each in evaluation["runs"]] == [0]
    assert evaluation["failures"] == [{"seed": 1, "reason": "action is not finite"}]
    assert "seed 1: not judged: action is not finite" in capsys.readouterr().err


def test_policies_of_another_run_are_refused(run: Jobs, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(spec("il_bc", (0,)))
    wider = run(spec("il_bc", (0,), hidden=[24]), "wider")
    (folder / "policy.safetensors").write_bytes((wider / "policy.safetensors").read_bytes())
    message = expect_error(
        capsys, lambda: evaluate(["--run", str(folder), "--out", str(folder / "e.json")])
    )
    assert "policy.safetensors: holds other networks than run.json beside it describes" in message


def test_starts_of_a_users_own(run: Jobs, tmp_path: Path) -> None:
    folder = run(spec("il_bc", (0,)))
    place = result(folder)["paths"][0][0]
    starts = tmp_path / "starts.csv"
    starts.write_text(f"x,y\n{place[0]},{place[1]}\n")
    own = tmp_path / "own.json"
    evaluate(["--run", str(folder), "--out", str(own), "--starts", str(starts)])
    found = json.loads(own.read_text())
    assert len(found["runs"][0]["outcomes"]) == 1
    assert found["starts"]["x"][0] == pytest.approx(place[0], abs=0.02)
    checksum = hashlib.sha256(starts.read_bytes()).hexdigest()
    assert (found["protocol"], found["file"], found["sha256"]) == (
        "given_starts",
        "starts.csv",
        checksum,
    )


def test_starts_of_a_users_own_never_get_into_a_result(
    run: Jobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(spec("il_bc", (0,)))
    assert result(folder)["evaluation"]["protocol"] == "displaced_starts"
    before = (folder / "result.json").read_bytes()
    starts = tmp_path / "starts.csv"
    starts.write_text("x,y\n1.34,0.75\n")
    with pytest.raises(SystemExit):
        result(folder, "--starts", str(starts))
    assert "evaluation.json: from starts of your own (starts.csv)" in capsys.readouterr().err
    assert (folder / "result.json").read_bytes() == before


def test_starts_outside_the_table_are_refused(
    run: Jobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(spec("il_bc", (0,)))
    starts = tmp_path / "starts.csv"
    starts.write_text("x,y\n9.0,0.7\n")
    message = expect_error(
        capsys, lambda: evaluate(["--run", str(folder), "--out", str(tmp_path / "e.json"), "--starts", str(starts)])
    )  # fmt: skip
    assert "starts.csv: line 2" in message
    assert not (tmp_path / "e.json").exists()


def changed(path: Path, to: Path, change: Callable[[Any], None]) -> Path:
    """A copy of a file with a change, and without the marks of a file made here."""
    with h5py.File(path) as old, h5py.File(to, "w") as new:
        for name in (
            "observations",
            "actions",
            "rewards",
            "terminals",
            "timeouts",
            "infos/success",
        ):
            new.create_dataset(name, data=old[name][()])
        change(new)
    return to


def own_file(text: str) -> str:
    declared = json.loads(text)
    declared["data"] = {"task": TASK, "source": "file", "generator": None, "version": None, "seed": None,
                        "transitions": None, "options": {}}  # fmt: skip
    del declared["digest"]
    return json.dumps(declared | {"digest": digest_of(declared)})


def no_success(file: Any) -> None:
    file["infos/success"][:] = False
    file["rewards"][:] = -1.0


def no_marks(file: Any) -> None:
    del file["infos/success"]


def other_layout(file: Any) -> None:
    wide = np.hstack([file["observations"][()], np.zeros((len(file["rewards"]), 3))])
    del file["observations"]
    file.create_dataset("observations", data=wide)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (no_success, "success"),
        (no_marks, "infos/success"),
        (other_layout, "observations: shape (153, 28), task fetch-push-v0 wants (153, 25)"),
    ],
)
def test_bad_demonstrations_are_one_clear_line(
    change: Callable[[Any], None], message: str, run: Jobs, files: list[Path], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    bad = changed(files[0], tmp_path / "bad.hdf5", change)
    found = expect_error(capsys, lambda: run(own_file(spec("il_bc", (0,))), data=[bad]))
    assert message in found and "bad.hdf5" in found


def test_demonstrations_of_another_task_are_refused(
    run: Jobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "long.hdf5"
    make(local_spec("fetch-push-long-v0", 0, options={**OPTIONS, "demonstrations": 1}), other)
    found = expect_error(capsys, lambda: run(spec("il_bc", (0,)), data=[other]))
    assert "the file holds data of task fetch-push-long-v0, not of fetch-push-v0" in found
