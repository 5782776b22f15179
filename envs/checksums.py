"""Checksums of files, and the record of those nobody published (trust on first use)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from envs.errors import DatasetError
from envs.storage import atomic_file

RECORD = "checksums.json"


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    except ValueError:
        raise DatasetError(f"{path}: not JSON; delete it and fetch again") from None
    return content


def recorded_sha256(folder: Path, url: str) -> str | None:
    """The checksum recorded in ``folder`` for an address at its first download, or None."""
    entry = _read(folder).get(url)
    return str(entry["sha256"]) if entry else None


def record_sha256(folder: Path, url: str, sha256: str, size: int) -> None:
    """Remember the checksum of an address, atomically."""
    content = _read(folder) | {url: {"sha256": sha256, "bytes": size}}
    with atomic_file(folder / RECORD) as temporary:
        temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
