"""Where the input of an item refers to media: `{"$media": "<id or address>"}`. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reviewqueue.core.strictjson import escape_pointer

NAME = "$media"
MOST = 100
"""In one item."""


@dataclass(frozen=True)
class Reference:
    """One of them; its place among those of the item is where it stands in `references_in`."""

    pointer: str
    """JSON Pointer into the input, of the object."""
    given: Any
    """An id, or an address; whatever was sent, before it is checked."""

    @property
    def is_address(self) -> bool:
        return isinstance(self.given, str) and "://" in self.given


def references_in(value: Any, pointer: str = "") -> Iterator[Reference]:
    """In the order in which they are written."""
    if isinstance(value, dict):
        if NAME in value:
            yield Reference(pointer, value[NAME])
            return
        for key, part in value.items():
            yield from references_in(part, f"{pointer}/{escape_pointer(str(key))}")
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from references_in(part, f"{pointer}/{index}")


def without(value: Any) -> Any:
    """`value` without what refers to media, and without lists and members that held nothing else."""
    if isinstance(value, dict):
        return {key: without(part) for key, part in value.items() if not _only_media(part)}
    if isinstance(value, list):
        return [without(part) for part in value if not _only_media(part)]
    return value


def _only_media(value: Any) -> bool:
    if isinstance(value, dict):
        return NAME in value
    return isinstance(value, list) and bool(value) and all(_only_media(part) for part in value)
