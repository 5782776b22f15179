"""The one kind of error this room raises, and how a command line reports it."""

from __future__ import annotations

import sys
from collections.abc import Callable

from paper_tables.errors import PlanError


class AnalysisError(ValueError):
    """Results or descriptions that cannot be used; the message is one line."""


def exit_code(command: Callable[[], None]) -> int:
    """Run `command`; a known mistake becomes one line on standard error and exit code 2."""
    try:
        command()
    except (AnalysisError, PlanError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
