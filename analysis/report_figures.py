"""Figures inside the report: vector drawings where they are small, else pictures of bounded size."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.image as mpimg

#: Bytes that one figure may take, and that all of a page may take together, before base64.
FIGURE_BYTES = 450_000
PAGE_BYTES = 4_500_000


@dataclass(frozen=True)
class FigureView:
    """A figure as a `data:` address."""

    anchor: str
    caption: str
    address: str


def shrunk(picture: bytes, limit: int) -> bytes:
    """A PNG of at most `limit` bytes: halved in both directions until it fits."""
    while len(picture) > limit:
        pixels = mpimg.imread(io.BytesIO(picture), format="png")
        height, width = (size // 2 * 2 for size in pixels.shape[:2])
        if min(height, width) < 2:
            break
        blocks = pixels[:height, :width].reshape(height // 2, 2, width // 2, 2, -1)
        buffer = io.BytesIO()
        mpimg.imsave(buffer, blocks.mean(axis=(1, 3)), format="png")
        picture = buffer.getvalue()
    return picture


def _content(stem: Path, limit: int) -> tuple[str, bytes]:
    """Kind and bytes of a figure: `stem`.svg if it fits `limit`, else `stem`.png made to fit."""
    drawing, picture = (stem.with_name(f"{stem.name}.{suffix}") for suffix in ("svg", "png"))
    content = drawing.read_bytes() if drawing.is_file() else b""
    if 0 < len(content) <= limit:
        return "svg+xml", content
    return "png", shrunk(picture.read_bytes(), limit)


def embed(stems: Iterable[Path]) -> dict[Path, str]:
    """The figures as `data:` addresses, small enough to stand in one page together.

    A stem is a path without suffix; the figure lies there as .png, and better as .svg too.
    """
    stems, limit = list(stems), FIGURE_BYTES
    contents = {stem: _content(stem, limit) for stem in stems}
    while sum(len(content) for _, content in contents.values()) > PAGE_BYTES:
        limit //= 2
        contents = {stem: _content(stem, limit) for stem in stems}
    return {
        stem: f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
        for stem, (kind, content) in contents.items()
    }
