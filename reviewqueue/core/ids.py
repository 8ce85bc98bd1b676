"""Identifiers. Pure."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid

from reviewqueue.errors import NotFound

_COUNTED = 1 << 12


class _Places:
    """Milliseconds and counter as one number that only rises."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = 0

    def next(self) -> int:
        with self._lock:
            self._latest = max(time.time_ns() // 1_000_000 * _COUNTED, self._latest + 1)
            return self._latest


_places = _Places()


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as text: 48 bits of milliseconds, a counter of 12 bits (section 6.2, method 1),
    then random. So ids sort by time, and those of one process in the order in which they were made."""
    milliseconds, counter = divmod(_places.next(), _COUNTED)
    random = int.from_bytes(os.urandom(8), "big") >> 2
    digits = f"{milliseconds << 80 | 0x7 << 76 | counter << 64 | 0x2 << 62 | random:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def id_at(seconds: float, seed: str) -> str:
    """A UUIDv7 as if it had been made at that Unix time, the same for the same seed."""
    digest = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:10], "big")
    counter, random = digest >> 68, digest & (1 << 62) - 1
    return str(uuid.UUID(int=int(seconds * 1000) << 80 | 0x7 << 76 | counter << 64 | 0x2 << 62 | random))


def first_id_at(seconds: float) -> str:
    """No id made at that Unix time or later sorts before it."""
    return str(uuid.UUID(int=max(0, int(seconds * 1000)) << 80))


def known_id(text: str) -> str:
    """`text` as a normal id. Raises `NotFound` for what cannot be one, as for an id that does not exist."""
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError):
        raise NotFound from None
