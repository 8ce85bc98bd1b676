"""Identifiers. Pure."""

from __future__ import annotations

import os
import time
import uuid

from reviewqueue.errors import NotFound


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as text: 48 bits of milliseconds, then random, so that ids sort by time."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))


def known_id(text: str) -> str:
    """`text` as a normal id. Raises `NotFound` for what cannot be one, as for an id that does not exist."""
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError):
        raise NotFound from None
