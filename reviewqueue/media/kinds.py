"""What a file is, from its own first bytes: the name and the type that somebody claims count for nothing. Pure."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

MOST_PIXELS = 100_000_000
"""A picture of a few bytes may unpack to gigabytes in the reader's browser."""
KNOWN = "PNG, JPEG, GIF, WebP or PDF"
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
"""Of a JPEG: the markers that its size stands behind."""
_ALONE = frozenset({0xFF, 0x01, *range(0xD0, 0xD9)})
"""Markers that have no segment."""
MOST_SEGMENTS = 10_000
"""Looked through for the size; cameras write some dozens."""


@dataclass(frozen=True)
class Kind:
    mime: str
    suffix: str
    width: int | None = None
    """In pixels, as the file stores them; None for a document."""
    height: int | None = None

    @property
    def is_picture(self) -> bool:
        return self.width is not None


def kind_of(data: bytes) -> Kind | None:
    """What `data` is, all of a file or its beginning; None for what is not taken, as SVG, which is a program."""
    for begins, mime, suffix, size_of in _KINDS:
        if data.startswith(begins):
            size = _size(size_of, data)
            return Kind(mime, suffix, *size) if size else None
    return Kind("application/pdf", "pdf") if data.startswith(b"%PDF-") else None


def _size(size_of: Callable[[bytes], tuple[int, int] | None], data: bytes) -> tuple[int, int] | None:
    try:
        size = size_of(data)
    except (struct.error, IndexError):
        return None
    return size if size and 0 < size[0] * size[1] <= MOST_PIXELS else None


def _png(data: bytes) -> tuple[int, int] | None:
    return struct.unpack(">II", data[16:24]) if data[12:16] == b"IHDR" else None


def _gif(data: bytes) -> tuple[int, int] | None:
    return struct.unpack("<HH", data[6:10]) if data[4:6] in (b"7a", b"9a") else None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(MOST_SEGMENTS):
        if at + 9 > len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        # A fill byte stands alone, as do a few markers; all others say how long they are.
        at += 1 if marker == 0xFF else 2
        if marker not in _ALONE:
            at += struct.unpack(">H", data[at : at + 2])[0]
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[8:12] != b"WEBP":
        return None
    form = data[12:16]
    if form == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L" and data[20] == 0x2F:
        bits = struct.unpack("<I", data[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


_KINDS: tuple[tuple[bytes, str, str, Callable[[bytes], tuple[int, int] | None]], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png", "png", _png),
    (b"\xff\xd8\xff", "image/jpeg", "jpg", _jpeg),
    (b"GIF8", "image/gif", "gif", _gif),
    (b"RIFF", "image/webp", "webp", _webp),
)
SUFFIXES = {**{mime: suffix for _, mime, suffix, _ in _KINDS}, "application/pdf": "pdf"}
