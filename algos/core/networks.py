"""Feed-forward networks with two leading axes: R independent runs and E ensemble members.

Parameters are ``[R, E, in, out]``, batches ``[R, E or 1, B, features]``. No operation mixes runs, so one
optimiser step trains all of them and each learns what it would have learnt alone.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from algos.core.elementwise import silu
from algos.core.randomness import torch_generator

Precision = Literal["float32", "bfloat16"]
Activation = Literal["relu", "silu", "tanh"]
Initialiser = Literal[
    "uniform", "truncated_normal", "scaled_normal", "xavier_uniform", "small_normal"
]
#: Standard deviation of the weights of ``small_normal``.
SMALL = 0.01


@functools.lru_cache(maxsize=4096)
def single_group_differs(rows: int, inputs: int, outputs: int, dtype: torch.dtype) -> bool:
    """Whether this machine multiplies one group with another kernel than two or more.

    Compares, bit by bit on random data, the three products of a linear layer (forward, weight gradient, input
    gradient) alone and inside a block. Where they differ a run alone would not equal the same run in a block.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, rows, inputs, generator=generator).to(dtype)
    weight = torch.randn(2, inputs, outputs, generator=generator).to(dtype)
    gradient = torch.randn(2, rows, outputs, generator=generator).to(dtype)
    bias = torch.randn(2, 1, outputs, generator=generator).to(dtype)
    with torch.no_grad():
        pairs = (
            (torch.baddbmm(bias, x, weight), torch.baddbmm(bias[:1], x[:1], weight[:1])),
            (x.transpose(1, 2) @ gradient, x[:1].transpose(1, 2) @ gradient[:1]),
            (gradient @ weight.transpose(1, 2), gradient[:1] @ weight[:1].transpose(1, 2)),
        )
    return any(not torch.equal(block[:1], alone) for block, alone in pairs)


