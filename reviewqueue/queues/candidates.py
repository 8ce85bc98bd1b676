"""What a `compare` compares: the candidates in an item's input, and which outputs name them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Fault

MOST = 9
"""As many as there are digits."""
PROPERTY = "candidates"


def how(schema: Mapping[str, Any]) -> Literal["pick", "rank"] | None:
    """What an output of this schema says of the candidates: the best, or their order; None if it can say neither."""
    kind = schema.get("type")
    if kind == "string" or (isinstance(kind, list) and sorted(kind) == ["null", "string"]):
        return "pick"
    elements = schema.get("items")
    return "rank" if kind == "array" and isinstance(elements, Mapping) and elements.get("type") == "string" else None


def found_in(value: Any, name: str | None) -> list[Any]:
    """The candidates of an input."""
    found = value.get(name or PROPERTY) if isinstance(value, Mapping) else None
    return found if isinstance(found, list) else []


def faults_in(value: Any, name: str | None, pointer: str) -> list[Fault]:
    """Where an input has not 2 to 9 candidates, each `{id, output}` with an id of its own."""
    place = f"{pointer}/{escape_pointer(name or PROPERTY)}"
    found = found_in(value, name)
    if not 2 <= len(found) <= MOST:
        return [Fault(place, f"must be a list of 2 to {MOST} candidates: the queue compares them")]
    faults, seen = [], set()
    for index, candidate in enumerate(found):
        known = candidate.get("id") if isinstance(candidate, Mapping) else None
        if not isinstance(known, str) or not known or "output" not in candidate:
            faults.append(Fault(f"{place}/{index}", "must be an object with id, a text, and output"))
        elif known in seen:
            faults.append(Fault(f"{place}/{index}/id", "stands twice"))
        else:
            seen.add(known)
    return faults


def faults_of_choice(value: Any, given: Any, name: str | None, pointer: str) -> list[Fault]:
    """Where an output names something that is no candidate of the input, or a ranking leaves one out."""
    ids = [candidate.get("id") for candidate in found_in(given, name) if isinstance(candidate, Mapping)]
    if isinstance(value, str) and value not in ids:
        return [Fault(pointer, "must be the id of one of the candidates")]
    if isinstance(value, list) and sorted(map(str, value)) != sorted(map(str, ids)):
        return [Fault(pointer, "must have the id of every candidate once, the best first")]
    return []
