import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from envs import terminations
from envs.errors import TaskError
from envs.tasks import all_tasks

CASES = [
    ("never", [0.0, 0, 0, 0], False),
    ("mujoco_maze:umaze", [-3.0, 32.0, *[0] * 5], True),
    ("mujoco_maze:umaze", [0.1, 40.0, *[0] * 5], False),
    ("mujoco_maze:umaze", [-3.0, 31.9, *[0] * 28], False),
    ("mujoco_maze:room5x11", [39.5, 0.3, *[0] * 5], True),
    ("mujoco_maze:room5x11", [39.5, 0.4, *[0] * 5], False),
    ("mujoco_maze:corridor7x7", [24.0, 24.5, *[0] * 5], True),
    ("mujoco_maze:corridor7x7", [24.6, 24.1, *[0] * 5], False),
    ("relocate", [*[9.0] * 36, 0.06, -0.05, 0.06], True),
    ("relocate", [*[0.0] * 36, 0.06, 0.06, 0.06], False),
    ("relocate", [*[0.0] * 36, 0.1, 0.0, 0.0], False),
    ("hopper", [1.0, 0.1, *[0] * 9], False),
    ("hopper", [0.7, 0.0, *[0] * 9], True),
    ("hopper", [1.0, -0.2, *[0] * 9], True),
    ("hopper", [1.0, 0.0, *[0] * 8, 100.0], True),
    ("hopper", [150.0, 0.0, *[0] * 9], False),  # the height itself has no upper limit
    ("hopper", [1.0, 0.0, *[0] * 8, float("nan")], True),
    ("walker2d", [1.2, 0.5, *[0] * 15], False),
    ("walker2d", [0.8, 0.0, *[0] * 15], True),
    ("walker2d", [2.0, 0.0, *[0] * 15], True),
    ("walker2d", [1.2, 1.0, *[0] * 15], True),
    ("walker2d", [float("nan"), 0.0, *[0] * 15], True),
    ("antmaze:umaze", [0.3, 8.39, *[0] * 27], True),
    ("antmaze:umaze", [0.0, 8.51, *[0] * 27], False),
    ("antmaze:medium", [20.0, 20.5, *[0] * 27], True),
    ("antmaze:large", [32.0, 24.0, *[0] * 27], True),
    ("antmaze:large", [24.0, 32.0, *[0] * 27], False),
]
#: Those of tasks that run, and every one that has values above; those of declared tasks come with their environments.
NAMES = sorted(
    {task.termination for task in all_tasks().values() if task.implemented}
    | {name for name, *_ in CASES}
)


@pytest.mark.parametrize(("name", "state", "expected"), CASES)
def test_values(name: str, state: list[float], expected: bool) -> None:
    test = terminations.get(name)
    assert bool(test(np.array(state), np)) is expected
    batch = torch.tensor(state, dtype=torch.float64).expand(2, 3, -1)
    found = test(batch, torch)
    assert found.dtype == torch.bool and found.shape == (2, 3) and bool(found.all()) is expected


@pytest.mark.parametrize("name", NAMES)
@given(seed=st.integers(0, 2**32 - 1))
def test_numpy_and_torch_agree(name: str, seed: int) -> None:
    generator = np.random.default_rng(seed)
    states = generator.choice(
        [-150.0, -1, -0.2, 0, 0.19, 0.7, 0.8, 1, 2, 20, np.nan, np.inf], (50, 29)
    )
    test = terminations.get(name)
    found = test(states, np)
    assert found.dtype == bool and found.shape == (50,)
    assert (found == test(torch.from_numpy(states), torch).numpy()).all()


def test_unknown_name() -> None:
    with pytest.raises(TaskError, match="no termination test 'hoper'; did you mean 'hopper'"):
        terminations.get("hoper")
