"""Physics and rewards of maze2d: a ball pushed along two axes between boxes.

A re-specification of D4RL's point maze that gives its published reference scores to the last printed digit on every
MuJoCo version tried (2.3.7 to 4.0). Two places make it so:

* contacts are explicit pairs, since newer versions add the margins of two geoms where older ones take the larger;
* the ball's inverse weight is set by hand, since older versions average it over three axes and newer ones over the
  two that exist. It scales the softness of contacts.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from envs.mazes import Maze, get_maze
from envs.simulator import mujoco

TIMESTEP = 0.01  # s, one physics step is one environment step
GEAR = 100.0  # N at full action
DAMPING = 1.0  # N s / m
RADIUS = 0.1  # m
DENSITY = 1000.0  # kg / m^3
CONTACT_MARGIN = 0.002  # m
SOLVER_ITERATIONS = 20
MAX_SPEED = 5.0  # a component of the velocity is clipped to +-MAX_SPEED before each step
REST = 1.2  # world coordinates of the ball at position (0, 0)
GOAL_RADIUS = 0.5

_XML = """
<mujoco model="maze2d-{name}">
  <option timestep="{timestep}" gravity="0 0 0" iterations="{iterations}" integrator="Euler"/>
  <visual>
    <headlight ambient=".4 .4 .4" diffuse=".7 .7 .7" specular="0 0 0"/>
    <map znear=".01"/>
    <global offwidth="1280" offheight="1280"/>
  </visual>
  <worldbody>
    <geom name="floor" type="plane" size="0 0 1" pos="0 0 -.1"
      rgba=".93 .93 .9 1" contype="0" conaffinity="0"/>
    <camera name="top" pos="{centre_x} {centre_y} {height}" xyaxes="0 1 0 -1 0 0" fovy="45"/>
    <site name="goal" pos="{goal_x} {goal_y} 0" size="{goal_radius} .01" type="cylinder"
      rgba=".2 .7 .3 .5"/>
    <body name="ball" pos="{rest} {rest} 0">
      <joint name="x" type="slide" axis="1 0 0" damping="{damping}"/>
      <joint name="y" type="slide" axis="0 1 0" damping="{damping}"/>
      <geom name="ball" type="sphere" size="{radius}" density="{density}" rgba=".1 .3 .8 1"
        contype="0" conaffinity="0"/>
      <site name="ball"/>
    </body>
{walls}
  </worldbody>
  <contact>
{pairs}
  </contact>
  <actuator>
    <motor joint="x" gear="{gear}" ctrllimited="true" ctrlrange="-1 1"/>
    <motor joint="y" gear="{gear}" ctrllimited="true" ctrlrange="-1 1"/>
  </actuator>
  <sensor><accelerometer site="ball"/></sensor>
</mujoco>
"""
_WALL = (
    '    <geom name="wall_{r}_{c}" type="box" pos="{x} {y} 0" size=".5 .5 .2"'
    ' rgba=".55 .5 .45 1" contype="0" conaffinity="0"/>'
)
_PAIR = '    <pair geom1="ball" geom2="wall_{r}_{c}" condim="1" margin="{margin}"/>'


def build_xml(maze: Maze) -> str:
    """The MJCF text of a maze; no contact but between the ball and a wall is ever computed."""
    cells = [(int(r), int(c)) for r, c in np.argwhere(maze.walls)]
    rows, columns = maze.walls.shape
    return _XML.format(
        name=maze.name,
        timestep=TIMESTEP,
        iterations=SOLVER_ITERATIONS,
        centre_x=(rows + 1) / 2,
        centre_y=(columns + 1) / 2,
        height=1.25 * max(rows, columns),
        goal_x=maze.goal[0] + REST,
        goal_y=maze.goal[1] + REST,
        goal_radius=GOAL_RADIUS,
        rest=REST,
        damping=DAMPING,
        radius=RADIUS,
        density=DENSITY,
        gear=GEAR,
        walls="\n".join(_WALL.format(r=r, c=c, x=r + 1.0, y=c + 1.0) for r, c in cells),
        pairs="\n".join(_PAIR.format(r=r, c=c, margin=CONTACT_MARGIN) for r, c in cells),
    )


@functools.cache
def build_model(maze_name: str) -> Any:
    """The compiled `mujoco.MjModel` of a maze; treat it as read-only, it is shared."""
    model = mujoco.MjModel.from_xml_string(build_xml(get_maze(maze_name)))
    ball = model.body("ball").id
    # The mean over three axes of (1/m, 1/m, 0), as versions before 3.0 computed it.
    model.body_invweight0[ball, 0] = 2.0 / 3.0 / model.body_mass[ball]
    return model


def goal_distance(observation: Any, goal: tuple[float, float]) -> Any:
    """Distance of the position to the goal, ``[..., S] -> [...]``; numpy or torch."""
    dx, dy = observation[..., 0] - goal[0], observation[..., 1] - goal[1]
    return (dx * dx + dy * dy) ** 0.5


def maze_reward(observation: Any, goal: tuple[float, float], kind: str, xp: Any) -> Any:
    """Reward of being in a state, ``[..., S] -> [...]``; ``xp`` is numpy or torch.

    sparse: 1 if |xy - g| <= 0.5, else 0; dense: exp(-|xy - g|) (D4RL, maze2d).
    """
    distance = goal_distance(observation, goal)
    if kind == "dense":
        return xp.exp(-distance)
    return (distance <= GOAL_RADIUS) * xp.ones_like(distance)
