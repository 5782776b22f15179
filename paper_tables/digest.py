"""Canonical JSON and the digests that identify runs, fits and data files."""

from __future__ import annotations

import hashlib
import json
from typing import Any

#: Keys of a job's spec that say where and for whom it runs, not what it computes.
OUTSIDE_DIGEST = ("digest", "tier", "seeds")


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(value: Any) -> str:
    """sha256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def spec_digest(spec: dict[str, Any]) -> str:
    """Identity of a job: sha256 of its spec without `digest`, `tier` and `seeds`."""
    return sha256({key: value for key, value in spec.items() if key not in OUTSIDE_DIGEST})
