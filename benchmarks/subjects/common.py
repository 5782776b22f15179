"""What the subjects share: configured hyperparameters, synthetic transitions, the loop's own updates."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import yaml
from torch import Tensor

from algos.core.loop import History, Loop
from algos.core.replay import Layout
from benchmarks.worker import Work

Config = TypeVar("Config")
CONFIG = Path(__file__).resolve().parents[2] / "config" / "algos"
ROWS, EPISODE = 100_000, 1000
NOISE = 0.1
NEVER = sys.maxsize


@functools.cache
def defaults(algo: str) -> dict[str, Any]:
    """Default values of an algorithm's keys."""
    content = yaml.safe_load((CONFIG / f"{algo}.yaml").read_text(encoding="utf-8"))
    found: dict[str, Any] = {}
    for parent in content.get("keys_from", []):
        found |= defaults(parent)
    return found | {name: key["default"] for name, key in (content.get("keys") or {}).items()}


def configured(config: type[Config], algo: str, **changes: Any) -> Config:
    """A method's configuration with the suite's defaults."""
    names = set(config.__dataclass_fields__)  # type: ignore[attr-defined]
    values = {name: value for name, value in (defaults(algo) | changes).items() if name in names}
    return config(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def episodes(
    observation_dim: int, action_dim: int, rows: int = ROWS, seed: int = 0
) -> dict[str, np.ndarray]:
    """Smooth trajectories of a random linear system under random actions, ``[rows, width]`` float32.

    What a network learns from them is no matter here; that units die and gradients shrink as in training is.
    """
    generator = np.random.default_rng(seed)
    count, steps = max(1, rows // EPISODE), min(rows, EPISODE)
    turn, _ = np.linalg.qr(generator.standard_normal((observation_dim, observation_dim)))
    push = generator.standard_normal((action_dim, observation_dim)) * NOISE
    action = generator.uniform(-1.0, 1.0, (count, steps, action_dim))
    state = np.empty((count, steps + 1, observation_dim))
    state[:, 0] = generator.standard_normal((count, observation_dim))
    for t in range(steps):
        state[:, t + 1] = np.tanh(state[:, t] @ turn + action[:, t] @ push)
    reward = np.exp(-np.square(state[:, 1:]).sum(axis=2))
    ends = np.zeros((count, steps), dtype=np.float32)
    ends[:, -1] = 1.0
    arrays = {
        "observation": state[:, :-1],
        "action": action,
        "reward": reward[..., None],
        "next_observation": state[:, 1:],
        "timeout": ends[..., None],
    }
    return {
        name: array.reshape(count * steps, -1).astype(np.float32) for name, array in arrays.items()
    }


def packed(observation_dim: int, action_dim: int, rows: int = ROWS) -> tuple[Layout, Tensor]:
    """The same transitions as packed rows."""
    layout = Layout(observation_dim, action_dim)
    found = {k: torch.from_numpy(v) for k, v in episodes(observation_dim, action_dim, rows).items()}
    reward = found["reward"][:, 0]
    state, reached = found["observation"], found["next_observation"]
    return layout, layout.pack(state, found["action"], reward, reached, torch.zeros_like(reward))


def training(learner: Any) -> Work:
    """Updates as the run loop of a train or fit job does them, drawing and metrics included.

    Counts updates of single runs: an update of R runs is R units.
    """
    runs = len(learner.seeds)
    loop = Loop(
        learner,
        updates=NEVER,
        evaluate_every=NEVER,
        evaluate=lambda _, alive: [None for _ in alive],
        scratch=Path(),  # nothing is ever saved
        digest="",
        inputs="",
    )
    history = History(evaluations=[[] for _ in range(runs)], failures=[None] * runs)
    pending = torch.zeros(len(learner.metrics) + 1, runs, dtype=torch.float64)

    def work(count: int) -> float:
        nonlocal pending
        first = history.update
        while history.update < first + count:
            pending = loop._chunk(history, pending, [])
        if failed := [each for each in history.failures if each]:
            raise RuntimeError(f"update {failed[0]['update']}: {failed[0]['reason']}")
        return float((history.update - first) * runs)

    return work
