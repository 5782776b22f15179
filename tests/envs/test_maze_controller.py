import numpy as np
import pytest

from envs.demonstrate_maze import drive, success_from
from envs.maze_controller import HeadingController, Waypoints, controller_of
from envs.mujoco_maze_layouts import get_map
from envs.randomness import numpy_generator
from envs.starts import displaced_starts
from envs.tasks import all_tasks, get_task

POINT_MAZES = [
    task.name
    for task in all_tasks().values()
    if task.data.get("local", {}).get("generator") == "maze_controller" and task.implemented
]


def test_there_are_tasks_to_drive() -> None:
    assert len(POINT_MAZES) >= 3


def test_places_to_go() -> None:
    maze = get_map("umaze", "paper")
    ways = Waypoints(maze, np.array([-2.0, 34.0]))
    # start cell: down right; anywhere in the goal cell: the goal; beside the wall: along it
    where = np.array([[0.0, 0.0], [3.9, 3.9], [1.0, 30.0], [11.0, 11.5]])
    assert ways.next(where).tolist() == [[8, 8], [8, 8], [-2, 34], [16, 8]]
    assert ways.next(np.array([[-500.0, 700.0]])).shape == (1, 2)  # anywhere


def test_heading_controller_turns_first_and_stops_at_the_place() -> None:
    maze = get_map("room5x11", "paper")
    controller = HeadingController(Waypoints(maze, maze.centre(maze.goal)))
    yaw = np.array([0.0, 0.1, -np.pi, np.pi / 2])
    observation = np.column_stack([np.zeros((4, 2)), yaw, np.zeros((4, 4))])  # next place: (4, 0)
    action = controller.act(observation)
    assert action[0] == pytest.approx([1.0, 0.0])
    assert action[1] == pytest.approx([1.0, -0.4])
    assert abs(action[2, 1]) == 1.0 and action[2, 0] == 0.0
    assert action[3] == pytest.approx([np.cos(np.pi / 2 - 0.25), -1.0])
    at_goal = np.array([[39.95, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    assert controller.act(at_goal)[0] == pytest.approx([0.25, 0.0])


@pytest.mark.parametrize("name", POINT_MAZES)
def test_succeeds_from_every_free_cell(name: str) -> None:
    starts = displaced_starts(name, 2)
    success = success_from(get_task(name), starts.state, noise=0.1, seed=0)
    failed = [starts.cell_names[cell] for cell in starts.cell[~success]]
    assert success.mean() >= 0.95 and len(failed) == len(set(failed)), failed


@pytest.mark.slow
@pytest.mark.parametrize("name", POINT_MAZES)
def test_succeeds_from_nearly_every_displaced_start(name: str) -> None:
    starts = displaced_starts(name, 25)
    success = success_from(get_task(name), starts.state, noise=0.1, seed=1)
    rates = np.bincount(starts.cell, weights=success) / 25
    assert success.mean() >= 0.99 and rates.min() >= 0.9


@pytest.mark.parametrize("name", POINT_MAZES)
def test_the_action_depends_on_the_state_alone(name: str) -> None:
    task, starts = get_task(name), displaced_starts(name, 1)
    env = task.load().batch(task, len(starts))
    observation = env.reset_to(starts.state)
    controller = controller_of(task)
    driven = drive(env, observation, controller, 30, 0.0, numpy_generator(0, "unused"))
    order = np.random.default_rng(0).permutation(len(driven))
    last = np.array([driven[i].observation[-1] for i in order], dtype=np.float64)
    assert (controller.act(last) == controller_of(task).act(last)).all()
