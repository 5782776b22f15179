import fnmatch
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from envs import terminations
from envs.errors import TaskError
from envs.tasks import all_tasks, get_task, read_tasks, reward_function

NAMES = sorted(name for name, task in all_tasks().items() if "d4rl" in task.data)
MAZE2D = [name for name in NAMES if name.startswith("maze2d")]
HORIZONS = {"maze2d-umaze*": 300, "maze2d-medium*": 600, "maze2d-large*": 800, "antmaze-umaze*": 700,
            "antmaze-[ml]*": 1000, "h*": 1000, "walker2d*": 1000}  # fmt: skip
DIMENSIONS = {
    "maze2d*": (4, 2),
    "antmaze*": (29, 8),
    "halfcheetah*": (17, 6),
    "hopper*": (11, 3),
    "walker2d*": (17, 6),
}


def match(table: dict, name: str):  # type: ignore[no-untyped-def, type-arg]
    found = [value for pattern, value in table.items() if fnmatch.fnmatchcase(name, pattern)]
    assert len(found) == 1, name
    return found[0]


def test_the_tasks_are_those_of_romi() -> None:
    domains = [get_task(name).domain for name in NAMES]
    assert {d: domains.count(d) for d in domains} == {"maze2d": 6, "antmaze": 6, "locomotion": 12}


@pytest.mark.parametrize("name", NAMES)
def test_dimensions_and_horizons_are_published(name: str) -> None:
    task = get_task(name)
    assert (task.observation_dim, task.action_dim) == match(DIMENSIONS, name)
    assert task.horizon == match(HORIZONS, name)
    terminations.get(task.termination)  # exists
    assert task.implemented == (task.domain == "maze2d")


@pytest.mark.parametrize("name", NAMES)
def test_published_files_are_described(name: str) -> None:
    published = get_task(name).data["d4rl"]
    assert published["url"].endswith("/" + published["file"])
    assert published["transitions"] > 100_000
    if "sha256" in published:
        assert len(published["sha256"]) == 64 and published["bytes"] > 10**7


def test_reference_scores_of_locomotion_and_antmaze() -> None:
    references = {
        "antmaze*": (0.0, 1.0),
        "halfcheetah*": (-280.178953, 12135.0),
        "hopper*": (-20.272305, 3234.3),
        "walker2d*": (1.629008, 4592.3),
    }
    for name in set(NAMES) - set(MAZE2D):
        task = get_task(name)
        assert (task.ref_min, task.ref_max) == match(references, name)


@pytest.mark.parametrize("name", NAMES)
def test_normalized_scores_of_the_references_are_0_and_100(name: str) -> None:
    task = get_task(name)
    np.testing.assert_allclose(task.normalize([task.ref_min, task.ref_max]), [0, 100], atol=1e-12)


def test_sparse_floor_and_ceiling() -> None:
    # no return at all, and a reward in every step: bounds of every sparse score (ROMI specification, section 7)
    for maze, floor, ceiling in (
        ("umaze", -17.3, 200.1),
        ("medium", -5.0, 222.1),
        ("large", -2.5, 296.8),
    ):
        task = get_task(f"maze2d-{maze}-v1")
        assert task.normalize([0, task.horizon]).round(1).tolist() == [floor, ceiling]


def test_a_task_without_reference_scores_has_returns_only(tmp_path: Path) -> None:
    path = tmp_path / "tasks.yaml"
    entry = (
        "domain: maze, implementation: envs.maze:Maze, observation_dim: 4, action_dim: 2, "
        "horizon: 9, termination: never"
    )
    path.write_text(f"tasks: {{a: {{{entry}}}}}")
    task = read_tasks(path)["a"]
    assert (task.ref_min, task.ref_max, dict(task.data), task.discrete) == (None, None, {}, False)
    with pytest.raises(TaskError, match="task a has no ref_min and ref_max; report its returns"):
        task.normalize([1.0])
    path.write_text(f"tasks: {{a: {{{entry}, ref_max: 2.0}}}}")
    with pytest.raises(TaskError, match="a: ref_min and ref_max come together; correct the entry"):
        read_tasks(path)


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_normalizing_keeps_differences_in_proportion(a: float, b: float) -> None:
    task = get_task("hopper-medium-v2")
    scale = 100 / (task.ref_max - task.ref_min)
    assert task.normalize(a) - task.normalize(b) == pytest.approx((a - b) * scale, abs=1e-6)


def test_unknown_and_unimplemented_tasks_say_so_in_one_line() -> None:
    with pytest.raises(
        TaskError, match="no task 'maze2d-umaz-v1'; did you mean 'maze2d-umaze-v1'"
    ) as found:
        get_task("maze2d-umaz-v1")
    assert "\n" not in str(found.value)
    with pytest.raises(
        TaskError, match=r"antmaze-umaze-v0 is declared, not implemented .*envs\.antmaze"
    ):
        get_task("antmaze-umaze-v0").load()


@pytest.mark.parametrize("name", MAZE2D)
def test_known_reward_is_that_of_the_rows_own_state(name: str) -> None:
    import torch

    reward = reward_function(name)
    goal = get_task(name).load()(name).maze.goal
    state = np.array(
        [[*goal, 0, 0], [goal[0] + 0.3, goal[1] + 0.4, 1, 1], [goal[0] + 3, goal[1] + 4, 0, 0]]
    )
    elsewhere = np.full_like(state, 77.0)
    expected = np.exp([0, -0.5, -5]) if "dense" in name else [1, 1, 0]
    # 0.3 + 0.4: on the rim in exact numbers, so the sparse case is moved inside
    state[1, 0] -= 1e-9
    action = np.zeros((3, 2))
    np.testing.assert_allclose(reward(state, action, elsewhere), expected, atol=1e-8)
    tensors = [torch.from_numpy(each) for each in (state, action, elsewhere)]
    found = reward(*tensors)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-8)


def test_the_plan_can_read_what_it_needs() -> None:
    assert all(set(task.data) <= {"local", "d4rl"} for task in all_tasks().values())
    assert all("local" in get_task(name).data for name in MAZE2D)
    json.dumps([dict(task.data) for task in all_tasks().values()])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks: {a: {domain: maze2d}}", "a: missing 5 required positional arguments"),
        ("tasks: {a: {horizn: 3}}", "a: got an unexpected keyword argument 'horizn'"),
        ("task: {}", "not a mapping with 'tasks'"),
        ("tasks: [", "not a mapping with 'tasks'"),
        (None, "no such file; install from a checkout"),
    ],
)
def test_a_bad_task_file_is_one_line(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "tasks.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TaskError, match=message) as found:
        read_tasks(path)
    assert str(found.value).startswith(f"{path}: ") and "\n" not in str(found.value)
