"""Metrics of episodes from displaced starts, on outcomes made by hand."""

import numpy as np
import pytest

from algos.evaluation import Episodes
from algos.robustness import Outcomes, describe, summarise_starts
from envs.starts import StartList


def starts(cell: list[int]) -> StartList:
    return StartList("made", np.zeros((len(cell), 2)), np.array(cell), ["1,1", "1,2", "2,2"])


def outcomes(success: list[int], place: list[tuple[float, float]] | None = None) -> Outcomes:
    found = np.array(success, dtype=bool)
    where = np.array(place or [(float(i), 0.0) for i in range(len(found))])
    return Outcomes(found, found | True, np.full(len(found), 50), where)


def test_robustness_is_the_mean_over_cells_not_over_starts() -> None:
    # 1 of 1, 1 of 2, 0 of 3: the mean over starts would be a third
    found = summarise_starts(
        outcomes([1, 1, 0, 0, 0, 0]), starts([0, 1, 1, 2, 2, 2]), np.zeros((1, 2))
    )
    assert found["robustness"] == pytest.approx(50.0)
    assert found["reached_cells"] == 2.0
    assert found["reached_cell_robustness"] == pytest.approx(75.0)
    assert found["outcomes"] == "110000"


def test_far_starts_are_those_beyond_the_median_distance_from_the_path() -> None:
    path = np.array([[0.0, 0.0], [1.0, 0.0]])
    place = [(0.0, 0.1), (1.0, 0.2), (0.0, 3.0), (1.0, 4.0)]
    found = summarise_starts(outcomes([1, 1, 1, 0], place), starts([0, 0, 0, 0]), path)
    assert found["robustness_far"] == pytest.approx(50.0)
    assert found["near_minus_far"] == pytest.approx(50.0)


def test_no_success_anywhere_is_zero_everywhere() -> None:
    found = summarise_starts(outcomes([0, 0]), starts([0, 1]), np.zeros((1, 2)))
    assert found["robustness"] == found["reached_cells"] == found["reached_cell_robustness"] == 0.0


def test_success_is_the_last_state_of_the_episode() -> None:
    # reached and left again; reached at the end; ended early in the goal; never
    in_goal = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]], dtype=bool)
    running = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 1]], dtype=bool)
    found = Episodes(
        np.zeros((3, 4)), in_goal, running, np.zeros(4), ["start"], np.zeros((4, 4, 2))
    )
    assert found.success().tolist() == [False, True, True, False]


def test_the_record_lists_places_and_cells() -> None:
    found = describe(starts([0, 2]), np.array([[0.123456, 1.0], [2.0, 3.0]]))
    assert found == {
        "x": [0.1235, 2.0],
        "y": [1.0, 3.0],
        "cell": [0, 2],
        "cells": ["1,1", "1,2", "2,2"],
        "scene": {},
    }
