from pathlib import Path

import numpy as np
import pytest

from envs import demonstrate_maze, terminations
from envs.batch import make_batch
from envs.datasets import make
from envs.demonstrate_maze import check_options, generate, measure
from envs.errors import TaskError
from envs.lint_demonstrations import demonstrations
from envs.loader import load, rows
from envs.randomness import numpy_generator
from envs.spec import local_spec
from envs.tasks import all_tasks, get_task

POINT_MAZES = [
    task.name
    for task in all_tasks().values()
    if task.data.get("local", {}).get("generator") == "maze_controller" and task.implemented
]
NAME = "point-corridor7x7-v0"
GOAL = terminations.MUJOCO_MAZE_GOALS["corridor7x7"]


def make_arrays(name: str = NAME, seed: int = 0, **options: object) -> dict[str, np.ndarray]:
    return generate(get_task(name), seed, None, {"demonstrations": 3, **options}, lambda _: None)


@pytest.mark.parametrize("name", POINT_MAZES)
def test_layout_of_the_arrays(name: str) -> None:
    task, arrays = get_task(name), make_arrays(name)
    ends = np.flatnonzero(arrays["timeouts"])
    begins = np.append(0, ends[:-1] + 1)
    assert len(ends) == 3 and ends[-1] == len(arrays["rewards"]) - 1
    assert {key: a.dtype.kind for key, a in arrays.items()} == {
        "observations": "f", "actions": "f", "rewards": "f", "terminals": "b", "timeouts": "b",
        "infos/success": "b"}  # fmt: skip
    assert arrays["observations"].shape == (ends[-1] + 1, task.observation_dim)
    assert np.flatnonzero(arrays["infos/success"]).tolist() == ends.tolist()
    assert np.flatnonzero(arrays["terminals"]).tolist() == (ends - 1).tolist()
    assert (arrays["rewards"] == 1000.0 * arrays["terminals"]).all()
    assert not arrays["actions"][ends].any() and np.abs(arrays["actions"]).max() <= 1.0
    in_goal = terminations.get(task.termination)(arrays["observations"], np)
    assert (in_goal == arrays["infos/success"]).all()
    assert (ends - begins < task.horizon).all()
    if "farama" not in name:
        time = arrays["observations"][begins[1] : ends[1] + 1, -1]
        np.testing.assert_allclose(time, 0.001 * np.arange(len(time)), rtol=1e-6)


@pytest.mark.parametrize("name", POINT_MAZES)
def test_actions_replayed_give_the_states(name: str) -> None:
    arrays = make_arrays(name)
    end = int(np.flatnonzero(arrays["timeouts"])[0])
    batch = make_batch(name, 20)  # the generator's own batch, so that its starts are drawn again
    first = batch.reset(numpy_generator(0, "maze_controller/start"), "random")
    assert (first[0].astype(np.float32) == arrays["observations"][0]).all()
    for t in range(end):
        step = batch.step(np.repeat(arrays["actions"][t : t + 1], 20, axis=0))
        assert (step.observation[0].astype(np.float32) == arrays["observations"][t + 1]).all()
    assert step.in_goal[0]


def test_a_file_is_written_linted_and_read(tmp_path: Path) -> None:
    path = tmp_path / "demonstrations.hdf5"
    make(local_spec(NAME, 0, options={"demonstrations": 4}), path)
    dataset = load(path, NAME)
    assert dataset.generator == "maze_controller" and dataset.success is not None
    transitions = rows(dataset, include_terminal=True)
    assert len(transitions) == len(dataset) - 4 and transitions.success is not None
    assert transitions.success.sum() == 4 == transitions.terminated.sum()
    assert transitions.trajectory.max() == 3
    step = transitions.next_observation[:, -1] - transitions.observation[:, -1]
    assert step == pytest.approx(0.001, abs=1e-6)  # nothing pairs two episodes


def test_same_seed_same_file_and_other_seeds_differ() -> None:
    first, again, other = make_arrays(), make_arrays(), make_arrays(seed=1)
    assert all((first[key] == again[key]).all() for key in first)
    assert (first["observations"][0] != other["observations"][0])[:-1].all()
    more = make_arrays(demonstrations=5)
    size = len(first["rewards"])
    assert (more["observations"][:size] == first["observations"]).all()


def test_noise_makes_the_demonstrations_differ() -> None:
    spread = []
    for noise in (0.0, 0.3):
        actions = make_arrays(noise=noise)["actions"][:100]
        spread.append(float(np.diff(actions, axis=0).std()))
    assert spread[1] > spread[0] + 0.1


def test_only_successes_are_kept_and_hopeless_noise_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = measure(get_task(NAME), 20, {"noise": 1.5}, 0)
    assert 0 < found.successes < 20 == found.episodes
    assert len(found.first_success) == found.successes and found.first_success.max() <= 400
    arrays = make_arrays(noise=1.5)
    assert arrays["infos/success"].sum() == 3
    monkeypatch.setattr(demonstrate_maze, "LARGEST_SHARE", 1)
    with pytest.raises(TaskError, match=r"options\.noise: 0 of 20 episodes of point-corridor7x7"):
        make_arrays(noise=100.0)


@pytest.mark.parametrize("name", POINT_MAZES)
def test_the_expert_succeeds_from_the_start(name: str) -> None:
    found = measure(get_task(name), 20, {}, 7)
    assert found.successes >= 19 and (found.first_success < get_task(name).horizon).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noize": 0.1}, "generator maze_controller has no option 'noize'; did you mean 'noise'"),
        ({"demonstrations": 0}, r"options\.demonstrations: must be an integer from 1 up, got 0"),
        ({"demonstrations": True}, r"options\.demonstrations: must be an integer"),
        ({"noise": "x"}, r"options\.noise: must be a number, got 'x'"),
        ({"noise": -1.0}, r"options\.noise: must be finite and not negative, got -1\.0"),
        ({"noise": float("nan")}, r"options\.noise: must be finite"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        check_options(options)


@pytest.mark.parametrize("name", POINT_MAZES)
def test_the_linter_refuses_demonstrations_of_another_maze(name: str) -> None:
    arrays = make_arrays(name)
    assert list(demonstrations(arrays, get_task(name))) == []
    others = [
        other for other in POINT_MAZES if other.endswith("farama-v0") == name.endswith("farama-v0")
    ]
    for other in set(others) - {name}:
        ((key, message, row),) = demonstrations(arrays, get_task(other))
        assert (key, row) == ("infos/success", int(arrays["infos/success"].argmax()))
        assert message == f"does not fit the goal of {other}; is this another task's file?"


def test_the_linter_does_not_judge_places_on_the_edge_of_the_goal() -> None:
    arrays = make_arrays()
    goal = np.flatnonzero(arrays["infos/success"])[0]
    direction = arrays["observations"][goal, :2] - GOAL
    unit = direction / np.linalg.norm(direction)
    for distance, count in ((0.6005, 0), (0.62, 1)):
        arrays["observations"][goal, :2] = GOAL + distance * unit
        assert len(list(demonstrations(arrays, get_task(NAME)))) == count
