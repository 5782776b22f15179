"""Errors of this package; each message is one line that names the place and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TaskError(ValueError):
    """A task, a data spec or an option that does not exist or does not fit."""


class DatasetError(ValueError):
    """A data file that is damaged, incomplete or belongs to another task."""


class FetchError(RuntimeError):
    """A download that failed or did not deliver the published file."""


class RenderingError(RuntimeError):
    """No OpenGL back end draws without a screen on this machine."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'X'?`` with the known name most like ``name``, or nothing."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"; did you mean '{found[0]}'?" if found else ""
