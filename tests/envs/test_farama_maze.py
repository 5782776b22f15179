from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs  # noqa: F401 - registers the tasks
from envs.batch import make_batch
from envs.errors import TaskError
from envs.farama_maze import FaramaMazeEnv, build_model, make_point_maze
from envs.mujoco_maze_layouts import LAYOUTS, get_map
from envs.starts import displaced_starts
from envs.tasks import get_task
from envs.terminations import FARAMA_MAZE_GOALS

BALLS = [f"point-{maze}-farama-v0" for maze in LAYOUTS]


@pytest.mark.parametrize("maze", LAYOUTS)
def test_frames_and_goals_are_gymnasium_robotics_own(maze: str) -> None:
    env, found = make_point_maze(maze), get_map(maze, "farama")
    for cell in found.free_cells:
        assert (env.maze.cell_rowcol_to_xy(np.array(cell)) == found.centre(cell)).all()
    env.reset()
    assert tuple(env.goal) == tuple(found.centre(found.goal)) == FARAMA_MAZE_GOALS[maze]
    assert tuple(env.reset_pos) == tuple(found.centre(found.start))


@pytest.mark.filterwarnings("error", "ignore:.*infinity. This is probably too")
@pytest.mark.parametrize("name", BALLS)
def test_gymnasium_accepts_it(name: str) -> None:
    env = gymnasium.make(name)
    check_env(env.unwrapped, skip_render_check=True)
    assert env.spec is not None and env.spec.max_episode_steps == 600


@pytest.mark.parametrize("name", BALLS)
def test_batch_equals_the_single_environment_bit_for_bit(name: str) -> None:
    state = displaced_starts(name, 1).state[::9]
    count, generator = len(state), np.random.default_rng(0)
    batch, singles = make_batch(name, count), [FaramaMazeEnv(name) for _ in range(count)]
    first = batch.reset_to(state)  # type: ignore[attr-defined]
    for env, start, observation in zip(singles, state, first, strict=True):
        assert (env.set_state(start)[0] == observation).all()
    touched = 0
    maze = get_map(get_task(name).options["maze"], "farama")
    for t in range(200):
        if t % 50 == 0:  # long pushes, so that walls are hit
            action = generator.uniform(-1.5, 1.5, (count, 2))
        found = batch.step(action)
        touched += int(maze.blocked(found.observation[:, :2], 0.1).sum())
        for i, env in enumerate(singles):
            observation, reward, terminated, _, info = env.step(action[i])
            assert (found.observation[i] == observation).all(), (t, i)
            assert found.reward[i] == reward == 1000.0 * terminated
            assert found.terminated[i] == found.in_goal[i] == terminated == info["in_goal"]
    assert touched > 20


def test_an_episode_ends_in_the_goal_or_at_the_horizon() -> None:
    name = "point-room5x11-farama-v0"
    batch = make_batch(name, 2)
    batch.reset_to(np.array([[4.54, 0.0, 2.0, 0.0], [-5.0, 0.0, 0.0, 0.0]]))  # type: ignore[attr-defined]
    steps = [batch.step(np.zeros((2, 2))) for _ in range(600)]
    assert steps[0].terminated.tolist() == [True, False] == (steps[0].reward == 1000.0).tolist()
    assert [s.truncated.all() for s in steps] == [False] * 599 + [True]
    env = FaramaMazeEnv(name)
    for x, inside in ((4.56, True), (4.54, False)):  # radius 0.45
        _, info = env.set_state(np.array([x, 0.0, 0.0, 0.0]))
        assert info == {"in_goal": inside}


@pytest.mark.parametrize("name", BALLS)
def test_starts(name: str) -> None:
    task = get_task(name)
    maze = get_map(task.options["maze"], "farama")
    batch = make_batch(name, 1000)
    first = batch.reset(np.random.default_rng(0))
    offset = np.abs(first[:, :2] - maze.centre(maze.start))
    assert 0.09 < offset.max() <= 0.1 and first[:, 2:].std() == pytest.approx(0.1, rel=0.05)
    starts = displaced_starts(name, 20)
    assert len(starts) == 20 * len(maze.free_cells) and starts.cell_names == maze.cell_names
    cells = np.array(maze.free_cells)[starts.cell]
    assert (maze.cell_of(starts.state[:, :2]) == cells).all()
    assert not maze.blocked(starts.state[:, :2], 0.1).any()
    corner = starts.state[starts.cell == 0, :2]  # cell (1, 1): walls to the left and above
    left, top = corner[:, 0] - maze.bounds[0][0], maze.bounds[1][1] - corner[:, 1]
    assert 0.25 <= left.min() < 0.4 and 0.25 <= top.min() < 0.4
    given = FaramaMazeEnv.starts_at(task, maze.centre(np.array(maze.free_cells)))
    assert given.cell.tolist() == list(range(len(maze.free_cells))) and not given.state[:, 2:].any()
    with pytest.raises(TaskError, match=f"lies in a wall of {maze.name}"):
        FaramaMazeEnv.starts_at(task, maze.centre((1, 0))[None])


def test_no_file_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    build_model.cache_clear()
    build_model("umaze")
    env = FaramaMazeEnv()
    env.reset(seed=0)
    env.step(np.zeros(2))
    assert not list(tmp_path.iterdir())


def test_bad_arguments() -> None:
    batch = make_batch("point-umaze-farama-v0", 2)
    with pytest.raises(ValueError, match="start must be"):
        batch.reset(np.random.default_rng(0), "everywhere")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shape \(3, 2\), wanted \(2, 2\)"):
        batch.step(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"shape \(2, 6\), wanted finite \(2, 4\)"):
        batch.reset_to(np.zeros((2, 6)))  # type: ignore[attr-defined]
