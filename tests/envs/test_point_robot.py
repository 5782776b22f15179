import mujoco
import numpy as np
import pytest

from envs.batch import make_batch
from envs.mujoco_maze_layouts import LAYOUTS, get_map
from envs.point_robot import (
    CENTRE_AHEAD,
    RADIUS,
    build_model,
    drift,
    step_points,
    walls_of,
)
from envs.starts import displaced_starts

ROOM = walls_of("room5x11")  # free cells of rows 1 to 5: x from -2 to 42, y from -10 to 10


def walk(old: tuple[float, float], new: tuple[float, float]) -> list[float]:
    return ROOM.stop(np.array([old]), np.array([new]))[0].tolist()


def test_the_closed_form_is_mujocos_step() -> None:
    model = build_model("umaze")
    assert model.opt.timestep == 0.02 and model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4
    assert model.body_mass[model.body("point").id] == pytest.approx(56.36, abs=0.005)
    assert model.body_ipos[model.body("point").id, 0] == pytest.approx(CENTRE_AHEAD, rel=1e-12)
    state = np.random.default_rng(0).normal(0, 2, (50, 6))
    after = drift(state)
    data = mujoco.MjData(model)
    for start, end in zip(state, after, strict=True):
        mujoco.mj_resetData(model, data)
        data.qpos[:], data.qvel[:] = start[:3], start[3:]
        mujoco.mj_step(model, data)
        np.testing.assert_allclose(np.concatenate([data.qpos, data.qvel]), end, rtol=0, atol=1e-12)
    assert np.abs(after[:, 3:5] - state[:, 3:5]).max() > 1e-3  # spinning moves the axis


def test_turns_then_walks_then_drifts() -> None:
    state = np.array([[0.0, 0.0, 0.5, 0.1, -0.2, 0.0]])
    after = step_points(state, np.array([[0.5, -1.0]]), ROOM)[0]
    yaw = 0.5 - 0.25
    wanted = [0.1 * np.cos(yaw) + 0.002, 0.1 * np.sin(yaw) - 0.004, yaw, 0.1, -0.2, 0.0]
    np.testing.assert_allclose(after, wanted, atol=1e-15)


@pytest.mark.parametrize(("yaw", "turn"), [(3.1, 1.0), (-3.1, -1.0), (3.1, 0.1), (-3.0, 0.5)])
def test_yaw_wraps_at_half_a_turn(yaw: float, turn: float) -> None:
    after = step_points(np.array([[0, 0, yaw, 0, 0, 0.0]]), np.array([[0.0, turn]]), ROOM)[0, 2]
    assert -np.pi <= after <= np.pi
    full = yaw + 0.25 * turn
    assert after == pytest.approx(full - 2 * np.pi * round(full / (2 * np.pi)))


def test_actions_are_clipped() -> None:
    state = np.zeros((2, 6))
    after = step_points(state, np.array([[9.0, -7.0], [1.0, -1.0]]), ROOM)
    assert (after[0] == after[1]).all()


@pytest.mark.parametrize(
    ("old", "new", "end"),
    [
        # face of the left wall, at x = -2 + 0.4: met at 1/4 of the way, the rest mirrored and shortened to 0.8
        ((-1.5, 0.0), (-1.9, 0.4), (-1.6 + 0.8 * 0.3, 0.1 + 0.8 * 0.3)),
        # straight at it and back
        ((-1.5, 0.0), (-1.7, 0.0), (-1.52, 0.0)),
        # top wall, y = -10 + 0.4
        ((3.0, -9.5), (3.1, -9.7), (3.05 + 0.8 * 0.05, -9.6 + 0.8 * 0.1)),
        # corner of the room: left wall first, the mirrored way crosses the top wall, so nothing moves
        ((-1.5, -9.5), (-1.7, -9.69), (-1.5, -9.5)),
        # both ways free
        ((0.0, 0.0), (0.2, 0.0), (0.2, 0.0)),
        # ends exactly on a face: the substitute touches it too
        ((-1.5, 0.0), (-1.6, 0.0), (-1.5, 0.0)),
        # the dividing wall (x from 18 to 22) ends at the gate's side y = 2, its margin at y = 1.6
        ((17.5, 1.5), (17.7, 1.5), (17.7, 1.5)),
        ((17.5, 1.7), (17.7, 1.7), (17.52, 1.7)),
        ((20.0, 1.5), (20.0, 1.7), (20.0, 1.52)),
        # too short to count
        ((-1.6, 0.0), (-1.6 - 1e-9, 0.0), (-1.6 - 1e-9, 0.0)),
    ],
)
def test_collision_rule(
    old: tuple[float, float], new: tuple[float, float], end: tuple[float, float]
) -> None:
    assert walk(old, new) == pytest.approx(end, abs=1e-12)


def test_the_nearest_face_is_the_one_that_stops() -> None:
    # past the outer corner of the dividing wall's margin at (17.6, 1.6): the face across x comes first
    found = ROOM.crossings(np.array([[17.5, 1.75]]), np.array([[17.9, 1.55]]))
    assert found.hit[0] and found.point[0] == pytest.approx((17.6, 1.7))
    assert found.mirrored[0] == pytest.approx((17.3, 1.55))


@pytest.mark.parametrize("maze", LAYOUTS)
def test_no_point_ever_enters_a_wall(maze: str) -> None:
    name = f"point-{maze}-v0"
    starts, generator = displaced_starts(name, 3), np.random.default_rng(1)
    batch = make_batch(name, len(starts))
    batch.reset_to(starts.state)  # type: ignore[attr-defined]
    found, stopped = get_map(maze, "paper"), 0
    before = starts.state[:, :2]
    for t in range(-(-10_000 // len(starts)) + 200):
        if t % 10 == 0:
            action = generator.uniform(-1, 1, (len(starts), 2))
            action[:, 0] = np.sign(action[:, 0])
        xy = batch.step(action).observation[:, :2]
        assert not found.blocked(xy, RADIUS - 1e-9).any()
        stopped += int((np.hypot(*(xy - before).T) < 0.1).sum())
        before = xy
    assert stopped > 200  # walls were met
