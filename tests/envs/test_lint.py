import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from envs.loader import DatasetError, load

Maker = Callable[..., Path]
TASK = "maze2d-umaze-v1"


def fails(path: Path, message: str, task: str = TASK) -> None:
    with pytest.raises(DatasetError, match=message) as found:
        load(path, task)
    text = str(found.value)
    assert text.startswith(f"{path}: ") and "\n" not in text and ";" in text


def copy(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(source, tmp_path / "copy.hdf5"))


@pytest.mark.parametrize("kept", [0, 100, 3000, 0.5, 0.99])
def test_truncated(umaze_file: Path, tmp_path: Path, kept: float) -> None:
    content = umaze_file.read_bytes()
    path = tmp_path / "cut.hdf5"
    path.write_bytes(content[: int(kept if kept >= 1 else kept * len(content))])
    fails(path, "not a readable HDF5 file, damaged or cut off; delete it and make it again")


def test_not_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "text.hdf5"
    path.write_text("observations,actions\n" * 100)
    fails(path, "not a readable HDF5 file")


def test_flipped_bits(umaze_file: Path, tmp_path: Path) -> None:
    path = copy(umaze_file, tmp_path)
    with h5py.File(path) as file:
        offset = file["infos/qvel"].id.get_offset() + 4000
    with path.open("rb+") as raw:
        raw.seek(offset)
        byte = raw.read(1)[0]
        raw.seek(offset)
        raw.write(bytes([byte ^ 1]))
    fails(path, "sha256: the arrays do not fit the checksum stored with them; delete the file")


@pytest.mark.parametrize("key", ["observations", "actions", "rewards", "terminals", "timeouts"])
def test_missing_key(published_like: Maker, key: str) -> None:
    fails(published_like(**{key: None}), f"{key}: missing key; not a file in D4RL's layout")


