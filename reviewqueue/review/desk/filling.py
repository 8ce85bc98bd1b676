"""The desk of a claim, filled with the AI's output, a draft, or what was typed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug.datastructures import MultiDict

from reviewqueue.core import strictjson
from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Invalid
from reviewqueue.queues import candidates, messages, pages, spans
from reviewqueue.queues.configuration import label_name, offered_reasons
from reviewqueue.queues.references import without
from reviewqueue.queues.schemas import property_schema
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review import fields, shown
from reviewqueue.review.boxing import boxing
from reviewqueue.review.chat import chat_of, schemas_of_arguments, widen
from reviewqueue.review.desk.page import MOST_DIGITS, Choice, Desk, output_of
from reviewqueue.review.editors import Editor
from reviewqueue.review.editors.compare import Compare
from reviewqueue.review.editors.multi_choice import MultiChoice
from reviewqueue.review.forms import DecisionForm
from reviewqueue.review.marking import marking
from reviewqueue.review.workpiece import Workpiece


def desk_of(work: Workpiece, data: MultiDict[str, str] | None = None) -> Desk:
    """The desk for `work`, filled with `data`, else with its draft, else with the AI's output."""
    name = work.config.view.output
    given = None if work.blind else output_of(work)
    ai = given
    if given is None:
        ai = MISSING
    elif name is not None:
        ai = given.get(name, MISSING) if isinstance(given, dict) else MISSING
    desk = Desk(
        work=work, form=DecisionForm(), data=data, input=shown.input_shown(*_read(work)), ai=ai,
        pointer="" if name is None else f"/{escape_pointer(name)}", reasons=offered_reasons(work.config),
    )  # fmt: skip
    if name is not None and isinstance(given, dict) and len(given) > 1:
        desk.rest = list(shown.lines({key: value for key, value in given.items() if key != name}))
    _FILL[desk.view](desk)
    desk.form = DecisionForm(desk.data) if desk.data is not None else DecisionForm()
    return desk


def _read(work: Workpiece) -> tuple[Any, str | None]:
    """The input without what the type's own part of the page shows, and the property that is read."""
    given, name = _beside(work)
    return (without(given) if work.pictures else given), name


def _beside(work: Workpiece) -> tuple[Any, str | None]:
    view = work.config.view
    if view.type == "document" and isinstance(work.input, dict):
        return {key: value for key, value in work.input.items() if key != (view.words or pages.WORDS)}, None
    if view.type == "compare" and isinstance(work.input, dict):
        hidden = view.candidates or candidates.PROPERTY
        return {key: value for key, value in work.input.items() if key != hidden}, view.input
    if view.type == "spans":
        rest = work.input.items() if isinstance(work.input, dict) else ()
        return {key: value for key, value in rest if key != view.input}, None
    if view.type == "chat":
        talk = {view.input or messages.PROPERTY, "tools"}
        rest = work.input.items() if isinstance(work.input, dict) else ()
        return {key: value for key, value in rest if key not in talk}, None
    return work.input, view.input


def _drafted(desk: Desk) -> MultiDict[str, str] | None:
    """The draft as form data: as the desk wrote it, or made from an output that came over the API or from undo."""
    draft = desk.work.draft
    if not draft:
        return None
    if isinstance(draft.get("fields"), list):
        pairs = [pair for pair in draft["fields"] if isinstance(pair, list) and len(pair) == 2]
        return MultiDict([(str(name), str(value)) for name, value in pairs])
    data = MultiDict(
        [(key, str(draft[key])) for key in ("reason", "comment", "message", "suggested_label") if draft.get(key)]
    )
    if draft.get("output") is not None:
        data.update(MultiDict(list(_output_as_form(desk, draft["output"]))))
    return data


def taken(desk: Desk, place: str) -> MultiDict[str, str]:
    """The form with what the review at `place`, from 1, says. Raises `Invalid` where there is none to take."""
    answers = {str(number): answer for number, answer in enumerate(desk.answers, 1)}
    if place not in answers or answers[place].output is MISSING:
        raise Invalid("There is no such answer to take.", code="bad_parameter")
    return MultiDict(list(_output_as_form(desk, answers[place].output)))


def _output_as_form(desk: Desk, output: Any) -> Iterable[tuple[str, str]]:
    name = desk.work.config.view.output
    value = output.get(name, MISSING) if name is not None and isinstance(output, dict) else output
    if value is MISSING:
        return []
    if desk.editor is not None:
        return desk.editor.as_form(value)
    if desk.part is not None:
        return fields.as_form(desk.part, value)
    if desk.view == "choice":
        return [("choice", strictjson.dumps(value))]
    return [("text", value)] if isinstance(value, str) else []


