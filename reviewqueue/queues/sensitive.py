"""What a queue marks as sensitive: covered where it is shown, left out where it is exported. Pure.

A part is a JSON Pointer into an item, `/input/iban` or `/metadata/phone`; `*` stands for every element of a list.
Pictures and documents are not covered: they are given out by their own addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from reviewqueue.core.strictjson import unescape_pointer
from reviewqueue.queues import candidates, messages, pages
from reviewqueue.queues.references import NAME
from reviewqueue.queues.views import View

COVER = "•••••"
ROOTS = ("input", "metadata")
_GONE = object()


def covered(value: Any, root: str, parts: Sequence[str]) -> Any:
    """`value`, an item's `root`, with each text, number and truth value in those parts covered."""
    return _changed(value, root, parts, _cover)


def left_out(value: Any, root: str, parts: Sequence[str]) -> Any:
    """`value` without those parts: members are not there, elements of lists are null."""
    found = _changed(value, root, parts, lambda _: _GONE)
    return None if found is _GONE else found


def _changed(value: Any, root: str, parts: Sequence[str], change: Callable[[Any], Any]) -> Any:
    for part in parts:
        first, *path = segments(part)
        if first == root:
            value = _at(value, path, change)
    return value


def segments(part: str) -> list[str]:
    return [unescape_pointer(segment) for segment in part.split("/")[1:]]


def _at(value: Any, path: Sequence[str], change: Callable[[Any], Any]) -> Any:
    if not path or value is _GONE:
        return change(value)
    name, *rest = path
    if isinstance(value, dict) and name in value:
        found = {**value, name: _at(value[name], rest, change)}
        return {key: element for key, element in found.items() if element is not _GONE}
    if isinstance(value, list):
        found_there = [
            _at(element, rest, change) if name in ("*", str(index)) else element for index, element in enumerate(value)
        ]
        return [None if element is _GONE else element for element in found_there]
    return value


def _cover(value: Any) -> Any:
    if isinstance(value, dict):
        return value if NAME in value else {key: _cover(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_cover(element) for element in value]
    return None if value is None else COVER


def worked_on(view: View) -> frozenset[str]:
    """The properties of the input that the view's editor reads: who decides cannot do without them."""
    named: dict[str, set[str | None]] = {
        "spans": {view.input}, "compare": {view.candidates or candidates.PROPERTY},
        "document": {view.words or pages.WORDS}, "chat": {view.input or messages.PROPERTY, "tools"},
    }  # fmt: skip
    return frozenset(name for name in named.get(view.type, ()) if name is not None)
