"""The members of a dataset version: a line `<item id> <SHA-256 of its record>` each, in the order of ids. Pure.

Whoever has the members of two versions knows what came, went and changed without reading a record.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

ADDED, CHANGED, UNCHANGED, WITHDRAWN = "added", "changed", "unchanged", "withdrawn"
LINE = 36 + 1 + 64 + 1
"""Bytes of a line, its end included."""


def line(item_id: str, record: bytes) -> bytes:
    """The member that a record makes; `record` is its line in JSON, without the end."""
    return f"{item_id} {hashlib.sha256(record).hexdigest()}\n".encode()


def between(lines: Iterable[bytes], after: str | None, upto: str | None) -> Iterator[bytes]:
    """Those of `lines` whose ids are greater than `after`, up to and including `upto`."""
    low, high = (after or "").encode(), (upto or "g").encode()
    for one in lines:
        if one[:36] > high:
            return
        if one[:36] > low:
            yield one


class Comparison:
    """Walks the members of an older version beside those of this one, both in the order of ids."""

    def __init__(self, older: Iterator[bytes]) -> None:
        self._older = older
        self._next = next(older, None)
        self.counted: Counter[str] = Counter()
        self.withdrawn: list[bytes] = []
        """Ids, each a line, that were passed by since they were last taken away."""

    def take(self, member: bytes) -> str:
        """What has become of a member since the older version."""
        while self._next is not None and self._next[:36] < member[:36]:
            self._withdraw()
        if self._next is None or self._next[:36] != member[:36]:
            return self._count(ADDED)
        found = UNCHANGED if self._next == member else CHANGED
        self._next = next(self._older, None)
        return self._count(found)

    def end(self) -> None:
        """What is left of the older version is not in this one."""
        while self._next is not None:
            self._withdraw()

    def taken_away(self) -> bytes:
        """The ids that were withdrawn since this was asked last."""
        found, self.withdrawn = b"".join(self.withdrawn), []
        return found

    def _withdraw(self) -> None:
        assert self._next is not None
        self.withdrawn.append(self._next[:36] + b"\n")
        self._count(WITHDRAWN)
        self._next = next(self._older, None)

    def _count(self, what: str) -> str:
        self.counted[what] += 1
        return what
