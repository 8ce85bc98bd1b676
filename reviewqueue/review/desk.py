"""What the desk shows for a claim, and what its form sends back as a `Submission`. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from werkzeug.datastructures import MultiDict

from reviewqueue.core import strictjson
from reviewqueue.core.strictjson import escape_pointer
from reviewqueue.errors import Fault, Faults, Invalid
from reviewqueue.models.states import Verdict
from reviewqueue.queues import candidates, messages, pages, spans
from reviewqueue.queues.configuration import Reason, offered_reasons
from reviewqueue.queues.references import without
from reviewqueue.queues.schemas import property_schema
from reviewqueue.resolution.verdicts import MISSING, same
from reviewqueue.review import fields, shown
from reviewqueue.review.boxing import Boxing, boxing
from reviewqueue.review.chat import Chat, chat_of, check_arguments, schemas_of_arguments, widen
from reviewqueue.review.comparing import Row, side_by_side
from reviewqueue.review.decisions import Submission
from reviewqueue.review.editors import Editor
from reviewqueue.review.editors.compare import Compare
from reviewqueue.review.editors.multi_choice import MultiChoice
from reviewqueue.review.fields import Part
from reviewqueue.review.forms import DecisionForm
from reviewqueue.review.marking import Marking, marking
from reviewqueue.review.sheets import Sheets, sheets_of
from reviewqueue.review.workpiece import Workpiece

MOST_DIGITS = 9
SCRIPTS = {kind: f"desk/{kind}.js" for kind in ("multi_choice", "compare", "spans", "document", "image_boxes")}
UNSENT = {"csrf_token", "spent_seconds", "verdict", "add", "take"}
"""Names of the form that are no part of a draft."""


@dataclass(frozen=True)
class Choice:
    """One label."""

    value: str
    """As JSON text: labels need not be text."""
    label: str
    confidence: float | None = None
    key: str = ""
    proposed: bool = False


@dataclass(frozen=True)
class Answer:
    """What somebody said, of those who disagree."""

    name: str
    verdict: Verdict
    output: Any
    """MISSING for a rejection."""
    reason: str | None
    comment: str | None


@dataclass
class Desk:
    """A claim, and the form as it stands."""

    work: Workpiece
    form: DecisionForm
    data: MultiDict[str, str] | None
    """What was typed or restored; None for an untouched form."""
    input: shown.Shown
    ai: Any
    """The AI's value of what is decided; MISSING where it gave none."""
    pointer: str
    reasons: tuple[Reason, ...]
    choices: list[Choice] = field(default_factory=list)
    others: list[Choice] = field(default_factory=list)
    chosen: str = ""
    text: str = ""
    rest: list[shown.Line] = field(default_factory=list)
    """Parts of the output that are not decided here."""
    part: Part | None = None
    chat: Chat | None = None
    marking: Marking | None = None
    boxing: Boxing | None = None
    editor: Editor | None = None
    """Of the types that have one of their own."""
    errors: list[str] = field(default_factory=list)
    output_errors: list[str] = field(default_factory=list)

    @property
    def view(self) -> str:
        return self.work.config.view.type

    @property
    def ai_text(self) -> str:
        """The AI's value as a form would hold it."""
        if self.ai is MISSING:
            return ""
        if self.view == "choice":
            return strictjson.dumps(self.ai)
        return self.ai if isinstance(self.ai, str) else ""

    @property
    def changes(self) -> list[shown.Change]:
        return shown.diff(_lines(self.ai_text), _lines(self.text))

    @property
    def changed(self) -> bool:
        """Whether the form differs from what the AI gave."""
        if self.editor is not None:
            return self.editor.changed
        if self.view == "choice":
            return self.chosen != self.ai_text
        if self.view == "text":
            return _lines(self.text) != _lines(self.ai_text)
        assert self.part is not None
        return self.ai is MISSING or not same(fields.value_of(self.part, Faults()), self.ai)

    @property
    def answers(self) -> list[Answer]:
        """Of an adjudication: what the reviews say."""
        return [
            Answer(
                f"Review {place}", row.verdict, MISSING if row.verdict is Verdict.REJECT else json.loads(row.output),
                row.reason, row.comment,
            )
            for place, row in enumerate(self.work.answers, 1)
        ]  # fmt: skip

    @property
    def compared(self) -> list[Row]:
        """The model's output and that of each review, side by side."""
        given = _output(self.work)
        return side_by_side([MISSING if given is None else given, *(answer.output for answer in self.answers)])

    @property
    def first(self) -> Part | None:
        """The field to look at first."""
        return fields.most_doubtful(self.part) if self.part else None

    @property
    def said(self) -> Part | None:
        """The field with what a reply says; None where there is none."""
        texts = (part for part in self.part.everything() if part.kind == "string") if self.part else ()
        return next((part for part in texts if part.name == "f" or part.pointer.endswith("/content")), None)

    @property
    def script(self) -> str | None:
        """The static file that the browser needs for this type alone; none where it is edited as JSON text."""
        if self.view in {"spans", "image_boxes"} and self.part is not None and self.part.kind != "array":
            return None
        drawn = self.sheets.drawn or (self.view == "document" and self.sheets.has_pdf)
        if self.view in {"document", "image_boxes"} and not drawn:
            return None
        return SCRIPTS.get(self.view)

    @cached_property
    def sheets(self) -> Sheets:
        """The pictures of the input."""
        return sheets_of(self.work)

    @property
    def tells_seen(self) -> bool:
        """Whether there are parts, of which the browser says which were looked at."""
        return self.part is not None or self.view == "multi_choice"

    @property
    def first_row(self) -> Part | None:
        """The row of a list to look at first: of the lowest confidence; None where none has one."""
        rated = [row for row in self.part.children if row.confidence is not None] if self.part else []
        return min(rated, key=lambda row: row.confidence or 0.0) if rated else None

    @property
    def fixed_digits(self) -> bool:
        """Whether digits are the labels in schema order, not the model's alternatives."""
        return self.view == "choice" and len(self.work.config.labels) <= MOST_DIGITS


