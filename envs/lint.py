"""Checks of data files before use; every finding is one line with file, key, row and what to do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from envs.checksums import file_sha256, recorded_sha256
from envs.lint_demonstrations import DEMONSTRATED, demonstrations
from envs.maze2d_physics import GOAL_RADIUS, MAX_SPEED, TIMESTEP, goal_distance, maze_reward
from envs.mazes import get_maze
from envs.storage import REQUIRED, SUCCESS, array_digest
from envs.tasks import Task

AGAIN = "delete the file and make it again"
ACTION_LIMIT = 1.0 + 1e-3
POSITION_TOLERANCE = 1e-5  # float32 rounding of positions up to about 12
REWARD_TOLERANCE = 1e-5
#: Largest step per axis of one physics step, with room for what a step adds to the clipped velocity.
LARGEST_STEP = 1.1 * MAX_SPEED * TIMESTEP

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a file; ``str()`` is the line to show."""

    path: Path
    key: str
    message: str
    row: int | None = None

    def __str__(self) -> str:
        row = "" if self.row is None else f" row {self.row}:"
        return f"{self.path}: {self.key}:{row} {self.message}"


@dataclass
class Report:
    """Outcome of a check: findings (none = usable) and what was learnt on the way.

    ``published``: the checksum is the published one. See `envs.loader.Dataset` for the others.
    """

    sha256: str = ""
    source: str = "file"
    generator: str | None = None
    reward_at: str | None = None
    published: bool = False
    findings: list[Finding] = field(default_factory=list)


def check(path: Path, arrays: Arrays, attributes: Mapping[str, Any], task: Task) -> Report:
    """All checks on the arrays and attributes of a file that should belong to ``task``.

    A file whose checksum is the published one is taken as it is once its shapes fit: its known quirks are dealt with
    when it is read.
    """
    report = Report()
    problems = list(_owner(attributes, task)) or list(_made_from(attributes))
    if not problems:
        problems = list(_shapes(arrays, task))
    if not problems:
        problems = list(_identify(path, arrays, attributes, task, report))
    if not problems:
        problems = list(_finite(arrays)) or list(_flags(arrays, task))
    if not problems and not report.published:
        problems = list(_content(arrays, attributes, task, report))
    report.findings = [Finding(path, key, message, row) for key, message, row in problems]
    return report


Problem = tuple[str, str, int | None]


def _owner(attributes: Mapping[str, Any], task: Task) -> Iterator[Problem]:
    owner = attributes.get("task")
    if owner is not None and str(owner) != task.name:
        yield "task", f"the file holds data of task {owner}, not of {task.name}; use its own", None


def _made_from(attributes: Mapping[str, Any]) -> Iterator[Problem]:
    """The data spec of a file written here, which is read again when a job asks what the file was made from."""
    try:
        content = json.loads(str(attributes["spec"])) if "spec" in attributes else {}
    except json.JSONDecodeError:
        content = None
    if not isinstance(content, dict):
        yield "spec", f"the attribute is not a data spec (a JSON object); {AGAIN}", None


def _shapes(arrays: Arrays, task: Task) -> Iterator[Problem]:
    optional = ("timeouts",) if task.domain == "antmaze" else ()
    missing = [key for key in REQUIRED if key not in arrays and key not in optional]
    if missing:
        yield missing[0], f"missing key; not a file in D4RL's layout, {AGAIN}", None
        return
    count = len(arrays["observations"])
    if count < 2:
        yield "observations", f"{count} rows, at least 2 are needed; {AGAIN}", None
    wanted: dict[str, tuple[int, ...]] = {
        "observations": (count, task.observation_dim),
        "actions": (count, task.action_dim),
    }
    for key in (*REQUIRED, SUCCESS):
        if key not in arrays:
            continue
        array, shape = arrays[key], wanted.get(key, (count,))
        if array.dtype.kind not in "fbiu":
            yield key, f"holds {array.dtype}, not numbers; {AGAIN}", None
        elif array.shape != shape:
            yield (
                key,
                f"shape {array.shape}, task {task.name} wants {shape}; is this another task's file?",
                None,
            )


def _identify(
    path: Path, arrays: Arrays, attributes: Mapping[str, Any], task: Task, report: Report
) -> Iterator[Problem]:
    """Source and checksum: of the arrays for files written here, of the whole file for others."""
    if "sha256" in attributes:
        report.sha256 = array_digest(arrays)
        report.source = str(attributes.get("source", "local"))
        report.generator = str(attributes["generator"]) if "generator" in attributes else None
        if report.sha256 != attributes["sha256"]:
            yield "sha256", f"the arrays do not fit the checksum stored with them; {AGAIN}", None
        return
    report.sha256 = file_sha256(path)
    published = task.data.get("d4rl", {})
    report.published = report.sha256 == published.get("sha256")
    recorded = recorded_sha256(path.parent, published.get("url", ""))
    if report.published or report.sha256 == recorded:
        report.source = "d4rl"


