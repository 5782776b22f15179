import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs  # noqa: F401 - registers the tasks
from envs.maze2d import Maze2dEnv
from envs.maze2d_physics import build_model
from envs.mazes import LAYOUTS
from envs.tasks import all_tasks, get_task

MAZE2D = [name for name in all_tasks() if name.startswith("maze2d")]
MASS = 4 / 3 * np.pi * 0.1**3 * 1000


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", MAZE2D)
def test_gymnasium_accepts_it(name: str) -> None:
    env = gymnasium.make(name)
    check_env(env.unwrapped, skip_render_check=True)
    assert env.spec is not None and env.spec.max_episode_steps == get_task(name).horizon


def test_an_episode_is_truncated_at_the_horizon_and_never_terminates() -> None:
    env = gymnasium.make("maze2d-umaze-v1")
    env.reset(seed=0)
    flags = [env.step(env.action_space.sample())[2:4] for _ in range(300)]
    assert flags[-1] == (False, True) and set(flags[:-1]) == {(False, False)}


@pytest.mark.parametrize("maze", LAYOUTS)
def test_model_constants(maze: str) -> None:
    model = build_model(maze)
    ball = model.body("ball").id
    assert (
        model.body_mass[ball] == pytest.approx(4.18879, abs=1e-5)
        and pytest.approx(MASS) == model.body_mass[ball]
    )
    assert model.body_invweight0[ball, 0] == pytest.approx(0.15915, abs=1e-5)
    assert model.npair == (np.array([list(line) for line in LAYOUTS[maze]]) == "#").sum()
    assert (model.pair_dim == 1).all() and (model.pair_margin == 0.002).all()
    assert model.opt.timestep == 0.01 and model.opt.iterations == 20
    assert not model.geom_contype.any() and not model.opt.gravity.any()


def test_free_motion_is_the_closed_form() -> None:
    # Euler with implicit damping: v' = (m v + h g a) / (m + h d); x' = x + h v'
    env = Maze2dEnv("maze2d-medium-v1")
    position, velocity = np.array([4.0, 3.9]), np.array([0.3, -0.2])
    env.set_state(position, velocity)
    for action in ([0.5, -1.0], [-1.0, 0.25]):
        observation, *_ = env.step(np.array(action))
        velocity = (MASS * velocity + 0.01 * 100 * np.array(action)) / (MASS + 0.01)
        position = position + 0.01 * velocity
        np.testing.assert_allclose(observation, [*position, *velocity], rtol=1e-12)


def test_velocity_is_clipped_before_and_may_exceed_after() -> None:
    env = Maze2dEnv("maze2d-large-v1")
    env.set_state([1.0, 1.0], [0.0, 100.0])
    observation, *_ = env.step(np.array([0.0, 1.0]))
    assert observation[3] == pytest.approx((MASS * 5 + 1) / (MASS + 0.01), rel=1e-12)
    assert 5.22 < observation[3] < 5.24 + 1e-2 and env.observation_space.contains(observation)


def test_actions_are_clipped_and_must_be_finite() -> None:
    env = Maze2dEnv("maze2d-umaze-v1")
    results = []
    for action in ([7.0, -9.0], [1.0, -1.0]):
        env.set_state([1.0, 1.0], [0.0, 0.0])
        results.append(env.step(np.array(action))[0])
    assert (results[0] == results[1]).all()
    with pytest.raises(ValueError, match="action is not finite"):
        env.step(np.array([np.nan, 0.0]))


def test_walls_stop_the_ball() -> None:
    # The wall below cell (1, 1) of umaze begins at x = 1.3; the ball's radius is 0.1.
    env = Maze2dEnv("maze2d-umaze-v1")
    env.set_state([1.0, 1.0], [0.0, 0.0])
    for _ in range(300):
        observation, *_ = env.step(np.array([1.0, 0.0]))
    assert (
        1.19 < observation[0] < 1.21
        and abs(observation[1] - 1) < 1e-9
        and abs(observation[2]) < 1e-3
    )


@pytest.mark.parametrize(("distance", "sparse"), [(0.0, 1.0), (0.49, 1.0), (0.51, 0.0)])
def test_rewards_are_those_of_the_state_reached(distance: float, sparse: float) -> None:
    for name in ("maze2d-umaze-v1", "maze2d-umaze-dense-v1"):
        env = Maze2dEnv(name)
        env.set_state([1.0, 1.0 + distance - 0.01], [0.0, 1.0025])  # about one step before
        observation, reward, _, _, info = env.step(np.zeros(2))
        reached = np.hypot(observation[0] - 1, observation[1] - 1)
        assert abs(reached - distance) < 1e-4
        assert reward == (pytest.approx(np.exp(-reached), rel=1e-12) if "dense" in name else sparse)
        assert info["in_goal"] == bool(sparse)


def test_resets_are_uniform_over_the_start_cells() -> None:
    env = Maze2dEnv("maze2d-umaze-v1")
    env.reset(seed=0)
    states = np.array([env.reset()[0] for _ in range(2100)])
    cells, counts = np.unique(np.rint(states[:, :2]), axis=0, return_counts=True)
    assert {tuple(c) for c in cells.astype(int).tolist()} == set(env.maze.start_cells)
    assert ((counts - 300) ** 2 / 300).sum() < 22.5  # chi-square, 6 degrees of freedom, p = .001
    assert np.abs(states[:, :2] - np.rint(states[:, :2])).max() <= 0.1
    assert states[:, 2:].std() == pytest.approx(0.1, rel=0.05)


def test_same_seed_same_episode() -> None:
    trajectories = []
    for _ in range(2):
        env = gymnasium.make("maze2d-medium-dense-v1")
        first, _ = env.reset(seed=3)
        env.action_space.seed(3)
        trajectories.append([first, *(env.step(env.action_space.sample())[0] for _ in range(50))])
    assert (np.array(trajectories[0]) == np.array(trajectories[1])).all()
