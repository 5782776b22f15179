import pytest

from envs.mazes import LAYOUTS
from envs.reference_scores import gym_random_state, measure
from envs.tasks import get_task


@pytest.mark.parametrize("maze", LAYOUTS)
def test_published_reference_scores_come_out_to_the_printed_digit(maze: str) -> None:
    for name, found in measure(maze).items():
        task = get_task(name)
        assert found.minimum == pytest.approx(task.ref_min, abs=5e-7 if "dense" in name else 1e-9)
        assert found.maximum == pytest.approx(task.ref_max, rel=1e-12)


def test_seeding_of_old_gym() -> None:
    # sha512("0")[:8] = 31 bc a0 20 94 eb 78 12: words 0x20a0bc31 and 0x1278eb94
    import numpy as np

    expected = np.random.RandomState([0x20A0BC31, 0x1278EB94])
    assert (gym_random_state(0).uniform(size=5) == expected.uniform(size=5)).all()
