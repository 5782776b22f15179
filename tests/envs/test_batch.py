import numpy as np
import pytest

from envs.batch import make_batch
from envs.errors import TaskError
from envs.maze2d import Maze2dEnv
from envs.tasks import all_tasks, get_task

MAZE2D = [task.name for task in all_tasks().values() if task.domain == "maze2d"]


@pytest.mark.parametrize("name", MAZE2D)
def test_equals_the_single_environment_step_for_step(name: str) -> None:
    count, generator = 6, np.random.default_rng(0)
    batch = make_batch(name, count)
    starts = batch.reset(generator, "random")
    singles = [Maze2dEnv(name) for _ in range(count)]
    for env, start in zip(singles, starts, strict=True):
        env.set_state(start[:2], start[2:])
    for t in range(500):
        if t % 40 == 0:  # long pushes, so that walls are hit
            action = generator.uniform(-1.5, 1.5, (count, 2))
        found = batch.step(action)
        for i, env in enumerate(singles):
            observation, reward, terminated, _, info = env.step(action[i])
            assert (found.observation[i] == observation).all(), (t, i)
            assert found.reward[i] == pytest.approx(reward, abs=1e-15)
            assert found.terminated[i] == terminated and found.in_goal[i] == info["in_goal"]


def test_a_reset_forgets_everything() -> None:
    batch = make_batch("maze2d-umaze-v1", 4)
    trajectories = []
    for _ in range(2):
        batch.reset(np.random.default_rng(5))
        trajectories.append([batch.step(np.full((4, 2), -1.0)).observation for _ in range(100)])
    assert (np.array(trajectories[0]) == np.array(trajectories[1])).all()


@pytest.mark.parametrize("name", MAZE2D)
def test_stratified_starts_go_through_the_cells(name: str) -> None:
    batch = make_batch(name, 100)
    observation = batch.reset(np.random.default_rng(1), "stratified")
    assert (
        observation.shape == (100, get_task(name).observation_dim)
        and observation.dtype == np.float64
    )
    assert len(batch.start_names) == batch.num_starts and batch.start_names[-1] == "{},{}".format(
        *Maze2dEnv(name).maze.goal
    )
    for i in range(100):
        row, column = map(int, batch.start_names[i % batch.num_starts].split(","))
        assert np.abs(observation[i, :2] - (row, column)).max() <= 0.1


def test_truncation_at_the_horizon_and_goal_flag() -> None:
    batch = make_batch("maze2d-umaze-v1", 7)
    batch.reset(np.random.default_rng(0), "stratified")
    steps = [batch.step(np.zeros((7, 2))) for _ in range(300)]
    assert [s.truncated.any() for s in steps] == [False] * 299 + [True] and steps[
        -1
    ].truncated.all()
    assert not any(s.terminated.any() for s in steps)
    assert steps[0].in_goal.tolist() == [False] * 6 + [True] == (steps[0].reward == 1).tolist()


def test_steps_are_not_views() -> None:
    batch = make_batch("maze2d-umaze-v1", 2)
    first = batch.reset(np.random.default_rng(0))
    kept = first.copy()
    second = batch.step(np.ones((2, 2))).observation
    kept_second = second.copy()
    batch.step(np.ones((2, 2)))
    assert (first == kept).all() and (second == kept_second).all()


def test_bad_arguments() -> None:
    with pytest.raises(TaskError, match="declared, not implemented"):
        make_batch("hopper-random-v2", 2)
    with pytest.raises(ValueError, match="num_envs must be at least 1"):
        make_batch("maze2d-umaze-v1", 0)
    batch = make_batch("maze2d-umaze-v1", 2)
    with pytest.raises(ValueError, match="start must be"):
        batch.reset(np.random.default_rng(0), "everywhere")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shape \(3, 2\), wanted \(2, 2\)"):
        batch.step(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="not finite"):
        batch.step(np.full((2, 2), np.nan))
