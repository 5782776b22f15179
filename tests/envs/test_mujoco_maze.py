import csv
from pathlib import Path

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import envs  # noqa: F401 - registers the tasks
from envs.batch import make_batch
from envs.errors import RenderingError, TaskError
from envs.mujoco_maze import MujocoMazeEnv
from envs.mujoco_maze_layouts import LAYOUTS, get_map
from envs.starts import displaced_starts, read_starts
from envs.tasks import Task, get_task, reward_function

POINTS = ["point-umaze-v0", "point-room5x11-v0", "point-corridor7x7-v0"]
FIRST_STARTS = np.array(
    [[-1.40859033, 3.24566411, -0.07168289], [18.4918174, 30.13854729, -0.03477873]]
)
FREE = {"umaze": 13, "room5x11": 51, "corridor7x7": 41}


@pytest.mark.parametrize("name", FREE)
def test_layouts(name: str) -> None:
    maze = get_map(name, "paper")
    assert len(maze.free_cells) == FREE[name] == len(set(maze.cell_names))
    assert maze.walls[[0, -1]].all() and maze.walls[:, [0, -1]].all()
    assert maze.centre(maze.start).tolist() == [0.0, 0.0]
    goal = {"umaze": (0.0, 32.0), "room5x11": (40.0, 0.0), "corridor7x7": (24.0, 24.0)}[name]
    assert tuple(maze.centre(maze.goal)) == goal
    assert np.hypot(*(get_map(name, "farama").bounds[0] + get_map(name, "farama").bounds[1])) == 0
    for frame in ("paper", "farama"):
        cells = np.array(get_map(name, frame).free_cells)
        assert (get_map(name, frame).cell_of(get_map(name, frame).centre(cells)) == cells).all()


def test_cells_of_positions_follow_the_frames() -> None:
    paper, farama = get_map("corridor7x7", "paper"), get_map("corridor7x7", "farama")
    assert paper.cell_of(np.array([1.9, 2.1])).tolist() == [2, 1]
    assert farama.centre((1, 1)).tolist() == [-3.0, 3.0]
    assert farama.cell_of(np.array([-2.6, 2.4])).tolist() == [2, 1]
    assert paper.bounds[0].tolist() == [-2.0, -2.0] and paper.bounds[1].tolist() == [26.0, 26.0]


@pytest.mark.parametrize("name", LAYOUTS)
def test_next_cells_lead_to_the_goal_and_cut_no_corner(name: str) -> None:
    maze = get_map(name, "paper")
    for cell in maze.free_cells:
        for _ in range(40):
            following = tuple(maze.next_cell[cell].tolist())
            assert max(abs(np.subtract(following, cell))) <= 1
            assert not maze.walls[[cell[0], following[0]], [following[1], cell[1]]].any()
            cell = following
        assert cell == maze.goal


def test_shortest_ways_are_short() -> None:
    # U maze: right-down, right, down, down, left-down; no shortcut past the wall's end
    maze, cell, way = get_map("umaze", "paper"), (1, 1), [(1, 1)]
    while cell != maze.goal:
        cell = tuple(maze.next_cell[cell].tolist())
        way.append(cell)
    assert sum(np.hypot(*np.diff(way, axis=0).T)) == pytest.approx(4 + 2 * np.sqrt(2))


@pytest.mark.filterwarnings("error", "ignore:.*infinity. This is probably too")
@pytest.mark.parametrize("name", POINTS)
def test_gymnasium_accepts_it(name: str) -> None:
    env = gymnasium.make(name)
    check_env(env.unwrapped, skip_render_check=True)
    assert env.spec is not None and env.spec.max_episode_steps == 400
    assert env.observation_space.shape == (get_task(name).observation_dim,) == (7,)


