"""The point of BMIL's mazes: it turns, moves where it looks, and bounces off walls (Park and Wong 2022, its code).

A step of 0.02 s turns and moves the point kinematically, lets MuJoCo's integrator add the drift of its velocity, and
then puts it back where its way crossed a wall. Nothing acts on the point, so its physics has a closed form, which a
test compares with MuJoCo. The released code also lets MuJoCo compute contacts of body and nose with floor and walls,
which slow the drift and push the point off walls before its collision rule does; they are left out.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from envs.mujoco_maze_layouts import MazeMap, get_map
from envs.simulator import mujoco

TIMESTEP = 0.02  # s
TURN = 0.25  # rad a step at full action
STRIDE = 0.2  # m a step at full action
RADIUS = 0.4  # m, distance that the collision rule keeps from walls
RESTITUTION = 0.8  # share of the reflected rest of a way that is walked
LEAST_MOVE = 1e-8  # m, shorter ways cross nothing
#: A sphere of radius 0.5 at the axis and a nose, a box of half-sizes (0.5, 0.1, 0.1), 0.6 ahead; one density.
BODY_RADIUS = 0.5
NOSE_SIZE = (0.5, 0.1, 0.1)
NOSE_AHEAD = 0.6
DENSITY = 100.0  # kg / m^3
_BODY_MASS = DENSITY * 4 / 3 * np.pi * BODY_RADIUS**3
_NOSE_MASS = DENSITY * 8 * float(np.prod(NOSE_SIZE))
#: Distance from the axis to the centre of mass, m: the axis circles around it when the point spins.
CENTRE_AHEAD = float(NOSE_AHEAD * _NOSE_MASS / (_BODY_MASS + _NOSE_MASS))

# Seen from below, with the floor behind, so that x runs to the right and rows (y) downwards as in the layouts.
_XML = """
<mujoco model="point-{name}">
  <option timestep="{timestep}" gravity="0 0 0" integrator="RK4"/>
  <visual>
    <headlight ambient=".4 .4 .4" diffuse=".7 .7 .7" specular="0 0 0"/>
    <map znear=".01"/>
    <global offwidth="1280" offheight="1280"/>
  </visual>
  <default><geom contype="0" conaffinity="0" density="{density}"/></default>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 1" pos="0 0 2" euler="180 0 0" rgba=".93 .93 .9 1"/>
    <camera name="top" pos="{centre_x} {centre_y} -{height}" xyaxes="1 0 0 0 -1 0" fovy="45"/>
    <site name="goal" pos="{goal_x} {goal_y} 0" size="{goal_size} .01" type="cylinder"
      rgba=".2 .7 .3 .5"/>
    <body name="point">
      <joint name="x" type="slide" axis="1 0 0"/>
      <joint name="y" type="slide" axis="0 1 0"/>
      <joint name="yaw" type="hinge" axis="0 0 1"/>
      <geom name="body" type="sphere" size="{radius}" pos="0 0 {radius}" rgba=".1 .3 .8 1"/>
      <geom name="nose" type="box" size="{nose}" pos="{ahead} 0 {radius}" rgba=".1 .3 .8 1"/>
    </body>
{walls}
  </worldbody>
