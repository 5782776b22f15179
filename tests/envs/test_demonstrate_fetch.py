"""Demonstrations of the Fetch tasks, and the linter's checks of demonstrations."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from envs import demonstrate_fetch, storage
from envs.datasets import make
from envs.demonstrate_fetch import generate
from envs.errors import DatasetError, TaskError
from envs.fetch_batch import FetchBatch
from envs.fetch_scene import shared_scene
from envs.lint_demonstrations import demonstrations
from envs.loader import load, rows
from envs.options import DemonstrationOptions
from envs.spec import local_spec
from envs.tasks import all_tasks, get_task, reward_function
from envs.terminations import FETCH_RADIUS

PUSH, LONG, PICK = "fetch-push-v0", "fetch-push-long-v0", "fetch-pick-and-place-v0"
Arrays = dict[str, np.ndarray]


def arrays_of(name: str, seed: int = 0, **options: Any) -> Arrays:
    return generate(get_task(name), seed, None, options, lambda _: None)


@pytest.fixture(scope="module")
def pick() -> Arrays:
    return arrays_of(PICK, demonstrations=3)


@pytest.fixture
def file(pick: Arrays, tmp_path: Path) -> Callable[..., Path]:
    """A maker of files, with some arrays replaced or removed (None)."""

    def make_file(**changed: Any) -> Path:
        content = {**pick, **{name.replace("__", "/"): array for name, array in changed.items()}}
        path = tmp_path / "demonstrations.hdf5"
        storage.write(path, {k: v for k, v in content.items() if v is not None}, {})
        return path

    return make_file


def test_layout(pick: Arrays) -> None:
    ends = np.flatnonzero(pick["timeouts"])
    assert ends.tolist() == [50, 101, 152] and not pick["terminals"].any()
    success, rewards = pick["infos/success"], pick["rewards"]
    assert success[ends].all(), "judged at the last step"
    inner = ~pick["timeouts"]
    assert (rewards[:-1][inner[:-1]] == success[1:][inner[:-1]] - 1.0).all()
    assert set(rewards.tolist()) == {-1.0, 0.0}
    assert (pick["actions"][ends] == 0).all() and (np.abs(pick["actions"]) <= 1).all()
    assert pick["observations"].shape == (153, 25) and pick["observations"].dtype == np.float32
    starts = pick["observations"][[0, 51, 102]]
    assert (starts[0] == starts).all() and (pick["actions"][0] != pick["actions"][51]).any()


def test_stored_actions_are_those_applied(pick: Arrays) -> None:
    """Replaying the file gives its observations and successes."""
    batch = FetchBatch(get_task(PICK), 3)
    action = pick["actions"].reshape(3, 51, 4)
    observation = pick["observations"].reshape(3, 51, 25)
    success = pick["infos/success"].reshape(3, 51)
    assert (batch.reset(np.random.default_rng(0)).astype(np.float32) == observation[:, 0]).all()
    for t in range(50):
        step = batch.step(action[:, t])
        assert (step.observation.astype(np.float32) == observation[:, t + 1]).all()
        assert (step.in_goal == success[:, t + 1]).all()


def test_rewards_are_a_known_function_of_the_state_reached(pick: Arrays) -> None:
    reward = reward_function(PICK)
    inner = np.flatnonzero(~pick["timeouts"])
    observation, action, following = (
        pick["observations"][inner],
        pick["actions"][inner],
        pick["observations"][inner + 1],
    )
    wanted = pick["rewards"][inner]
    assert (reward(observation, action, following) == wanted).all()
    tensors = (torch.from_numpy(each) for each in (observation, action, following))
    assert (reward(*tensors).numpy() == wanted).all()


def test_more_begin_with_fewer_and_seeds_differ(pick: Arrays) -> None:
    one, other = arrays_of(PICK, demonstrations=1), arrays_of(PICK, seed=1, demonstrations=1)
    for name, array in one.items():
        assert (pick[name][:51] == array).all(), name
    assert (other["actions"] != one["actions"]).any()


def test_failed_episodes_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the made-up episodes end away from the goal, some of them after a success."""
    task = get_task(PICK)

    def drive(_task: Any, _seed: int, numbers: range, _noise: float) -> Any:
        success = np.zeros((len(numbers), 51), dtype=bool)
        success[:, 20] = True
        success[[n % 2 == 1 for n in numbers], -1] = True
        marks = np.array(numbers, dtype=np.float32)[:, None, None]
        shape = (len(numbers), 51, 25)
        return demonstrate_fetch._Episodes(
            np.broadcast_to(marks, shape), np.zeros((len(numbers), 50, 4), np.float32), success
        )

    monkeypatch.setattr(demonstrate_fetch, "_drive", drive)
    advances: list[int] = []
    found = generate(task, 0, None, {"demonstrations": 3}, advances.append)
    assert found["observations"][::51, 0].tolist() == [1, 3, 5] and advances == [1, 1, 1]
    measured = demonstrate_fetch.measure(task, 7, {}, 0)
    assert (measured.episodes, measured.successes) == (7, 3)
    assert measured.first_success.tolist() == [20] * 7


