from pathlib import Path

import numpy as np
import pytest

from envs.errors import TaskError
from envs.fetch_scene import shared_scene
from envs.starts import displaced_starts, read_starts
from envs.tasks import get_task

PUSH, PICK = "fetch-push-v0", "fetch-pick-and-place-v0"
FIRST_START = (0.02327904, 0.14533842)


def test_the_list_is_fixed_and_longer_ones_begin_with_shorter_ones() -> None:
    found, longer = displaced_starts(PUSH, 50), displaced_starts(PUSH, 1000)
    assert found.task == PUSH and len(found) == 50 and found.state.shape == (50, 2)
    assert (longer.state[:50] == found.state).all()
    assert (found.cell == 0).all() and len(found.cell_names) == 1
    assert (displaced_starts(PICK, 50).state == found.state).all()
    other = displaced_starts(PUSH, 50, seed=101).state  # for tuning: no start in common
    assert not np.isin(other, longer.state).any()
    # a regression value: published robustness rests on these starts
    assert found.state[0] == pytest.approx(FIRST_START, abs=1e-8)


def test_fetch_starts_are_uniform() -> None:
    state = displaced_starts(PUSH, 10_000).state
    assert (np.abs(state) <= 0.15).all()
    counts = np.histogram2d(*state.T, bins=4, range=[[-0.15, 0.15]] * 2)[0]
    assert (
        (counts - 625) ** 2 / 625
    ).sum() < 37.7  # chi-square of 15 degrees of freedom, p = 0.001


def test_starts_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "starts.csv"
    centre = shared_scene(get_task(PICK)).grip[:2]
    path.write_text(f"x,y\n{centre[0] + 0.1:.15f},{centre[1] - 0.05:.15f}\n1.3,0.7\n")
    found = read_starts(path, PICK)
    assert found.state[0] == pytest.approx([0.1, -0.05], abs=1e-12)
    assert found.state[1] == pytest.approx([1.3, 0.7] - centre, abs=1e-12)
    assert (found.task, found.cell.tolist()) == (PICK, [0, 0])


@pytest.mark.parametrize(
    "content",
    ["\ufeffx,y\r\n1.3,0.7\r\n", "x, y\n1.3, 0.7\n", '"x" , "y"\n"1.3", "0.7"\n', "name,y,x\na,0.7,1.3\n"],
)  # fmt: skip
def test_files_as_spreadsheets_write_them(content: str, tmp_path: Path) -> None:
    path = tmp_path / "starts.csv"
    path.write_text(content, encoding="utf-8", newline="")
    centre = shared_scene(get_task(PICK)).grip[:2]
    assert read_starts(path, PICK).state.tolist() == [([1.3, 0.7] - centre).tolist()]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x,y\n1.3,0.7\n1.3,1.1\n", r"line 3: \(1\.3, 1\.1\) is outside .* y 0\.599 to 0\.899; choose"),
        ("x,y\n1.3,here\n", "line 2: x and y must be finite numbers"),
        ("x,y\n1.3,nan\n", "line 2: x and y must be finite numbers"),
        ("x,y\n\n1.3\n", "line 3: x and y must be finite numbers"),
        ("x,z\n1.3,0.7\n", "first line must name the columns x and y, with a comma .*; found x, z"),
        ("x;y\n1.3;0.7\n", "first line must name the columns x and y, with a comma .*; found x;y"),
        ("1.3,0.7\n", r"first line must name the columns x and y.*; found 1\.3, 0\.7"),
        ("x,y\n1.3,0.7\n1,3,0,7\n", "line 3: more cells than columns; write decimals with a point"),
        ("", "no starts; give the columns x and y"),
        ("x,y\n", "no starts; give the columns x and y"),
    ],
)  # fmt: skip
def test_bad_files(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "starts.csv"
    path.write_text(content)
    with pytest.raises(TaskError, match=message) as found:
        read_starts(path, PUSH)
    assert str(found.value).startswith(f"{path}: ") and "\n" not in str(found.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"none\.csv: not a readable CSV file"):
        read_starts(tmp_path / "none.csv", PUSH)


def test_tasks_without_displaced_starts_say_so() -> None:
    with pytest.raises(TaskError, match="task maze2d-umaze-v1 has no displaced starts; it is"):
        displaced_starts("maze2d-umaze-v1", 10)
    with pytest.raises(TaskError, match="task fetch-push-v0: 0 displaced starts; ask for at least"):
        displaced_starts(PUSH, 0)
    with pytest.raises(TaskError, match="task point-umaze-v0: -1 displaced starts; ask for at lea"):
        displaced_starts("point-umaze-v0", -1)
    with pytest.raises(TaskError, match="did you mean 'fetch-push-v0'"):
        displaced_starts("fetch-psh-v0", 10)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("point-room5x11-v0", {"start_cell": "3,1", "goal_cell": "3,11"}),
        ("point-umaze-farama-v0", {"start_cell": "1,1", "goal_cell": "5,1"}),
    ],
)
def test_lists_of_mazes_name_the_cells_of_the_training_episode(
    task: str, expected: dict[str, str]
) -> None:
    found = displaced_starts(task, 1)
    assert found.scene == expected
    assert set(expected.values()) <= set(found.cell_names)


def test_lists_of_fetch_hold_the_places_of_the_training_episode() -> None:
    scene = displaced_starts(PICK, 1).scene
    start = np.array(scene["start"])
    assert np.array(scene["object"]) - start == pytest.approx([0.0375, 0.0375], abs=1e-3)
    assert np.array(scene["goal"]) - start == pytest.approx([0.075, 0.075], abs=1e-3)
