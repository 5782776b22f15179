"""Action distributions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from algos.core.elementwise import softplus

ACTION_LIMIT = 1.0 - 1e-6


def squashed_gaussian_log_prob(mean: Tensor, log_std: Tensor, action: Tensor) -> Tensor:
    """log density of ``action = tanh(u)``, u ~ N(mean, std^2), summed over the last dimension.

    ``log N(atanh a) - sum log(1 - a^2)`` (Haarnoja et al. 2018, eq. 21); actions are kept 1e-6 inside (-1, 1).
    """
    inside = action.clamp(-ACTION_LIMIT, ACTION_LIMIT)
    u = torch.atanh(inside)
    gaussian = -0.5 * ((u - mean) * torch.exp(-log_std)).square() - log_std
    # log(1 - tanh(u)^2) = 2 (log 2 - u - softplus(-2u)), stable for large |u|
    correction = 2.0 * (math.log(2.0) - u - softplus(-2.0 * u))
    return (gaussian - 0.5 * math.log(2.0 * math.pi) - correction).sum(dim=-1)
