"""Boxes as the desk draws them over their picture: those that the AI gave, those of the form, what changes. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from reviewqueue.media.reading import Picture
from reviewqueue.queues.boxes import SIDES, Pixels, in_pixels
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.queues.views import View
from reviewqueue.review.fields import Part
from reviewqueue.review.histories import ItemHistory
from reviewqueue.review.marking import Label, offered_labels
from reviewqueue.review.sheets import Sheets, shared_out
from reviewqueue.review.shown import Change


@dataclass(frozen=True)
class Drawn:
    """One box; its sides as they are stored."""

    label: str
    sides: tuple[float, float, float, float]
    pixels: Pixels
    key: str = ""
    """Of its row in the form."""

    @property
    def identity(self) -> tuple[Any, ...]:
        return (self.label, *self.sides)


@dataclass(frozen=True)
class Boxing:
    width: int
    """Of the picture, in pixels; 0 where there is none to draw over."""
    height: int
    percent: bool
    given: list[Drawn]
    now: list[Drawn]
    labels: list[Label]

    @property
    def colours(self) -> dict[str, int]:
        return {label.name: label.colour for label in self.labels}

    @property
    def as_given(self) -> str:
        """The AI's boxes, for the script: `[[x, y, width, height, label], …]`, as they are stored."""
        return json.dumps([[*box.sides, box.label] for box in self.given])

    def quotes(self) -> dict[str, str]:
        """What each row of the form says, in words."""
        return {box.key: self.said(box) for box in self.now}

    def said(self, box: Drawn) -> str:
        """`dog 120 × 80 at 35, 12`, in pixels."""
        place = box.pixels
        return f"{box.label} {place.width:.0f} × {place.height:.0f} at {place.x:.0f}, {place.y:.0f}"

    @property
    def changes(self) -> list[Change]:
        """Boxes that go and come."""
        before, after = {box.identity for box in self.given}, {box.identity for box in self.now}
        gone = [Change("gone", self.said(box)) for box in self.given if box.identity not in after]
        new = [Change("new", self.said(box)) for box in self.now if box.identity not in before]
        return [change for change in [*gone, *new] if change.text]


def boxing(config: QueueConfig, ai: Any, part: Part, sheets: Sheets) -> Boxing:
    """`part` is the list of boxes as the form holds it."""
    picture = sheets.first
    width, height = (picture.width or 0, picture.height or 0) if picture else (0, 0)
    percent = config.view.unit == "percent"

    def drawn(box: Any, key: str) -> Drawn | None:
        return _drawn(box, key, width, height, percent=percent)

    given = _all(drawn, [(box, str(index)) for index, box in enumerate(ai if isinstance(ai, list) else [])])
    rows = [(_typed(row), row.key) for row in part.children] if part.kind == "array" else []
    now = _all(drawn, rows) if part.kind == "array" else given
    return Boxing(width, height, percent, given, now, offered_labels(config.labels, [box.label for box in given]))


def _all(drawn: Callable[[Any, str], Drawn | None], boxes: list[tuple[Any, str]]) -> list[Drawn]:
    return [found for box, key in boxes if (found := drawn(box, key))]


def _typed(row: Part) -> dict[str, Any]:
    """The texts of a row of the form."""
    texts = {leaf.name.rpartition("/")[2]: leaf.text.strip() for leaf in row.children}
    label = texts.pop("label", "")
    with suppress(ValueError):
        label = json.loads(label)
    return {**texts, "label": label or None} if label else texts


def _drawn(box: Any, key: str, width: int, height: int, *, percent: bool) -> Drawn | None:
    """The box; None while its numbers are none."""
    with suppress(KeyError, TypeError, ValueError):
        sides = tuple(float(str(box[side])) for side in SIDES)
        if all(math.isfinite(side) for side in sides):
            label = box["label"] if isinstance(box["label"], str) else json.dumps(box["label"])
            stored = dict(zip(SIDES, sides, strict=True))
            return Drawn(label, sides, in_pixels(stored, width, height, percent=percent), key)  # type: ignore[arg-type]
    return None


# -- on the page of an item -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """Boxes of the AI and of the answer in force over one picture."""

    boxes: list[tuple[str, Drawn]]
    """With what became of each: `same`, `gone` or `new`."""

    def has(self, kind: str) -> bool:
        return any(found == kind for found, _ in self.boxes)


def drawn_over(history: ItemHistory) -> dict[int, Compared]:
    """For an item of boxes: by the place of its picture, what to draw over it. Empty for any other."""
    view = history.config.view
    picture = shared_out(view, history.input, history.pictures).first
    if view.type != "image_boxes" or picture is None:
        return {}
    given = _of_output(history.output, view, picture)
    newest = history.resolutions[0] if history.resolutions else None
    if newest is None or newest.verdict == "reject" or not newest.output:
        return {picture.place: Compared([("same", box) for box in given])}
    answered = _of_output(json.loads(newest.output), view, picture)
    kept, known = {box.identity for box in answered}, {box.identity for box in given}
    boxes = [("same" if box.identity in kept else "gone", box) for box in given]
    return {picture.place: Compared([*boxes, *(("new", box) for box in answered if box.identity not in known)])}


def _of_output(output: Any, view: View, picture: Picture) -> list[Drawn]:
    value = output if view.output is None else output.get(view.output) if isinstance(output, dict) else None
    found = [
        _drawn(box, "", picture.width or 0, picture.height or 0, percent=view.unit == "percent")
        for box in (value if isinstance(value, list) else [])
    ]
    return [box for box in found if box is not None]
