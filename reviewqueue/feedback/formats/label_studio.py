"""Label Studio's JSON: tasks with what the model predicted and what people annotated. Pure.

    [{id, data, meta, predictions: [{model_version, score, result}],
      annotations: [{id, completed_by, was_cancelled, ground_truth, lead_time, result}]}]

A result is `{id, from_name, to_name, type, value}`; boxes are percent of the picture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from reviewqueue.feedback.formats.frame import Frame, View, below, decided, file_name
from reviewqueue.queues.boxes import SIDES, in_pixels
from reviewqueue.queues.references import NAME, references_in

Value = Mapping[str, Any]


class LabelStudio:
    """One file."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.rows = 0
        """Tasks that are in it."""

    def begin(self) -> bytes:
        return b"["

    def take(self, row: Any, decisions: Sequence[Any], media: Sequence[Any], _: bytes) -> bytes:
        """The task of an item."""
        view, given = self._frame.view_of(row), json.loads(row.input)
        picture = _picture(view, given, media)
        predicted = json.loads(row.output)
        task = {
            "data": _data(given, media), "meta": {"item_id": row.id, "external_id": row.external_id},
            "predictions": [{
                "model_version": "@".join(filter(None, (row.model, row.model_version))), "score": row.confidence,
                "result": list(_results(view, predicted, given, picture)),
            }] if predicted is not None else [],
            "annotations": [{
                "completed_by": _number(one.pseudonym), "was_cancelled": one.verdict == "reject",
                "ground_truth": False, "lead_time": one.spent_seconds,
                "result": list(_results(view, json.loads(one.output), given, picture)),
            } for one in decisions if not one.late],
        }  # fmt: skip
        self.rows += 1
        text = json.dumps(task, ensure_ascii=False, separators=(",", ":"))
        return (text if self.rows == 1 else f",\n{text}").encode()

    def end(self) -> bytes:
        return b"]\n"


def _number(pseudonym: str) -> int:
    """People are numbers there: the same for the same pseudonym."""
    return int(hashlib.sha256(pseudonym.encode()).hexdigest()[:7], 16)


def _picture(view: View, given: Any, media: Sequence[Any]) -> Any:
    places = [place for place, one in enumerate(references_in(given)) if below(view, one.pointer)]
    return next((one for one in media if one.place in places and one.width), None)


def _data(given: Any, media: Sequence[Any]) -> Any:
    """The input, with what its media are called in place of what refers to them."""
    names = iter([file_name(one) for one in media])
    found = _named(given, names)
    return found if isinstance(found, dict) else {"input": found}


def _named(value: Any, names: Iterator[str]) -> Any:
    if isinstance(value, dict):
        return next(names, "") if NAME in value else {key: _named(part, names) for key, part in value.items()}
    return [_named(part, names) for part in value] if isinstance(value, list) else value


def _results(view: View, output: Any, given: Any, picture: Any) -> Iterator[dict[str, Any]]:
    value = decided(view, output)
    if value is None:
        return
    control = {"from_name": view.output or "label", "to_name": view.input or "input"}
    for number, (kind, said, more) in enumerate(_SAID[view.type](view, value, given, picture)):
        yield {"id": f"r{number}", **control, "type": kind, "value": said, **more}


Said = Iterator[tuple[str, Value, Value]]


def _boxes(view: View, value: Any, _: Any, picture: Any) -> Said:
    for box in value if picture is not None else ():
        place = in_pixels(box, picture.width, picture.height, percent=view.unit == "percent")
        whole = dict(zip(SIDES, (picture.width, picture.height) * 2, strict=True))
        sides = {side: round(getattr(place, side) / whole[side] * 100, 6) for side in SIDES}
        more = {"original_width": picture.width, "original_height": picture.height, "image_rotation": 0}
        yield "rectanglelabels", {**sides, "rotation": 0, "rectanglelabels": [box["label"]]}, more


def _spans(view: View, value: Any, given: Any, _: Any) -> Said:
    text = given[view.input] if view.input is not None else given
    for one in value:
        start, end = int(one["start"]), int(one["end"])
        yield "labels", {"start": start, "end": end, "text": text[start:end], "labels": [one["label"]]}, {}


def _choices(_: View, value: Any, __: Any, ___: Any) -> Said:
    yield "choices", {"choices": value if isinstance(value, list) else [value]}, {}


def _text(_: View, value: Any, __: Any, ___: Any) -> Said:
    yield "textarea", {"text": [value]}, {}


_SAID: Mapping[str, Callable[[View, Any, Any, Any], Said]] = {
    "image_boxes": _boxes, "spans": _spans, "choice": _choices, "multi_choice": _choices, "text": _text,
}  # fmt: skip
