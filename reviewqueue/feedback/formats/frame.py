"""What the formats of annotation tools need to know of a queue, and of the media of an item. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.media.kinds import SUFFIXES


class View(Protocol):
    """What is read of a queue's view."""

    @property
    def type(self) -> str: ...
    @property
    def input(self) -> str | None: ...
    @property
    def output(self) -> str | None: ...
    @property
    def unit(self) -> str: ...


@dataclass(frozen=True)
class Frame:
    """Of one shard of an export."""

    views: Mapping[int, View] = field(default_factory=dict)
    """By version of the configuration."""
    labels: Sequence[str] = ()
    """Of all versions, the oldest first, so that every shard numbers them alike."""
    shard: int = 0


def decided(view: View, output: Any) -> Any:
    """What the view decides of an output; None where there is none."""
    if view.output is None:
        return output
    return output.get(view.output) if isinstance(output, dict) else None


def file_name(row: Any) -> str:
    """What a picture is called: the address it was fetched from, or its id and what it is."""
    return str(row.url) if row.url else f"{row.id}.{SUFFIXES.get(row.mime, 'bin')}"


def below(view: View, pointer: str) -> bool:
    """Whether a reference is one of those that the view shows."""
    wanted = "" if view.input is None else f"/{escape_pointer(view.input)}"
    return pointer == wanted or pointer.startswith(f"{wanted}/")
