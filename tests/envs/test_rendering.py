import os
import subprocess
import sys

import numpy as np
import pytest

from envs import rendering
from envs.errors import RenderingError
from envs.maze2d import Maze2dEnv


def draw() -> np.ndarray:
    env = Maze2dEnv("maze2d-umaze-v1", render_mode="rgb_array", width=200, height=160)
    env.set_state([3.0, 1.0], [0, 0])
    try:
        frame: np.ndarray = env.render()
    except RenderingError as error:
        pytest.skip(str(error))
    finally:
        env.close()
    return frame


def test_a_frame_shows_ball_and_goal_where_they_are() -> None:
    frame = draw().astype(int)
    assert frame.shape == (160, 200, 3)
    red, green, blue = np.moveaxis(frame, -1, 0)
    ball = np.argwhere(blue > red + 80).mean(axis=0)
    goal = np.argwhere(green > red + 60).mean(axis=0)
    # rows run downwards and columns to the right: the ball in cell (3, 1) is below the goal in (1, 1)
    assert ball[0] > goal[0] + 40 and abs(ball[1] - goal[1]) < 10 and goal[1] < 100


def test_without_a_render_mode_nothing_is_drawn() -> None:
    assert Maze2dEnv("maze2d-umaze-v1").render() is None


def test_no_back_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "BACKENDS", ("nothing",))
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    env = Maze2dEnv("maze2d-umaze-v1", render_mode="rgb_array")
    with pytest.raises(
        RenderingError, match=r"no OpenGL back end works \(nothing: .*\); install libegl1"
    ):
        env.render()


def test_a_broken_choice_of_back_end_is_one_line() -> None:
    command = [sys.executable, "-c", "import envs.maze2d"]
    done = subprocess.run(
        command, env={**os.environ, "MUJOCO_GL": "cgi"}, capture_output=True, text=True, check=False
    )
    assert (
        "MUJOCO_GL=cgi does not work on this machine (RuntimeError); unset it"
        in done.stderr.splitlines()[-1]
    )
