"""Keyed randomness: a stream is a function of (seed, component name) alone."""

from __future__ import annotations

import hashlib

import numpy as np


def numpy_generator(seed: int, component: str) -> np.random.Generator:
    """A fresh generator whose seed is a hash (sha256) of ``seed`` and the component's name."""
    digest = hashlib.sha256(f"{seed}/{component}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "little"))
