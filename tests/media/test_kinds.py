"""What a file is, by its own first bytes."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from reviewqueue.media.kinds import Kind, kind_of
from tests.fixtures.media import png

WEBP = base64.b64decode("UklGRhoAAABXRUJQVlA4TA0AAAAvAwABAAcQERGIiP4HAA==")
"""4 × 5, lossless."""
EXTENDED = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x3f\x01\0\xef\0\0"
LOSSY = b"RIFF\x1e\0\0\0WEBPVP8 \x12\0\0\0\x30\x01\0\x9d\x01\x2a\x40\x01\xf0\x00"
GIF = b"GIF89a\x40\x01\xf0\x00\x80\0\0"
JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0\xff\xff\xc2\0\x11\x08\0\xf0\x01\x40\x03"


@pytest.mark.parametrize(
    ("data", "mime", "size"),
    [
        (png(320, 240), "image/png", (320, 240)),
        (JPEG, "image/jpeg", (320, 240)),
        (GIF, "image/gif", (320, 240)),
        (WEBP, "image/webp", (4, 5)),
        (EXTENDED, "image/webp", (320, 240)),
        (LOSSY, "image/webp", (320, 240)),
        (b"%PDF-1.7\n", "application/pdf", (None, None)),
    ],
)
def test_a_file_is_known_by_its_first_bytes_and_its_size_is_read(data, mime, size):
    found = kind_of(data)
    assert found is not None
    assert (found.mime, (found.width, found.height)) == (mime, size)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<?xml version='1.0'?><svg/>", b"<html>", b"MZ", b"BM",
        b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\xff\xff", b"GIF89a", b"RIFF\0\0\0\0WEBP", b"RIFFWAVE",
        b" %PDF-1.7", png(1, 1)[:16] + b"\0\1\0\0\0\1\0\0", png(1, 1)[:16] + bytes(8),
    ],
    ids=repr,
)  # fmt: skip
def test_anything_else_is_nothing_whatever_it_is_called(data):
    assert kind_of(data) is None


@pytest.mark.data
def test_real_scans_are_known():
    folder = os.environ.get("REVIEWQUEUE_TEST_DATA")
    if not folder:
        pytest.skip("REVIEWQUEUE_TEST_DATA does not name the data sets")
    found = kind_of((Path(folder) / "receipts" / "img" / "000.jpg").read_bytes())
    assert found == Kind("image/jpeg", "jpg", 463, 1013)
