"""Which rows of a demonstration file are learnt from, and what is refused."""

import dataclasses

import numpy as np
import pytest
import torch

from algos.demonstrations import DemonstrationConfig, select
from envs.loader import DatasetError
from tests.algos.imitation.toy import LAYOUT, run_data


@pytest.mark.parametrize(("tail", "length"), [(0, 6), (2, 8), (50, 10)])
def test_episodes_end_some_steps_after_the_first_success(tail: int, length: int) -> None:
    data = run_data(0)  # successes are steps 5 to 9 of 10
    found = select(DemonstrationConfig(3, tail), (0,), [data], LAYOUT)
    expected = np.concatenate([np.arange(10 * e, 10 * e + length) for e in range(3)])
    assert torch.equal(found.rows[0], data.rows[torch.from_numpy(expected)])


def test_no_pair_of_rows_crosses_an_episode() -> None:
    batch = select(DemonstrationConfig(4, 50), (0,), [run_data(0)], LAYOUT).batch(0)
    assert torch.allclose(batch.next_observation, batch.observation + batch.action, atol=1e-6)


def test_every_run_draws_from_its_own_rows() -> None:
    data = [run_data(0), run_data(1)]
    found = select(DemonstrationConfig(2, 0), (0, 1), data, LAYOUT)
    drawn = found.draw(counter=3, chunk=4, count=5)
    assert drawn.shape == (4, 2, 1, 5, LAYOUT.width)
    for run in range(2):
        rows = {tuple(row) for row in found.rows[run].tolist()}
        assert all(tuple(row) in rows for row in drawn[:, run].reshape(-1, LAYOUT.width).tolist())


def test_a_file_that_does_not_say_what_succeeded_is_refused() -> None:
    data = dataclasses.replace(run_data(0), success=None)
    with pytest.raises(DatasetError, match=r"demonstrations-0.hdf5: infos/success: missing"):
        select(DemonstrationConfig(1, 0), (0,), [data], LAYOUT)


def test_an_episode_without_success_is_refused() -> None:
    data = run_data(0)
    assert data.success is not None
    data.success[data.trajectory == 1] = False
    with pytest.raises(DatasetError, match="episode 1 never succeeds"):
        select(DemonstrationConfig(2, 0), (0,), [data], LAYOUT)


def test_too_few_episodes_are_refused() -> None:
    with pytest.raises(DatasetError, match="4 episodes, demonstrations asks for 5"):
        select(DemonstrationConfig(5, 0), (0,), [run_data(0)], LAYOUT)
