import numpy as np
import pytest
import torch

from algos.core.networks import MLP, grouped_linear, single_group_differs, split_bfloat16


def reference(net: MLP, x: np.ndarray, run: int, member: int) -> np.ndarray:
    """Plain float64 loop over the layers of one network."""
    last = len(net.weights) - 1
    for layer, (w, b) in enumerate(zip(net.weights, net.biases, strict=True)):
        x = x @ w[run, member].detach().double().numpy() + b[run, member].detach().double().numpy()
        if layer < last:
            x = np.maximum(x, 0.0)
    return x


@pytest.mark.parametrize("shared", [True, False])
def test_forward_equals_a_plain_loop(shared: bool) -> None:
    net = MLP((5, 16, 16, 3), seeds=(0, 1, 2), name="n", members=2)
    x = torch.randn(3, 1 if shared else 2, 7, 5)
    y = net(x)
    assert y.shape == (3, 2, 7, 3)
    for run in range(3):
        for member in range(2):
            own = x[run, 0 if shared else member].double().numpy()
            np.testing.assert_allclose(
                y[run, member].detach().numpy(), reference(net, own, run, member), atol=1e-5
            )


def test_first_only_and_frozen() -> None:
    net = MLP((5, 8, 1), seeds=(0, 1), name="n", members=2)
    x = torch.randn(2, 1, 4, 5, requires_grad=True)
    first = net(x, first_only=True, frozen=True)
    torch.testing.assert_close(first, net(x)[:, :1])
    first.sum().backward()
    assert all(p.grad is None for p in net.parameters())
    assert x.grad is not None and bool((x.grad != 0).any())


def test_initial_weights_depend_on_seed_and_name_only() -> None:
    block = MLP((5, 8, 1), seeds=(3, 4, 5), name="critic", members=2)
    alone = MLP((5, 8, 1), seeds=(4,), name="critic", members=2)
    other = MLP((5, 8, 1), seeds=(4,), name="actor", members=2)
    assert torch.equal(block.weights[0][1], alone.weights[0][0])
    assert not torch.equal(alone.weights[0], other.weights[0])
    assert not torch.equal(alone.weights[0][0, 0], alone.weights[0][0, 1])


def test_uniform_initialisation_bounds_and_spread() -> None:
    net = MLP((100, 200), seeds=(0,), name="n")
    weight, bias = net.weights[0].detach(), net.biases[0].detach()
    assert float(weight.abs().max()) <= 0.1 and float(bias.abs().max()) <= 0.1
    assert float(weight.std()) == pytest.approx(0.1 / 3**0.5, rel=0.02)


def test_truncated_normal_initialisation() -> None:
    net = MLP((100, 400), seeds=(0,), name="n", initialiser="truncated_normal")
    std = 1 / (2 * 10)
    assert float(net.weights[0].detach().abs().max()) <= 2 * std
    # the standard deviation of a normal cut at two sigma is 0.880 sigma
    assert float(net.weights[0].detach().std()) == pytest.approx(0.880 * std, rel=0.02)
    assert float(net.biases[0].detach().abs().max()) == 0.0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("members", [1, 2])
def test_a_run_alone_equals_the_run_in_a_block_bitwise(precision: str, members: int) -> None:
    def outputs_and_gradients(seeds: tuple[int, ...]) -> list[torch.Tensor]:
        net = MLP((6, 64, 64, 2), seeds=seeds, name="n", members=members, precision=precision)  # type: ignore[arg-type]
        x = torch.stack(
            [torch.randn(1, 100, 6, generator=torch.Generator().manual_seed(s)) for s in seeds]
        )
        y = net(x)
        y.square().mean(dim=(2, 3)).sum().backward()
        index = seeds.index(7)
        return [y[index], *(p.grad[index] for p in net.parameters() if p.grad is not None)]

    for block, alone in zip(
        outputs_and_gradients((5, 7, 8, 9)), outputs_and_gradients((7,)), strict=True
    ):
        assert torch.equal(block, alone)


def test_mixed_precision_is_close_and_its_inputs_keep_their_low_bits() -> None:
    x = torch.tensor([[3.1416015625, 1.0009765625]])
    parts = split_bfloat16(x).float()
    torch.testing.assert_close(parts[:, :2] + parts[:, 2:], x, rtol=0, atol=1e-5)
    exact = MLP((6, 64, 64, 1), seeds=(0,), name="n")
    mixed = MLP((6, 64, 64, 1), seeds=(0,), name="n", precision="bfloat16")
    batch = torch.randn(1, 1, 256, 6)
    difference = (exact(batch) - mixed(batch)).abs().max()
    assert 0 < float(difference.detach()) < 0.02
    assert mixed(batch).dtype == torch.float32


def test_padding_changes_nothing_but_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, b = torch.randn(1, 9, 4), torch.randn(1, 4, 3), torch.randn(1, 1, 3)
    plain = torch.baddbmm(b, x, w)
    monkeypatch.setattr("algos.core.networks.single_group_differs", lambda *_: True)
    padded = grouped_linear(x, w, b)
    assert padded.shape == (1, 9, 3)
    torch.testing.assert_close(padded, plain)


def test_kernel_probe_says_something() -> None:
    assert single_group_differs(100, 6, 64, torch.float32) in (True, False)


def test_scaled_normal_weights_are_not_cut() -> None:
    weight = MLP((400, 400), seeds=(0,), name="n", initialiser="scaled_normal").weights[0].detach()
    assert float(weight.std()) == pytest.approx(1 / (2 * 20), rel=0.01)
    assert float(weight.abs().max()) > 3.5 / (2 * 20), "a normal cut at 2 deviations ends there"