def desk_of(work: Workpiece, data: MultiDict[str, str] | None = None) -> Desk:
    """The desk for `work`, filled with `data`, else with its draft, else with the AI's output."""
    name = work.config.view.output
    given = None if work.blind else _output(work)
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


def _output(work: Workpiece) -> Any:
    """The AI's output, numbers as they were written."""
    return strictjson.exact(work.item.output)


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


# -- the types --------------------------------------------------------------------------------------------------------


def _fill_choice(desk: Desk) -> None:
    desk.data = desk.data if desk.data is not None else _drafted(desk)
    work = desk.work
    rated = _confidences(desk)
    labels = [strictjson.dumps(label) for label in work.config.labels]
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
    label = json.loads(value)
    proposed = desk.ai is not MISSING and value == desk.ai_text
    return Choice(value, label if isinstance(label, str) else value, rated.get(value), key, proposed)


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


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


# -- what was sent ----------------------------------------------------------------------------------------------------


def submission_of(desk: Desk) -> Submission:
    """What the form says. Raises `Invalid` with pointers as `decide` does."""
    assert desk.data is not None
    form = desk.form
    faults = Faults()
    if not form.validate():
        for name, found in form.errors.items():
            faults.found.extend(Fault(f"/{name}", error) for error in found)
    verdict = Verdict(form.verdict.data) if form.verdict.data and not form.verdict.errors else None
    output = MISSING if verdict is Verdict.REJECT else _whole(desk, _decided(desk, faults))
    faults.raise_if_any("The decision cannot be taken like this.", code="invalid_decision")
    reason = form.reason.data or None
    return Submission(
        verdict=verdict, output=strictjson.plain(output),
        output_text=None if output is MISSING else strictjson.spliced(strictjson.as_written(output)), reason=reason,
        suggested_label=(form.suggested_label.data or None) if reason == "no_label_fits" else None,
        comment=_lines(form.comment.data or "") or None, message=_lines(form.message.data or "") or None,
        spent_seconds=form.spent_seconds.data,
        seen=desk.data.getlist("seen")[:5000] if "tells_seen" in desk.data else None,
        started_blank=bool(form.started_blank.data), grace=True, draft=draft_of(desk),
    )  # fmt: skip


def draft_of(desk: Desk) -> str:
    """The form as a draft (JSON text), with the output it amounts to where that can be said."""
    pairs = [[name, value] for name, value in (desk.data or MultiDict()).items(multi=True) if name not in UNSENT]
    draft: dict[str, Any] = {"fields": pairs}
    faults = Faults()
    output = _whole(desk, _decided(desk, faults))
    if not faults.found and output is not MISSING:
        draft["output"] = strictjson.as_written(output)
    return strictjson.spliced(draft)


def _decided(desk: Desk, faults: Faults) -> Any:
    """The value that the form holds; the AI's own where nothing was changed."""
    if desk.part is not None:
        value = fields.value_of(desk.part, faults)
        if desk.view == "chat":
            check_arguments(value, desk.ai, desk.pointer, faults)
        return value
    if desk.editor is not None:
        return desk.editor.decided(faults)
    if desk.view == "choice":
        return _chosen(desk, faults)
    if _lines(desk.text) == _lines(desk.ai_text):
        return desk.ai
    text = _lines(desk.text)
    # A text that came with Windows line ends leaves with them.
    return text.replace("\n", "\r\n") if "\r\n" in desk.ai_text else text


def _chosen(desk: Desk, faults: Faults) -> Any:
    if not desk.chosen:
        return MISSING
    if desk.chosen == desk.ai_text:
        return desk.ai
    for label in desk.work.config.labels:
        if strictjson.dumps(label) == desk.chosen:
            return label
    faults.add(f"/output{desk.pointer}", "is not one of the labels")
    return MISSING


def _whole(desk: Desk, value: Any) -> Any:
    """The whole output, `value` in its place; numbers as they were written."""
    name = desk.work.config.view.output
    if value is MISSING or name is None:
        return value
    given = _output(desk.work)
    return {**given, name: value} if isinstance(given, dict) else {name: value}


def explain(desk: Desk, error: Invalid) -> None:
    """Put the faults of a refused decision beside what they are about."""
    general = []
    for fault in error.faults:
        name = fault.pointer.lstrip("/")
        if name in {"reason", "suggested_label", "comment", "message"}:
            control = desk.form[name]
            control.errors = [*control.errors, fault.detail]
        elif fault.pointer.startswith("/output"):
            general.append((fault.pointer, fault.detail))
        else:
            desk.errors.append(fault.detail[:1].upper() + fault.detail[1:])
    if desk.part is not None:
        desk.output_errors = fields.place_errors(desk.part, general)
    else:
        desk.output_errors = [detail[:1].upper() + detail[1:] for _, detail in general]
    if not error.faults:
        desk.errors.append(error.message)
