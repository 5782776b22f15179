"""Downloads of published files: resumable, checked by size and sha256, never half-written."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from envs.checksums import file_sha256, record_sha256, recorded_sha256
from envs.errors import DatasetError, FetchError
from envs.storage import require_space

BLOCK = 1 << 20
TIMEOUT = 60.0  # s without an answer
ELSEWHERE = "download it by other means and use source 'file' with its path"


def fetch(
    url: str,
    out: Path,
    sha256: str | None,
    size: int | None,
    progress: Callable[[int], None] = lambda _: None,
    check: Callable[[Path], object] = lambda _: None,
) -> str:
    """Download ``url`` to ``out`` and return its sha256.

    An interrupted download leaves ``out`` with the suffix ``.part`` and goes on from there next time, if the server
    still has the same file. Without a published ``sha256`` the first download's is recorded beside the file and
    asked for from then on.

    Args:
        url: address.
        out: file to write.
        sha256: published checksum, if there is one.
        size: published size in bytes, if it is known.
        progress: called with the number of new bytes.
        check: looks into the complete file before it is trusted and put in place; may raise DatasetError.

    Raises:
        DatasetError: from ``check``; the file is removed.
        FetchError: no connection, an error of the server, or another file than the published one.
        OSError: no room, or the folder cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_name(out.name + ".part")
    try:
        _download(url, part, size, progress)
    except urllib.error.HTTPError as error:
        raise FetchError(
            f"{url}: the server answers {error.code} {error.reason}; {ELSEWHERE}"
        ) from None
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        ConnectionError,
        TimeoutError,
    ) as error:
        reason = getattr(error, "reason", None) or error
        raise FetchError(f"{url}: {reason}; run it again to go on, or {ELSEWHERE}") from None
    found = _verify(url, out, part, sha256, size, check)
    part.replace(out)
    _tag_file(part).unlink(missing_ok=True)
    return found


def _tag_file(part: Path) -> Path:
    """Where the server's mark of the version that a part belongs to is kept."""
    return part.with_name(part.name + ".tag")


def _headers(part: Path, have: int) -> dict[str, str]:
    if not have:
        return {}
    tag = _tag_file(part)
    # If-Range: a server whose file has changed sends all of the new one
    condition = {"If-Range": tag.read_text("utf-8")} if tag.exists() else {}
    return {"Range": f"bytes={have}-", **condition}


def _download(url: str, part: Path, size: int | None, progress: Callable[[int], None]) -> None:
    have = part.stat().st_size if part.exists() else 0
    if size is not None and have >= size:
        return
    request = urllib.request.Request(url, headers=_headers(part, have))
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if (
            error.code == 416 and have
        ):  # nothing left to send: the part is complete, or not this file's
            return
        raise
    with answer:
        if have and answer.status != 206:  # the server starts at the beginning whatever is asked
            have = 0
        announced = answer.length
        if announced is not None:
            require_space(part.parent, announced, f"the download of {url}")
        mark = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if mark and not have:
            _tag_file(part).write_text(mark, "utf-8")
        progress(have)
        with part.open("ab" if have else "wb") as file:
            got = _copy(answer, file, progress)
    if announced is not None and got < announced:
        raise ConnectionError(
            f"the connection broke after {have + got} of {have + announced} bytes"
        )


def _copy(answer: Any, file: IO[bytes], progress: Callable[[int], None]) -> int:
    got = 0
    while block := answer.read(BLOCK):
        file.write(block)
        got += len(block)
        progress(len(block))
    return got


def _remove(part: Path) -> None:
    part.unlink()
    _tag_file(part).unlink(missing_ok=True)


def _verify(
    url: str,
    out: Path,
    part: Path,
    sha256: str | None,
    size: int | None,
    check: Callable[[Path], object],
) -> str:
    """Compare with what was published, else with what was recorded; a wrong file is removed."""
    have = part.stat().st_size
    if size is not None and have != size:
        _remove(part)
        raise FetchError(f"{url}: {have} bytes, the published file has {size}; {ELSEWHERE}")
    found = file_sha256(part)
    recorded = recorded_sha256(out.parent, url)
    expected, kind = (
        (sha256, "published") if sha256 else (recorded, "recorded at the first download")
    )
    if expected and found != expected:
        _remove(part)
        raise FetchError(f"{url}: sha256 {found}, {kind} is {expected}; removed, {ELSEWHERE}")
    try:
        check(part)
    except DatasetError:
        _remove(part)
        raise
    if not sha256 and not recorded:
        record_sha256(out.parent, url, found, have)
    return found
