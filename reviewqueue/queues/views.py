"""The view of a queue: how input and output are shown and edited, and what each type asks of the schemas. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from reviewqueue.core.http import Shape
from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Fault, Faults
from reviewqueue.queues import boxes, candidates, messages, pages, spans
from reviewqueue.queues.schemas import choices, property_schema, resolved


class View(Shape):
    """How input and output are shown and edited."""

    type: Literal[
        "choice", "multi_choice", "text", "json", "compare", "chat", "spans", "document", "image_boxes"
    ]  # fmt: skip
    input: str | None = None
    """The property of the input that is read; None: all of it."""
    output: str | None = None
    """The property of the output that is decided; None: all of it."""
    candidates: str | None = None
    """With `compare`: the property of the input that holds what is compared; None: `candidates`."""
    overlap: bool = False
    """With `spans`: whether they may overlap."""
    words: str | None = None
    """With `document`: the property of the input that has the words on its pages; None: `words`."""
    unit: Literal["pixel", "percent"] = "pixel"
    """With `image_boxes`: what boxes are measured in."""
    markdown: bool = False
    """With `text` and `chat`: whether texts are Markdown, and shown as it reads."""


LABELLED = frozenset({"choice", "multi_choice", "spans", "image_boxes"})
"""Types whose output consists of labels: one may be missing."""


def labels(view: View, schema: Mapping[str, Any]) -> list[Any]:
    """The labels that the view offers, in schema order; empty where its type has none."""
    if view.type == "choice":
        return choices(schema, view.output)
    if view.type == "multi_choice":
        return _choices_of_elements(schema, view.output)
    if view.type in _ROWS:
        return _ROWS[view.type](property_schema(schema, view.output), schema)
    return []


_ROWS = {"spans": spans.labels, "image_boxes": boxes.labels}


def _choices_of_elements(schema: Mapping[str, Any], name: str | None) -> list[Any]:
    """The values that each element of a list may have."""
    target = property_schema(schema, name)
    elements = target.get("items") if isinstance(target, Mapping) and target.get("type") == "array" else None
    return choices(resolved(elements, schema), None)


# -- left out: what the schemas suggest -------------------------------------------------------------------------------


def derived(output_schema: Mapping[str, Any], input_schema: Any) -> dict[str, Any]:
    """How to show items of these schemas when the document does not say."""
    kind, name = _derived_output(output_schema)
    return {"type": kind, "output": name, "input": _only_text(input_schema)}


def _derived_output(schema: Mapping[str, Any]) -> tuple[str, str | None]:
    whole = property_schema(schema, None)
    properties = whole.get("properties") if isinstance(whole, Mapping) else None
    only = [next(iter(properties))] if isinstance(properties, Mapping) and len(properties) == 1 else []
    for name in [None, *only]:
        target = property_schema(schema, name)
        if choices(schema, name):
            return "choice", name
        if not isinstance(target, Mapping):
            continue
        if target.get("type") == "string":
            return "text", name
        if target.get("uniqueItems") is True and _choices_of_elements(schema, name):
            return "multi_choice", name
    return "json", None


def _only_text(schema: Any) -> str | None:
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if isinstance(properties, Mapping) and len(properties) == 1:
        name = next(iter(properties))
        only = property_schema(schema, name)
        if isinstance(only, Mapping) and only.get("type") == "string":
            return str(name)
    return None


# -- given: whether the schemas fit -----------------------------------------------------------------------------------


def check(view: View, schema: Mapping[str, Any], given: Any, faults: Faults) -> None:
    """Add a fault where the view does not fit the output schema, or that of the input, `given`."""
    if view.overlap and view.type != "spans":
        faults.add("/view/overlap", "is for spans alone")
    if (
        view.type == "spans"
        and view.input is None
        and not (isinstance(given, Mapping) and given.get("type") == "string")
    ):
        faults.add("/view/input", "is required with spans, where the input is no text: the property that is")
    if view.words is not None and view.type != "document":
        faults.add("/view/words", "is for document alone")
    if view.unit != "pixel" and view.type != "image_boxes":
        faults.add("/view/unit", "is for image_boxes alone")
    if view.candidates is not None and view.type != "compare":
        faults.add("/view/candidates", "is for compare alone")
    if view.markdown and view.type not in {"text", "chat"}:
        faults.add("/view/markdown", "is for text and chat alone")
    target = property_schema(schema, view.output)
    if view.output is not None and not isinstance(target, Mapping):
        faults.add("/view/output", f"output_schema has no property {view.output!r}")
    elif wanted := _lacks(view, schema, target if isinstance(target, Mapping) else {}):
        faults.add("/view", f"a {view.type} needs {wanted} in output_schema, at the property that view.output names")


def _lacks(view: View, schema: Mapping[str, Any], target: Mapping[str, Any]) -> str | None:
    """What the output would have to be, where it is not."""
    if view.type == "choice":
        return None if labels(view, schema) else "an enum"
    if view.type == "multi_choice":
        return None if labels(view, schema) else "type: array whose items have an enum"
    if view.type == "compare":
        return None if candidates.how(target) else "type: string (the best) or type: array of strings (a ranking)"
    if view.type == "spans":
        fits = labels(view, schema)
        return None if fits else "type: array of objects with start and end, integers, and label, an enum,"
    if view.type == "image_boxes":
        fits = labels(view, schema)
        return None if fits else "type: array of objects with x, y, width and height, numbers, and label, an enum,"
    if view.type == "chat":
        return None if messages.is_reply(target, schema) else "type: string, a message with content, or a list of them"
    if view.type == "text":
        return None if target.get("type") == "string" else "type: string"
    return None


# -- one item ---------------------------------------------------------------------------------------------------------


def reads_input(view: View) -> bool:
    """Whether what an output may be depends on the item's input."""
    return view.type in {"compare", "spans"}


def faults_in_input(view: View, value: Any, pointer: str) -> list[Fault]:
    """What the view needs of an input, beyond its schema."""
    if view.type == "compare":
        return candidates.faults_in(value, view.candidates, pointer)
    if view.type == "spans":
        return spans.faults_in(value, view.input, pointer)
    if view.type in {"document", "image_boxes"}:
        found = pages.faults_in_pages(value, view.input, pointer, only_one=view.type == "image_boxes")
        return found or (pages.faults_in_words(value, view.words, pointer) if view.type == "document" else [])
    return messages.faults_in(value, view.input, pointer) if view.type == "chat" else []


_CHECKS: dict[str, Callable[[View, Any, Any, str], list[Fault]]] = {
    "spans": lambda view, value, given, at: spans.faults_of(value, given, view.input, at, overlap=view.overlap),
    "image_boxes": lambda view, value, _, at: boxes.faults_of(value, at, percent=view.unit == "percent"),
    "compare": lambda view, value, given, at: candidates.faults_of_choice(value, given, view.candidates, at),
}
"""What is looked at beyond the schema, by type."""


def faults_in_output(view: View, value: Any, given: Any, pointer: str) -> list[Fault]:
    """Where an output does not go with the input `given`, beyond its schema."""
    check = _CHECKS.get(view.type)
    if check is None:
        return []
    place = pointer if view.output is None else f"{pointer}/{escape_pointer(view.output)}"
    if view.output is not None:
        if not isinstance(value, Mapping) or view.output not in value:
            return []
        value = value[view.output]
    return check(view, value, given, place)
