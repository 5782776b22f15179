"""Imagined rollouts, data generation and policy evaluation."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import torch

from algos.core.networks import Precision
from algos.data import layout_of
from algos.evaluation import run_episodes
from algos.imagination.ensemble import load_dynamics
from algos.imagination.rollout_policies import (
    ConditionalVAE,
    RolloutPolicy,
    UniformPolicy,
    load_cvae,
)
from algos.imagination.starts import uniform_starts
from algos.imagination.traces import Tracer, fill
from benchmarks.subjects import bcq
from benchmarks.subjects.common import ROWS, defaults, packed
from benchmarks.subjects.ensemble import fit
from benchmarks.worker import Work
from envs import terminations
from envs.datasets import make
from envs.spec import local_spec


def rollouts(
    observation_dim: int, action_dim: int, policy: str, rollout_batch: int, rows: int = ROWS
) -> Work:
    """States imagined by a fresh backward ensemble into a model buffer, ``rollout_batch`` starts a step of work."""
    layout, data = packed(observation_dim, action_dim, rows)
    tensors, _ = fit(observation_dim, action_dim, rows=rows).result()
    horizon, never = defaults("romi_bcq")["horizon"], terminations.get("never")
    tracer = Tracer(
        load_dynamics(tensors, "backward", 0),
        _policy(policy, observation_dim, action_dim),
        lambda state: never(state, torch),
        horizon,
    )
    states, starts = layout.unpack(data).observation.contiguous(), uniform_starts(len(data))
    calls = 0

    def work(count: int) -> float:
        nonlocal calls
        size = count * rollout_batch * horizon
        fill(
            tracer,
            states,
            starts,
            size=size,
            rollout_batch=rollout_batch,
            seed=calls,
            layout=layout,
        )
        calls += 1
        return float(size)

    return work


def _policy(name: str, observation_dim: int, action_dim: int) -> RolloutPolicy:
    if name == "uniform":
        return UniformPolicy(action_dim)
    keys = defaults("cvae")
    network = ConditionalVAE(
        observation_dim,
        action_dim,
        tuple(keys["hidden"]),
        seeds=(0,),
        precision="float32",
        name="cvae",
    )
    return load_cvae(network.state_dict(), 0, keys["latent_clip"])


def data(task: str, transitions: int) -> Work:
    """Transitions of a task's generator, checked for room, hashed and written to a file."""
    seeds = iter(range(1_000_000))

    def work(count: int) -> float:
        for _ in range(count):
            folder = Path(tempfile.mkdtemp(prefix="hindcast-benchmark-"))
            try:
                make(local_spec(task, next(seeds), transitions), folder / "data.hdf5")
            finally:
                shutil.rmtree(folder)
        return float(count * transitions)

    return work


def evaluation(task: str, episodes: int, runs: int = 1, precision: Precision = "float32") -> Work:
    """Episodes of a BCQ policy (random weights) in the task itself, one evaluation a step of work."""
    layout = layout_of(task)
    policy = bcq.learner(layout.observation_dim, layout.action_dim, runs, precision, rows=1000)
    counters = iter(range(1_000_000))

    def work(count: int) -> float:
        for _ in range(count):
            run_episodes(
                policy,
                task,
                alive=[True] * runs,
                counter=next(counters),
                episodes=episodes,
                start="stratified",
            )
        return float(count * runs * episodes)

    return work
