"""The one kind of error that planning raises, and the nearest-name hint it carries."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PlanError(ValueError):
    """A mistake in the configuration; the message is one line naming file, key and nearest name."""


def unknown(where: str, kind: str, name: str, known: Iterable[str]) -> PlanError:
    """Return the error for a name that is not registered, with the nearest name that is."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.0)
    hint = f"; nearest: '{close[0]}'" if close else "; none is declared"
    return PlanError(f"{where}: unknown {kind} '{name}'{hint}")
