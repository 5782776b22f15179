"""Functions of single numbers whose result does not depend on where in a tensor a number stands.

On a CPU torch computes the last numbers of a tensor, those that do not fill two vectors, with other code than the rest.
For softplus, sigmoid and silu that code rounds differently where the CPU has AVX-512: a run alone would not equal the
same run in a block, whose numbers lie elsewhere. Here there is always a full vector. Of the functions that methods use
it is only these: exp, log, tanh, erf, sqrt and layer norm round alike in torch 2.13, forwards and backwards.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

#: Two vectors of 16 float32 numbers, the most that a CPU takes at once.
FULL = 32


def _full(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    lacking = -x.numel() % FULL
    if not lacking or x.device.type != "cpu":
        return function(x.contiguous())
    flat = functional.pad(x.reshape(-1), (0, lacking))
    return function(flat)[: x.numel()].view(x.shape)


def softplus(x: Tensor) -> Tensor:
    """``log(1 + exp(x))``, of any shape."""
    return _full(functional.softplus, x)


def silu(x: Tensor) -> Tensor:
    """``x / (1 + exp(-x))``, of any shape."""
    return _full(functional.silu, x)