@pytest.mark.parametrize("name", POINTS)
def test_batch_equals_the_single_environment_bit_for_bit(name: str) -> None:
    starts, generator = displaced_starts(name, 1), np.random.default_rng(0)
    state = starts.state[:: max(1, len(starts) // 13)]
    count = len(state)
    batch, singles = make_batch(name, count), [MujocoMazeEnv(name) for _ in range(count)]
    first = batch.reset_to(state)  # type: ignore[attr-defined]
    for env, start, observation in zip(singles, state, first, strict=True):
        assert (env.set_state(start)[0] == observation).all()
    stopped, before = 0, first
    for t in range(60):
        if t % 20 == 0:  # long ways, so that walls are hit
            action = generator.uniform(-1.5, 1.5, (count, 2))
            action[:, 0] = np.sign(action[:, 0])
            action[:, 1] *= 0.1
        found = batch.step(action)
        for i, env in enumerate(singles):
            observation, reward, terminated, _, info = env.step(action[i])
            assert (found.observation[i] == observation).all(), (t, i)
            assert found.reward[i] == reward == 1000.0 * terminated
            assert found.terminated[i] == found.in_goal[i] == terminated == info["in_goal"]
        move = (found.observation - before)[:, :2]
        stopped, before = stopped + int((np.hypot(*move.T) < 0.15).sum()), found.observation
    assert stopped > 5


def test_time_is_the_last_number_and_ends_the_episode() -> None:
    batch = make_batch("point-umaze-v0", 3)
    for _ in range(2):
        assert (batch.reset(np.random.default_rng(0))[:, 6] == 0.0).all()
        steps = [batch.step(np.zeros((3, 2))) for _ in range(400)]
        assert steps[0].observation[0, 6] == 0.001
        assert steps[-1].observation[:, 6] == pytest.approx(0.4)
        assert [s.truncated.all() for s in steps] == [False] * 399 + [True]
        assert not steps[-1].terminated.any()


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("point-umaze-v0", (0.1, 33.0), True),  # walking left by 0.2
        ("point-umaze-v0", (0.3, 33.0), False),
        ("point-umaze-v0", (0.1, 31.9), False),
        ("point-umaze-v0", (0.1, 32.0), True),
        ("point-room5x11-v0", (40.79, 0.0), True),
        ("point-room5x11-v0", (40.81, 0.0), False),
        ("point-corridor7x7-v0", (24.2, 23.41), True),
        ("point-corridor7x7-v0", (24.2, 23.39), False),
    ],
)
def test_the_goal_ends_the_episode_and_pays(
    name: str, before: tuple[float, float], after: bool
) -> None:
    env = MujocoMazeEnv(name)
    env.set_state(np.array([*before, np.pi, 0.0, 0.0, 0.0]))
    observation, reward, terminated, truncated, info = env.step(np.array([1.0, 0.0]))
    assert observation[:2] == pytest.approx((before[0] - 0.2, before[1]))
    assert terminated is after and info == {"in_goal": after} and not truncated
    assert reward == (1000.0 if after else 0.0)


def test_reward_of_data_is_that_of_the_state_reached() -> None:
    reward = reward_function("point-room5x11-v0")
    away, goal = np.zeros((2, 7)), np.array([[40.0, 0.5, *[0.0] * 5], [40.0, 0.7, *[0.0] * 5]])
    assert reward(goal, np.zeros((2, 2)), away).tolist() == [0.0, 0.0]
    assert reward(away, np.zeros((2, 2)), goal).tolist() == [1000.0, 0.0]
    found = reward(torch.from_numpy(away), torch.zeros(2, 2), torch.from_numpy(goal))
    assert found.tolist() == [1000.0, 0.0]


def test_training_starts_are_noisy_and_seeded() -> None:
    batch = make_batch("point-room5x11-v0", 4000)
    assert batch.num_starts == 1 and batch.start_names == ["start"]
    first = batch.reset(np.random.default_rng(3), "random")
    assert (first == batch.reset(np.random.default_rng(3), "stratified")).all()
    assert np.abs(first[:, :3]).max() <= 0.1 and first[:, :3].std() == pytest.approx(
        0.1 / np.sqrt(3), rel=0.03
    )
    assert first[:, 3:6].std() == pytest.approx(0.1, rel=0.03)
    env = MujocoMazeEnv("point-room5x11-v0")
    assert (env.reset(seed=1)[0] == env.reset(seed=1)[0]).all()
    assert (env.reset(seed=1)[0] != env.reset()[0])[:6].all()


@pytest.mark.parametrize("name", POINTS)
def test_displaced_starts_fill_every_cell(name: str) -> None:
    task = get_task(name)
    maze = get_map(task.options["maze"], "paper")
    starts = displaced_starts(name, 30)
    assert len(starts) == 30 * len(maze.free_cells) and starts.state.shape == (len(starts), 6)
    assert starts.cell_names == maze.cell_names and starts.cell_names[0] == "1,1"
    cells = np.array(maze.free_cells)[starts.cell]
    assert (maze.cell_of(starts.state[:, :2]) == cells).all()
    offset = starts.state[:, :2] - maze.centre(cells)
    half = maze.scale / 2
    for side, (row, column) in enumerate(((0, -1), (-1, 0), (0, 1), (1, 0))):
        reach = (offset if side > 1 else -offset)[:, side % 2]
        bordering = maze.walls[cells[:, 0] + row, cells[:, 1] + column]
        assert reach[bordering].max() <= half - 1.0
        if not bordering.all():
            assert half - 1.0 < reach[~bordering].max() <= half
    assert not maze.blocked(starts.state[:, :2], 0.4).any()
    assert 0.09 < np.abs(starts.state[:, 2]).max() <= 0.1
    assert starts.state[:, 3:].std() == pytest.approx(0.1, rel=0.1)


