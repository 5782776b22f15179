import numpy as np
import pytest

from envs.maze2d_batch import BallPhysics
from envs.maze2d_physics import build_model
from envs.mazes import LAYOUTS, get_maze
from envs.waypoints import WaypointController


def test_the_action_is_the_clipped_proportional_derivative_law() -> None:
    maze = get_maze("umaze")
    controller = WaypointController(maze, 1)
    # the target's cell is the ball's own: the only waypoint is the cell itself
    state = np.array([[1.05, 0.98, 0.2, -0.3]])
    action, reached = controller.act(state, np.array([[1.04, 0.93]]), np.random.default_rng(0))
    np.testing.assert_allclose(action, [[10 * -0.05 - 0.2, 10 * 0.02 + 0.3]])
    assert reached.tolist() == [True]
    far = np.array([[3.0, 1.0, 0.0, 0.0]])
    action, reached = controller.act(far, np.array([[1.0, 1.0]]), np.random.default_rng(0))
    assert (np.abs(action) <= 1).all() and reached.tolist() == [False]


def test_waypoints_lie_on_the_way_and_the_last_is_exact() -> None:
    maze = get_maze("umaze")
    controller = WaypointController(maze, 1)
    state, target, generator = (
        np.array([[3.0, 1.0, 0, 0]]),
        np.array([[1.0, 1.0]]),
        np.random.default_rng(0),
    )
    seen = []
    for _ in range(6):
        controller.act(state, target, generator)
        waypoint = controller._waypoint[0].copy()
        seen.append(waypoint)
        state[0, :2] = waypoint
        controller.act(state, target, generator)  # standing on it for one call: it counts as passed
    cells = [(3, 2), (3, 3), (2, 3), (1, 3), (1, 2), (1, 1)]
    for waypoint, cell in zip(seen, cells, strict=True):
        shift = np.array(cell) - waypoint
        assert (shift >= 0).all() and (shift < 0.2).all() and (shift > 0).all() == (cell != (1, 1))
    assert (seen[-1] == (1, 1)).all()


@pytest.mark.parametrize("name", LAYOUTS)
def test_it_reaches_every_cell_from_every_cell(name: str) -> None:
    maze = get_maze(name)
    pairs = [(a, b) for a in maze.start_cells for b in maze.start_cells if a != b][
        :: 1 if name == "umaze" else 17
    ]
    starts, goals = (np.array(cells, dtype=float) for cells in zip(*pairs, strict=True))
    physics = BallPhysics(build_model(name), len(pairs))
    controller, generator = WaypointController(maze, len(pairs)), np.random.default_rng(0)
    state = physics.place(starts, np.zeros_like(starts))
    arrived = np.zeros(len(pairs), dtype=bool)
    for _ in range(800):
        steering = controller.act(state, goals, generator)
        arrived |= steering.reached
        state = physics.step(steering.action)
    assert arrived.all()