def test_hopeless_noise_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demonstrate_fetch, "TRIES", 2)
    with pytest.raises(TaskError, match=r"only 0 of 2 episodes succeed at options\.noise 30"):
        arrays_of(PICK, demonstrations=1, noise=30.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nois": 1}, "has no option 'nois'; did you mean 'noise'"),
        ({"noise": -1.0}, "options.noise: must be finite and not negative"),
        ({"noise": "much"}, "options.noise: must be a number"),
        ({"demonstrations": 0}, "options.demonstrations: must be an integer from 1 up, got 0"),
        ({"demonstrations": 2.0}, "options.demonstrations: must be an integer"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        demonstrate_fetch.check_options(options)


def test_options_and_version_are_those_of_the_plan() -> None:
    fields = {each.name: each.default for each in dataclasses.fields(DemonstrationOptions)}
    for task in all_tasks().values():
        if task.domain == "fetch":
            local = task.data["local"]
            assert local["options"] == fields and local["version"] == demonstrate_fetch.VERSION


def test_a_file_from_the_spec_loads(tmp_path: Path) -> None:
    path = tmp_path / "push.hdf5"
    make(local_spec(LONG, seed=3, options={"demonstrations": 2}), path)
    dataset = load(path, LONG)
    assert (dataset.generator, dataset.reward_at) == ("fetch_controller", "next_observation")
    assert dataset.success is not None and dataset.spec is not None
    transitions = rows(dataset, include_terminal=True)
    assert np.bincount(transitions.trajectory).tolist() == [50, 50]
    assert transitions.success is not None and transitions.success[[49, 99]].all()
    assert (transitions.reward == transitions.success - 1.0).all()
    with pytest.raises(DatasetError, match="holds data of task fetch-push-long-v0, not of"):
        load(path, PUSH)


def changed(array: np.ndarray, row: Any, value: Any) -> np.ndarray:
    copy = array.copy()
    copy[row] = value
    return copy


def test_findings(pick: Arrays, file: Callable[..., Path]) -> None:
    success, ends, rewards = pick["infos/success"], pick["timeouts"], pick["rewards"]
    hit = int(np.flatnonzero(success)[0])
    two_ends = changed(ends, 50, False)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"infos__success": None}, "infos/success: missing key"),
        (
            {"infos__success": changed(success, slice(51, 102), False)},
            "infos/success: row 51: episode 1 never succeeds; leave it out",
        ),
        ({"timeouts": changed(ends, 152, False)}, "timeouts: row 152: the last row ends no"),
        ({"timeouts": two_ends}, "timeouts: row 0: episode 0 has 101 steps, .* at most 50"),
        ({"rewards": changed(rewards, hit - 1, -1.0)}, f"rewards: row {hit - 1}: must be -1, or 0"),
        ({"rewards": changed(rewards, 0, 0.0)}, "rewards: row 0: must be -1, or 0 where the next"),
        (
            {"infos__success": changed(success, 1, True), "rewards": changed(rewards, 0, 0.0)},
            "infos/success: row 1: does not fit the goal of fetch-pick-and-place-v0",
        ),
        ({"terminals": changed(ends, 3, True)}, "terminals: row 3: set, but .* never terminates"),
        ({"observations": pick["observations"][:, :24]}, "observations: shape .* wants"),
        (
            {"observations": changed(pick["observations"], (7, 0), 0.2)},
            "observations: row 6: the next row is 1.2 m away, too far for a step; set timeouts",
        ),
    ]
    for change, message in cases:
        path = file(**change)
        with pytest.raises(DatasetError, match=message) as found:
            load(path, PICK)
        assert str(found.value).startswith(f"{path}: ") and "\n" not in str(found.value)


