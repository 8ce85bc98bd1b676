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

    def take(self, count: int) -> range:
        """The next `count` of them."""
        with self._lock:
            first = max(time.time_ns() // 1_000_000 * _COUNTED, self._latest + 1)
            self._latest = first + count - 1
            return range(first, first + count)


_places = _Places()


def new_id() -> str:
    """A UUIDv7 (RFC 9562, section 5.7) as text: 48 bits of milliseconds, a counter of 12 bits (section 6.2, method 1),
    then random. So ids sort by time, and those of one process in the order in which they were made."""
    return new_ids(1)[0]


def new_ids(count: int) -> list[str]:
    """As many, in their order."""
    random = os.urandom(8 * count).hex()
    return [
        f"{place >> 28 & 0xFFFFFFFF:08x}-{place >> 12 & 0xFFFF:04x}-7{place & 0xFFF:03x}"
        f"-{_VARIANT[random[at]]}{random[at + 1 : at + 4]}-{random[at + 4 : at + 16]}"
        for place, at in zip(_places.take(count), range(0, 16 * count, 16), strict=True)
    ]


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The variant's two bits are 10, the next two are random."""


def id_at(seconds: float, seed: str) -> str:
    """A UUIDv7 as if it had been made at that Unix time, the first of its millisecond as most are; the same for the
    same seed."""
    random = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") & (1 << 62) - 1
    return str(uuid.UUID(int=int(seconds * 1000) << 80 | 0x7 << 76 | 0x2 << 62 | random))


def first_id_at(seconds: float) -> str:
    """No id made at that Unix time or later sorts before it."""
    return str(uuid.UUID(int=max(0, int(seconds * 1000)) << 80))


def known_id(text: str) -> str:
    """`text` as a normal id. Raises `NotFound` for what cannot be one, as for an id that does not exist."""
    try:
        return str(uuid.UUID(text))
    except (ValueError, AttributeError):
        raise NotFound from None
