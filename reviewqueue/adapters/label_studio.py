"""Label Studio's tasks with predictions as items. Pure.

The shape is Label Studio's JSON of tasks (its guide: "Label Studio Task Format", "Import pre-annotated data"):

    [{id, data: {...}, meta?: {...},
      predictions: [{model_version, score, result: [{id, from_name, to_name, type, value}]}]}]

`data` is the input; the address of a picture in it becomes a reference, `{"$media": …}`, where the queue looks at
pictures, and `rectanglelabels` become its boxes. The first prediction is the output, others are alternatives. What a
result's `value` holds depends on the control's `type`; those of `VALUES` are known. Annotations, which people made,
are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from reviewqueue.adapters.fitting import Queue, without_output
from reviewqueue.errors import Fault, Invalid

VALUES = {"choices": "choices", "textarea": "text", "rating": "rating", "number": "number", "datetime": "datetime"}
"""By type of control, the member of `value` that holds what was said."""
_LISTS = {"choices", "textarea"}
BOXES = "rectanglelabels"
PICTURED = frozenset({"image_boxes", "document"})
_OWN = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[a-z]+")
"""What an export of ours calls a file that was uploaded."""
KEPT = "label_studio"
"""Where an item's metadata has what a task has and an item has not."""


def convert(document: Any, queue: Queue) -> Iterator[dict[str, Any]]:
    """Items for `queue` from a task or a list of tasks.

    `document` is JSON, parsed. Raises `Invalid`, with a pointer into the document, at the first task that cannot be
    read.
    """
    tasks = document if isinstance(document, list) else [document]
    for place, task in enumerate(tasks):
        yield item_of_task(task, queue, f"/{place}" if isinstance(document, list) else "")


def item_of_task(task: Any, queue: Queue, pointer: str = "") -> dict[str, Any]:
    """The item of one task. Raises `Invalid`; its pointers begin with `pointer`."""
    if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
        raise _wrong(f"{pointer}/data", "should be an object, and is required")
    item: dict[str, Any] = {"queue": queue.name, "input": _input(task["data"], queue)}
    if task.get("id") is not None:
        item["external_id"] = str(task["id"])
    metadata = dict(_typed(task.get("meta") or {}, dict, f"{pointer}/meta"))
    predictions = _typed(task.get("predictions") or [], list, f"{pointer}/predictions")
    found = [_predicted(one, queue, f"{pointer}/predictions/{place}") for place, one in enumerate(predictions)]
    if not found:
        return {**item, **without_output(), "metadata": metadata}
    (first, score), others = found[0], found[1:]
    if score is not None:
        metadata[KEPT] = {"score": score}
    alternatives = [{name: one[name] for name in ("output", "confidence") if name in one} for one, _ in others]
    alternatives = [one for one in alternatives if one["output"] is not None]
    return {**item, **first, **({"alternatives": alternatives} if alternatives else {}), "metadata": metadata}


def _predicted(prediction: Any, queue: Queue, pointer: str) -> tuple[dict[str, Any], Any]:
    """Output, confidence and model; and the score where that cannot be a confidence."""
    prediction = _typed(prediction, dict, pointer)
    results = _typed(prediction.get("result") or [], list, f"{pointer}/result")
    found: dict[str, Any] = {"output": _output(results, queue, f"{pointer}/result")} if results else without_output()
    if prediction.get("model_version"):
        found["model"] = str(prediction["model_version"])
    score = prediction.get("score")
    if isinstance(score, float | int) and not isinstance(score, bool) and 0 <= score <= 1:
        return {**found, "confidence": score}, None
    return found, score


def _input(data: dict[str, Any], queue: Queue) -> dict[str, Any]:
    if queue.view.type not in PICTURED:
        return data
    return {name: _media(value) if queue.view.input in (None, name) else value for name, value in data.items()}


def _media(value: Any) -> Any:
    """What names a picture, or several, as a reference."""
    if isinstance(value, list):
        return [_media(part) for part in value]
    if not isinstance(value, str):
        return value
    own = _OWN.fullmatch(value)
    if own or value.startswith(("https://", "http://")):
        return {"$media": own[1] if own else value}
    return value


