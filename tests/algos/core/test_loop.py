"""The run loop with a toy learner whose numbers can be followed by hand."""

import json
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from algos.core import checkpoint, progress
from algos.core.checkpoint import CHECKPOINT, CheckpointError
from algos.core.loop import Clock, Failed, Interrupted, Loop, MethodError, progress_csv


@dataclass
class Counter:
    """A learner whose parameter is the sum of the update numbers drawn so far; metric = the update number."""

    seeds: tuple[int, ...] = (0, 1)
    chunk: int = 10
    metrics: tuple[str, ...] = ("number",)
    finished: bool = False
    total: Tensor = field(default_factory=lambda: torch.zeros(2))
    break_at: int | None = None
    stop_at: int | None = None
    seen: list[int] = field(default_factory=list)

    def draw(self, chunk: int) -> Tensor:
        return torch.arange(chunk * self.chunk, (chunk + 1) * self.chunk).float()

    def update(self, drawn: Tensor, index: int) -> Tensor:
        number = int(drawn[index])
        self.seen.append(number)
        self.total += number
        value = torch.full((1, len(self.seeds)), float(number))
        if self.break_at == number:
            value[0, 1] = torch.nan
        if self.stop_at == number:
            os.kill(os.getpid(), signal.SIGTERM)
        return value

    def state(self) -> dict[str, Any]:
        return {"total": self.total}

    def restore(self, state: dict[str, Any]) -> None:
        self.total = state["total"]


def evaluate(update: int, alive: list[bool]) -> list[dict[str, Any] | None]:
    return [{"score": float(update)} if ok else None for ok in alive]


def loop(learner: Counter, scratch: Path, updates: int = 25, every: int = 7, **more: Any) -> Loop:
    digest, inputs = more.pop("digest", "d"), more.pop("inputs", "i")
    return Loop(
        learner, updates, every, more.pop("evaluate", evaluate), scratch, digest, inputs, **more
    )


def test_evaluations_come_on_time_with_the_mean_of_the_metrics_since_the_last(
    tmp_path: Path,
) -> None:
    learner = Counter()
    history = loop(learner, tmp_path).run()
    assert learner.seen == list(range(25))
    entries = history.evaluations[0]
    assert [e["update"] for e in entries] == [7, 14, 21, 25]
    assert [e["number"] for e in entries] == [3.0, 10.0, 17.0, 22.5]
    assert history.evaluations[0] == history.evaluations[1]


def test_a_run_that_breaks_is_stopped_and_recorded_the_other_goes_on(tmp_path: Path) -> None:
    history = loop(Counter(break_at=16), tmp_path).run()
    assert history.failures == [None, {"update": 17, "reason": "number is not finite"}]
    assert [e["update"] for e in history.evaluations[1]] == [7, 14]
    assert [e["number"] for e in history.evaluations[0]] == [3.0, 10.0, 17.0, 22.5]


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (torch.zeros(1, 1), r"a tensor of shape \(1, 1\)"),  # a mean over runs
        (torch.zeros(2), r"a tensor of shape \(2,\)"),
        (torch.zeros(2, 2), r"a tensor of shape \(2, 2\)"),
        (torch.tensor(0.0), r"a tensor of shape \(\)"),
        (None, "NoneType"),
    ],
)
def test_metrics_that_are_not_of_each_run_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, returned: Tensor | None, message: str
) -> None:
    monkeypatch.setattr(Counter, "update", lambda self, drawn, index: returned)
    with pytest.raises(MethodError, match=rf"Counter.update returned.*{message}") as found:
        loop(Counter(), tmp_path).run()
    assert "wanted a tensor of shape (1, 2): a row for each of metrics ('number',)" in str(
        found.value
    )


def test_training_ends_when_every_run_has_failed(tmp_path: Path) -> None:
    learner = Counter()
    failures: list[dict[str, Any] | None] = [{"update": 0, "reason": "x"}] * 2
    history = loop(learner, tmp_path, failures=failures).run()
    assert learner.seen == [] and history.evaluations == [[], []]


