import dataclasses
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from envs.loader import Dataset, DatasetError, load, position_jumps, rows
from envs.tasks import get_task


def tiny(terminals: np.ndarray, timeouts: np.ndarray) -> Dataset:
    """A file whose row i holds observation i, action -i, reward 10 i."""
    count = len(terminals)
    number = np.arange(count, dtype=np.float32)
    return Dataset(
        get_task("maze2d-umaze-v1"), Path("x"), number[:, None], -number[:, None], 10 * number,
        np.asarray(terminals, dtype=bool), np.asarray(timeouts, dtype=bool), "", "local", None, None,
    )  # fmt: skip


def test_rows_of_a_worked_example() -> None:
    #                 0  1  2  3  4  5  6  7
    dataset = tiny([0, 0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0])  # type: ignore[arg-type]
    found = rows(dataset, include_terminal=True)
    assert found.observation[:, 0].tolist() == [0, 1, 2, 3, 5, 6]
    assert found.next_observation[:, 0].tolist() == [1, 2, 3, 4, 6, 7]
    assert found.action[:, 0].tolist() == [-0.0, -1, -2, -3, -5, -6]
    assert found.reward.tolist() == [0, 10, 20, 30, 50, 60]
    assert found.terminated.tolist() == [False, False, True, False, False, False]
    assert found.trajectory.tolist() == [0, 0, 0, 1, 2, 2]
    found = rows(dataset, include_terminal=False)
    assert found.observation[:, 0].tolist() == [0, 1, 3, 5, 6]
    assert found.trajectory.tolist() == [0, 0, 1, 2, 2] and not found.terminated.any()


flags = hnp.arrays(bool, st.shared(st.integers(2, 40), key="count"))


@given(terminals=flags, timeouts=flags, include_terminal=st.booleans())
def test_rows_follow_the_rule_of_romi(
    terminals: np.ndarray, timeouts: np.ndarray, include_terminal: bool
) -> None:
    expected: list[tuple[int, bool, int]] = []
    trajectory, fresh = -1, True
    for i in range(len(terminals) - 1):
        if timeouts[i] or (terminals[i] and not include_terminal):
            fresh = True
            continue
        trajectory += fresh
        expected.append((i, bool(terminals[i]), trajectory))
        fresh = bool(terminals[i])
    found = rows(tiny(terminals, timeouts), include_terminal)
    assert (
        list(zip(found.observation[:, 0], found.terminated, found.trajectory, strict=True))
        == expected
    )
    assert (found.next_observation == found.observation + 1).all()


def test_generated_files_give_no_pair_across_balls(umaze_file: Path) -> None:
    found = rows(load(umaze_file, "maze2d-umaze-v1"), include_terminal=True)
    # semi-implicit Euler holds for true pairs only
    error = (
        found.next_observation[:, :2]
        - found.observation[:, :2]
        - 0.01 * found.next_observation[:, 2:]
    )
    assert np.abs(error).max() < 1e-5
    with h5py.File(umaze_file) as file:
        ends = file["observations"][()][[1999, 3999]]
    for end in ends:
        assert not (found.observation == end).all(axis=1).any()
        assert (found.next_observation == end).all(axis=1).sum() <= 1
    assert len(np.unique(found.trajectory)) == found.trajectory[-1] + 1
    assert all(
        array.dtype == np.float32 for array in (found.observation, found.action, found.reward)
    )


def test_provenance(umaze_file: Path, published_like: Callable[..., Path]) -> None:
    dataset = load(umaze_file, "maze2d-umaze-v1")
    with h5py.File(umaze_file) as file:
        assert dataset.sha256 == file.attrs["sha256"]
    assert (dataset.source, dataset.generator, dataset.reward_at) == (
        "local",
        "waypoint",
        "observation",
    )
    assert len(dataset) == 6000
    foreign = load(published_like(), "maze2d-umaze-v1")
    assert (foreign.source, foreign.generator) == (
        "file",
        None,
    ) and foreign.sha256 != dataset.sha256


def test_the_slip_of_the_published_files_is_read(tmp_path: Path) -> None:
    from envs.datasets import make
    from envs.spec import local_spec

    path = tmp_path / "quirks.hdf5"
    make(local_spec("maze2d-umaze-v1", 0, 4000, {"quirks": True}), path)
    with h5py.File(path, "a") as file:
        file.attrs.clear()  # as a published file
    assert load(path, "maze2d-umaze-v1").reward_at == "observation"


def test_antmaze_timeouts_are_recomputed(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    observations = generator.normal(0, 1, (300, 29)).astype(np.float32)
    observations[:, :2] = np.cumsum(generator.uniform(0, 0.1, (300, 2)), axis=0)
    observations[100:, :2] -= 9.0
    observations[200:, :2] -= 7.0
    path = tmp_path / "ant.hdf5"
    with h5py.File(path, "w") as file:
        file["observations"], file["actions"] = observations, np.zeros((300, 8), np.float32)
        file["rewards"], file["terminals"] = np.zeros(300, np.float32), np.zeros(300, bool)
        file["timeouts"] = np.arange(300) % 7 == 0  # wrong, as in version 0
    dataset = load(path, "antmaze-umaze-v0")
    assert np.flatnonzero(dataset.timeouts).tolist() == [99, 199]
    assert np.bincount(rows(dataset, True).trajectory).tolist() == [99, 99, 99]


def test_position_jumps_closed_form() -> None:
    positions = np.zeros((23, 2))
    positions[:, 0] = [*range(21), 221, 222]  # steps of 1 and one of 201: mean 222 / 22 = 10.09
    assert np.flatnonzero(position_jumps(positions)).tolist() == [20]
    positions[21:, 0] = [120, 121]  # a step of 100: mean 121 / 22 = 5.5, still more than ten times
    assert position_jumps(positions)[20]
    positions[21:, 0] = [35, 36]  # a step of 15 only
    assert not position_jumps(positions).any()


def test_datasets_are_frozen(umaze_file: Path) -> None:
    dataset = load(umaze_file, "maze2d-umaze-v1")
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.sha256 = ""  # type: ignore[misc]


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.hdf5: no such file; generate or fetch it"):
        load(tmp_path / "none.hdf5", "maze2d-umaze-v1")
