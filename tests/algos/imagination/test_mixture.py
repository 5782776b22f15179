import pytest
import torch

from algos.imagination.mixture import Mixture, real_share
from algos.imagination.starts import weighted_starts


@pytest.mark.parametrize(
    ("batch", "eta", "real"),
    [
        (100, 0.1, 90),
        (100, 0.7, 30),
        (100, 0.5, 50),
        (100, 0.3, 70),
        (256, 0.1, 231),
        (100, 0.0, 100),
    ],
)
def test_batch_composition(batch: int, eta: float, real: int) -> None:
    assert real_share(batch, eta) == real
    rows, imagined = torch.zeros(50, 3), torch.ones(50, 3)
    drawn = Mixture((0,), [rows], [imagined], eta).draw(0, 4, batch)
    assert drawn.shape == (4, 1, 1, batch, 3)
    assert bool((drawn[..., :real, :] == 0).all()) and bool((drawn[..., real:, :] == 1).all())


def test_eta_zero_draws_what_plain_offline_learning_draws() -> None:
    rows = torch.randn(50, 3)
    plain = Mixture((0, 1), [rows, rows]).draw(3, 5, 10)
    mixed = Mixture((0, 1), [rows, rows], [rows + 1, rows + 1], 0.0).draw(3, 5, 10)
    assert torch.equal(plain, mixed)


def test_draws_of_a_run_do_not_depend_on_the_block() -> None:
    rows = [torch.randn(50, 3) for _ in range(3)]
    block = Mixture((4, 5, 6), rows, rows, 0.3).draw(2, 5, 10)
    alone = Mixture((5,), rows[1:2], rows[1:2], 0.3).draw(2, 5, 10)
    assert torch.equal(block[:, 1], alone[:, 0])


def test_prioritised_real_rows() -> None:
    rows = torch.arange(6.0)[:, None].expand(6, 3)
    draws = [weighted_starts(torch.tensor([0.0, 1, 1, 1, 1, 0]).numpy())]
    drawn = Mixture((0,), [rows], real_draw=draws).draw(0, 20, 4)
    for minibatch in drawn[:, 0, 0, :, 0]:
        assert sorted(minibatch.tolist()) == [1.0, 2.0, 3.0, 4.0]


def test_imagining_without_rows_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs imagined rows"):
        Mixture((0,), [torch.zeros(5, 3)], None, 0.5).draw(0, 1, 10)
