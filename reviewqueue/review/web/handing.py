"""HTML routes that hand a task on: skip, escalate, send, put off, give."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Response, flash, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.core.db import database_now, read_session, write_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.core.pages import absolute
from reviewqueue.errors import Conflict, Fault, Invalid, LeaseLost
from reviewqueue.queues.catalog import QueueHead
from reviewqueue.review import assigning, edge, escalation, handing, workpiece
from reviewqueue.review.claims import leases, passing_on
from reviewqueue.review.web.filters import blueprint
from reviewqueue.review.web.going_on import away, go_to, next_claim, note_of, typed


@blueprint.post("/claims/<claim_id>/skip")
@signed_in
def skip(claim_id: str) -> AnyResponse:
    """Not me, and why: to somebody else, and on to the next."""
    return _hand_on(claim_id, passing_on.skip, comment=note_of(typed().get("skip_note")))


@blueprint.post("/claims/<claim_id>/escalation")
@signed_in
def escalate(claim_id: str) -> AnyResponse:
    """Not my authority: to the leads, with the note; and on to the next."""
    comment = typed().get("escalation") or typed().get("comment")
    return _hand_on(claim_id, escalation.escalate, says=_escalated, comment=note_of(comment))


@blueprint.get("/claims/<claim_id>/handing")
@signed_in
def hand_on(claim_id: str) -> AnyResponse:
    """All the ways to hand a task on. The desk's script shows the same in a dialog."""
    who = actor()
    with read_session() as session:
        work = workpiece.workpiece(session=session, actor=who, claim_id=claim_id)
        if not work.live:
            return away(url_for("review.show", claim_id=claim_id))
        targets = handing.targets(
            session=session, actor=who, here=work.queue, given=json.loads(work.item.input), output=work.output
        )
        people = assigning.colleagues(session=session, actor=who, task_id=work.task_id)
    return Response(render_template("review/handing.html", work=work, targets=targets, people=people))


@blueprint.post("/claims/<claim_id>/transfer")
@signed_in
def transfer(claim_id: str) -> AnyResponse:
    """To the people of another queue, with the note; and on to the next."""
    form = typed()
    return _hand_on(
        claim_id, handing.send_to_queue, says=_sent, slug=form.get("queue", ""), comment=note_of(form.get("note"))
    )


@blueprint.post("/claims/<claim_id>/postponement")
@signed_in
def put_off(claim_id: str) -> AnyResponse:
    """To me again, in so many hours or on that day; and on to the next."""
    form = typed()
    with read_session() as session:
        until = _follow_up(database_now(session), form.get("hours", ""), form.get("day", ""))

    def says(_result: None, slug: str, task_id: str) -> dict[str, str]:
        text = _("Put off until %(moment)s. It stands under My tasks, and nobody else gets it.", moment=absolute(until))
        return {
            "text": text, "address": url_for("review.claim", slug=slug), "task": task_id, "name": _("Take it back"),
        }  # fmt: skip

    return _hand_on(claim_id, handing.put_off, says=says, until=until)


def _escalated(_result: None, _slug: str, _task_id: str) -> str:
    return str(_("Escalated: others decide it now. It stands under My decisions."))


def _sent(there: QueueHead, _slug: str, _task_id: str) -> str:
    return str(_("Sent to %(queue)s. It stands under My decisions.", queue=there.title))


def _given(name: str, _slug: str, _task_id: str) -> str:
    return str(_("Given to %(name)s, who gets a notice. The board shows it.", name=name))


def _follow_up(now: datetime, hours: str, day: str) -> datetime:
    """Days begin at midnight UTC. What cannot be read is now, which is refused."""
    if hours.isascii() and hours.isdigit() and len(hours) < 6:
        return now + timedelta(hours=int(hours))
    try:
        return datetime.combine(date.fromisoformat(day), time(), UTC)
    except ValueError:
        return now


@blueprint.post("/claims/<claim_id>/assignment")
@signed_in
def give(claim_id: str) -> AnyResponse:
    """The task in my hands, to a person; and on to the next."""
    return _hand_on(claim_id, assigning.give, says=_given, person=typed().get("person", ""))


@blueprint.post("/tasks/<task_id>/assignment")
@signed_in
def assign(task_id: str) -> AnyResponse:
    """Give a task to a person, or to whoever comes first; back to its item."""
    wanted, form = known_id(task_id), typed()
    try:
        with write_session() as session:
            name = assigning.assign(session=session, actor=actor(), task_id=wanted, person=form.get("person") or None)
        flash(_("Given to %(name)s.", name=name) if name else _("Left to whoever comes first."), "good")
    except (Conflict, Invalid) as error:
        flash(error.message, "warning")
    item_id = form.get("item", "")
    return away(url_for("review.item", item_id=known_id(item_id)) if item_id else url_for("review.home"))


def _hand_on(
    claim_id: str,
    operation: Callable[..., Any],
    *,
    says: Callable[[Any, str, str], Any] | None = None,
    **arguments: Any,
) -> AnyResponse:
    """On to the next, with what `says` tells of the operation's result; or, where it cannot be, back to the task, and
    why."""
    who = actor()
    try:
        with write_session() as session:
            slug = leases.queue_of_claim(session=session, actor=who, claim_id=claim_id).slug
            result = operation(session=session, actor=who, claim_id=claim_id, **arguments)
    except LeaseLost:
        return away(url_for("review.show", claim_id=claim_id))
    except (Conflict, Invalid) as error:
        flash(" ".join([error.message, *(_in_words(fault) for fault in getattr(error, "faults", ())[:3])]), "warning")
        return away(url_for("review.show", claim_id=claim_id))
    if says is not None:
        flash(says(result, slug, leases.parse_claim_id(claim_id)[0]), "good")
    return next_claim(who, slug)


def _in_words(fault: Fault) -> str:
    return f"{fault.pointer.lstrip('/').replace('/', ' › ')} {fault.detail}."


@blueprint.post("/tasks/<task_id>/skip/withdrawal")
@signed_in
def undo_skip(task_id: str) -> AnyResponse:
    """Take back my last skip, and have its item in hand again."""
    who, wanted = actor(), known_id(task_id)
    try:
        held = edge.claiming(lambda session: handing.take_back_skip(session=session, actor=who, task_id=wanted))
    except Conflict as error:
        flash(error.message, "warning")
        return away(url_for("review.home"))
    flash(_("Taken back: your skip. The item is in your hands."), "good")
    return go_to(held.claim_id)
