"""What the formats of annotation tools need to know of a queue, and of the media of an item. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from reviewqueue.core.strictjson import as_written, escape_pointer, spliced
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
    @property
    def candidates(self) -> str | None: ...


@dataclass(frozen=True)
class Frame:
    """Of one shard of an export."""

    views: Mapping[int, View] = field(default_factory=dict)
    """By version of the configuration."""
    labels: Sequence[str] = ()
    """Of all versions, the oldest first, so that every shard numbers them alike."""
    shard: int = 0
    version: int | None = None
    """Of the configuration as which all outputs are exported; None: each as the version that routed its item."""

    def view_of(self, row: Any) -> View:
        """The view that reads an item's output."""
        return self.views[row.config_version if self.version is None else self.version]


def decided(view: View, output: Any) -> Any:
    """What the view decides of an output; None where there is none."""
    if view.output is None:
        return output
    return output.get(view.output) if isinstance(output, dict) else None


def text_of(view: View, given: Any) -> str:
    """What the view reads of an input, as text."""
    return as_text(given.get(view.input) if view.input is not None and isinstance(given, dict) else given)


def as_text(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else spliced(as_written(value))


def file_name(row: Any) -> str:
    """What a picture is called: the address it was fetched from, or its id and what it is."""
    return str(row.url) if row.url else f"{row.id}.{SUFFIXES.get(row.mime, 'bin')}"


def below(view: View, pointer: str) -> bool:
    """Whether a reference is one of those that the view shows."""
    wanted = "" if view.input is None else f"/{escape_pointer(view.input)}"
    return pointer == wanted or pointer.startswith(f"{wanted}/")
