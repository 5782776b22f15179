"""The optimiser step and target networks, over all runs at once."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Adam (Kingma and Ba 2015), one fused call over the parameters of all runs.

    Each run's slice is an item of its own: the fused kernel rounds the last few elements of an item differently, so
    handing it whole tensors would make a run's bits depend on the size of its block.

    Args:
        parameters: tensors ``[R, ...]``.
        learning_rate: may be changed between steps.
        weight_decays: for each parameter the coefficient c of an L2 term ``c/2 ||w||^2`` in the loss, i.e. added to
            the gradient before the moments.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        learning_rate: float,
        weight_decays: Sequence[float] | None = None,
    ) -> None:
        self.parameters = list(parameters)
        self.learning_rate = learning_rate
        decays = weight_decays or [0.0] * len(self.parameters)
        self.groups = [
            (decay, [i for i, each in enumerate(decays) if each == decay])
            for decay in dict.fromkeys(decays)
        ]
        self.first = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]
        self.second = [torch.zeros_like(p, requires_grad=False) for p in self.parameters]
        runs, device = len(self.parameters[0]), self.parameters[0].device
        self.count = torch.zeros(runs, dtype=torch.float32, device=device)

    def share(self, parameters: Iterable[Tensor], runs: slice) -> Adam:
        """The same optimiser for some of the runs: ``parameters`` are theirs, moments and step counts are shared.

        Runs that stop at different times need it: a step of the one must leave the others as they are.
        """
        part = copy.copy(self)
        part.parameters = list(parameters)
        part.first = [each[runs] for each in self.first]
        part.second = [each[runs] for each in self.second]
        part.count = self.count[runs]
        return part

    def step(self, loss: Tensor) -> None:
        """One step on a loss that is summed over runs and members."""
        for parameter in self.parameters:
            parameter.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        self.apply()

    @torch.no_grad()
    def apply(self) -> None:
        """One step on the gradients at hand."""
        self.count += 1
        for decay, indices in self.groups:
            values, gradients = self._slices(self.parameters, indices), self._gradients(indices)
            torch._fused_adam_(
                values,
                gradients,
                self._slices(self.first, indices),
                self._slices(self.second, indices),
                [],
                list(self.count) * len(indices),
                lr=self.learning_rate,
                beta1=BETA1,
                beta2=BETA2,
                weight_decay=decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    @staticmethod
    def _slices(tensors: list[Tensor], indices: list[int]) -> list[Tensor]:
        return [each for index in indices for each in tensors[index].detach().unbind(0)]

    def _gradients(self, indices: list[int]) -> list[Tensor]:
        found: list[Tensor] = []
        for index in indices:
            gradient = self.parameters[index].grad
            if gradient is None:
                raise RuntimeError(f"parameter {index} took no part in the loss")
            found.extend(gradient.unbind(0))
        return found

    def state(self) -> dict[str, Any]:
        """Moments and step counts."""
        return {"first": self.first, "second": self.second, "count": self.count}

    def restore(self, state: dict[str, Any]) -> None:
        """Put `state` back."""
        for name in ("first", "second"):
            for own, saved in zip(getattr(self, name), state[name], strict=True):
                own.copy_(saved)
        self.count.copy_(state["count"])


@torch.no_grad()
def polyak(target: nn.Module, online: nn.Module, tau: float) -> None:
    """``target <- (1 - tau) target + tau online`` for every parameter."""
    torch._foreach_lerp_(list(target.parameters()), list(online.parameters()), tau)
