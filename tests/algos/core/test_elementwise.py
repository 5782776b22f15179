"""A number's function is the same wherever the number stands, and what it should be."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from algos.core.elementwise import silu, softplus

Function = Callable[[Tensor], Tensor]
FORMULAS: dict[Function, Function] = {
    softplus: lambda x: torch.log1p(torch.exp(x)),
    silu: lambda x: x / (1.0 + torch.exp(-x)),
}
FUNCTIONS = pytest.mark.parametrize("function", FORMULAS, ids=lambda f: f.__name__)


def with_gradient(function: Function, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clone().requires_grad_()
    y = function(x)
    (1.3 * y).sum().backward()
    assert x.grad is not None
    return y.detach(), x.grad


@FUNCTIONS
def test_runs_have_the_same_bits_alone_and_in_a_block(function: Function) -> None:
    generator = torch.Generator().manual_seed(0)
    for runs, rows, width in itertools.product((2, 3, 5), (1, 5, 12, 31, 64), (1, 2, 7, 50, 200)):
        x = torch.randn(runs, 1, rows, width, generator=generator)
        block = with_gradient(function, x)
        for run in range(runs):
            alone = with_gradient(function, x[run : run + 1])
            for whole, own in zip(block, alone, strict=True):
                assert torch.equal(whole[run : run + 1], own), (runs, rows, width, run)


@FUNCTIONS
@pytest.mark.parametrize("count", [1, 31, 32, 33, 64])
def test_values_and_gradients_are_those_of_the_formula(function: Function, count: int) -> None:
    x = torch.linspace(-8.0, 8.0, count)
    value, gradient = with_gradient(function, x)
    wanted, slope = with_gradient(FORMULAS[function], x.double())
    torch.testing.assert_close(value.double(), wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-5, atol=1e-6)


@FUNCTIONS
def test_pieces_of_other_tensors_keep_their_shape(function: Function) -> None:
    x = torch.randn(2, 3, 8, 10, generator=torch.Generator().manual_seed(1))
    for part in (x[..., :5], x[:, 1:, ::2], x.transpose(1, 3), x[:0]):
        assert torch.equal(
            function(part), function(part.clone(memory_format=torch.contiguous_format))
        )
        assert function(part).shape == part.shape
