"""Keyed randomness: every number drawn is a function of (run seed, component name, counter).

No generator is carried along, so nothing has to be stored to resume a run, a stream does not depend on which
other seeds share the block, and adding a component never shifts the numbers of another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def derived_seed(seed: int, component: str, counter: int = 0) -> int:
    """A 63-bit seed made from the run seed, the component's name and a counter (sha256)."""
    text = f"{seed}/{component}/{counter}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little") >> 1


def torch_generator(
    seed: int, component: str, counter: int = 0, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A fresh torch generator for one component of one run."""
    return torch.Generator(device=device).manual_seed(derived_seed(seed, component, counter))


def numpy_generator(seed: int, component: str, counter: int = 0) -> np.random.Generator:
    """A fresh numpy generator for one component of one run."""
    return np.random.default_rng(derived_seed(seed, component, counter))


def normal(
    seeds: Sequence[int],
    component: str,
    counter: int,
    shape: tuple[int, ...],
    device: torch.device | str = "cpu",
) -> Tensor:
    """Standard normal noise ``[R, *shape]``, one independent stream a run."""
    return torch.stack(
        [
            torch.randn(
                shape, generator=torch_generator(seed, component, counter, device), device=device
            )
            for seed in seeds
        ]
    )


def integers(
    seed: int,
    component: str,
    counter: int,
    high: int,
    shape: tuple[int, ...],
    device: torch.device | str = "cpu",
) -> Tensor:
    """Uniform integers in [0, high), shape ``shape``, for one run."""
    generator = torch_generator(seed, component, counter, device)
    return torch.randint(high, shape, generator=generator, device=device)
