"""Options of data generators, checked as a data spec gives them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from envs.errors import TaskError, nearest


def check_names(options: Collection[str], known: Collection[str], generator: str) -> None:
    """Every name is one that the generator knows.

    Raises:
        TaskError: one is not; the message names the nearest.
    """
    for name in options:
        if name not in known:
            hint = nearest(name, known)
            raise TaskError(f"options: generator {generator} has no option '{name}'{hint}")


def check_noise(noise: Any) -> None:
    """A standard deviation of noise on actions.

    Raises:
        TaskError: not a finite number from 0 up.
    """
    if isinstance(noise, bool) or not isinstance(noise, int | float):
        raise TaskError(f"options.noise: must be a number, got {noise!r}")
    if not 0.0 <= noise < np.inf:
        raise TaskError(f"options.noise: must be finite and not negative, got {noise}")


@dataclass(frozen=True)
class DemonstrationOptions:
    """Options of the generators that drive a scripted expert.

    Attributes:
        demonstrations: successful episodes to keep.
        noise: standard deviation of Gaussian noise on the actions before clipping.
    """

    demonstrations: int = 20
    noise: float = 0.1

    @classmethod
    def parse(cls, options: dict[str, Any], generator: str) -> DemonstrationOptions:
        """Options from a data spec of ``generator``.

        Raises:
            TaskError: an unknown name or a value that does not fit.
        """
        check_names(options, cls.__dataclass_fields__, generator)
        found = cls(**options)
        count = found.demonstrations
        if isinstance(count, bool) or not isinstance(count, int) or count < 1:
            raise TaskError(f"options.demonstrations: must be an integer from 1 up, got {count!r}")
        check_noise(found.noise)
        return found
