"""Atomic files: whose temporary files stay, and what an error says."""

import errno
import os
import sys
from pathlib import Path

import pytest

from algos.core import files


def test_a_living_writer_keeps_its_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "[x].json"
    with files.atomic_path(path) as slow:
        slow.write_text("slow")
        files.write_text(path, "fast")
        assert path.read_text() == "fast" and slow.read_text() == "slow"
    assert path.read_text() == "slow" and list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_of_a_dead_writer_goes(tmp_path: Path) -> None:
    path, other = tmp_path / "[x].json", tmp_path / ".y.json.abc.tmp"
    for folder in (tmp_path / ".[x].json.abc.tmp", other):
        folder.mkdir()
        (folder / "half").write_text("{")
    files.write_text(path, "whole")
    assert sorted(tmp_path.iterdir()) == sorted([path, other])


@pytest.mark.parametrize(
    ("number", "remedy"), [(errno.ENOSPC, "free some space"), (errno.EROFS, "writable")]
)
def test_an_error_names_the_file_and_the_remedy(tmp_path: Path, number: int, remedy: str) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(OSError) as failed, files.atomic_path(path):
        raise OSError(number, "library\nchatter")
    message = files.explain(failed.value)
    assert message.startswith(f"{path}: {os.strerror(number)}: ") and remedy in message
    assert "\n" not in message and list(tmp_path.iterdir()) == []


class Full:
    """A log on a full disk."""

    def write(self, _: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    flush = write


def test_news_that_nobody_can_store_do_not_end_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    files.tell("no checkpoint")
    with pytest.raises(OSError, match="No space left"):
        print("no checkpoint", file=sys.stderr)
