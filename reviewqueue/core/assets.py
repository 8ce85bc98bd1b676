"""Static files: their digest in the address, and compressed for whoever takes them so.

Pages are not compressed: they hold secrets beside what somebody else may have written (BREACH).
"""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Response, request, url_for

from reviewqueue.core.places import PACKAGE

FOLDER = PACKAGE / "static"
COMPRESSED = frozenset({"text/css", "text/javascript", "image/svg+xml"})


def static_url(name: str) -> str:
    """The address of a static file, with its digest, so that it may be cached for ever."""
    return url_for("static", filename=name, v=_digest(FOLDER / name))


@lru_cache(maxsize=256)
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def compress(response: Response) -> Response:
    """After a request: send a static file as gzip to a browser that takes it."""
    if request.endpoint != "static" or response.mimetype not in COMPRESSED:
        return response
    response.vary.add("Accept-Encoding")
    if response.status_code == 200 and request.method == "GET" and request.accept_encodings["gzip"]:
        etag, _ = response.get_etag()
        response.direct_passthrough = False
        response.set_data(_compressed(response.get_data()))
        response.content_encoding = "gzip"
        # The same file in other bytes: equal in meaning, not octet by octet (RFC 9110, section 8.8.1).
        response.set_etag(str(etag), weak=True)
    return response


@lru_cache(maxsize=64)
def _compressed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)
