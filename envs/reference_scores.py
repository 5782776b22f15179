"""Replays how D4RL measured the reference scores of maze2d: ``python -m envs.reference_scores``.

Minimum: 100 episodes of uniform actions. Maximum: 100 episodes of one waypoint controller that is never told that a
new episode begins. It plans in the first episode only, afterwards drives straight at the goal and gets stuck at walls.
Both use seed 0 and the seeding of gym 0.1x, so that scores come out to the printed digit. It tests the physics; the
scores in use are the published ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from envs.maze2d import Maze2dEnv
from envs.maze2d_batch import START_JITTER, START_SPEED
from envs.maze2d_physics import maze_reward
from envs.mazes import FRAME_OFFSET, LAYOUTS, Maze
from envs.tasks import get_task
from envs.waypoints import MAX_STEP, POSITION_GAIN, REACHED, VELOCITY_GAIN

EPISODES = 100
SEED = 0


class Scores(NamedTuple):
    """Mean returns of uniform actions and of the reused controller."""

    minimum: float
    maximum: float


def gym_random_state(seed: int) -> np.random.RandomState:
    """The generator gym 0.1x made from a seed: the first eight bytes of sha512 of the decimal number, as two words."""
    digest = hashlib.sha512(str(seed).encode()).digest()[:8]
    words = [int.from_bytes(digest[i : i + 4], "little") for i in (0, 4)]
    return np.random.RandomState(words)


class ReusedController:
    """The waypoint controller for one ball, planning at its first call only.

    Draws come in D4RL's order: one for each planned grid step, then two for each waypoint but the last.
    """

    def __init__(self, maze: Maze, generator: np.random.RandomState) -> None:
        self._maze, self._generator = maze, generator
        self._waypoints: list[np.ndarray] = []
        self._index = 0
        self._previous = np.zeros(2)

    def _plan(self, position: np.ndarray) -> None:
        target = np.array(self._maze.goal)
        cell = np.rint(position).astype(np.int64)
        self._previous = cell.astype(np.float64)
        while True:
            self._generator.uniform()
            cell = self._maze.step_towards[tuple(target)][tuple(cell)]
            if (cell == target).all():
                break
            shift = self._generator.uniform(size=2) * FRAME_OFFSET
            self._waypoints.append(cell - shift)
        self._waypoints.append(target.astype(np.float64))

    def __call__(self, state: np.ndarray) -> np.ndarray:
        """The action ``[2]`` for a state ``[4]``."""
        position, velocity = state[:2], state[2:]
        if not self._waypoints:
            self._plan(position)
        target = self._waypoints[-1]
        still = np.linalg.norm(self._previous - position) < MAX_STEP
        reached = still and np.linalg.norm(position - target) < REACHED
        aim = target if reached else self._waypoints[self._index]
        if not reached and still and np.linalg.norm(position - aim) < REACHED:
            self._index += 1
        self._previous = position
        action = POSITION_GAIN * (aim - position) - VELOCITY_GAIN * velocity
        clipped: np.ndarray = np.clip(action, -1.0, 1.0)
        return clipped


def _mean_returns(env: Maze2dEnv, policy: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    generator = gym_random_state(SEED)
    cells = np.array(env.maze.start_cells, dtype=np.float64)
    returns = np.zeros((EPISODES, 2))
    for episode in range(EPISODES):
        cell = cells[generator.choice(len(cells))]
        position = cell + generator.uniform(-START_JITTER, START_JITTER, size=2)
        velocity = generator.randn(2) * START_SPEED
        env.set_state(position, velocity)
        state = np.concatenate([position, velocity])
        reached = np.empty((env.task.horizon, 4))
        for step in range(env.task.horizon):
            state, *_ = env.step(policy(state))
            reached[step] = state
        for column, kind in enumerate(("sparse", "dense")):
            returns[episode, column] = maze_reward(reached, env.maze.goal, kind, np).sum()
    mean: np.ndarray = returns.mean(axis=0)
    return mean


def measure(maze: str) -> dict[str, Scores]:
    """Both reference scores of both tasks in a maze, measured as D4RL did; sparse and dense differ in rewards only."""
    env = Maze2dEnv(f"maze2d-{maze}-v1")
    actions = gym_random_state(SEED)
    uniform = _mean_returns(env, lambda _: actions.uniform(-1.0, 1.0, size=2).astype(np.float32))
    controller = ReusedController(env.maze, np.random.RandomState(SEED))
    driven = _mean_returns(env, controller)
    tasks = (f"maze2d-{maze}-v1", f"maze2d-{maze}-dense-v1")
    return {
        task: Scores(float(low), float(high))
        for task, low, high in zip(tasks, uniform, driven, strict=True)
    }


def main() -> None:
    """Print measured beside published scores of every maze2d task."""
    for maze in LAYOUTS:
        for name, found in measure(maze).items():
            task = get_task(name)
            print(
                f"{name:24} minimum {found.minimum:.12g} (published {task.ref_min})"
                f"  maximum {found.maximum:.17g} (published {task.ref_max})"
            )


if __name__ == "__main__":
    main()
