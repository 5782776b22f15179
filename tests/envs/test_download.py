import dataclasses
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from envs.datasets import make
from envs.download import fetch
from envs.errors import DatasetError, FetchError
from envs.loader import load
from envs.spec import DataSpec
from envs.tasks import get_task

CONTENT = bytes(range(256)) * 4000
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(HTTPServer):
    """A file at /file; what it does wrong is set by the test."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.honour_range = True
        self.break_after: int | None = None
        self.content = CONTENT
        self.tag: str | None = None

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of these tests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        if self.path != "/file":
            self.send_error(404)
            return
        if self.headers.get("If-Range", self.server.tag) != self.server.tag:
            asked = None
        start = (
            int(asked.removeprefix("bytes=").removesuffix("-"))
            if asked and self.server.honour_range
            else 0
        )
        content = self.server.content
        if start and start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        stop = len(content) if self.server.break_after is None else start + self.server.break_after
        self.wfile.write(content[start:stop])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    thread = threading.Thread(target=partial(found.serve_forever, poll_interval=0.01))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


def test_a_published_file(server: Server, tmp_path: Path) -> None:
    out, seen = tmp_path / "new" / "x", []
    assert fetch(server.url, out, SHA, len(CONTENT), seen.append) == SHA
    assert out.read_bytes() == CONTENT and sum(seen) == len(CONTENT)
    assert [path.name for path in out.parent.iterdir()] == ["x"]


def test_an_interrupted_download_goes_on(server: Server, tmp_path: Path) -> None:
    out, seen = tmp_path / "x", []
    server.break_after = 300_000
    with pytest.raises(
        FetchError, match="broke after 300000 of 1024000 bytes; run it again to go on"
    ):
        fetch(server.url, out, SHA, len(CONTENT))
    assert not out.exists() and (tmp_path / "x.part").stat().st_size == 300_000
    server.break_after = None
    fetch(server.url, out, SHA, len(CONTENT), seen.append)
    assert server.ranges == [None, "bytes=300000-"] and out.read_bytes() == CONTENT
    assert sum(seen) == len(CONTENT) and not (tmp_path / "x.part").exists()


def test_a_server_that_ignores_ranges(server: Server, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(b"stale" * 1000)
    server.honour_range = False
    fetch(server.url, tmp_path / "x", SHA, len(CONTENT))
    assert (tmp_path / "x").read_bytes() == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_complete_part_is_not_downloaded_again(
    server: Server, tmp_path: Path, size: int | None
) -> None:
    (tmp_path / "x.part").write_bytes(CONTENT)
    fetch(server.url, tmp_path / "x", SHA, size)
    assert (tmp_path / "x").read_bytes() == CONTENT and len(server.ranges) == (size is None)


def test_wrong_checksum(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"sha256 {SHA}, published is {'0' * 64}; removed"):
        fetch(server.url, tmp_path / "x", "0" * 64, len(CONTENT))
    assert not list(tmp_path.iterdir())


def test_wrong_size(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:-5]
    with pytest.raises(FetchError, match="1023995 bytes, the published file has 1024000"):
        fetch(server.url, tmp_path / "x", SHA, len(CONTENT))
    assert not list(tmp_path.iterdir())


def test_not_found(server: Server, tmp_path: Path) -> None:
    with pytest.raises(
        FetchError, match="/other: the server answers 404 Not Found; download it by other means"
    ):
        fetch(server.url.replace("/file", "/other"), tmp_path / "x", SHA, None)
    assert not list(tmp_path.iterdir())


def test_no_connection(tmp_path: Path) -> None:
    free = Server()
    url = free.url
    free.server_close()
    with pytest.raises(FetchError, match="Connection refused; run it again"):
        fetch(url, tmp_path / "x", None, None)


def test_trust_on_first_use(server: Server, tmp_path: Path) -> None:
    assert fetch(server.url, tmp_path / "x", None, None) == SHA
    record = json.loads((tmp_path / "checksums.json").read_text())
    assert record == {server.url: {"sha256": SHA, "bytes": len(CONTENT)}}
    assert fetch(server.url, tmp_path / "again", None, None) == SHA
    server.content = CONTENT[::-1]
    with pytest.raises(FetchError, match=f"recorded at the first download is {SHA}"):
        fetch(server.url, tmp_path / "y", None, None)
    assert not (tmp_path / "y").exists()


def test_a_damaged_record(server: Server, tmp_path: Path) -> None:
    (tmp_path / "checksums.json").write_text("{")
    with pytest.raises(DatasetError, match=r"checksums\.json: not JSON; delete it"):
        fetch(server.url, tmp_path / "x", None, None)


def test_no_room(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1000))  # type: ignore[attr-defined]
    with pytest.raises(
        OSError, match="needs 1 MB, 0 MB are free; make room or choose another folder"
    ):
        fetch(server.url, tmp_path / "x", SHA, len(CONTENT))


def test_a_file_that_changed_meanwhile_is_taken_from_its_beginning(
    server: Server, tmp_path: Path
) -> None:
    server.tag, server.break_after = '"one"', 300_000
    with pytest.raises(FetchError, match="broke after"):
        fetch(server.url, tmp_path / "x", None, None)
    server.tag, server.break_after, server.content = '"two"', None, CONTENT[::-1]
    fetch(server.url, tmp_path / "x", None, None)
    assert (tmp_path / "x").read_bytes() == CONTENT[::-1]
    assert {path.name for path in tmp_path.iterdir()} == {"x", "checksums.json"}


def test_an_unchanged_file_goes_on_under_its_tag(server: Server, tmp_path: Path) -> None:
    server.tag, server.break_after = '"one"', 300_000
    with pytest.raises(FetchError, match="broke after"):
        fetch(server.url, tmp_path / "x", SHA, None)
    server.break_after = None
    fetch(server.url, tmp_path / "x", SHA, None)
    assert server.ranges == [None, "bytes=300000-"] and (tmp_path / "x").read_bytes() == CONTENT


def test_a_file_that_fails_its_check_is_neither_kept_nor_trusted(
    server: Server, tmp_path: Path
) -> None:
    def check(_: Path) -> None:
        raise DatasetError("not a data file; stop")

    with pytest.raises(DatasetError, match="not a data file"):
        fetch(server.url, tmp_path / "x", None, None, check=check)
    assert not list(tmp_path.iterdir())


def test_a_fetched_data_file_is_used_and_recognised(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    published_like: Callable[..., Path],
) -> None:
    server.content = published_like().read_bytes()
    name = "maze2d-umaze-v1"
    task = get_task(name)
    published = {**task.data["d4rl"], "url": server.url}
    changed = dataclasses.replace(task, data={**task.data, "d4rl": published})
    monkeypatch.setattr("envs.datasets.get_task", lambda _: changed)
    monkeypatch.setattr("envs.loader.get_task", lambda _: changed)
    out = tmp_path / "fetched" / "x.hdf5"
    make(DataSpec(name, "d4rl"), out)
    dataset = load(out, name)
    assert dataset.source == "d4rl" and dataset.sha256 == hashlib.sha256(server.content).hexdigest()
    server.content = server.content[:5000]
    out.unlink()
    (out.parent / "checksums.json").unlink()
    with pytest.raises(DatasetError, match="not a readable HDF5 file"):
        make(DataSpec(name, "d4rl"), out)
    assert not list(out.parent.iterdir())
