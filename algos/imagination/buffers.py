"""From fitted models to model buffers: the imagination part of an offline method's configuration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from algos.core import checkpoint
from algos.core.progress import progress_bar
from algos.core.records import Kinds, check_entries, read_record
from algos.core.replay import Layout
from algos.imagination.ensemble import load_dynamics
from algos.imagination.rollout_policies import (
    RolloutPolicy,
    UniformPolicy,
    load_cvae,
    load_rbc,
)
from algos.imagination.starts import (
    Starts,
    return_weights,
    trajectory_returns,
    uniform_starts,
    weighted_starts,
)
from algos.imagination.traces import RewardFunction, TerminalMode, Termination, Tracer, fill

NO_FIT = "is --fits the folder of a finished fit?"
FIT_AGAIN = "delete its folder and run the fit again"


@dataclass(frozen=True)
class ImaginationConfig:
    """Keys that ROMI and FOMI add to their learner (``config/algos/romi_bcq.yaml``)."""

    eta: float
    horizon: int
    model_buffer_size: int
    rollout_batch: int
    rollout_policy: Literal["uniform", "cvae", "rbc"]
    prioritize_starts: bool
    terminal_mode: TerminalMode
    start_field: Literal["state", "next_state"]
    reward_source: Literal["model", "known"]


@dataclass(frozen=True)
class FittedModel:
    """What a fit job left: its record and its tensors ``[R, ...]``."""

    record: dict[str, Any]
    tensors: dict[str, Tensor]

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> FittedModel:
        """Read ``fit.json`` and ``model.safetensors``.

        Raises:
            RecordError: there is no ``fit.json``, or it is damaged.
            CheckpointError: the same of ``model.safetensors``.
        """
        path = folder / "fit.json"
        wanted: dict[str, Kinds] = {"digest": (str,), "spec": (dict,), "runs": (list,)}
        record = read_record(path, wanted, NO_FIT, FIT_AGAIN)
        entry: dict[str, Kinds] = {"seed": (int,), "failure": (dict, type(None))}
        check_entries(record["runs"], entry, len(record["runs"]), f"{path}: runs", FIT_AGAIN)
        tensors = checkpoint.load(folder / "model.safetensors", NO_FIT)
        return cls(record, {name: tensor.to(device) for name, tensor in tensors.items()})

    def failure(self, run: int) -> str | None:
        """Why the fit of run ``run`` failed, or None."""
        failure = self.record["runs"][run]["failure"]
        return f"{failure['reason']} at update {failure['update']}" if failure else None


def start_selection(
    prioritize: bool, reward: np.ndarray, trajectory: np.ndarray, rows: int
) -> Starts:
    """Uniform, or in proportion to the return of the row's trajectory."""
    if not prioritize:
        return uniform_starts(rows)
    return weighted_starts(return_weights(trajectory_returns(reward, trajectory)))


def imagine(
    config: ImaginationConfig,
    fits: dict[str, FittedModel],
    run: int,
    seed: int,
    rows: Tensor,
    starts: Starts,
    layout: Layout,
    terminal: Termination,
    known_reward: RewardFunction,
) -> Tensor:
    """The model buffer ``[model_buffer_size, width]`` of one run."""
    known = known_reward if config.reward_source == "known" else None
    tracer = make_tracer(config, fits, run, layout, terminal, known)
    states = start_states(config, rows, layout)
    with progress_bar(f"imagine (seed {seed})", config.model_buffer_size, "transitions") as advance:
        return fill(
            tracer,
            states,
            starts,
            size=config.model_buffer_size,
            rollout_batch=config.rollout_batch,
            seed=seed,
            layout=layout,
            advance=advance,
        )


def make_tracer(
    config: ImaginationConfig,
    fits: dict[str, FittedModel],
    run: int,
    layout: Layout,
    terminal: Termination,
    reward: RewardFunction | None,
) -> Tracer:
    """One run's fitted model and rollout policy, ready to roll; ``reward`` None keeps the model's rewards."""
    model = fits["dynamics"]
    direction = model.record["spec"]["hyperparameters"]["direction"]
    return Tracer(
        load_dynamics(model.tensors, direction, run),
        rollout_policy(config, fits, run, layout),
        terminal,
        config.horizon,
        config.terminal_mode,
        reward,
    )


def start_states(config: ImaginationConfig, rows: Tensor, layout: Layout) -> Tensor:
    """The states ``[N, S]`` that rollouts may start from, one a real row."""
    batch = layout.unpack(rows)
    states = batch.observation if config.start_field == "state" else batch.next_observation
    return states.contiguous()


def rollout_policy(
    config: ImaginationConfig, fits: dict[str, FittedModel], run: int, layout: Layout
) -> RolloutPolicy:
    """The policy named by ``rollout_policy``.

    Raises:
        ValueError: it has to be fitted and no fit was given.
    """
    if config.rollout_policy == "uniform":
        return UniformPolicy(layout.action_dim)
    if "rollout_policy" not in fits:
        raise ValueError(
            f"rollout_policy {config.rollout_policy}: needs a fit in slot rollout_policy"
        )
    fit = fits["rollout_policy"]
    if config.rollout_policy == "rbc":
        return load_rbc(fit.tensors, run)
    return load_cvae(fit.tensors, run, fit.record["runs"][run]["latent_clip"])