def test_longer_start_lists_begin_with_the_shorter_ones() -> None:
    short, long = (displaced_starts("point-corridor7x7-v0", count) for count in (3, 8))
    for cell in range(41):
        assert (long.state[long.cell == cell][:3] == short.state[short.cell == cell]).all()
    assert not (displaced_starts("point-umaze-v0", 1).state[0] == short.state[0]).any()


@pytest.mark.parametrize("task", ["point-umaze-v0", "point-umaze-farama-v0"])
def test_start_lists_for_tuning_share_no_start_with_those_for_judging(task: str) -> None:
    judged, tuning = (displaced_starts(task, 5, seed).state for seed in (0, 101))
    assert judged.shape == tuning.shape
    assert not (judged == tuning).any()


def test_starts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "starts.csv"

    def read(*places: tuple[float, float]) -> np.ndarray:
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("x", "y"), *places])
        starts = read_starts(path, "point-umaze-v0")
        assert [starts.cell_names[i] for i in starts.cell] == ["1,1", "3,3"][: len(places)]
        return starts.state

    state = read((0.5, 0.25), (17.0, 16.0))
    assert state.tolist() == [[0.5, 0.25, 0, 0, 0, 0], [17.0, 16.0, 0, 0, 0, 0]]
    for wrong in ((8.0, 16.0), (-3.7, 0.0), (12.3, 16.0), (100.0, 0.0), (0.0, -1e6)):
        with pytest.raises(TaskError, match=r"starts\.csv: line 3: .* lies in a wall of umaze"):
            read((0.0, 0.0), wrong)


def test_bounds_of_observations() -> None:
    low, high = MujocoMazeEnv.observation_bounds(get_task("point-umaze-v0"))
    assert low[:3] == pytest.approx((-4.0, -4.0, -np.pi))
    assert high[:3] == pytest.approx((20.0, 36.0, np.pi))
    assert np.isinf(low[3:]).all() and np.isinf(high[3:]).all()


def test_ant_is_refused_and_declared() -> None:
    assert not get_task("ant-umaze-v0").implemented
    task = Task("ant-x", "mujoco_maze", 30, 8, 400, "never", "envs.mujoco_maze:MujocoMazeEnv",
                options={"agent": "ant", "maze": "umaze"})  # fmt: skip
    with pytest.raises(
        TaskError, match="task ant-x: MujocoMazeEnv moves the point, not agent 'ant'"
    ):
        MujocoMazeEnv.batch(task, 1)
    with pytest.raises(TaskError, match="no maze 'umase'; did you mean 'umaze'"):
        get_map("umase", "paper")


def test_bad_arguments() -> None:
    batch = make_batch("point-umaze-v0", 2)
    with pytest.raises(ValueError, match="start must be"):
        batch.reset(np.random.default_rng(0), "everywhere")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"shape \(3, 2\), wanted \(2, 2\)"):
        batch.step(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="not finite"):
        batch.step(np.full((2, 2), np.nan))
    with pytest.raises(ValueError, match=r"shape \(2, 4\), wanted finite \(2, 6\)"):
        batch.reset_to(np.zeros((2, 4)))  # type: ignore[attr-defined]


def test_first_starts_stay_what_they_are() -> None:
    # regression values: published robustness rests on these starts
    state = displaced_starts("point-umaze-v0", 1).state
    assert state[[0, -1], :3] == pytest.approx(FIRST_STARTS, abs=1e-8)


def test_a_frame_shows_point_and_goal_where_they_are() -> None:
    env = MujocoMazeEnv("point-corridor7x7-v0", render_mode="rgb_array", width=200, height=200)
    env.reset(seed=0)
    try:
        red, green, blue = np.moveaxis(env.render().astype(int), -1, 0)
    except RenderingError as error:
        pytest.skip(str(error))
    finally:
        env.close()
    point = np.argwhere(blue > red + 80).mean(axis=0)
    goal = np.argwhere(green > red + 60).mean(axis=0)
    assert (point < 70).all() and (
        goal > 130
    ).all()  # pixel rows and columns: top left, bottom right
    assert MujocoMazeEnv("point-corridor7x7-v0").render() is None
