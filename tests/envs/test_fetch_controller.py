"""The experts' rules on made-up states, and how often they succeed."""

import numpy as np
import pytest

from envs.errors import TaskError
from envs.fetch_batch import FetchBatch
from envs.fetch_controller import CLOSED, CONTROLLERS, OPEN, pick_and_place, push
from envs.randomness import numpy_generator
from envs.starts import displaced_starts
from envs.tasks import get_task

THING = np.array([1.4, 0.8, 0.425])
GOAL = np.array([1.5, 0.8, 0.425])


def seen(offset: tuple[float, float, float], width: float = 0.1, speed: float = 0.0) -> np.ndarray:
    """An observation with the gripper at ``offset`` from the object, which moves along x."""
    observation = np.zeros((1, 25))
    observation[0, 3:6] = THING
    observation[0, :3] = THING + offset
    observation[0, 6:9] = -np.array(offset)
    observation[0, 9:11] = width / 2
    observation[0, 14] = speed
    return observation


def moves(observation: np.ndarray, goal: np.ndarray = GOAL, controller: str = "push") -> list[int]:
    """Signs of the action."""
    action = CONTROLLERS[controller](observation, goal)
    assert action.shape == (1, 4) and (np.abs(action) <= 1).all()
    return [int(sign) for sign in np.sign(np.round(action[0], 6))]


def test_push_goes_around_the_object() -> None:
    assert moves(seen((0.10, 0.0, 0.0))) == [0, 0, 1, 0], "in front of it and low: rise"
    assert moves(seen((0.10, 0.0, 0.08))) == [-1, 0, 0, 0], "high: go behind it"
    assert moves(seen((-0.055, 0.0, 0.08))) == [0, 0, -1, 0], "behind it: go down"
    assert moves(seen((-0.055, 0.0, -0.005))) == [1, 0, 0, 0], "low behind it: push"
    assert moves(seen((-0.055, 0.01, -0.005))) == [1, -1, 0, 0], "stay on the line"


def test_push_stops_before_a_sliding_object_passes_the_goal() -> None:
    near = THING + np.array([0.03, 0.0, 0.0])
    assert moves(seen((-0.05, 0.0, -0.005)), near) == [1, 0, 0, 0]
    assert moves(seen((-0.05, 0.0, -0.005), speed=0.01), near) == [0, 0, 1, 0], "slides there alone"
    assert moves(seen((-0.05, 0.0, 0.08), speed=0.0), THING) == [0, 0, 0, 0], "waits above"


def test_pick_and_place_in_order() -> None:
    goal = THING + np.array([0.1, 0.0, 0.2])
    pick = "pick_and_place"
    assert moves(seen((-0.1, 0.0, 0.1)), goal, pick) == [1, 0, -1, OPEN], "above it"
    assert moves(seen((0.0, 0.0, 0.06)), goal, pick) == [0, 0, -1, OPEN], "down"
    assert moves(seen((0.0, 0.0, 0.01)), goal, pick) == [0, 0, 0, CLOSED], "close and wait"
    assert moves(seen((0.0, 0.0, 0.01), width=0.05), goal, pick) == [1, 0, 1, CLOSED], "carry"
    assert moves(seen((0.0, 0.0, 0.025), width=0.05), goal, pick)[3] == CLOSED, "held by its top"
    assert moves(seen((0.0, 0.0, 0.025)), goal, pick)[3] == OPEN, "not yet around it"
    assert moves(seen((0.0, 0.0, 0.01), width=0.05), THING, pick) == [0, 0, 0, CLOSED], "hold"


def test_rows_are_independent() -> None:
    rng = np.random.default_rng(0)
    many = np.concatenate([seen(tuple(rng.uniform(-0.1, 0.1, 3))) for _ in range(40)])
    for controller in (push, pick_and_place):
        alone = np.concatenate([controller(row[None], GOAL) for row in many])
        assert (controller(many, GOAL) == alone).all()


def drive(name: str, count: int, displaced: bool) -> np.ndarray:
    """Successes at the last step under the noise of the demonstrations."""
    task = get_task(name)
    batch = FetchBatch(task, count)
    rng = numpy_generator(0, "test/expert_noise")
    observation = batch.reset(rng)
    if displaced:
        observation = batch.reset_to(displaced_starts(name, count).state)
    for _ in range(task.horizon):
        action = CONTROLLERS[task.options["robot"]](observation, batch.goal)
        step = batch.step(np.clip(action + 0.1 * rng.standard_normal(action.shape), -1, 1))
        observation = step.observation
    return step.in_goal


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fetch-push-v0", "fetch-push-long-v0", "fetch-pick-and-place-v0"])
@pytest.mark.parametrize("displaced", [False, True])
def test_experts_succeed(name: str, displaced: bool) -> None:
    assert drive(name, 60, displaced).mean() >= 0.95


def test_a_robot_without_an_expert_is_an_error() -> None:
    with pytest.raises(TaskError):
        get_task("fetch-slide-v0")
