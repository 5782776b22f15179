import numpy as np
import pytest

from envs.errors import TaskError
from envs.mazes import LAYOUTS, get_maze
from envs.metrics import in_goal, longest_stay, wall_fraction

GOALS = {"umaze": (1, 1), "medium": (6, 6), "large": (7, 9)}
STARTS = {"umaze": 7, "medium": 26, "large": 46}


@pytest.mark.parametrize("name", LAYOUTS)
def test_goal_and_start_cells(name: str) -> None:
    maze = get_maze(name)
    assert maze.goal == GOALS[name] and maze.start_cells[-1] == maze.goal
    assert len(maze.start_cells) == (~maze.walls).sum() == STARTS[name]
    assert list(maze.start_cells[:-1]) == sorted(maze.start_cells[:-1])


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_way_is_shortest_and_passes_free_cells(name: str) -> None:
    maze = get_maze(name)
    for target in maze.start_cells:
        distance = maze.distances(target)
        for start in maze.start_cells:
            cell, steps = start, 0
            while cell != target:
                cell = tuple(maze.step_towards[target][cell])
                assert not maze.walls[cell]
                steps += 1
            assert steps == distance[start]


def test_ties_go_to_the_lower_column_first() -> None:
    # medium, from (4, 5) to (3, 4): over (3, 5)? a wall; the two ways around cell (6, 2) differ in their first move
    maze = get_maze("medium")
    distance = maze.distances((3, 2))
    options = [c for c in ((2, 1), (1, 2)) if distance[c] == distance[1, 1] - 1]
    assert options == [(2, 1), (1, 2)]
    assert tuple(maze.step_towards[3, 2][1, 1]) == (1, 2)  # column + 1 before row + 1


def test_a_wall_cell_leads_into_the_maze() -> None:
    maze = get_maze("umaze")
    assert tuple(maze.step_towards[1, 1][0, 1]) == (1, 1)
    assert tuple(maze.step_towards[1, 1][2, 1]) == (1, 1)


def test_frame_offset() -> None:
    # the free cell (1, 1) of umaze covers x, y in (0.3, 1.3)
    maze = get_maze("umaze")
    positions = np.array(
        [[0.31, 0.31], [1.29, 1.29], [0.29, 1.0], [1.0, 0.29], [1.31, 1.0], [-5, 1], [1, 99]]
    )
    assert maze.inside_wall(positions).tolist() == [False, False, True, True, True, True, True]


def test_metrics() -> None:
    states = np.zeros((2, 2, 4))
    states[0, 0, :2] = (1, 1)
    states[0, 1, :2] = (1.2, 3)
    states[1, 0, :2] = (2, 1)
    states[1, 1, :2] = np.nan
    assert wall_fraction("maze2d-umaze-v1", states) == 0.5
    assert in_goal("maze2d-umaze-v1", states).mean() == 0.25


def test_unknown_maze() -> None:
    with pytest.raises(TaskError, match="no maze 'larg'; did you mean 'large'"):
        get_maze("larg")


def test_longest_stay_ends_with_the_trajectory() -> None:
    inside = np.array([1, 1, 0, 1, 1, 1, 1, 1, 0], dtype=bool)
    one, several = np.zeros(9, dtype=int), np.array([0, 0, 0, 0, 0, 1, 1, 1, 1])
    assert (longest_stay(inside, one), longest_stay(inside, several)) == (5, 3)
    assert longest_stay(np.zeros(9, dtype=bool), several) == 0
    assert longest_stay(np.ones(9, dtype=bool), np.arange(9)) == 1