@pytest.mark.parametrize("key", ["observations", "actions", "rewards"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_finite(published_like: Maker, arrays: dict[str, Any], key: str, value: float) -> None:
    array = arrays[key]
    array[123] = value
    fails(published_like(**{key: array}), f"{key}: row 123: not a finite number;")


def test_teleporting_without_a_flag(published_like: Maker, arrays: dict[str, Any]) -> None:
    arrays["timeouts"][1999] = False  # the first ball's last row
    fails(
        published_like(timeouts=arrays["timeouts"]),
        "observations: row 1999: the next row does not follow",
    )


@pytest.mark.parametrize("ends", [1, 2, 3])
def test_the_slip_of_the_published_files_may_last(
    published_like: Maker, arrays: dict[str, Any], ends: int
) -> None:
    """Each end that follows at once lets the ball move on by one more step unseen."""
    speed = np.abs(arrays["observations"][:1900, 2:]).max(axis=1)
    row = int(speed[100:].argmax()) + 100
    repeated = slice(row + 1, row + 1 + ends)
    for key in ("observations", "rewards"):
        arrays[key][repeated] = arrays[key][row]
    arrays["timeouts"][row - 2 : row + 8] = False
    arrays["timeouts"][row : row + ends] = True
    changed = {key: arrays[key] for key in ("observations", "rewards", "timeouts")}
    load(published_like(**changed), TASK)
    arrays["timeouts"][row] = False
    unflagged = published_like(**changed | {"timeouts": arrays["timeouts"]})
    fails(unflagged, f"observations: row {row}: the next row does not follow")


def test_a_teleport_by_one_centimetre(published_like: Maker, arrays: dict[str, Any]) -> None:
    row = int(np.flatnonzero(~arrays["timeouts"] & ~np.roll(arrays["timeouts"], 1))[700])
    arrays["observations"][row + 1 :, 0] += 0.01
    path = published_like(observations=arrays["observations"])
    fails(path, f"observations: row {row}: the next row does not follow")


@pytest.mark.parametrize(
    ("key", "cut", "shape"),
    [
        ("observations", np.s_[:, :3], r"\(6000, 3\), task maze2d-umaze-v1 wants \(6000, 4\)"),
        ("actions", np.s_[:, :1], r"\(6000, 1\), .* wants \(6000, 2\)"),
        ("rewards", np.s_[:-1], r"\(5999,\), .* wants \(6000,\)"),
        ("terminals", np.s_[:, None], r"\(6000, 1\), .* wants \(6000,\)"),
    ],
)
def test_wrong_shapes(
    published_like: Maker, arrays: dict[str, Any], key: str, cut: Any, shape: str
) -> None:
    fails(published_like(**{key: arrays[key][cut]}), f"{key}: shape {shape}")


def test_wrong_types_and_no_rows(published_like: Maker, arrays: dict[str, Any]) -> None:
    fails(published_like(rewards=np.array([b"x"] * 6000)), r"rewards: holds \|S1, not numbers;")
    empty = {key: array[:1] for key, array in arrays.items()}
    fails(published_like(**empty), "observations: 1 rows, at least 2 are needed;")


def test_another_tasks_file(umaze_file: Path, published_like: Maker) -> None:
    message = (
        "task: the file holds data of task maze2d-umaze-v1, not of maze2d-large-v1; use its own"
    )
    fails(umaze_file, message, "maze2d-large-v1")
    fails(published_like(), "is this another task's file", "hopper-random-v2")
    # same dimensions, no attributes: the rewards tell
    fails(published_like(), "rewards: row 0: not the dense reward", "maze2d-umaze-dense-v1")
    fails(published_like(), "rewards: row .*: not the sparse reward", "maze2d-medium-v1")


def test_rewards_one_row_late(published_like: Maker, arrays: dict[str, Any]) -> None:
    late = np.append(0.0, arrays["rewards"][:-1])
    fails(
        published_like(rewards=late),
        r"rewards: row \d+: not the sparse reward of this row's state nor of the next",
    )
    early = np.append(arrays["rewards"][1:], 0.0)
    assert load(published_like(rewards=early), TASK).reward_at == "next_observation"


def test_alignment_must_be_the_declared_one(tmp_path: Path) -> None:
    from envs.datasets import make
    from envs.spec import local_spec

    path = tmp_path / "next.hdf5"
    make(local_spec(TASK, 0, 4000, {"reward_at": "next_observation"}), path)
    assert load(path, TASK).reward_at == "next_observation"
    with h5py.File(path, "a") as file:
        file.attrs["spec"] = file.attrs["spec"].replace("next_observation", "observation")
    fails(path, "rewards: belong to the next_observation, the file says to the observation;")


@pytest.mark.parametrize("spec", ["{half", "[]", "", 3])
def test_the_spec_of_a_file_must_be_json(umaze_file: Path, tmp_path: Path, spec: Any) -> None:
    path = copy(umaze_file, tmp_path)
    with h5py.File(path, "a") as file:
        file.attrs["spec"] = spec
    fails(path, r"spec: the attribute is not a data spec \(a JSON object\); delete the file")


def test_flags(published_like: Maker, arrays: dict[str, Any]) -> None:
    arrays["terminals"][50] = True
    fails(
        published_like(terminals=arrays["terminals"]),
        "terminals: row 50: set, but task .* never terminates;",
    )
    numbers = arrays["timeouts"].astype(np.int64)
    numbers[70] = 2
    fails(published_like(timeouts=numbers), "timeouts: row 70: neither 0 nor 1;")


def test_actions_out_of_range(published_like: Maker, arrays: dict[str, Any]) -> None:
    arrays["actions"][9, 1] = -1.5
    fails(published_like(actions=arrays["actions"]), r"actions: row 9: outside \[-1, 1\]; rescale")


def locomotion(path: Path, **changes: Any) -> Path:
    """Two hopper episodes of ten rows with next_observations."""
    generator = np.random.default_rng(0)
    states = generator.normal(0, 0.01, (2, 11, 11)) + np.eye(11)[0]
    timeouts = np.arange(20) == 19
    terminals = np.arange(20) == 9
    content = {
        "observations": states[:, :-1].reshape(20, 11),
        "next_observations": states[:, 1:].reshape(20, 11),
        "actions": np.zeros((20, 3)),
        "rewards": np.ones(20),
        "terminals": terminals,
        "timeouts": timeouts,
    } | changes
    with h5py.File(path, "w") as file:
        for name, array in content.items():
            file[name] = array
    return path


def test_next_observations_must_be_the_next_rows(tmp_path: Path) -> None:
    assert len(load(locomotion(tmp_path / "good.hdf5"), "hopper-random-v2")) == 20
    path = locomotion(tmp_path / "bad.hdf5", terminals=np.zeros(20, bool))
    fails(path, "next_observations: row 9: not the next row's observation", "hopper-random-v2")


def test_every_finding_is_counted(published_like: Maker, arrays: dict[str, Any]) -> None:
    arrays["observations"][5, 0] = arrays["rewards"][6] = np.nan
    with pytest.raises(DatasetError, match=r"row 5: .*\(and 1 more\)$"):
        load(published_like(observations=arrays["observations"], rewards=arrays["rewards"]), TASK)


def test_messages_name_key_and_row_in_order(published_like: Maker, arrays: dict[str, Any]) -> None:
    arrays["rewards"][6] = np.nan
    path = published_like(rewards=arrays["rewards"])
    with pytest.raises(DatasetError) as found:
        load(path, TASK)
    assert re.fullmatch(re.escape(str(path)) + r": rewards: row 6: [^;]+; .+", str(found.value))
