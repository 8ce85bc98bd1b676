"""What the desk's form sends back: as a submission, as a draft, and its faults in their places. Pure."""

from __future__ import annotations

from typing import Any

from werkzeug.datastructures import MultiDict

from reviewqueue.core import strictjson
from reviewqueue.errors import Fault, Faults, Invalid
from reviewqueue.models.states import Verdict
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review import fields
from reviewqueue.review.chat import check_arguments
from reviewqueue.review.decisions.recording import Submission
from reviewqueue.review.desk.page import Desk, lines_of, output_of

UNSENT = {"csrf_token", "spent_seconds", "verdict", "add", "take"}
"""Names of the form that are no part of a draft."""


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
        comment=lines_of(form.comment.data or "") or None, message=lines_of(form.message.data or "") or None,
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
    if lines_of(desk.text) == lines_of(desk.ai_text):
        return desk.ai
    text = lines_of(desk.text)
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
    given = output_of(desk.work)
    return {**given, name: value} if isinstance(given, dict) else {name: value}


def _in_words(desk: Desk, name: str, detail: str) -> str:
    """`detail`, with what it is about before it, and reasons by their titles."""
    if not detail.startswith("is "):
        return detail
    for reason in desk.reasons:
        detail = detail.replace(f"the reason {reason.code}", f"the reason “{reason.title}”")
    return f"{desk.form[name].label.text} {detail}"


def explain(desk: Desk, error: Invalid) -> None:
    """Put the faults of a refused decision beside what they are about."""
    general = []
    for fault in error.faults:
        name = fault.pointer.lstrip("/")
        if name in {"reason", "suggested_label", "comment", "message"}:
            control = desk.form[name]
            control.errors = [*control.errors, _in_words(desk, name, fault.detail)]
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
