"""Boxes on a picture: `{x, y, width, height, label}`, in pixels or percent of the picture. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reviewqueue.errors import Fault
from reviewqueue.queues.schemas import choices, resolved

SIDES = ("x", "y", "width", "height")
MOST_FAULTS = 20


@dataclass(frozen=True)
class Pixels:
    """A box in pixels of the picture, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float


def labels(schema: Any, root: Any) -> list[Any]:
    """The labels of a list of boxes of this schema, in its order; empty for anything else."""
    elements = resolved(schema.get("items"), root) if isinstance(schema, Mapping) else None
    properties = elements.get("properties") if isinstance(elements, Mapping) else None
    if schema.get("type") != "array" or not isinstance(properties, Mapping):
        return []
    sides = [resolved(properties.get(side), root) for side in SIDES]
    if not all(isinstance(side, Mapping) and side.get("type") in {"number", "integer"} for side in sides):
        return []
    return choices(resolved(properties.get("label"), root), None)


def faults_of(value: Any, pointer: str, *, percent: bool) -> list[Fault]:
    """Where boxes of the right schema are empty, out of the picture as far as can be told, or stand twice; at most
    20."""
    faults: list[Fault] = []
    known: set[tuple[float | str, ...]] = set()
    for index, box in enumerate(value if isinstance(value, list) else []):
        place = f"{pointer}/{index}"
        x, y, width, height = sides = tuple(float(box[side]) for side in SIDES)
        twin: tuple[float | str, ...] = (*sides, str(box["label"]))
        if x < 0 or y < 0:
            faults.append(Fault(f"{place}/{'x' if x < 0 else 'y'}", "is below 0"))
        elif width <= 0 or height <= 0:
            faults.append(Fault(f"{place}/{'width' if width <= 0 else 'height'}", "must be above 0"))
        elif percent and (x + width > 100.01 or y + height > 100.01):
            faults.append(Fault(place, "reaches out of the picture: x, y, width and height are percent"))
        elif twin in known:
            faults.append(Fault(place, "stands twice"))
        known.add(twin)
    return faults[:MOST_FAULTS]


def in_pixels(box: Any, width: int, height: int, *, percent: bool) -> Pixels:
    """Of a box that its schema accepts."""
    x, y, wide, high = (float(box[side]) for side in SIDES)
    if not percent:
        return Pixels(x, y, wide, high)
    return Pixels(x * width / 100, y * height / 100, wide * width / 100, high * height / 100)
