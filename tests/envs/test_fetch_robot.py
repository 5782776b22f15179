import dataclasses
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from envs.batch import make_batch
from envs.errors import TaskError
from envs.fetch_batch import FetchBatch
from envs.fetch_controller import CONTROLLERS
from envs.fetch_robot import FetchRobotEnv
from envs.fetch_scene import FetchScene, make_robot, shared_scene
from envs.randomness import numpy_generator
from envs.starts import displaced_starts
from envs.tasks import all_tasks, get_task

FETCH = [task.name for task in all_tasks().values() if task.domain == "fetch"]
PUSH, PICK = "fetch-push-v0", "fetch-pick-and-place-v0"


def batch_of(name: str, count: int) -> FetchBatch:
    return FetchBatch(get_task(name), count)


def test_the_tasks_are_those_of_the_paper_and_a_longer_push() -> None:
    assert FETCH == [PUSH, "fetch-push-long-v0", PICK]


@pytest.mark.parametrize("name", FETCH)
def test_gymnasium_finds_nothing_wrong(name: str) -> None:
    env = gymnasium.make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(minimum|maximum) value is.*infinity")
        check_env(env.unwrapped, skip_render_check=True)
    assert env.observation_space.shape == (get_task(name).observation_dim,)
    assert env.action_space.shape == (get_task(name).action_dim,)


@pytest.mark.parametrize(("name", "precision"), [(PUSH, np.float32), (PICK, np.float64)])
def test_many_equal_one_bit_for_bit(name: str, precision: type) -> None:
    """Gymnasium-robotics' own step against ours, from the training start and from displaced ones."""
    count, generator = 3, numpy_generator(0, "test/fetch_actions")
    offsets = displaced_starts(name, count).state
    batch = batch_of(name, count)
    expert, goal = (
        CONTROLLERS[batch.task.options["robot"]],
        batch.goal,
    )  # so that things are touched
    singles = [FetchRobotEnv(name) for _ in range(count)]
    touched = 0.0
    for displaced in (True, False):
        seen = batch.reset_to(offsets) if displaced else batch.reset(generator)
        first = seen
        for i, env in enumerate(singles):
            start = env.reset(options={"offset": offsets[i]} if displaced else None)[0]
            assert (start == seen[i]).all(), i
        for t in range(20):
            noise = generator.normal(0.0, 0.5, (count, 4))
            action = (expert(seen, goal) + noise).astype(precision)  # some of it beyond the box
            step = batch.step(action)
            seen = step.observation
            for i, env in enumerate(singles):
                observation, reward, terminated, truncated, info = env.step(action[i])
                assert (observation == seen[i]).all(), (t, i)
                assert reward == step.reward[i] and info["in_goal"] == step.in_goal[i]
                assert not (terminated or truncated or step.terminated[i] or step.truncated[i])
        touched = max(touched, np.abs(seen[:, 3:6] - first[:, 3:6]).max())
    assert touched > 0.02


def test_starts_are_those_of_an_environment_that_went_through_many() -> None:
    """Restoring a kept start equals settling afresh, whatever the robot did before."""
    offsets = displaced_starts(PICK, 3).state
    batch = batch_of(PICK, 3)
    first = batch.reset_to(offsets)
    action = np.random.default_rng(0).uniform(-1, 1, (3, 4))
    paths = []
    for _ in range(2):
        again = batch.reset_to(offsets)
        assert (again == first).all()
        paths.append([batch.step(action).observation for _ in range(10)])
    assert (np.array(paths[0]) == np.array(paths[1])).all()
    fresh = FetchScene(get_task(PICK), make_robot(get_task(PICK)))
    assert (fresh.settled(offsets[2]) == shared_scene(get_task(PICK)).settled(offsets[2])).all()
    reordered = batch.reset_to(offsets[::-1].copy())
    assert (reordered == first[::-1]).all()


@pytest.mark.parametrize("name", FETCH)
def test_the_scene_is_measured_from_the_gripper(name: str) -> None:
    options = get_task(name).options
    env = FetchRobotEnv(name)
    seen, info = env.reset(seed=7)
    assert (seen == env.reset(seed=8)[0]).all(), "the training start is one state"
    assert not info["in_goal"]
    grip, scene = env.scene.grip, env.scene
    assert np.abs(seen[:3] - grip).max() < 1e-4
    assert seen[3:5] == pytest.approx(grip[:2] + options["object_offset"], abs=1e-12)
    assert seen[6:9] == pytest.approx(seen[3:6] - seen[:3], abs=1e-15)
    assert scene.goal[:2] == pytest.approx(grip[:2] + options["goal_offset"], abs=1e-12)
    assert scene.goal[2] == pytest.approx(seen[5] + options["goal_height"], abs=1e-5)
    assert np.linalg.norm(scene.goal - seen[3:6]) == pytest.approx(
        {PUSH: 0.0530, "fetch-push-long-v0": 0.1591, PICK: 0.2069}[name], abs=1e-4
    )


