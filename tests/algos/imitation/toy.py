"""A toy: s' = s + a in the plane, demonstrated along a line from the left to the origin."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from algos.core.replay import Layout
from algos.data import RunData
from algos.demonstrations import DemonstrationConfig, select
from algos.imagination.demonstrations import Demonstrations
from algos.imitation.bc import BC, BCConfig
from algos.imitation.bmil import BMIL, BMILConfig

LAYOUT = Layout(2, 2)
STEP = 0.2
CPU = torch.device("cpu")

TRACES: dict[str, Any] = {
    "direction": "backward", "model_width": 64, "model_layers": 4, "log_variance_max": 0.5,
    "log_variance_min": -10.0, "log_variance_bound": "soft", "bound_weight": 0.01, "clamp_in_loss": False,
    "model_learning_rate": 1e-3, "model_weight_decay": 1e-5, "holdout_fraction": 0.2, "holdout": "unique",
    "improvement": 1e-3, "patience": 3, "repeat": 4, "horizon": 3, "horizon_start": 1, "horizon_from": 0.0,
    "horizon_to": 1.0, "traces_per_state": 1, "action_selection": "scale", "action_coefficient": 0.1,
    "resample_width": "absolute", "perturbed_steps": "first", "clip_actions": False, "sampled_scale": "deviation",
    "bounded_observations": False, "demonstration_share": 0.5, "model_schedule": "interleaved",
}  # fmt: skip
CLONER: dict[str, Any] = {
    "hidden": (32, 32), "learning_rate": 3e-3, "batch_size": 16, "epochs": 4, "epoch_updates": 5,
}  # fmt: skip


def bmil_config(**changes: Any) -> BMILConfig:
    return BMILConfig(**(CLONER | TRACES | changes))


def bc_config(**changes: Any) -> BCConfig:
    return BCConfig(**(CLONER | {"observation_noise": 0.0} | changes))


def run_data(seed: int, episodes: int = 4, length: int = 10, noise: float = 0.05) -> RunData:
    """Episodes of `length` steps of about `STEP` to the right; the last five states are successes."""
    rng = np.random.default_rng(seed)
    observation, following, action, trajectory, success = [], [], [], [], []
    for episode in range(episodes):
        state = np.array([-length * STEP, 0.0]) + noise * rng.standard_normal(2)
        for step in range(length):
            move = np.array([STEP, -0.5 * state[1]]) + noise * rng.standard_normal(2)
            observation.append(state)
            action.append(move)
            state = state + move
            following.append(state)
            trajectory.append(episode)
            success.append(step >= length - 5)
    rows = LAYOUT.pack(
        torch.tensor(np.array(observation)),
        torch.tensor(np.array(action)),
        torch.zeros(len(action)),
        torch.tensor(np.array(following)),
        torch.zeros(len(action)),
    )
    return RunData(
        rows,
        np.array(trajectory),
        np.zeros(len(rows)),
        {"sha256": str(seed)},
        None,
        Path(f"demonstrations-{seed}.hdf5"),
        np.array(success),
    )


def demonstrations(
    seeds: tuple[int, ...], count: int = 3, tail: int = 2, **changes: Any
) -> Demonstrations:
    """Demonstrations of different lengths: runs must not depend on each other's."""
    data = [run_data(seed, length=10 + 3 * (seed % 3), **changes) for seed in seeds]
    return select(DemonstrationConfig(count, tail), seeds, data, LAYOUT)


def bmil(seeds: tuple[int, ...] = (0, 1, 2), **changes: Any) -> BMIL:
    return BMIL(bmil_config(**changes), demonstrations(seeds), LAYOUT, seeds, "float32", CPU)


def bc(seeds: tuple[int, ...] = (0, 1, 2), **changes: Any) -> BC:
    return BC(bc_config(**changes), demonstrations(seeds), LAYOUT, seeds, "float32", CPU)


def train(learner: Any, updates: int, first: int = 0) -> list[Tensor]:
    """Updates `first` .. `updates` as the loop makes them; the metrics of each."""
    if first == 0:
        for step in range(getattr(learner, "warm_up_steps", 0)):
            learner.warm_up(step)
    found = []
    for update in range(first, updates):
        drawn = learner.draw(update // learner.chunk)
        found.append(learner.update(drawn, update % learner.chunk))
    return found


def policy_of(learner: Any, run: int) -> dict[str, Tensor]:
    """Clones of one run's policy parameters."""
    state = learner.policy.network.state_dict()
    return {name: value[run].clone() for name, value in state.items()}


def replaced(config: Any, **changes: Any) -> Any:
    return dataclasses.replace(config, **changes)
