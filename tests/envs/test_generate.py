import dataclasses
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envs.errors import TaskError
from envs.generate_maze2d import WaypointOptions, generate, layout
from envs.maze2d import Maze2dEnv
from envs.metrics import wall_fraction
from envs.tasks import TASKS_FILE, all_tasks, get_task
from paper_tables.registry import read_registry

MAZE2D = [name for name in all_tasks() if name.startswith("maze2d")]


def make(name: str, seed: int = 0, rows: int = 6000, **options: Any) -> dict[str, np.ndarray]:
    counts: list[int] = []
    arrays = generate(get_task(name), seed, rows, options, counts.append)
    assert sum(counts) == np.prod(layout(rows))
    return arrays


@pytest.mark.parametrize("name", MAZE2D)
def test_layout_and_rewards(name: str) -> None:
    arrays = make(name)
    types = {key: (array.shape, array.dtype.str) for key, array in arrays.items()}
    assert types == {
        "observations": ((6000, 4), "<f4"),
        "actions": ((6000, 2), "<f4"),
        "rewards": ((6000,), "<f4"),
        "terminals": ((6000,), "|b1"),
        "timeouts": ((6000,), "|b1"),
        "infos/goal": ((6000, 2), "<f4"),
        "infos/qpos": ((6000, 2), "<f4"),
        "infos/qvel": ((6000, 2), "<f4"),
    }
    goal = Maze2dEnv(name).maze.goal
    distance = np.linalg.norm(arrays["observations"][:, :2].astype(float) - goal, axis=1)
    expected = np.exp(-distance) if "dense" in name else distance <= 0.5
    np.testing.assert_allclose(arrays["rewards"], expected, atol=1e-7)
    assert not arrays["terminals"].any() and wall_fraction(name, arrays["observations"]) == 0
    assert (arrays["observations"] == np.hstack([arrays["infos/qpos"], arrays["infos/qvel"]])).all()
    assert np.abs(arrays["infos/goal"] - np.rint(arrays["infos/goal"])).max() <= 0.1 + 1e-6


def test_rows_replay_in_the_environment() -> None:
    arrays = make("maze2d-large-v1", rows=2000, noise=0.5)
    env = Maze2dEnv("maze2d-large-v1")
    env.set_state(arrays["observations"][0, :2], arrays["observations"][0, 2:])
    for i in range(1, 60):  # float32 start: the replay drifts slowly
        observation, *_ = env.step(arrays["actions"][i - 1])
        np.testing.assert_allclose(arrays["observations"][i], observation, atol=1e-4)


def test_same_seed_same_arrays_other_seed_other_arrays() -> None:
    first, again, other = (
        make("maze2d-umaze-v1", 3),
        make("maze2d-umaze-v1", 3),
        make("maze2d-umaze-v1", 4),
    )
    assert all((first[key] == again[key]).all() for key in first)
    assert not (first["observations"] == other["observations"]).any(axis=1).any()


def test_sparse_and_dense_hold_the_same_trajectories() -> None:
    sparse, dense = make("maze2d-medium-v1"), make("maze2d-medium-dense-v1")
    assert all((sparse[key] == dense[key]).all() for key in sparse if key != "rewards")


def test_ends_of_trajectories_and_reached_targets_are_flagged() -> None:
    arrays = make("maze2d-umaze-v1")
    timeouts, goals = arrays["timeouts"], arrays["infos/goal"]
    assert timeouts[[1999, 3999, 5999]].all()
    switch = (goals[1:] != goals[:-1]).any(axis=1)
    assert timeouts[:-1][switch].all()
    assert (
        timeouts[:-1] & ~switch
    ).sum() == 0  # a new target always comes with a flag, and the reverse
    reached = np.linalg.norm(arrays["observations"][:, :2] - np.rint(goals), axis=1) < 0.1
    inner = np.flatnonzero(timeouts)[:-1]
    assert reached[inner[(inner + 1) % 2000 != 0]].all()


