"""Where an answer leads: to the next claim, to its page, or away."""

from __future__ import annotations

from flask import Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.core.access import Actor
from reviewqueue.core.db import read_session
from reviewqueue.core.http import actor, is_from_desk
from reviewqueue.errors import Conflict, NotAdmitted
from reviewqueue.review import edge, histories, workpiece
from reviewqueue.review.desk.filling import desk_of
from reviewqueue.review.desk.page import Desk


def next_claim(who: Actor, slug: str | None) -> AnyResponse:
    """To the next claim; to the queue's page, or home, when nothing waits."""
    try:
        claim_id = edge.take_next(who, slug, lambda _, held: held.claim_id)
    except NotAdmitted as error:
        flash(error.message, "warning")
        return away(url_for("review.home") if slug is None else url_for("review.queue", slug=slug))
    if claim_id is not None:
        return go_to(claim_id)
    return away(url_for("review.home") if slug is None else url_for("review.queue", slug=slug))


def go_to(claim_id: str) -> AnyResponse:
    if not is_from_desk():
        return redirect(url_for("review.show", claim_id=claim_id), 303)
    with read_session() as session:
        answer = desk_page(session, actor(), read_desk(session, actor(), claim_id))
    answer.headers["X-Location"] = url_for("review.show", claim_id=claim_id)
    return answer


def away(address: str) -> AnyResponse:
    return redirect(address, 303)


def read_desk(session: Session, who: Actor, claim_id: str, data: MultiDict[str, str] | None = None) -> Desk:
    work = workpiece.workpiece(session=session, actor=who, claim_id=claim_id, drawn=data is None)
    return desk_of(work, data)


def desk_page(session: Session, who: Actor, desk: Desk, *, lost: Conflict | None = None, status: int = 200) -> Response:
    undo = histories.last_undoable(session=session, actor=who)
    others = [card for card in workpiece.home(session=session, actor=who) if card.waiting] if lost else []
    html = render_template("review/desk.html", desk=desk, work=desk.work, lost=lost, undo=undo, others=others)
    return Response(html, status=status)


def typed() -> MultiDict[str, str]:
    """The form as it was sent. NUL, which no database column holds, becomes the replacement character."""
    return MultiDict((name, value.replace("\x00", "\ufffd")) for name, value in request.form.items(multi=True))


def note_of(text: str | None) -> str | None:
    return (text or "").strip()[:20_000] or None
