"""BCQ: ours as a train job runs it, and d3rlpy's with the same networks and constants."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch

from algos.core.networks import Precision
from algos.imagination.mixture import Mixture
from algos.offline.bcq import BCQ, NETWORKS, BCQConfig
from benchmarks.subjects.common import ROWS, configured, episodes, packed, training
from benchmarks.worker import Work

READY_BATCHES = 256


def learner(
    observation_dim: int,
    action_dim: int,
    runs: int = 1,
    precision: Precision = "float32",
    rows: int = ROWS,
    **changes: Any,
) -> BCQ:
    """Our BCQ on synthetic transitions, with the suite's defaults (the authors' networks)."""
    layout, data = packed(observation_dim, action_dim, rows)
    seeds = tuple(range(runs))
    config = configured(BCQConfig, "bcq", **changes)
    batches = Mixture(seeds, [data] * runs)
    return BCQ(config, batches, layout, seeds, precision, torch.device("cpu"))


def hindcast(
    observation_dim: int, action_dim: int, runs: int, precision: Precision, rows: int = ROWS
) -> Work:
    """Updates of our BCQ, minibatches drawn and metrics kept."""
    return training(learner(observation_dim, action_dim, runs, precision, rows))


def peer(observation_dim: int, action_dim: int) -> Any:
    """d3rlpy's BCQ with our widths, constants, batch and number of target samples."""
    import d3rlpy

    config = configured(BCQConfig, "bcq")
    widths = NETWORKS[config.networks]

    def encoder(name: str) -> Any:
        return d3rlpy.models.VectorEncoderFactory(hidden_units=list(widths[name]))

    algo = d3rlpy.algos.BCQConfig(
        actor_learning_rate=config.actor_learning_rate,
        critic_learning_rate=config.critic_learning_rate,
        imitator_learning_rate=config.vae_learning_rate,
        actor_encoder_factory=encoder("actor"),
        critic_encoder_factory=encoder("critic"),
        imitator_encoder_factory=encoder("vae"),
        batch_size=config.batch_size,
        gamma=config.discount,
        tau=config.tau,
        n_critics=2,
        lam=config.soft_minimum_weight,
        n_action_samples=config.target_samples,
        action_flexibility=config.phi,
        beta=config.kl_weight,
    ).create(device="cpu")
    algo.create_impl((observation_dim,), action_dim)
    return algo


def peer_buffer(observation_dim: int, action_dim: int, rows: int = ROWS) -> Any:
    """The same transitions as a d3rlpy data set."""
    from d3rlpy.dataset import MDPDataset

    found = episodes(observation_dim, action_dim, rows)
    return MDPDataset(
        observations=found["observation"],
        actions=found["action"],
        rewards=found["reward"],
        terminals=np.zeros(len(found["reward"]), dtype=np.float32),
        timeouts=found["timeout"][:, 0],
    )


def d3rlpy_update(observation_dim: int, action_dim: int, rows: int = ROWS) -> Work:
    """Updates of d3rlpy's BCQ from minibatches that lie ready: without its sampling in Python."""
    algo, buffer = peer(observation_dim, action_dim), peer_buffer(observation_dim, action_dim, rows)
    size = algo.batch_size
    ready = itertools.cycle([buffer.sample_transition_batch(size) for _ in range(READY_BATCHES)])

    def work(count: int) -> float:
        for _ in range(count):
            algo.update(next(ready))
        return float(count)

    return work


def d3rlpy_step(observation_dim: int, action_dim: int, rows: int = ROWS) -> Work:
    """Steps of d3rlpy's training loop: sample a minibatch, update."""
    algo, buffer = peer(observation_dim, action_dim), peer_buffer(observation_dim, action_dim, rows)

    def work(count: int) -> float:
        for _ in range(count):
            algo.update(buffer.sample_transition_batch(algo.batch_size))
        return float(count)

    return work
