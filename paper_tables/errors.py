"""The one kind of error that planning raises, and choosing names with a hint at the nearest."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable


class PlanError(ValueError):
    """A mistake in the configuration; the message is one line naming file, key and nearest name."""


def unknown(where: str, kind: str, name: str, known: Iterable[str]) -> PlanError:
    """Return the error for a name that is not registered, with the nearest name that is."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.0)
    hint = f"; nearest: '{close[0]}'" if close else "; none is declared"
    return PlanError(f"{where}: unknown {kind} '{name}'{hint}")


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