</mujoco>
"""
_WALL = '    <geom name="wall_{r}_{c}" type="box" pos="{x} {y} 1" size="{half} {half} 1" rgba=".55 .5 .45 1"/>'


@functools.cache
def build_model(maze: str) -> Any:
    """The point in a maze as `mujoco.MjModel`, for pictures and tests; shared, treat it as read-only."""
    found = get_map(maze, "paper")
    cells = [(int(row), int(column)) for row, column in np.argwhere(found.walls)]
    places = {cell: found.centre(cell) for cell in cells}
    middle = found.centre((np.array(found.walls.shape) - 1) / 2)
    goal = found.centre(found.goal)
    text = _XML.format(
        name=maze,
        timestep=TIMESTEP,
        density=DENSITY,
        centre_x=middle[0],
        centre_y=middle[1],
        height=1.25 * found.scale * max(found.walls.shape),
        goal_x=goal[0],
        goal_y=goal[1],
        goal_size=found.scale / 4,
        radius=BODY_RADIUS,
        nose=" ".join(map(str, NOSE_SIZE)),
        ahead=NOSE_AHEAD,
        walls="\n".join(
            _WALL.format(r=r, c=c, x=x, y=y, half=found.scale / 2)
            for (r, c), (x, y) in places.items()
        ),
    )
    return mujoco.MjModel.from_xml_string(text)


def drift(state: np.ndarray) -> np.ndarray:
    """One Runge-Kutta step of 0.02 s of a point that nothing acts on, states ``[N, 6]`` (x, y, yaw and velocities).

    The centre of mass moves straight and the spin w is constant, so the axis is accelerated by
    r w^2 (cos yaw, sin yaw), r = `CENTRE_AHEAD`; the formula is RK4 of that, as MuJoCo computes it.
    """
    h = TIMESTEP
    velocity, yaw, spin = state[:, 3:5], state[:, 2], state[:, 5]
    angles = yaw[:, None] + spin[:, None] * np.array([0.0, h / 2, h])
    pull = CENTRE_AHEAD * (spin * spin)[:, None, None]
    first, middle, last = np.moveaxis(
        pull * np.stack([np.cos(angles), np.sin(angles)], axis=-1), 1, 0
    )
    after = np.empty_like(state)
    after[:, :2] = state[:, :2] + h * velocity + h * h / 6 * (first + 2 * middle)
    after[:, 2] = yaw + h * spin
    after[:, 3:5] = velocity + h / 6 * (first + 4 * middle + last)
    after[:, 5] = spin
    return after


class _Crossings(NamedTuple):
    """Where ways meet walls: whether they do ``[N]``, the nearest point ``[N, 2]``, the end mirrored there."""

    hit: np.ndarray
    point: np.ndarray
    mirrored: np.ndarray


class Walls:
    """Faces of walls towards free cells, moved into the free cell by a radius and longer by it at both ends.

    They close around the free space but for a margin of that radius, corners included.
    """

    def __init__(self, maze: MazeMap, radius: float) -> None:
        half = maze.scale / 2 + radius
        at, low, high, axis = [], [], [], []
        for row, column in np.argwhere(maze.walls):
            centre = maze.centre((row, column))
            for down, right in ((0, -1), (0, 1), (-1, 0), (1, 0)):
                neighbour = (row + down, column + right)
                if neighbour not in maze.free_cells:
                    continue
                side = 1 if down else 0  # axis across the face
                outwards = np.sign(maze.centre(neighbour)[side] - centre[side])
                at.append(centre[side] + outwards * half)
                low.append(centre[1 - side] - half)
                high.append(centre[1 - side] + half)
                axis.append(side)
        lines = np.array([at, low, high]).T
        #: Faces across x and faces across y: ``[L, 3]``, place on their axis and ends along the other.
        self.faces = tuple(lines[np.array(axis) == side] for side in (0, 1))

    def crossings(self, old: np.ndarray, new: np.ndarray) -> _Crossings:
        """The nearest face that each way from ``old`` to ``new`` (``[N, 2]`` each) crosses or touches.

        A way along a face crosses nothing; neither does one shorter than `LEAST_MOVE`.
        """
        move = new - old
        nearest = np.full(len(old), np.inf)
        mirrored = new.copy()
        for axis, faces in enumerate(self.faces):
            at, low, high = faces.T
            step = move[:, axis, None]
            share = (at - old[:, axis, None]) / np.where(step == 0.0, np.inf, step)
            along = old[:, 1 - axis, None] + share * move[:, 1 - axis, None]
            inside = (along >= low) & (along <= high)
            inside &= (at - old[:, axis, None]) * (at - new[:, axis, None]) <= 0.0
            share = np.where(inside & (step != 0.0), share, np.inf)
            face = share.argmin(axis=1)
            share = np.take_along_axis(share, face[:, None], axis=1)[:, 0]
            nearer = share < nearest
            nearest[nearer] = share[nearer]
            mirrored[nearer] = new[nearer]
            mirrored[nearer, axis] = 2 * at[face[nearer]] - new[nearer, axis]
        hit = np.isfinite(nearest) & (np.hypot(move[:, 0], move[:, 1]) > LEAST_MOVE)
        point = old + np.where(hit, nearest, 0.0)[:, None] * move
        return _Crossings(hit, point, mirrored)

    def stop(self, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """Where points that went from ``old`` to ``new`` (``[N, 2]`` each) end up.

        A way that crosses a face goes on from there as mirrored at it, 0.8 times as long; one whose substitute
        crosses a face too is not gone at all.
        """
        found = self.crossings(old, new)
        end = new.copy()
        hit = np.flatnonzero(found.hit)
        if len(hit):
            point = found.point[hit]
            bounced = point + RESTITUTION * (found.mirrored[hit] - point)
            again = self.crossings(old[hit], bounced).hit
            end[hit] = np.where(again[:, None], old[hit], bounced)
        return end


@functools.cache
def walls_of(maze: str) -> Walls:
    """The walls that stop the point."""
    return Walls(get_map(maze, "paper"), RADIUS)


def step_points(state: np.ndarray, action: np.ndarray, walls: Walls) -> np.ndarray:
    """One step of points ``[N, 6]`` (x, y, yaw, their velocities) under actions ``[N, 2]``: the new states.

    Actions are clipped to [-1, 1]. Velocities are left as they are by walls and by yaw's wrap to +-pi.
    """
    forward, turn = np.clip(action, -1.0, 1.0).astype(np.float64).T
    moved = state.copy()
    yaw = moved[:, 2] + TURN * turn
    yaw = np.where(yaw < -np.pi, yaw + 2 * np.pi, np.where(yaw > np.pi, yaw - 2 * np.pi, yaw))
    moved[:, 0] += STRIDE * forward * np.cos(yaw)
    moved[:, 1] += STRIDE * forward * np.sin(yaw)
    moved[:, 2] = yaw
    after = drift(moved)
    after[:, :2] = walls.stop(state[:, :2], after[:, :2])
    return after
