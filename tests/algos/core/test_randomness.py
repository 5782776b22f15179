import numpy as np
import torch

from algos.core.randomness import derived_seed, integers, normal, numpy_generator


def test_streams_differ_by_seed_component_and_counter() -> None:
    seeds = {derived_seed(s, c, k) for s in (0, 1) for c in ("a", "b") for k in (0, 1)}
    assert len(seeds) == 8
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_known_value() -> None:
    # sha256("0/a/0") begins with these eight bytes; a change here would change every published run
    import hashlib

    expected = int.from_bytes(hashlib.sha256(b"0/a/0").digest()[:8], "little") >> 1
    assert derived_seed(0, "a") == expected


def test_noise_of_a_run_does_not_depend_on_the_block() -> None:
    block = normal((3, 4, 5), "noise", 2, (4, 6))
    alone = normal((4,), "noise", 2, (4, 6))
    assert torch.equal(block[1], alone[0])


def test_integers_are_in_range_and_repeatable() -> None:
    drawn = integers(0, "rows", 1, 7, (1000,))
    assert drawn.min() == 0 and drawn.max() == 6
    assert torch.equal(drawn, integers(0, "rows", 1, 7, (1000,)))
    counts = np.bincount(drawn.numpy(), minlength=7)
    # chi-square with 6 degrees of freedom: 22.5 is the 0.1 % point
    assert float(((counts - 1000 / 7) ** 2 / (1000 / 7)).sum()) < 22.5


def test_global_generators_are_left_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    normal((0,), "noise", 0, (3,))
    numpy_generator(0, "x").random()
    assert torch.equal(before, torch.get_rng_state())
