"""Termination tests of states, written once for numpy and torch: ``(observation [.., S], xp) -> bool [..]``.

``xp`` is the array namespace, numpy or torch. Imagined rollouts use these tests where an environment would end an
episode (ROMI, section 5 of its code; the thresholds are those of the gym version 2 robots, of D4RL's antmaze and of the
environments of BMIL's code).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from envs.errors import TaskError, nearest

Termination = Callable[[Any, Any], Any]

HOPPER_HEIGHT = 0.7
HOPPER_ANGLE = 0.2
HOPPER_LIMIT = 100.0
WALKER_HEIGHT = (0.8, 2.0)
WALKER_ANGLE = 1.0
ANTMAZE_RADIUS = 0.5
#: Centres of the goal cells (3, 1), (6, 6), (7, 9) of cells of 4 m, from the start cell (1, 1): x runs along columns.
ANTMAZE_GOALS = {"umaze": (0.0, 8.0), "medium": (20.0, 20.0), "large": (32.0, 24.0)}
MUJOCO_MAZE_RADIUS = 0.6
#: Goals of the mazes of BMIL's code: x at most, y at least (the goal's quadrant) in the U maze, else points.
MUJOCO_MAZE_CORNER = (0.0, 32.0)
MUJOCO_MAZE_GOALS = {"room5x11": (40.0, 0.0), "corridor7x7": (24.0, 24.0)}
FARAMA_MAZE_RADIUS = 0.45
#: The same goals on gymnasium-robotics' maps: cells of 1, origin in the middle, y upwards.
FARAMA_MAZE_GOALS = {"umaze": (-1.0, -2.0), "room5x11": (5.0, 0.0), "corridor7x7": (3.0, -3.0)}
MUJOCO_MAZE_REWARD = 1000.0  # for reaching the goal (BMIL's code)
FETCH_RADIUS = 0.05  # metres from object to goal, gymnasium-robotics' distance_threshold
RELOCATE_RADIUS = 0.1


def never(observation: Any, xp: Any) -> Any:
    """False everywhere."""
    return xp.zeros_like(observation[..., 0]) != 0


def mujoco_umaze(observation: Any, xp: Any) -> Any:
    """In the quadrant of the goal cell and what lies beyond it: x <= 0 and y >= 32."""
    x_max, y_min = MUJOCO_MAZE_CORNER
    return (observation[..., 0] <= x_max) & (observation[..., 1] >= y_min)


def within(observation: Any, xp: Any, goal: tuple[float, float], radius: float) -> Any:
    """Within ``radius`` of the goal, both in metres."""
    dx, dy = observation[..., 0] - goal[0], observation[..., 1] - goal[1]
    return xp.sqrt(dx * dx + dy * dy) <= radius


def relocate(observation: Any, xp: Any) -> Any:
    """Ball within 0.1 m of the target; their difference is the last three numbers of the observation."""
    offset = observation[..., -3:]
    return xp.sqrt((offset * offset).sum(-1)) < RELOCATE_RADIUS


def hopper(observation: Any, xp: Any) -> Any:
    """Fallen: not (all finite, all of s[1:] below 100 in size, height > 0.7, |angle| < 0.2)."""
    rest = observation[..., 1:]
    healthy = (
        xp.isfinite(observation).all(-1)
        & (xp.abs(rest) < HOPPER_LIMIT).all(-1)
        & (observation[..., 0] > HOPPER_HEIGHT)
        & (xp.abs(observation[..., 1]) < HOPPER_ANGLE)
    )
    return ~healthy


def walker2d(observation: Any, xp: Any) -> Any:
    """Fallen: not (0.8 < height < 2.0 and |angle| < 1)."""
    height, angle = observation[..., 0], observation[..., 1]
    low, high = WALKER_HEIGHT
    return ~((height > low) & (height < high) & (xp.abs(angle) < WALKER_ANGLE))


_MAZES = {
    "mujoco_maze": (MUJOCO_MAZE_GOALS, MUJOCO_MAZE_RADIUS),
    "farama_maze": (FARAMA_MAZE_GOALS, FARAMA_MAZE_RADIUS),
    "antmaze": (ANTMAZE_GOALS, ANTMAZE_RADIUS),
}
_TESTS: dict[str, Termination] = {
    "never": never,
    "mujoco_maze:umaze": mujoco_umaze,
    "relocate": relocate,
    "hopper": hopper,
    "walker2d": walker2d,
    **{
        f"{family}:{maze}": functools.partial(within, goal=goal, radius=radius)
        for family, (goals, radius) in _MAZES.items()
        for maze, goal in goals.items()
    },
}


def get(name: str) -> Termination:
    """The termination test called ``name``.

    Raises:
        TaskError: there is no such test.
    """
    if name not in _TESTS:
        raise TaskError(f"no termination test '{name}'{nearest(name, _TESTS)}")
    return _TESTS[name]