def _fill_choice(desk: Desk) -> None:
    desk.data = desk.data if desk.data is not None else _drafted(desk)
    work = desk.work
    rated = _confidences(desk)
    labels = list(work.config.label_names)
    if desk.fixed_digits:
        desk.choices = [_choice(desk, value, rated, str(index)) for index, value in enumerate(labels, 1)]
        if desk.ai is not MISSING and desk.ai_text not in labels:
            desk.choices.insert(0, _choice(desk, desk.ai_text, rated, ""))
    else:
        alternatives = [value for value in rated if value != desk.ai_text and value in labels][:MOST_DIGITS]
        desk.choices = [_choice(desk, value, rated, str(index)) for index, value in enumerate(alternatives, 1)]
        if desk.ai is not MISSING:
            desk.choices.insert(0, _choice(desk, desk.ai_text, rated, ""))
        listed = {choice.value for choice in desk.choices}
        desk.others = [_choice(desk, value, rated, "") for value in labels if value not in listed]
    desk.chosen = desk.ai_text
    if desk.data is not None and "choice" in desk.data:
        desk.chosen = desk.data["choice"]


def _confidences(desk: Desk) -> dict[str, float | None]:
    """Labels the model spoke of, as JSON text, in its order."""
    name = desk.work.config.view.output
    rated: dict[str, float | None] = {}
    if desk.ai is not MISSING:
        rated[desk.ai_text] = desk.work.item.confidence
    for alternative in desk.work.alternatives:
        output = alternative.get("output")
        value = output.get(name) if name is not None and isinstance(output, dict) else output
        rated.setdefault(strictjson.dumps(value), alternative.get("confidence"))
    return rated


def _choice(desk: Desk, value: str, rated: dict[str, float | None], key: str) -> Choice:
    proposed = desk.ai is not MISSING and value == desk.ai_text
    name = desk.work.config.label_names.get(value) or label_name(value)
    return Choice(value, name, rated.get(value), key, proposed)


def _fill_text(desk: Desk) -> None:
    desk.data = desk.data if desk.data is not None else _drafted(desk)
    desk.text = desk.ai_text
    if desk.data is not None and "text" in desk.data:
        desk.text = desk.data["text"]


def _fill_json(desk: Desk, schemas: Mapping[str, Any] | None = None) -> None:
    config = desk.work.config
    desk.part = fields.parts_of(
        property_schema(config.output_schema, config.view.output), config.output_schema, desk.ai,
        pointer=desk.pointer, title=shown.words(config.view.output or "output"),
        confidences=desk.work.parts, doubtful_below=config.doubtful_below, schemas=schemas,
    )  # fmt: skip
    if desk.view == "chat":
        widen(desk.part)
    desk.data = desk.data if desk.data is not None else _drafted(desk)
    fields.bind(desk.part, desk.data)


def _fill_chat(desk: Desk) -> None:
    work = desk.work
    desk.chat = chat_of(work.input, work.config.view.input)
    reply = None if desk.ai is MISSING else desk.ai
    _fill_json(desk, schemas_of_arguments(reply, desk.pointer, work.input))


def _fill_spans(desk: Desk) -> None:
    config = desk.work.config
    _fill_json(desk)
    assert desk.part is not None
    text = spans.text_in(desk.work.input, config.view.input) or ""
    desk.marking = marking(text, config.labels, desk.ai, desk.part)


def _fill_boxes(desk: Desk) -> None:
    _fill_json(desk)
    assert desk.part is not None
    desk.boxing = boxing(desk.work.config, desk.ai, desk.part, desk.sheets)


def _fill_editor(desk: Desk) -> None:
    desk.editor = _EDITORS[desk.view](desk.work, desk.ai, desk.pointer)
    desk.data = desk.data if desk.data is not None else _drafted(desk)
    if desk.data is not None:
        desk.editor.take(desk.data)


_EDITORS: dict[str, Callable[[Workpiece, Any, str], Editor]] = {"multi_choice": MultiChoice, "compare": Compare}
_FILL = {
    "choice": _fill_choice,
    "text": _fill_text,
    "json": _fill_json,
    "chat": _fill_chat,
    "spans": _fill_spans,
    "document": _fill_json,
    "image_boxes": _fill_boxes,
    **dict.fromkeys(_EDITORS, _fill_editor),
}
