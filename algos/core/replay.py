"""Transitions packed into one float32 row each, so that a minibatch is one gather."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Views into packed rows, each ``[..., B, width]``: one row is one transition (s, a, r, s', terminated)."""

    observation: Tensor
    action: Tensor
    reward: Tensor
    next_observation: Tensor
    terminated: Tensor


@dataclass(frozen=True)
class Layout:
    """Column order of a packed row: observation, action, reward, next_observation, terminated."""

    observation_dim: int
    action_dim: int

    @property
    def width(self) -> int:
        """Columns of a packed row."""
        return 2 * self.observation_dim + self.action_dim + 2

    def pack(
        self,
        observation: Tensor,
        action: Tensor,
        reward: Tensor,
        next_observation: Tensor,
        terminated: Tensor,
    ) -> Tensor:
        """Packed rows ``[N, width]``; ``reward`` and ``terminated`` are ``[N]``."""
        columns = [
            observation,
            action,
            reward[..., None],
            next_observation,
            terminated.to(torch.float32)[..., None],
        ]
        return torch.cat([column.to(torch.float32) for column in columns], dim=-1)

    def unpack(self, rows: Tensor) -> Batch:
        """Named views of packed rows ``[..., width]``."""
        sizes = [self.observation_dim, self.action_dim, 1, self.observation_dim, 1]
        return Batch(*torch.split(rows, sizes, dim=-1))
