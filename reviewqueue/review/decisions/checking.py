"""What a submission amounts to, and whether it may be decided like that."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.errors import Faults, Invalid
from reviewqueue.models import Item
from reviewqueue.models.base import table
from reviewqueue.models.states import Verdict
from reviewqueue.queues import views
from reviewqueue.queues.catalog import Compiled, configuration
from reviewqueue.queues.configuration import offered_reasons
from reviewqueue.resolution.verdicts import Judged, judge
from reviewqueue.review.decisions.recording import Submission

_item = table(Item).c


def input_for(session: Session, task: Any, compiled: Compiled) -> Any:
    """The item's input, where the view reads it; else None."""
    if not views.reads_input(compiled.config.view):
        return None
    return json.loads(session.execute(select(_item.input).where(_item.id == task.item_id)).scalar_one())


def checked(
    compiled: Compiled, given: Any, ai_output: Any, submission: Submission, *, blind: bool = False
) -> Judged:  # fmt: skip
    """What the submission amounts to. `given` is the input, where the view reads it. Raises `Invalid` with them all."""
    faults = Faults()
    judged = judge(
        given=submission.verdict, ai_output=ai_output, output=submission.output, view=compiled.config.view.type,
        started_blank=submission.started_blank, faults=faults,
    )  # fmt: skip
    if judged.verdict in {Verdict.EDIT, Verdict.OVERRIDE} and not faults.found:
        faults.found.extend(compiled.validate_output(judged.output, given=given))
    _check_reason(compiled, judged.verdict, submission, faults, blind=blind)
    faults.raise_if_any("The decision cannot be taken like this.", code="invalid_decision")
    return judged


def check_at_home(session: Session, task: Any, judged: Judged) -> None:
    """A task that was sent to another queue is judged by that one's rules, and answers its item's program, which knows
    those of the item's own queue. Raises `Invalid`."""
    if task.queue_id == task.item_queue_id or judged.verdict not in {Verdict.EDIT, Verdict.OVERRIDE}:
        return
    home = configuration(session, task.item_queue_id, task.item_version)
    if found := home.validate_output(judged.output, given=input_for(session, task, home)):
        message = f"The answer goes back to the queue {home.config.name}, whose outputs it must satisfy."
        raise Invalid(message, found, code="invalid_decision")


def _check_reason(compiled: Compiled, verdict: Verdict, submission: Submission, faults: Faults, *, blind: bool) -> None:
    reasons = {reason.code: reason for reason in offered_reasons(compiled.config)}
    if submission.reason is not None and submission.reason not in reasons:
        faults.add("/reason", f"is not a reason of this queue: {', '.join(reasons)}")
    if submission.reason is None:
        asked_for = any(verdict in reason.required_for for reason in reasons.values()) and not blind
        required = verdict is Verdict.REJECT or asked_for
        if required:
            faults.add("/reason", f"is required with {verdict.value}: one of {', '.join(reasons)}")
    given = reasons.get(submission.reason or "")
    if given is not None and given.note_required and not (submission.comment or "").strip():
        faults.add("/comment", f"is required with the reason {given.code}")
    if submission.suggested_label is not None and submission.reason != "no_label_fits":
        faults.add("/suggested_label", "goes with the reason no_label_fits")