def _finite(arrays: Arrays) -> Iterator[Problem]:
    for key in ("observations", "actions", "rewards"):
        bad = ~np.isfinite(arrays[key])
        if bad.any():
            yield key, f"not a finite number; {AGAIN}", _first(bad)
    size = np.abs(arrays["actions"])
    if not (size <= ACTION_LIMIT).all():
        bad = size > ACTION_LIMIT
        if bad.any():
            yield "actions", "outside [-1, 1]; rescale the actions", _first(bad)


def _flags(arrays: Arrays, task: Task) -> Iterator[Problem]:
    for key in ("terminals", "timeouts", SUCCESS):
        if key in arrays:
            bad = (arrays[key] != 0) & (arrays[key] != 1)
            if bad.any():
                yield key, f"neither 0 nor 1; {AGAIN}", _first(bad)
    terminals = arrays["terminals"] != 0
    if task.termination == "never" and terminals.any():
        yield (
            "terminals",
            f"set, but task {task.name} never terminates; move these flags to timeouts",
            _first(terminals),
        )


def _content(
    arrays: Arrays, attributes: Mapping[str, Any], task: Task, report: Report
) -> Iterator[Problem]:
    boundary = (arrays["timeouts"] != 0) if "timeouts" in arrays else None
    if task.domain == "maze2d" and boundary is not None:
        yield from _ball_steps(arrays["observations"].astype(np.float64), boundary)
        yield from _rewards(arrays, boundary, task, report, _declared_alignment(attributes))
    elif task.domain in DEMONSTRATED:
        report.reward_at = "next_observation"
        yield from demonstrations(arrays, task)
    elif boundary is not None and "next_observations" in arrays:
        yield from _next_rows(arrays, boundary | (arrays["terminals"] != 0))


def _ball_steps(state: np.ndarray, boundary: np.ndarray) -> Iterator[Problem]:
    """Semi-implicit Euler: x' - x = 0.01 v' between rows, but at flagged ends and the slip that follows them.

    In the published files the row after an end repeats the state before it, so the pair that follows n ends in a row
    (a new target that is reached at once is another end) spans n + 1 physics steps.
    """
    step = state[1:, :2] - state[:-1, :2]
    error = np.abs(step - TIMESTEP * state[1:, 2:]).max(axis=1)
    row = np.arange(len(step))
    ends = row - np.maximum.accumulate(np.where(boundary[:-1], -1, row))  # in a row, up to this one
    before = np.concatenate([[0], ends[:-1]])
    slip = (before > 0) & (np.abs(step).max(axis=1) < (before + 1) * LARGEST_STEP)
    bad = (error > POSITION_TOLERANCE) & ~boundary[:-1] & ~slip
    if bad.any():
        yield (
            "observations",
            "the next row does not follow from this one and no timeout is set; set timeouts at the"
            f" ends of trajectories or {AGAIN}",
            _first(bad),
        )


def _next_rows(arrays: Arrays, boundary: np.ndarray) -> Iterator[Problem]:
    following, stored = arrays["observations"][1:], arrays["next_observations"][:-1]
    far = ~np.isclose(following, stored, rtol=1e-4, atol=1e-4).all(axis=1)
    bad = far & ~boundary[:-1]
    if bad.any():
        yield (
            "next_observations",
            "not the next row's observation and neither terminal nor timeout is set; set timeouts"
            f" at the ends of trajectories or {AGAIN}",
            _first(bad),
        )


def _declared_alignment(attributes: Mapping[str, Any]) -> str | None:
    """What a file written here says of its rewards; None for other files."""
    try:
        options = json.loads(str(attributes["spec"]))["options"]
        return str(options.get("reward_at", "observation"))
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError):
        return None


def _rewards(
    arrays: Arrays, boundary: np.ndarray, task: Task, report: Report, declared: str | None
) -> Iterator[Problem]:
    """Rewards are those of the row's own state, or all those of the next one."""
    maze, kind = get_maze(task.options["maze"]), task.options["reward"]
    state = arrays["observations"].astype(np.float64)
    expected = maze_reward(state, maze.goal, kind, np)
    # A sparse reward may go either way for states on the rim.
    distance = goal_distance(state, maze.goal)
    rim = (np.abs(distance - GOAL_RADIUS) < REWARD_TOLERANCE) & (kind == "sparse")
    rewards = arrays["rewards"].astype(np.float64)
    own = (np.abs(rewards - expected) > REWARD_TOLERANCE) & ~rim
    following = np.zeros_like(own)
    following[:-1] = (np.abs(rewards[:-1] - expected[1:]) > REWARD_TOLERANCE) & ~rim[1:]
    following &= ~boundary
    fits = [
        name
        for name, bad in (("observation", own), ("next_observation", following))
        if not bad.any()
    ]
    if not fits:
        worse = own if own.sum() <= following.sum() else following
        yield (
            "rewards",
            f"not the {kind} reward of this row's state nor of the next; is this the file of"
            " another task?",
            _first(worse),
        )
    elif declared and declared not in fits:
        yield "rewards", f"belong to the {fits[0]}, the file says to the {declared}; {AGAIN}", None
    else:
        report.reward_at = declared or fits[0]


def _first(bad: np.ndarray) -> int:
    return int(np.argwhere(bad)[0][0])
