from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from envs import experts
from envs.experts import Measured, main
from envs.tasks import Task, get_task

PUSH = "fetch-push-v0"


def test_tasks_with_an_expert() -> None:
    assert experts.measurable(get_task(PUSH))
    assert not experts.measurable(get_task("maze2d-umaze-v1")), "its data are no demonstrations"
    assert not experts.measurable(get_task("hopper-v4"))
    assert not experts.measurable(get_task("relocate-v0"))


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tasks", PUSH, "--episodes", "2"])
    heading, rule, line = capsys.readouterr().out.splitlines()
    assert rule == "| --- | --- | --- | --- | --- |" and heading.count("|") == 6
    # gripper and object touch at the start, and 3 mm are a success
    assert line.startswith(f"| {PUSH} | proportional controller | 2/2 | 1.0 | 0.")


def test_every_expert_by_default(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, int, dict[str, Any], int]] = []

    def measure(task: Task, episodes: int, options: dict[str, Any], seed: int) -> Measured:
        asked.append((task.name, episodes, options, seed))
        return Measured("none", episodes, 0, np.array([], dtype=int))

    fake = SimpleNamespace(measure=measure, check_options=lambda _: None)
    monkeypatch.setattr(experts, "generator_of", lambda _: fake)
    monkeypatch.setattr(experts, "measurable", lambda task: task.domain == "fetch")
    main(["--episodes", "7", "--noise", "0.3", "--seed", "5"])
    options = {"demonstrations": 20, "noise": 0.3}
    assert asked[0] == (PUSH, 7, options, 5) and len(asked) == 3
    assert "| none | 0/7 | - |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tasks", "fetch-psh-v0"], "did you mean 'fetch-push-v0'"),
        (["--tasks", "maze2d-umaze-v1"], "task maze2d-umaze-v1 has no expert that can be measured"),
        (["--tasks", PUSH, "--noise", "-1"], "options.noise: must be finite and not negative"),
        (["--episodes", "0"], "--episodes: must be at least 1, got 0"),
        (["--seed", "-1"], "--seed: must not be negative"),
    ],
)
def test_bad_arguments(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as found:
        main(arguments)
    assert found.value.code == 2
    text = capsys.readouterr().err
    assert text.startswith("error: ") and message in text and text.count("\n") == 1