def grouped_linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``x @ weight + bias`` for G groups: x ``[G, B, in]``, weight ``[G, in, out]``, bias ``[G, 1, out]``.

    On a CPU whose kernel for one group differs, a single group is computed beside a copy of itself, so that a
    run gives the same bits alone and in a block.
    """
    alone = x.shape[0] == 1 and x.device.type == "cpu"
    if alone and single_group_differs(x.shape[1], x.shape[2], weight.shape[2], x.dtype):
        return torch.baddbmm(bias.expand(2, -1, -1), x.expand(2, -1, -1), weight.expand(2, -1, -1))[
            :1
        ]
    return torch.baddbmm(bias, x, weight)


def split_bfloat16(x: Tensor) -> Tensor:
    """High and low bfloat16 parts of a float32 tensor, concatenated: ``[..., F]`` to ``[..., 2F]``.

    Keeps 16 bits of mantissa of the inputs; rounding maze coordinates to 8 bits would move them by 1/64.
    """
    high = x.to(torch.bfloat16)
    low = (x - high.to(torch.float32)).to(torch.bfloat16)
    return torch.cat([high, low], dim=-1)


class MLP(nn.Module):
    """R x E independent multilayer perceptrons evaluated together.

    Args:
        sizes: layer widths, inputs and outputs included.
        seeds: one seed a run (R of them); initial weights depend on the seed and ``name`` only.
        name: component name, keys the initialisation stream.
        members: ensemble members E.
        activation: after every layer but the last.
        precision: ``bfloat16`` multiplies hidden layers in bfloat16, splits the inputs into high and low parts and
            keeps the last layer in float32; parameters stay float32 in both modes.
        initialiser: ``uniform`` is torch's default for linear layers, U(-1/sqrt(in), 1/sqrt(in)) for weights and
            biases. All others have zero biases: ``truncated_normal`` has std 1/(2 sqrt(in)) (ROMI code, Chua et al.
            2018), ``scaled_normal`` the same without its cut at 2 standard deviations (BMIL code, whose cut at 2 never
            acts), ``xavier_uniform`` U(-b, b) with b = sqrt(6/(in + out)) (Glorot and Bengio 2010), ``small_normal``
            std 0.01 (BMIL code, where a cut at 200 standard deviations never acts).
        linear_layers: layers at the end that are not followed by the activation.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        seeds: Sequence[int],
        name: str,
        members: int = 1,
        activation: Activation = "relu",
        precision: Precision = "float32",
        initialiser: Initialiser = "uniform",
        linear_layers: int = 1,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.linear_layers = linear_layers
        self.precision = precision
        self.runs, self.members = len(seeds), members
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for layer, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            per_run = [
                _initial(inputs, outputs, members, initialiser, seed, f"init/{name}/{layer}")
                for seed in seeds
            ]
            self.weights.append(nn.Parameter(torch.stack([weight for weight, _ in per_run])))
            self.biases.append(nn.Parameter(torch.stack([bias for _, bias in per_run])))

    def forward(self, x: Tensor, *, frozen: bool = False, first_only: bool = False) -> Tensor:
        """Outputs ``[R, E, B, out]`` (float32) of ``x [R, E or 1, B, in]``.

        Args:
            x: inputs; one batch for all members, or one for each.
            frozen: keep gradients off the parameters, e.g. for the critic inside an actor loss.
            first_only: evaluate member 0 alone (E = 1 in the output), e.g. Q_1.
        """
        batch = x.shape[2]
        members = 1 if first_only else self.members
        groups = self.runs * members
        hidden = x.expand(self.runs, members, batch, x.shape[3])
        hidden = hidden.reshape(groups, batch, x.shape[3])
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            weight, bias = weight[:, :members], bias[:, :members]
            if frozen:
                weight, bias = weight.detach(), bias.detach()
            hidden = self._product(hidden, weight.flatten(0, 1), bias.flatten(0, 1), layer, last)
            if layer <= last - self.linear_layers:
                hidden = _activate(hidden, self.activation)
        return hidden.view(self.runs, members, batch, -1)

    def part(self, runs: slice) -> MLP:
        """The networks of some of the runs, as parameters of their own in the same memory."""
        other = MLP.__new__(MLP)
        nn.Module.__init__(other)
        other.activation, other.precision = self.activation, self.precision
        other.linear_layers, other.members = self.linear_layers, self.members
        other.weights = nn.ParameterList([nn.Parameter(w.detach()[runs]) for w in self.weights])
        other.biases = nn.ParameterList([nn.Parameter(b.detach()[runs]) for b in self.biases])
        other.runs = len(other.weights[0])
        return other

    def _product(self, x: Tensor, weight: Tensor, bias: Tensor, layer: int, last: int) -> Tensor:
        if self.precision == "float32":
            return grouped_linear(x, weight, bias)
        if layer == last:
            return grouped_linear(x.to(torch.float32), weight, bias)
        weight, bias = weight.to(torch.bfloat16), bias.to(torch.bfloat16)
        if layer == 0:
            x, weight = split_bfloat16(x), torch.cat([weight, weight], dim=1)
        return grouped_linear(x, weight, bias)


def _activate(x: Tensor, activation: Activation) -> Tensor:
    if activation == "relu":
        return functional.relu(x, inplace=True)
    if activation == "silu":
        return silu(x)
    return torch.tanh(x)


def _initial(
    inputs: int, outputs: int, members: int, initialiser: Initialiser, seed: int, name: str
) -> tuple[Tensor, Tensor]:
    generator = torch_generator(seed, name)
    weight = torch.empty(members, inputs, outputs)
    bias = torch.zeros(members, 1, outputs)
    if initialiser == "truncated_normal":
        std = 1.0 / (2.0 * math.sqrt(inputs))
        nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std, generator=generator)
        return weight, bias
    if initialiser == "scaled_normal":
        std = 1.0 / (2.0 * math.sqrt(inputs))
        return weight.normal_(0.0, std, generator=generator), bias
    if initialiser == "small_normal":
        return weight.normal_(0.0, SMALL, generator=generator), bias
    if initialiser == "xavier_uniform":
        bound = math.sqrt(6.0 / (inputs + outputs))
        return weight.uniform_(-bound, bound, generator=generator), bias
    bound = 1.0 / math.sqrt(inputs)
    weight.uniform_(-bound, bound, generator=generator)
    bias.uniform_(-bound, bound, generator=generator)
    return weight, bias
