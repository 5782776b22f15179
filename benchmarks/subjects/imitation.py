"""BMIL's training, seeds together and one after another, and the evaluation of its policies from displaced starts."""

from __future__ import annotations

import itertools

import numpy as np
import torch

from algos.core.networks import Precision
from algos.data import layout_of
from algos.imagination.demonstrations import Demonstrations
from algos.imitation.bc import BC, BCConfig
from algos.imitation.bmil import BMIL, BMILConfig
from algos.robustness import displaced_outcomes
from benchmarks.subjects.common import configured, packed, training
from benchmarks.worker import Work
from envs.batch import make_batch
from envs.starts import displaced_starts
from envs.tasks import get_task

#: Policy updates of an epoch and copies of a demonstration for the model, as on Fetch.
EPOCH, REPEAT = 100, 10


def bmil(
    observation_dim: int,
    action_dim: int,
    rows: int,
    batch_size: int,
    runs: int,
    precision: Precision,
) -> Work:
    """Policy updates with the model fits and traces of their epochs (`bmil_code`), on synthetic demonstrations."""
    layout, data = packed(observation_dim, action_dim, rows)
    config = configured(
        BMILConfig,
        "bmil_code",
        batch_size=batch_size,
        epochs=200,
        epoch_updates=EPOCH,
        repeat=REPEAT,
        demonstration_share=0.5,
    )
    seeds = tuple(range(runs))
    demonstrations = Demonstrations(seeds, [data] * runs, layout)
    learner = BMIL(config, demonstrations, layout, seeds, precision, torch.device("cpu"))
    return training(learner)


def robustness(task: str, starts: int, runs: int = 1) -> Work:
    """Steps of episodes from displaced starts under a cloned policy (random weights), resets and records included."""
    layout, seeds = layout_of(task), tuple(range(runs))
    config = configured(BCConfig, "il_bc")
    policy = BC(
        config,
        Demonstrations.blank(seeds, layout),
        layout,
        seeds,
        "float32",
        torch.device("cpu"),
    )
    listed = displaced_starts(task, starts)
    counters = itertools.count()

    def work(count: int) -> float:
        steps = 0.0
        for _ in range(count):
            found = displaced_outcomes(policy, listed, [True] * runs, next(counters))
            steps += sum(float(each.steps.sum()) for each in found if each is not None)
        return steps

    return work


def zero_actions(task: str, starts: int) -> Work:
    """Steps of the same episodes without a policy: zero actions in the bare environments."""
    found = get_task(task)
    listed = displaced_starts(task, starts)
    action = np.zeros((len(listed), found.action_dim))

    def work(count: int) -> float:
        for _ in range(count):
            env = make_batch(task, len(listed))
            env.reset_to(listed.state)  # type: ignore[attr-defined]
            for _ in range(found.horizon):
                env.step(action)
        return float(count * len(listed) * found.horizon)

    return work
