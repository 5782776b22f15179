"""The tasks of ``config/tasks.yaml`` and the D4RL-normalised score."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from envs.errors import TaskError, nearest

TASKS_FILE = Path(__file__).resolve().parents[1] / "config" / "tasks.yaml"
RewardFunction = Callable[[Any, Any, Any], Any]


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: registered name, also the gymnasium id of an implemented task.
        domain: family of tasks (``maze2d``, ``antmaze``, ``locomotion``, ..).
        observation_dim: length S of an observation.
        action_dim: length A of an action; every action lies in [-1, 1].
        horizon: steps after which an episode is truncated.
        termination: name for `envs.terminations.get`.
        implementation: ``module:Class``, imported when first used.
        ref_min: return that scores 0 (D4RL's reference table); None where no score is published.
        ref_max: return that scores 100.
        data: ``local`` (generator, version, transitions, options) and ``d4rl`` (url, file, bytes, sha256,
            transitions); what is not known is left out, a task that is learnt online has none.
        options: keyword arguments of the implementation.
        discrete: an action is one of `action_dim` indices instead of a vector.
    """

    name: str
    domain: str
    observation_dim: int
    action_dim: int
    horizon: int
    termination: str
    implementation: str
    ref_min: float | None = None
    ref_max: float | None = None
    data: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    discrete: bool = False

    def __post_init__(self) -> None:
        if (self.ref_min is None) != (self.ref_max is None):
            raise TypeError("ref_min and ref_max come together")

    def normalize(self, returns: Any) -> np.ndarray:
        """D4RL score ``100 (R - ref_min) / (ref_max - ref_min)`` of returns (any shape; Fu et al. 2020, section 5).

        Raises:
            TaskError: the task has no reference scores.
        """
        if self.ref_min is None or self.ref_max is None:
            raise TaskError(f"task {self.name} has no ref_min and ref_max; report its returns")
        values = np.asarray(returns, dtype=np.float64)
        score: np.ndarray = 100.0 * (values - self.ref_min) / (self.ref_max - self.ref_min)
        return score

    @property
    def implemented(self) -> bool:
        """Whether the module of the implementation exists."""
        return importlib.util.find_spec(self.implementation.partition(":")[0]) is not None

    def load(self) -> Any:
        """The implementing class.

        Raises:
            TaskError: the task is declared, not implemented.
        """
        module, _, name = self.implementation.partition(":")
        if not self.implemented:
            raise TaskError(
                f"task {self.name} is declared, not implemented (module {module} does not exist)"
            )
        return getattr(importlib.import_module(module), name)


@functools.cache
def all_tasks() -> Mapping[str, Task]:
    """Every task, in the order of the file.

    Raises:
        TaskError: the file is missing (tasks are read from the checkout) or an entry has missing or unknown keys.
    """
    return read_tasks(TASKS_FILE)


def read_tasks(path: Path) -> dict[str, Task]:
    """The tasks of a file; see `all_tasks`."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))["tasks"]
    except FileNotFoundError:
        raise TaskError(
            f"{path}: no such file; install from a checkout (pip install -e .)"
        ) from None
    except (yaml.YAMLError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise TaskError(
            f"{path}: not a mapping with 'tasks' ({reason}); correct the file"
        ) from None
    tasks = {}
    for name, entry in entries.items():
        try:
            tasks[name] = Task(name=name, **entry)
        except TypeError as error:
            reason = str(error).replace("Task.__init__() ", "")
            raise TaskError(f"{path}: {name}: {reason}; correct the entry") from None
    return tasks


def get_task(name: str) -> Task:
    """The task called ``name``.

    Raises:
        TaskError: there is no such task; the message names the nearest one.
    """
    tasks = all_tasks()
    if name not in tasks:
        raise TaskError(f"{TASKS_FILE.name}: no task '{name}'{nearest(name, tasks)}")
    return tasks[name]


def reward_function(name: str) -> RewardFunction:
    """The reward of a task's data as a known function ``(s [.., S], a [.., A], s' [.., S]) -> [..]``.

    It takes numpy arrays and torch tensors alike and follows the data files, not the live environment: in maze2d
    files the reward of a row belongs to ``s``.

    Raises:
        TaskError: no such task, or it is declared, not implemented.
    """
    task = get_task(name)
    found: RewardFunction = task.load().data_reward(task)
    return found


def observation_bounds(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest observations of a task, ``[S]`` each, infinite where it has no limit.

    Raises:
        TaskError: no such task, or it is declared, not implemented.
    """
    task = get_task(name)
    implementation = task.load()
    if not hasattr(implementation, "observation_bounds"):
        raise TaskError(
            f"task {name} has no bounds of observations; leave bounded_observations off"
        )
    low, high = implementation.observation_bounds(task)
    return np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