@pytest.mark.parametrize("stop_at", [0, 6, 9, 13, 20])
def test_sigterm_checkpoints_and_the_rest_is_the_same(
    tmp_path: Path, stop_at: int, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = loop(Counter(), tmp_path / "whole").run()
    with pytest.raises(Interrupted) as stopped:
        loop(Counter(stop_at=stop_at), tmp_path / "cut").run()
    assert stopped.value.code == 128 + signal.SIGTERM
    assert capsys.readouterr().err == (
        f"train: stopped by SIGTERM at update {stop_at + 1}; "
        f"the same command goes on from {tmp_path / 'cut' / CHECKPOINT}\n"
    )
    second = Counter()
    resumed = loop(second, tmp_path / "cut").run()
    assert second.seen == list(range(stop_at + 1, 25))
    assert resumed.evaluations == whole.evaluations and resumed.update == whole.update
    assert second.total.tolist() == [300.0, 300.0]


def test_a_checkpoint_of_another_spec_is_refused_and_kept(tmp_path: Path) -> None:
    loop(Counter(), tmp_path).run()
    before = (tmp_path / CHECKPOINT).read_bytes()
    with pytest.raises(CheckpointError, match=r"belongs to another spec .* delete its folder"):
        loop(Counter(), tmp_path, digest="e").run()
    assert (tmp_path / CHECKPOINT).read_bytes() == before


def test_progress_table() -> None:
    text = progress_csv((3, 4), [[{"update": 1, "score": 0.5, "by_start": {"a": 1}}], []])
    assert text == "seed,update,score\n3,1,0.5\n"


def test_a_run_whose_evaluation_breaks_is_stopped_and_the_other_goes_on(tmp_path: Path) -> None:
    def breaks(update: int, alive: list[bool]) -> list[dict[str, Any] | Failed | None]:
        first = Failed("action is not finite") if update == 14 else {"score": 1.0}
        return [first if alive[0] else None, {"score": 2.0}]

    history = loop(Counter(), tmp_path, evaluate=breaks).run()
    assert history.failures == [{"update": 14, "reason": "action is not finite"}, None]
    assert [e["update"] for e in history.evaluations[0]] == [7]
    assert [e["update"] for e in history.evaluations[1]] == [7, 14, 21, 25]


def test_a_checkpoint_made_on_other_inputs_is_not_continued(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Interrupted):
        loop(Counter(stop_at=13), tmp_path).run()
    learner = Counter()
    loop(learner, tmp_path, inputs="other").run()
    assert learner.seen == list(range(25))
    assert "made on other data or fits; starting afresh" in capsys.readouterr().err


def test_a_full_disk_during_training_costs_a_checkpoint_not_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("algos.core.loop.CHECKPOINT_SECONDS", -1.0)
    real, calls = checkpoint.save_file, []

    def full_at_first(*arguments: Any, **more: Any) -> None:
        calls.append(arguments)
        if len(calls) < 3:  # as safetensors says it
            raise SafetensorError("I/O error: No space left on device (os error 28)")
        real(*arguments, **more)

    monkeypatch.setattr(checkpoint, "save_file", full_at_first)
    history = loop(Counter(), tmp_path).run()
    assert history.update == 25
    said = capsys.readouterr().err.splitlines()
    place = tmp_path / CHECKPOINT
    assert said[0].startswith(f"no checkpoint at update 7: {place}: No space left on device")
    assert "free some space" in said[0] and len(said) == 2
    assert (tmp_path / CHECKPOINT).exists()


def test_times_include_what_came_before_the_first_update(tmp_path: Path) -> None:
    earlier = Clock(Clock.now().wall - 100.0, Clock.now().cpu - 10.0)
    history = loop(Counter(), tmp_path, started=earlier).run()
    assert 100 < history.wall_seconds < 110 and 10 < history.cpu_seconds < 20


@dataclass
class Prepared(Counter):
    """A counter with three steps before its first update; what `algos.watch` was told stands in `told`."""

    warm_up_steps: int = 3
    scratch: Path = Path()
    warmed: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def warm_up(self, step: int) -> None:
        self.warmed.append(step)
        if self.stop_at == -step:
            os.kill(os.getpid(), signal.SIGTERM)

    def update(self, drawn: Tensor, index: int) -> Tensor:
        self.tell()
        return super().update(drawn, index)

    def tell(self) -> None:
        path = self.scratch / progress.HEARTBEAT
        if path.exists():
            beat = json.loads(path.read_text(encoding="utf-8"))
            self.told.append(f"{beat['label']}: {beat['done']} of {beat['total']}")

    def state(self) -> dict[str, Any]:
        return {**super().state(), "warmed": self.warmed}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.warmed = list(state["warmed"])


def test_work_before_the_first_update_is_told_and_goes_on_where_it_was_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "BEAT_SECONDS", -1.0)
    learner = Prepared(stop_at=-1, scratch=tmp_path)
    with pytest.raises(Interrupted):
        loop(learner, tmp_path).run()
    assert (learner.warmed, learner.seen) == ([0, 1], [])
    again = Prepared(scratch=tmp_path)
    history = loop(again, tmp_path).run()
    assert again.warmed == [0, 1, 2] and again.seen == list(range(25))
    assert (history.warmed_up, history.update) == (3, 25)
    # while it trains the updates are told, no longer the steps before them
    assert again.told[-1] == "train: 21 of 25"
    assert not (tmp_path / progress.HEARTBEAT).exists()


def test_steps_before_the_first_update_have_a_line_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "BEAT_SECONDS", -1.0)
    learner = Prepared(scratch=tmp_path)
    plain = learner.warm_up

    def warm_up(step: int) -> None:
        learner.tell()
        plain(step)

    monkeypatch.setattr(learner, "warm_up", warm_up)
    loop(learner, tmp_path).run()
    assert learner.told[:2] == [
        "train, before its updates: 1 of 3",
        "train, before its updates: 2 of 3",
    ]