def test_the_file_of_another_fetch_task_is_seen_from_its_successes(
    file: Callable[..., Path],
) -> None:
    """The file says nothing of its task, and all Fetch tasks have observations of one length."""
    path = file()
    assert len(load(path, PICK)) == 153
    with pytest.raises(DatasetError, match="does not fit the goal of fetch-push-v0; is this ano"):
        load(path, PUSH)


def test_the_linter_judges_success_as_the_robots_do() -> None:
    radius = shared_scene(get_task(PUSH)).robot.distance_threshold
    assert radius == FETCH_RADIUS


def maze_episode() -> Arrays:
    """Three steps to the goal of a maze, and the state reached."""
    path = [(-1.0, 31.5), (-1.0, 31.7), (-1.0, 31.9), (-1.0, 32.1)]
    observations = np.pad(np.array(path, dtype=np.float32), ((0, 0), (0, 5)))
    observations[:, -1] = 0.001 * np.arange(4)
    return {
        "observations": observations,
        "actions": np.zeros((4, 2), dtype=np.float32),
        "rewards": np.array([0.0, 0.0, 1000.0, 0.0]),
        "terminals": np.array([False, False, True, False]),
        "timeouts": np.array([False, False, False, True]),
        "infos/success": np.array([False, False, False, True]),
    }


def test_episodes_of_mazes_end_at_the_goal() -> None:
    task = get_task("point-umaze-v0")
    good = maze_episode()
    assert list(demonstrations(good, task)) == []
    paid = {**good, "rewards": np.array([0.0, 0.0, 1.0, 0.0])}
    assert [(key, row) for key, _, row in demonstrations(paid, task)] == [("rewards", 2)]
    lost = {**good, "terminals": np.array([False, True, False, False])}
    assert [(key, row) for key, _, row in demonstrations(lost, task)] == [("terminals", 1)]


def test_a_lost_end_between_two_short_episodes_is_a_jump(pick: Arrays) -> None:
    """Every row of it may look right; the pair would be a step that nobody made."""
    first = np.flatnonzero(pick["timeouts"])[0] + 1
    kept = np.r_[
        20:first, first : first + 20
    ]  # two pieces that are together shorter than the horizon
    arrays = {key: array[kept[-51:]] for key, array in pick.items()}
    arrays["timeouts"] = np.arange(len(arrays["rewards"])) == len(arrays["rewards"]) - 1
    ((key, message, row),) = list(demonstrations(arrays, get_task(PICK)))[:1]
    assert key == "observations" and "too far for a step" in message
    assert row == len(arrays["rewards"]) - 21


def test_steps_of_a_maze_out_of_order_are_found() -> None:
    arrays = maze_episode()
    arrays["observations"][[1, 2]] = arrays["observations"][[2, 1]]
    ((key, message, row),) = demonstrations(arrays, get_task("point-umaze-v0"))
    assert (key, row) == ("observations", 0) and message.startswith("the next row is 0.4 m away")
    arrays = maze_episode()
    arrays["observations"][:, -1] = 0.0
    ((key, message, row),) = demonstrations(arrays, get_task("point-umaze-v0"))
    assert (key, row) == ("observations", 0) and "does not rise by 0.001" in message
