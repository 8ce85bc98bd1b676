"""Spans of a text: `{start, end, label}`, counted in Unicode code points, `end` behind the last one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Fault
from reviewqueue.queues.schemas import choices, resolved

MOST_FAULTS = 20


def labels(schema: Any, root: Any) -> list[Any]:
    """The labels of a list of spans of this schema, in its order; empty for anything else."""
    elements = resolved(schema.get("items"), root) if isinstance(schema, Mapping) else None
    properties = elements.get("properties") if isinstance(elements, Mapping) else None
    if schema.get("type") != "array" or not isinstance(properties, Mapping):
        return []
    places = [resolved(properties.get(edge), root) for edge in ("start", "end")]
    if not all(isinstance(place, Mapping) and place.get("type") == "integer" for place in places):
        return []
    return choices(resolved(properties.get("label"), root), None)


def text_in(given: Any, name: str | None) -> str | None:
    """The text of an input in which spans are."""
    text = given.get(name) if name is not None and isinstance(given, Mapping) else given
    return text if isinstance(text, str) else None


def faults_in(given: Any, name: str | None, pointer: str) -> list[Fault]:
    """Where an input has no text."""
    if text_in(given, name) is not None:
        return []
    place = pointer if name is None else f"{pointer}/{escape_pointer(name)}"
    return [Fault(place, "must be a text: the queue marks spans in it")]


def faults_of(value: Any, given: Any, name: str | None, pointer: str, *, overlap: bool) -> list[Fault]:
    """Where spans are not within the text, stand twice, or overlap and may not; at most 20."""
    text = text_in(given, name)
    if text is None or not isinstance(value, list):
        return []
    faults: list[Fault] = []
    known: set[tuple[int, int, str]] = set()
    for index, (start, end, label) in enumerate(triple(span) for span in value):
        place = f"{pointer}/{index}"
        if start < 0:
            faults.append(Fault(f"{place}/start", "is below 0"))
        elif not start < end <= len(text):
            detail = f"must be behind start and at most {len(text)}, the length of the text in code points"
            faults.append(Fault(f"{place}/end", detail))
        elif (start, end, label) in known:
            faults.append(Fault(place, "stands twice"))
        elif not overlap and any(start < other[1] and other[0] < end for other in known):
            faults.append(Fault(place, "overlaps another: the queue does not allow that"))
        known.add((start, end, label))
    return faults[:MOST_FAULTS]


def triple(span: Any) -> tuple[int, int, str]:
    """Start, end, and the label as text, of a span that its schema accepts."""
    return int(span["start"]), int(span["end"]), str(span["label"])
