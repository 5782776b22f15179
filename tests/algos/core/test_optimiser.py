from pathlib import Path

import torch
from torch import nn

from algos.core import checkpoint
from algos.core.optimiser import Adam, polyak


def test_adam_equals_the_textbook_with_coupled_weight_decay() -> None:
    p = nn.Parameter(torch.tensor([[1.0, -2.0]]))
    opt = Adam([p], 0.1, [0.5])
    m = v = torch.zeros(1, 2)
    value = p.detach().clone().double()
    for t in range(1, 4):
        opt.step((p**2).sum())
        grad = 2 * value + 0.5 * value
        m, v = 0.9 * m + 0.1 * grad, 0.999 * v + 0.001 * grad**2
        value = value - 0.1 * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    torch.testing.assert_close(p.detach().double(), value, rtol=1e-5, atol=1e-6)


def test_each_parameter_gets_its_own_decay() -> None:
    a, b = nn.Parameter(torch.ones(1, 1)), nn.Parameter(torch.ones(1, 1))
    opt = Adam([a, b], 0.1, [0.0, 1.0])
    opt.step((a * 0).sum() + (b * 0).sum())
    assert float(a.detach()) == 1.0 and float(b.detach()) < 1.0


def test_polyak() -> None:
    target, online = nn.Linear(2, 2), nn.Linear(2, 2)
    expected = 0.75 * target.weight.detach() + 0.25 * online.weight.detach()
    polyak(target, online, 0.25)
    torch.testing.assert_close(target.weight.detach(), expected)


def test_optimiser_state_round_trip_continues_bit_for_bit(tmp_path: Path) -> None:
    def make() -> tuple[nn.Parameter, Adam]:
        p = nn.Parameter(torch.tensor([[1.0, 2.0, 3.0]]))
        return p, Adam([p], 0.01)

    p, opt = make()
    for _ in range(3):
        opt.step((p**3).sum())
    q, other = make()
    q.data.copy_(p.data)
    checkpoint.save(tmp_path / "o.safetensors", opt.state())
    other.restore(checkpoint.load(tmp_path / "o.safetensors"))
    for _ in range(3):
        opt.step((p**3).sum())
        other.step((q**3).sum())
    assert torch.equal(p, q)


def test_it_equals_torchs_own_adam_and_a_block_equals_runs_alone_bitwise() -> None:
    gradients = [torch.randn(4, 3, 6) for _ in range(60)]

    def trained(runs: slice) -> torch.Tensor:
        p = nn.Parameter(torch.ones(4, 3, 6)[runs].clone())
        opt = Adam([p], 1e-3, [1e-4])
        for gradient in gradients:
            p.grad = gradient[runs].clone()
            opt.apply()
        return p.detach()

    block = trained(slice(None))
    assert all(torch.equal(block[r], trained(slice(r, r + 1))[0]) for r in range(4))
    peer = nn.Parameter(torch.ones(4, 3, 6))
    theirs = torch.optim.Adam([peer], 1e-3, weight_decay=1e-4)
    for gradient in gradients:
        peer.grad = gradient.clone()
        theirs.step()
    torch.testing.assert_close(block, peer.detach(), rtol=1e-6, atol=1e-6)


def test_polyak_of_a_block_equals_runs_alone_bitwise() -> None:
    def averaged(runs: slice) -> torch.Tensor:
        target, online = nn.Module(), nn.Module()
        g = torch.Generator().manual_seed(0)
        target.w = nn.Parameter(torch.randn(4, 2, 1, 3, generator=g)[runs].clone())
        online.w = nn.Parameter(torch.randn(4, 2, 1, 3, generator=g)[runs].clone())
        for _ in range(50):
            polyak(target, online, 0.005)
        return target.w.detach()

    block = averaged(slice(None))
    assert all(torch.equal(block[r], averaged(slice(r, r + 1))[0]) for r in range(4))
