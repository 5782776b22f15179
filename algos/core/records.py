"""JSON that jobs get and leave behind, checked before it is used. Imports no torch: merge jobs start at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

#: The types that a value may have; an integer is no boolean here.
Kinds = tuple[type, ...]
NAMES = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


class RecordError(ValueError):
    """A record that cannot be used; the message names the file and the remedy."""


def read_record(path: Path, wanted: Mapping[str, Kinds], missing: str, damaged: str) -> Any:
    """The object in a JSON file, with the keys ``wanted``.

    ``missing`` and ``damaged`` say what to do when there is no such file, and when it is not such a record.

    Raises:
        RecordError: there is no such file, it is not JSON, or it lacks a key.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (FileNotFoundError, NotADirectoryError):
        raise RecordError(f"{path}: no such file; {missing}") from None
    except OSError as error:
        message = f"{path}: cannot be read ({error.strerror}); see to it, then run again"
        raise RecordError(message) from None
    except ValueError as error:
        raise RecordError(f"{path}: not readable ({error}); {damaged}") from None
    if found := problem(content, wanted):
        raise RecordError(f"{path}: {found}; {damaged}")
    return content


def check_entries(
    entries: Sequence[Any], wanted: Mapping[str, Kinds], count: int, where: str, damaged: str
) -> None:
    """Check a record's list of objects, one a seed; ``where`` names file and key.

    Raises:
        RecordError: there are not ``count`` of them, or one lacks a key.
    """
    if len(entries) != count:
        raise RecordError(f"{where}: {len(entries)} entries for {count} seeds; {damaged}")
    for number, entry in enumerate(entries):
        if found := problem(entry, wanted):
            raise RecordError(f"{where}: entry {number}: {found}; {damaged}")


def problem(content: Any, wanted: Mapping[str, Kinds]) -> str | None:
    """What keeps ``content`` from being an object with the keys ``wanted``, each of one of its types; or None."""
    if not isinstance(content, dict):
        return f"must be an object, found {_name(content)}"
    for key, kinds in wanted.items():
        if key not in content:
            return f"missing key {key}"
        if type(content[key]) not in kinds:
            allowed = " or ".join(NAMES[kind] for kind in kinds)
            return f"{key} must be {allowed}, found {_name(content[key])}"
    return None


def _name(value: Any) -> str:
    return NAMES[type(value)]


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
