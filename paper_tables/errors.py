"""The one kind of error that planning raises, and choosing names with a hint at the nearest."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping


class PlanError(ValueError):
    """A mistake in the configuration; the message is one line naming file, key and nearest name."""


def unknown(where: str, kind: str, name: str, known: Iterable[str]) -> PlanError:
    """Return the error for a name that is not registered, with the nearest name that is."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.0)
    hint = f"; nearest: '{close[0]}'" if close else "; none is declared"
    return PlanError(f"{where}: unknown {kind} '{name}'{hint}")


def check_cells(row: Mapping[str | None, str | list[str] | None], where: str) -> None:
    """Check that a line of a CSV file, as `csv.DictReader` gives it, has a cell for each column.

    Raises:
        PlanError: it has more or fewer; every other message about it would be of a wrong cell.
    """
    wanted = sum(key is not None for key in row)
    found = sum(value is not None for key, value in row.items() if key is not None)
    found += len(row.get(None) or ())
    if found > wanted:
        raise PlanError(f"{where}: {found} cells, wanted {wanted}; put cells with commas in quotes")
    if found < wanted:
        raise PlanError(f"{where}: {found} cells, wanted {wanted}; an empty cell needs its comma")


def is_pattern(text: str) -> bool:
    """Whether `text` is a shell pattern rather than a plain name."""
    return any(sign in text for sign in "*?[")


def select(
    wanted: Iterable[str],
    known: Iterable[str],
    where: str,
    kind: str,
    also: Iterable[str] = (),
) -> list[str]:
    """Names in the order of `known` that `wanted` (names or patterns) selects.

    Raises:
        PlanError: an entry that selects nothing; the hint counts the names in `also` too.
    """
    names = dict.fromkeys(known)
    chosen: set[str] = set()
    for entry in wanted:
        hits = fnmatch.filter(names, entry) if is_pattern(entry) else [entry]
        if not hits or hits[0] not in names:
            raise unknown(where, kind, entry, [*names, *also])
        chosen.update(hits)
    return [name for name in names if name in chosen]
