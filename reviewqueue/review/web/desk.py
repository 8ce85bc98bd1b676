"""HTML routes of the desk: claim, decide, keep a draft, undo, pause."""

from __future__ import annotations

from flask import Response, flash, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.core.access import Actor
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, is_from_desk, signed_in, status_of
from reviewqueue.core.ids import known_id
from reviewqueue.errors import AlreadyDecided, Conflict, Forbidden, GraceOver, Invalid, NotAdmitted
from reviewqueue.review import drafts, edge, histories, instructions, telling, workpiece
from reviewqueue.review.claims import leases, returning, taking
from reviewqueue.review.decisions.withdrawing import withdraw
from reviewqueue.review.desk.filling import taken
from reviewqueue.review.desk.page import Desk
from reviewqueue.review.desk.sending import draft_of, explain, submission_of
from reviewqueue.review.golden import told_in_words
from reviewqueue.review.web.filters import blueprint
from reviewqueue.review.web.going_on import away, desk_page, go_to, next_claim, read_desk, typed


@blueprint.post("/queues/<slug>/claims")
@signed_in
def claim(slug: str) -> AnyResponse:
    """Claim the queue's most urgent task, or the one that `task` names (after a lost lease)."""
    task = request.form.get("task")
    if task:
        who, wanted = actor(), known_id(task)
        try:
            held = edge.claiming(lambda session: taking.claim_task(session=session, actor=who, task_id=wanted))
        except (Conflict, NotAdmitted) as error:
            flash(error.message, "warning")
            return away(url_for("review.queue", slug=slug))
        return go_to(held.claim_id)
    return next_claim(actor(), slug)


@blueprint.post("/claims")
@signed_in
def claim_anywhere() -> AnyResponse:
    return next_claim(actor(), None)


@blueprint.get("/claims/<claim_id>")
@signed_in
def show(claim_id: str) -> AnyResponse:
    with read_session() as session:
        desk = read_desk(session, actor(), claim_id)
        return desk_page(session, actor(), desk, lost=None if desk.work.live else _why_lost(session, desk))


def _why_lost(session: Session, desk: Desk) -> Conflict:
    if histories.decided_by(session=session, actor=actor(), task_id=desk.work.task_id):
        return AlreadyDecided("You have decided this item. Under “My decisions” it can be undone while its time runs.")
    return leases.lost_lease(session, actor(), desk.work.task_id)


@blueprint.post("/claims/<claim_id>/decision")
@signed_in
def decide(claim_id: str) -> AnyResponse:
    who = actor()
    with read_session() as session:
        desk = read_desk(session, who, claim_id, typed())
    try:
        decided = edge.decide_now(who, claim_id, submission_of(desk))
    except Invalid as error:
        explain(desk, error)
        return _again(who, desk, status=422)
    except Conflict as error:
        return _again(who, desk, lost=error, status=status_of(error))
    slug = desk.work.queue.slug
    if decided.gold is not None:
        flash(told_in_words(decided.gold), "good" if decided.gold.correct else "warning")
    if desk.work.knows_instructions is None:
        with write_session() as session:
            instructions.note_read(session=session, actor=who, slug=slug, version=desk.work.config_version)
    return next_claim(who, slug)


def _again(who: Actor, desk: Desk, *, lost: Conflict | None = None, status: int) -> Response:
    """The same page with everything that was typed, and what is wrong."""
    with read_session() as session:
        desk.work = workpiece.workpiece(session=session, actor=who, claim_id=desk.work.claim_id)
        return desk_page(session, who, desk, lost=lost, status=status)


@blueprint.post("/claims/<claim_id>/draft")
@signed_in
def save_draft(claim_id: str) -> AnyResponse:
    """Keep what is typed; with `add`, and a row more in that list; with `take`, what that review says; with `reveal`,
    and show what is sensitive."""
    who = actor()
    data = typed()
    asked, why = data.pop("reveal", None), data.pop("reveal_why", "")
    with read_session() as session:
        if data.get("add"):
            data.add(data["add"], f"n{len(data.getlist(data['add']))}")
        desk = read_desk(session, who, claim_id, data)
        if data.get("take"):
            desk = read_desk(session, who, claim_id, taken(desk, data["take"]))
    with write_session() as session:
        drafts.save(session=session, actor=who, task_id=desk.work.task_id, body=draft_of(desk))
        if asked:
            _reveal(session, who, claim_id, why)
    if is_from_desk() and not data.get("take") and not asked:
        return Response(status=204)
    return away(url_for("review.show", claim_id=claim_id))


def _reveal(session: Session, who: Actor, claim_id: str, why: str) -> None:
    try:
        workpiece.reveal(session=session, actor=who, claim_id=claim_id, why=why)
    except (Invalid, Forbidden) as error:
        flash(error.message, "warning")


@blueprint.post("/claims/<claim_id>/preview")
@signed_in
def preview(claim_id: str) -> AnyResponse:
    """How the Markdown that is typed reads, as a part of the page."""
    with read_session() as session:
        workpiece.workpiece(session=session, actor=actor(), claim_id=claim_id, drawn=False)
    return Response(render_template("review/_preview.html", text=typed().get("text", "")))


@blueprint.post("/claims/<claim_id>/renewal")
@signed_in
def renew(claim_id: str) -> AnyResponse:
    """Extend the lease; `X-Lease-Seconds` says by how much."""
    with write_session() as session:
        leases.renew(session=session, actor=actor(), claim_id=claim_id)
        work = workpiece.workpiece(session=session, actor=actor(), claim_id=claim_id, drawn=False)
    return Response(status=204, headers={"X-Lease-Seconds": str(int(work.seconds_left))})


@blueprint.post("/claims/<claim_id>/release")
@signed_in
def release(claim_id: str) -> AnyResponse:
    with write_session() as session:
        slug = leases.queue_of_claim(session=session, actor=actor(), claim_id=claim_id).slug
        returning.release(session=session, actor=actor(), claim_id=claim_id)
    return away(url_for("review.queue", slug=slug))


@blueprint.post("/queues/<slug>/instructions/reading")
@signed_in
def read_instructions(slug: str) -> AnyResponse:
    """I know the instructions now; back to the task in my hands."""
    with write_session() as session:
        instructions.note_read(session=session, actor=actor(), slug=slug)
    if is_from_desk():
        return Response(status=204)
    return next_claim(actor(), slug)


@blueprint.post("/pause")
@signed_in
def pause() -> AnyResponse:
    """Everything held goes back; drafts stay."""
    with write_session() as session:
        count = returning.release_all(session=session, actor=actor())
    flash(
        _("Paused. Nothing is held.")
        if not count
        else ngettext(
            "Paused. %(num)s held item went back to the queue.",
            "Paused. %(num)s held items went back to the queue.",
            count,
        )
    )
    return away(url_for("review.home"))


@blueprint.post("/decisions/<decision_id>/withdrawal")
@signed_in
def undo(decision_id: str) -> AnyResponse:
    """Take back a decision of mine in its grace time, and have its item in hand again."""
    who = actor()
    try:
        held, told = edge.claiming(lambda session: _taken_back(session, who, decision_id))
    except GraceOver as error:
        flash(error.message, "warning")
        return away(url_for("review.decisions"))
    flash(_("Taken back: %(what)s. It is in your hands as you had decided it.", what=told.in_words), "good")
    return go_to(held.claim_id)


def _taken_back(session: Session, who: Actor, decision_id: str) -> tuple[leases.Held, telling.Told]:
    held = withdraw(session=session, actor=who, decision_id=decision_id)
    return held, histories.told_of(session=session, actor=who, decision_id=decision_id)
