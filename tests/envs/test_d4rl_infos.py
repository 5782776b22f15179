"""Our constants against those of the d4rl package, where it is installed (it cannot be imported, only read)."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from envs.tasks import all_tasks, get_task


@pytest.fixture(scope="module")
def infos() -> ModuleType:
    package = importlib.util.find_spec("d4rl")
    if package is None or package.origin is None:
        pytest.skip("d4rl is not installed")
    spec = importlib.util.spec_from_file_location(
        "d4rl_infos", Path(package.origin).with_name("infos.py")
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PUBLISHED = [name for name, task in all_tasks().items() if "d4rl" in task.data]


@pytest.mark.parametrize("name", PUBLISHED)
def test_reference_scores_and_addresses(name: str, infos: ModuleType) -> None:
    task = get_task(name)
    assert infos.DATASET_URLS[name] == task.data["d4rl"]["url"]
    assert infos.REF_MIN_SCORE[name] == task.ref_min
    assert infos.REF_MAX_SCORE[name] == task.ref_max
