"""Records: what is refused, and the one line that says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from algos.core.records import RecordError, check_entries, problem, read_record


def read(path: Path) -> Any:
    return read_record(path, {"digest": (str,), "runs": (list,)}, "make it", "delete it")


def test_a_record_is_read_whole(tmp_path: Path) -> None:
    content = {"digest": "a", "runs": [], "more": None}
    (tmp_path / "x.json").write_text(json.dumps(content))
    assert read(tmp_path / "x.json") == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"digest": "a"', "not readable (Expecting ',' delimiter: line 1 column 15 (char 14)); delete it"),
        (b"", "not readable (Expecting value: line 1 column 1 (char 0)); delete it"),
        (b'{"digest": NaN}', "not readable (NaN is no number of JSON); delete it"),
        (b"{}", "missing key digest; delete it"),
        (b"[]", "must be an object, found a list; delete it"),
        (b"null", "must be an object, found null; delete it"),
        (b'{"digest": "a"}', "missing key runs; delete it"),
        (b'{"digest": "a", "runs": {}}', "runs must be a list, found an object; delete it"),
    ],
)  # fmt: skip
def test_damage_is_named_with_the_remedy(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(RecordError) as found:
        read(path)
    assert str(found.value) == f"{path}: {message}"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(RecordError, match=r"x\.json: not readable .*; delete it$"):
        read(path)


def test_only_what_exists_can_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "none" / "x.json", tmp_path / "file" / "x.json"):
        with pytest.raises(RecordError) as found:
            read(path)
        assert str(found.value) == f"{path}: no such file; make it"
    with pytest.raises(RecordError) as found:
        read(tmp_path)
    assert str(found.value) == f"{tmp_path}: cannot be read (Is a directory); see to it, then run again"  # fmt: skip


def test_a_boolean_is_no_integer() -> None:
    assert problem({"seed": 1}, {"seed": (int,)}) is None
    message = "seed must be an integer or null, found true or false"
    assert problem({"seed": True}, {"seed": (int, type(None))}) == message


def test_entries_are_one_a_seed_with_their_keys() -> None:
    wanted = {"seed": (int,)}
    check_entries([{"seed": 0}, {"seed": 1}], wanted, 2, "x.json: runs", "delete it")
    with pytest.raises(RecordError, match=r"^x\.json: runs: 1 entries for 2 seeds; delete it$"):
        check_entries([{"seed": 0}], wanted, 2, "x.json: runs", "delete it")
    with pytest.raises(RecordError, match=r"^x\.json: runs: entry 1: missing key seed; delete it$"):
        check_entries([{"seed": 0}, {}], wanted, 2, "x.json: runs", "delete it")
