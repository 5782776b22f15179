import numpy as np
import pytest
import torch
from scipy import stats

from algos.imagination.starts import (
    return_weights,
    trajectory_returns,
    uniform_starts,
    weighted_starts,
)


def test_every_row_carries_its_trajectorys_return() -> None:
    reward = np.array([1.0, 0.0, 2.0, 5.0, 0.0], np.float32)
    trajectory = np.array([0, 0, 0, 1, 2])
    assert trajectory_returns(reward, trajectory).tolist() == [3.0, 3.0, 3.0, 5.0, 0.0]


def test_weights_are_shifted_and_divided_by_their_range_but_never_stretched() -> None:
    assert return_weights(np.array([2.0, 4.0, 12.0])).tolist() == [0.0, 0.2, 1.0]
    assert return_weights(np.array([0.0, 0.5])).tolist() == [
        0.0,
        0.5,
    ]  # range below one: not stretched


def test_weighted_draws_follow_the_weights() -> None:
    weights = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    draw = weighted_starts(weights)
    generator = torch.Generator().manual_seed(0)
    drawn = np.concatenate([draw(1, generator).numpy() for _ in range(5000)])
    counts = np.bincount(drawn, minlength=5)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], 5000 * weights[1:] / 10).pvalue > 0.001


def test_no_row_twice_in_a_minibatch_and_inclusion_as_in_successive_sampling() -> None:
    weights = np.array([1.0, 1.0, 2.0])
    draw = weighted_starts(weights)
    generator = torch.Generator().manual_seed(1)
    missing = np.zeros(3)
    for _ in range(4000):
        rows = draw(2, generator).numpy()
        assert len(set(rows)) == 2
        missing[list({0, 1, 2} - set(rows))] += 1
    # P(row 2 is the one left out) = 2 orders of (0, 1): 1/4 * 1/3 + 1/4 * 1/3 = 1/6
    assert missing[2] / 4000 == pytest.approx(1 / 6, abs=0.02)


def test_too_few_positive_rows_is_an_error_with_a_remedy() -> None:
    draw = weighted_starts(np.array([0.0, 1.0, 0.0]))
    with pytest.raises(
        ValueError, match=r"1 rows have a positive return weight, 2 are to be drawn.*rollout_batch"
    ):
        draw(2, torch.Generator())


def test_uniform_draws_cover_all_rows() -> None:
    drawn = uniform_starts(4)(4000, torch.Generator().manual_seed(0))
    assert stats.chisquare(np.bincount(drawn.numpy(), minlength=4)).pvalue > 0.001
