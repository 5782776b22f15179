"""Small data files that several tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from envs.datasets import make
from envs.spec import local_spec

Change = Callable[[h5py.File], None]


@pytest.fixture(scope="session")
def umaze_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """6,000 rows of maze2d-umaze-v1: three balls of 2,000 steps."""
    path = tmp_path_factory.mktemp("data") / "umaze.hdf5"
    make(local_spec("maze2d-umaze-v1", seed=0, transitions=6000), path)
    return path


@pytest.fixture
def published_like(umaze_file: Path, tmp_path: Path) -> Callable[..., Path]:
    """A maker of files without attributes (as the published ones), with some arrays replaced or removed (None)."""

    def make_file(**arrays: Any) -> Path:
        path = tmp_path / "published.hdf5"
        with h5py.File(umaze_file) as source, h5py.File(path, "w") as target:
            names = ("observations", "actions", "rewards", "terminals", "timeouts")
            content = {name: source[name][()] for name in names} | arrays
            for name, array in content.items():
                if array is not None:
                    target[name] = np.asarray(array)
        return path

    return make_file


@pytest.fixture
def arrays(umaze_file: Path) -> dict[str, np.ndarray]:
    """Arrays of the shared file, free to be changed."""
    with h5py.File(umaze_file) as file:
        return {
            name: file[name][()]
            for name in ("observations", "actions", "rewards", "timeouts", "terminals")
        }