@given(rows=st.integers(2, 9000))
@settings(max_examples=10, deadline=None)
def test_any_number_of_rows_is_delivered_and_closed(rows: int) -> None:
    arrays = make("maze2d-umaze-v1", rows=rows)
    assert all(len(array) == rows for array in arrays.values()) and arrays["timeouts"][-1]
    step = np.linalg.norm(np.diff(arrays["observations"][:, :2], axis=0), axis=1)
    assert (step[~arrays["timeouts"][:-1]] < 0.08).all()


@pytest.mark.parametrize(
    ("name", "leg", "share"),
    [("umaze", 73.0, 0.071), ("medium", 155.0, 0.0225), ("large", 232.0, 0.009)],
)
@pytest.mark.slow
def test_statistics_of_long_files(name: str, leg: float, share: float) -> None:
    # D4RL's own controller, one ball in this environment: 72.9 +- 0.6, 155 +- 2 and 236 +- 5 steps to a target
    arrays = make(f"maze2d-{name}-v1", rows=1_000_000)
    targets = arrays["timeouts"].sum() - layout(1_000_000)[0]
    assert 1_000_000 / targets == pytest.approx(leg, rel=0.04)
    assert arrays["rewards"].mean() == pytest.approx(share, rel=0.08)


def test_quirk_repeats_the_state_after_an_end_while_the_ball_moves_on() -> None:
    arrays = make("maze2d-umaze-v1", quirks=True)
    observations = arrays["observations"]
    moved = np.hstack([arrays["infos/qpos"], arrays["infos/qvel"]])
    ends = np.flatnonzero(arrays["timeouts"])
    ends = ends[(ends + 1) % 2000 != 0]
    assert len(ends) > 50
    assert (observations[ends + 1] == observations[ends]).all()
    assert (moved[ends + 1] != observations[ends + 1]).any(axis=1).all()
    plain = np.ones(6000, dtype=bool)
    plain[ends + 1] = False
    assert (observations[plain] == moved[plain]).all()


def test_reward_alignment_is_an_option() -> None:
    own, following = (
        make("maze2d-umaze-dense-v1", reward_at=at) for at in ("observation", "next_observation")
    )
    inner = ~own["timeouts"][:-1]
    assert (own["observations"] == following["observations"]).all()
    assert (following["rewards"][:-1][inner] == own["rewards"][1:][inner]).all()


def test_noise_changes_actions_within_their_limits() -> None:
    noisy = make("maze2d-umaze-v1", noise=0.5)["actions"]
    assert np.abs(noisy).max() == 1 and np.abs(np.diff(noisy, axis=0)).mean() > 0.3
    assert np.abs(np.diff(make("maze2d-umaze-v1")["actions"], axis=0)).mean() < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nois": 0.5}, "no option 'nois'; did you mean 'noise'"),
        ({"noise": -1}, "options.noise: must be finite and not negative"),
        ({"noise": "much"}, "options.noise: must be a number"),
        ({"quirks": 1}, "options.quirks: must be true or false"),
        ({"reward_at": "s"}, "options.reward_at: must be observation or next_observation"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        make("maze2d-umaze-v1", **options)


def test_options_are_declared_for_the_plan_as_they_are() -> None:
    registry = read_registry(TASKS_FILE.parent)
    declared = registry.generators
    local = [task.local for task in registry.tasks.values() if task.local]
    assert {each.generator for each in local if not each.implementation} == {"waypoint"}
    assert {each.generator for each in local} == set(declared)
    fields = dataclasses.fields(WaypointOptions)
    types = get_type_hints(WaypointOptions)
    assert set(declared["waypoint"]) == {each.name for each in fields}
    for each in fields:
        key, kind = declared["waypoint"][each.name], types[each.name]
        assert (key.default, type(key.default)) == (each.default, type(each.default))
        if key.type == "choice":
            assert tuple(key.choices) == get_args(kind)
        else:
            assert key.type == kind.__name__