def _boxes(results: list[Any], queue: Queue, pointer: str) -> Any:
    boxes = []
    for place, given in enumerate(results):
        where = f"{pointer}/{place}"
        result = _typed(given, dict, where)
        if result.get("type") != BOXES:
            raise _wrong(f"{where}/type", f"is {result.get('type')}: the queue takes {BOXES} alone")
        value = _typed(result.get("value"), dict, f"{where}/value")
        labels = _typed(value.get(BOXES), list, f"{where}/value/{BOXES}")
        if len(labels) > 1:
            raise _wrong(f"{where}/value/{BOXES}", "has several labels: a box has one")
        [label] = labels or [None]
        boxes.append({**_sides(value, result, queue, where), "label": label})
    return boxes if queue.view.output is None else {queue.view.output: boxes}


def _sides(value: dict[str, Any], result: dict[str, Any], queue: Queue, where: str) -> dict[str, float]:
    found = {}
    for side, whole in (("x", "width"), ("y", "height"), ("width", "width"), ("height", "height")):
        size = value.get(side)
        if not isinstance(size, int | float) or isinstance(size, bool):
            raise _wrong(f"{where}/value/{side}", "should be a number: percent of the picture")
        if queue.view.unit == "pixel":
            pixels = result.get(f"original_{whole}")
            if not isinstance(pixels, int | float) or isinstance(pixels, bool):
                raise _wrong(f"{where}/original_{whole}", "is required: the queue measures in pixels")
            size = round(size * pixels / 100, 2)
        found[side] = size
    return found


def _output(results: list[Any], queue: Queue, pointer: str) -> Any:
    if queue.view.type == "image_boxes":
        return _boxes(results, queue, pointer)
    said: dict[str, Any] = {}
    for place, given in enumerate(results):
        where = f"{pointer}/{place}"
        result = _typed(given, dict, where)
        name = _typed(result.get("from_name"), str, f"{where}/from_name")
        if name in said:
            raise _wrong(where, f"is a second result of the control {name}: one each is possible here")
        said[name] = _value(result, name, queue, where)
    if queue.view.output is None:
        return _of_all(said, queue, pointer)
    if queue.view.output in said:
        return said
    if len(said) == 1:
        return {queue.view.output: next(iter(said.values()))}
    names = ", ".join(said)
    raise _wrong(pointer, f"has the controls {names}, and none is called {queue.view.output}, as the queue's output is")


def _of_all(said: dict[str, Any], queue: Queue, pointer: str) -> Any:
    """The output where the view shows all of it: an object of all controls, or what the only one says."""
    if queue.view.type == "json" and queue.output_schema.get("type") in {"object", None}:
        return said
    if len(said) > 1:
        raise _wrong(pointer, f"has the controls {', '.join(said)}, and the queue's output is one value")
    return next(iter(said.values()))


def _value(result: dict[str, Any], name: str, queue: Queue, pointer: str) -> Any:
    kind = result.get("type")
    if kind not in VALUES:
        known = ", ".join(VALUES)
        raise _wrong(f"{pointer}/type", f"is {kind}, of the control {name}: only {known} can be imported")
    where = f"{pointer}/value/{VALUES[kind]}"
    value = _typed(result.get("value"), dict, f"{pointer}/value").get(VALUES[kind])
    if value is None:
        raise _wrong(where, f"is required, as {name} is of the type {kind}")
    if kind not in _LISTS or _wants_list(queue, name):
        return value if kind not in _LISTS or isinstance(value, list) else [value]
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise _wrong(where, f"has {len(value)} values, and the queue takes one for {name}")
    return value[0]


def _wants_list(queue: Queue, name: str) -> bool:
    """Whether the queue's output has a list for the control."""
    schema = queue.output_schema
    properties = schema.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    found = properties.get(name, properties.get(queue.view.output or "", schema))
    return isinstance(found, dict) and found.get("type") == "array"


_WORDS: dict[type, str] = {dict: "an object", list: "a list", str: "text"}


def _typed(value: Any, kind: type, pointer: str) -> Any:
    if isinstance(value, kind):
        return value
    raise _wrong(pointer, f"should be {_WORDS[kind]}")


def _wrong(pointer: str, detail: str) -> Invalid:
    return Invalid("This is not a task of Label Studio that can be imported.", [Fault(pointer, detail)])