def test_measured_places() -> None:
    """Regression values of MuJoCo 3.3.7; they are other ones in other versions."""
    assert FetchRobotEnv(PUSH).scene.grip == pytest.approx([1.34554, 0.74902, 0.41362], abs=1e-4)
    assert FetchRobotEnv(PICK).scene.grip == pytest.approx([1.34194, 0.74910, 0.53472], abs=1e-4)


@pytest.mark.parametrize("name", [PUSH, PICK])
def test_displaced_starts_move_the_gripper_alone(name: str) -> None:
    offsets = np.array([[0.15, 0.15], [-0.15, 0.15], [0.15, -0.15], [-0.15, -0.15], [0.1, 0.0]])
    batch = batch_of(name, len(offsets))
    usual = batch.reset(np.random.default_rng(0))[0]
    seen = batch.reset_to(offsets)
    scene = shared_scene(get_task(name))
    assert np.abs(seen[:, :2] - scene.grip[:2] - offsets).max() < 0.002
    assert np.abs(seen[:, 2] - scene.grip[2]).max() < 0.01
    assert (seen[:, 3:5] == usual[3:5]).all() and np.abs(seen[:, 5] - usual[5]).max() < 1e-3
    assert np.abs(seen[:, 20:23]).max() / 0.04 < 0.01, "the arm has come to rest"
    if name == PUSH:
        assert (seen[:, 9:11] == 0).all()


def test_rewards_horizon_and_success() -> None:
    batch = make_batch(PUSH, 2)
    assert (batch.num_starts, batch.start_names) == (1, ["start"])
    start = batch.reset(np.random.default_rng(0), "stratified")
    assert (start == batch.reset(np.random.default_rng(1))).all()
    forward = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    steps = [batch.step(forward) for _ in range(50)]
    assert [step.truncated.all() for step in steps] == [False] * 49 + [True]
    assert steps[0].in_goal.tolist() == [True, False] and steps[0].reward.tolist() == [0.0, -1.0]
    assert not np.signbit(steps[0].reward[0]), "no negative zero"
    goal = shared_scene(get_task(PUSH)).goal
    for step in steps:
        near = np.linalg.norm(step.observation[:, 3:6] - goal, axis=1) < 0.05
        assert (near == step.in_goal).all() and (step.reward == near - 1.0).all()
        assert not step.terminated.any()


def test_steps_are_not_views() -> None:
    batch = make_batch(PICK, 2)
    seen = [batch.reset(np.random.default_rng(0)), batch.step(np.ones((2, 4))).observation]
    kept = [each.copy() for each in seen]
    batch.step(np.ones((2, 4)))
    assert all((a == b).all() for a, b in zip(seen, kept, strict=True))


def test_bad_arguments() -> None:
    batch = batch_of(PUSH, 2)
    with pytest.raises(ValueError, match="start must be 'random' or 'stratified'"):
        batch.reset(np.random.default_rng(0), "everywhere")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"actions of fetch-push-v0: shape \(2, 3\), wanted \(2, 4\)"):  # fmt: skip
        batch.step(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="actions of fetch-push-v0: not finite"):
        batch.step(np.full((2, 4), np.nan))
    with pytest.raises(ValueError, match=r"starts of fetch-push-v0: shape \(3, 2\), wanted"):
        batch.reset_to(np.zeros((3, 2)))
    env = FetchRobotEnv(PUSH)
    env.reset()
    with pytest.raises(ValueError, match="action is not finite"):
        env.step(np.full(4, np.inf))
    task = dataclasses.replace(get_task(PUSH), name="x", options={"robot": "slide"})
    with pytest.raises(TaskError, match="task x: robot 'slide' is not one of push, pick_and_place"):
        make_robot(task)


@pytest.mark.slow
def test_doing_nothing_hardly_ever_pushes_the_object() -> None:
    """Zero actions succeed where the displaced gripper begins at the object; 30 of 1,000 in MuJoCo 3.3.7."""
    count, wins = 200, 0
    starts, batch = displaced_starts(PUSH, 400), batch_of(PUSH, count)
    for first in range(0, len(starts), count):
        batch.reset_to(starts.state[first : first + count])
        for _ in range(50):
            step = batch.step(np.zeros((count, 4)))
        wins += int(step.in_goal.sum())
    assert wins == pytest.approx(10, abs=2)
