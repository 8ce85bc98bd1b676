"""HTML routes of review: home, the desk, my decisions, items.

The desk's script asks with the header `X-Desk`; then what would be a redirect to the next claim is its page at once
(its address in `X-Location`), so that a decision and the next item are one round trip. Without the script the same
forms work with redirects.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.core.access import Actor
from reviewqueue.core.db import database_now, read_session, write_session
from reviewqueue.core.http import actor, is_from_desk, page_number, signed_in, status_of
from reviewqueue.core.ids import known_id
from reviewqueue.errors import AlreadyDecided, Conflict, Fault, GraceOver, Invalid, LeaseLost, NotAdmitted
from reviewqueue.models.states import ItemState, Verdict
from reviewqueue.queues.catalog import configuration, find_queue
from reviewqueue.queues.references import without
from reviewqueue.review import (
    assigning,
    comments,
    drafts,
    edge,
    escalation,
    finding,
    grid,
    handing,
    histories,
    instructions,
    quality,
    reopening,
    saved_views,
    workpiece,
)
from reviewqueue.review.boxing import drawn_over
from reviewqueue.review.bulk import actions, previewing, progress
from reviewqueue.review.claims import leases, passing_on, returning, taking
from reviewqueue.review.decisions.withdrawing import withdraw
from reviewqueue.review.desk.filling import desk_of, taken
from reviewqueue.review.desk.page import Desk
from reviewqueue.review.desk.sending import draft_of, explain, submission_of
from reviewqueue.review.golden import told_in_words
from reviewqueue.review.shown import (
    as_it_reads,
    hidden_in,
    input_shown,
    lines,
    markdown,
    pieces,
    reads_otherwise,
    scalar,
    words,
)

blueprint = Blueprint("review", __name__)


@blueprint.record_once
def _give_templates_their_filters(state: Any) -> None:
    state.app.jinja_env.filters.update(
        as_it_reads=as_it_reads,
        reads_otherwise=reads_otherwise,
        pieces=pieces,
        hidden_in=hidden_in,
        words=words,
        markdown=markdown,
        scalar=scalar,
        from_json=json.loads,
    )


# -- home and queues --------------------------------------------------------------------------------------------------


@blueprint.get("/")
@signed_in
def home() -> str:
    with read_session() as session:
        cards = workpiece.home(session=session, actor=actor())
        undo = histories.last_undoable(session=session, actor=actor())
        own = assigning.own(session=session, actor=actor())
    return render_template("review/home.html", cards=cards, undo=undo, own=own)


@blueprint.get("/tasks")
@signed_in
def tasks() -> str:
    """What is mine: in my hands, assigned to me, put off."""
    with read_session() as session:
        mine = assigning.my_tasks(session=session, actor=actor())
    return render_template("review/tasks.html", tasks=mine)


@blueprint.get("/queues/<slug>")
@signed_in
def queue(slug: str) -> str:
    """A queue as its reviewers see it before they start, or once nothing waits."""
    who = actor()
    with read_session() as session:
        head = find_queue(session=session, actor=who, slug=slug)
        config = configuration(session, head.id, head.version).config
        cards = workpiece.home(session=session, actor=who)
        undo = histories.last_undoable(session=session, actor=who)
    card = next((card for card in cards if card.slug == slug), None)
    others = [card for card in cards if card.slug != slug and card.waiting]
    return render_template(
        "review/queue.html", queue=head, config=config, card=card, others=others, undo=undo, has_grid=grid.suits(config)
    )


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
            return _away(url_for("review.queue", slug=slug))
        return _go_to(held.claim_id)
    return _next(actor(), slug)


@blueprint.post("/claims")
@signed_in
def claim_anywhere() -> AnyResponse:
    return _next(actor(), None)


def _next(who: Actor, slug: str | None) -> AnyResponse:
    """To the next claim; to the queue's page, or home, when nothing waits."""
    try:
        claim_id = edge.take_next(who, slug, lambda _, held: held.claim_id)
    except NotAdmitted as error:
        flash(error.message, "warning")
        return _away(url_for("review.home") if slug is None else url_for("review.queue", slug=slug))
    if claim_id is not None:
        return _go_to(claim_id)
    return _away(url_for("review.home") if slug is None else url_for("review.queue", slug=slug))


def _go_to(claim_id: str) -> AnyResponse:
    if not is_from_desk():
        return redirect(url_for("review.show", claim_id=claim_id), 303)
    with read_session() as session:
        answer = _page(session, actor(), _read(session, actor(), claim_id))
    answer.headers["X-Location"] = url_for("review.show", claim_id=claim_id)
    return answer


def _away(address: str) -> AnyResponse:
    return redirect(address, 303)


# -- the desk ---------------------------------------------------------------------------------------------------------


@blueprint.get("/claims/<claim_id>")
@signed_in
def show(claim_id: str) -> AnyResponse:
    with read_session() as session:
        desk = _read(session, actor(), claim_id)
        return _page(session, actor(), desk, lost=None if desk.work.live else _why_lost(session, desk))


def _read(session: Session, who: Actor, claim_id: str, data: MultiDict[str, str] | None = None) -> Desk:
    work = workpiece.workpiece(session=session, actor=who, claim_id=claim_id, drawn=data is None)
    return desk_of(work, data)


def _why_lost(session: Session, desk: Desk) -> Conflict:
    if histories.decided_by(session=session, actor=actor(), task_id=desk.work.task_id):
        return AlreadyDecided("You have decided this item. Under “My decisions” it can be undone while its time runs.")
    return leases.lost_lease(session, actor(), desk.work.task_id)


def _page(session: Session, who: Actor, desk: Desk, *, lost: Conflict | None = None, status: int = 200) -> Response:
    undo = histories.last_undoable(session=session, actor=who)
    others = [card for card in workpiece.home(session=session, actor=who) if card.waiting] if lost else []
    html = render_template("review/desk.html", desk=desk, work=desk.work, lost=lost, undo=undo, others=others)
    return Response(html, status=status)


def _typed() -> MultiDict[str, str]:
    """The form as it was sent. NUL, which no database column holds, becomes the replacement character."""
    return MultiDict((name, value.replace("\x00", "\ufffd")) for name, value in request.form.items(multi=True))


@blueprint.post("/claims/<claim_id>/decision")
@signed_in
def decide(claim_id: str) -> AnyResponse:
    who = actor()
    with read_session() as session:
        desk = _read(session, who, claim_id, _typed())
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
    return _next(who, slug)


def _again(who: Actor, desk: Desk, *, lost: Conflict | None = None, status: int) -> Response:
    """The same page with everything that was typed, and what is wrong."""
    with read_session() as session:
        desk.work = workpiece.workpiece(session=session, actor=who, claim_id=desk.work.claim_id)
        return _page(session, who, desk, lost=lost, status=status)


@blueprint.post("/claims/<claim_id>/draft")
@signed_in
def save_draft(claim_id: str) -> AnyResponse:
    """Keep what is typed; with `add`, and a row more in that list; with `take`, what that review says."""
    who = actor()
    data = _typed()
    with read_session() as session:
        if data.get("add"):
            data.add(data["add"], f"n{len(data.getlist(data['add']))}")
        desk = _read(session, who, claim_id, data)
        if data.get("take"):
            desk = _read(session, who, claim_id, taken(desk, data["take"]))
    with write_session() as session:
        drafts.save(session=session, actor=who, task_id=desk.work.task_id, body=draft_of(desk))
    if is_from_desk() and not data.get("take"):
        return Response(status=204)
    return _away(url_for("review.show", claim_id=claim_id))


@blueprint.post("/claims/<claim_id>/preview")
@signed_in
def preview(claim_id: str) -> AnyResponse:
    """How the Markdown that is typed reads, as a part of the page."""
    with read_session() as session:
        workpiece.workpiece(session=session, actor=actor(), claim_id=claim_id, drawn=False)
    return Response(render_template("review/_preview.html", text=_typed().get("text", "")))


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
    return _away(url_for("review.queue", slug=slug))


@blueprint.post("/claims/<claim_id>/skip")
@signed_in
def skip(claim_id: str) -> AnyResponse:
    """Not me, and why: to somebody else, and on to the next."""
    return _hand_on(claim_id, passing_on.skip, comment=_note(_typed().get("skip_note")))


@blueprint.post("/claims/<claim_id>/escalation")
@signed_in
def escalate(claim_id: str) -> AnyResponse:
    """Not my authority: to the leads, with the note; and on to the next."""
    comment = _typed().get("escalation") or _typed().get("comment")
    return _hand_on(claim_id, escalation.escalate, comment=_note(comment))


@blueprint.get("/claims/<claim_id>/handing")
@signed_in
def hand_on(claim_id: str) -> AnyResponse:
    """All the ways to hand a task on. The desk's script shows the same in a dialog."""
    who = actor()
    with read_session() as session:
        work = workpiece.workpiece(session=session, actor=who, claim_id=claim_id)
        if not work.live:
            return _away(url_for("review.show", claim_id=claim_id))
        targets = handing.targets(session=session, actor=who, here=work.queue, given=work.input, output=work.output)
        people = assigning.colleagues(session=session, actor=who, task_id=work.task_id)
    return Response(render_template("review/handing.html", work=work, targets=targets, people=people))


@blueprint.post("/claims/<claim_id>/transfer")
@signed_in
def transfer(claim_id: str) -> AnyResponse:
    """To the people of another queue, with the note; and on to the next."""
    form = _typed()
    return _hand_on(claim_id, handing.send_to_queue, slug=form.get("queue", ""), comment=_note(form.get("note")))


@blueprint.post("/claims/<claim_id>/postponement")
@signed_in
def put_off(claim_id: str) -> AnyResponse:
    """To me again, in so many hours or on that day; and on to the next."""
    form = _typed()
    with read_session() as session:
        until = _follow_up(database_now(session), form.get("hours", ""), form.get("day", ""))
    return _hand_on(claim_id, handing.put_off, until=until)


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
    return _hand_on(claim_id, assigning.give, person=_typed().get("person", ""))


@blueprint.post("/tasks/<task_id>/assignment")
@signed_in
def assign(task_id: str) -> AnyResponse:
    """Give a task to a person, or to whoever comes first; back to its item."""
    wanted, form = known_id(task_id), _typed()
    try:
        with write_session() as session:
            assigning.assign(session=session, actor=actor(), task_id=wanted, person=form.get("person") or None)
        flash("Given." if form.get("person") else "Left to whoever comes first.", "good")
    except (Conflict, Invalid) as error:
        flash(error.message, "warning")
    item_id = form.get("item", "")
    return _away(url_for("review.item", item_id=known_id(item_id)) if item_id else url_for("review.home"))


def _note(text: str | None) -> str | None:
    return (text or "").strip()[:20_000] or None


def _hand_on(claim_id: str, operation: Callable[..., None], **arguments: Any) -> AnyResponse:
    """On to the next; or, where it cannot be, back to the task, and why."""
    who = actor()
    try:
        with write_session() as session:
            slug = leases.queue_of_claim(session=session, actor=who, claim_id=claim_id).slug
            operation(session=session, actor=who, claim_id=claim_id, **arguments)
    except LeaseLost:
        return _away(url_for("review.show", claim_id=claim_id))
    except (Conflict, Invalid) as error:
        flash(" ".join([error.message, *(_in_words(fault) for fault in getattr(error, "faults", ())[:3])]), "warning")
        return _away(url_for("review.show", claim_id=claim_id))
    return _next(who, slug)


def _in_words(fault: Fault) -> str:
    return f"{fault.pointer.lstrip('/').replace('/', ' › ')} {fault.detail}."


@blueprint.post("/queues/<slug>/instructions/reading")
@signed_in
def read_instructions(slug: str) -> AnyResponse:
    """I know the instructions now; back to the task in my hands."""
    with write_session() as session:
        instructions.note_read(session=session, actor=actor(), slug=slug)
    if is_from_desk():
        return Response(status=204)
    return _next(actor(), slug)


@blueprint.post("/pause")
@signed_in
def pause() -> AnyResponse:
    """Everything held goes back; drafts stay."""
    with write_session() as session:
        count = returning.release_all(session=session, actor=actor())
    flash("Paused. Nothing is held." if not count else f"Paused. {count} held {_items(count)} went back to the queue.")
    return _away(url_for("review.home"))


def _items(count: int) -> str:
    return "item" if count == 1 else "items"


@blueprint.post("/decisions/<decision_id>/withdrawal")
@signed_in
def undo(decision_id: str) -> AnyResponse:
    """Take back a decision of mine in its grace time, and have its item in hand again."""
    who = actor()
    try:
        held = edge.claiming(lambda session: withdraw(session=session, actor=who, decision_id=decision_id))
    except GraceOver as error:
        flash(error.message, "warning")
        return _away(url_for("review.decisions"))
    return _go_to(held.claim_id)


@blueprint.post("/tasks/<task_id>/skip/withdrawal")
@signed_in
def undo_skip(task_id: str) -> AnyResponse:
    """Take back my last skip, and have its item in hand again."""
    who, wanted = actor(), known_id(task_id)
    try:
        held = edge.claiming(lambda session: handing.take_back_skip(session=session, actor=who, task_id=wanted))
    except Conflict as error:
        flash(error.message, "warning")
        return _away(url_for("review.home"))
    return _go_to(held.claim_id)


# -- afterwards -------------------------------------------------------------------------------------------------------


@blueprint.get("/decisions")
@signed_in
def decisions() -> str:
    """My decisions, newest first."""
    with read_session() as session:
        page = histories.my_decisions(session=session, actor=actor(), cursor=request.args.get("cursor"))
        measured = quality.mine(session=session, actor=actor())
    return render_template("review/decisions.html", page=page, measured=measured)


@blueprint.post("/decisions/<decision_id>/reopening")
@signed_in
def ask_to_reopen(decision_id: str) -> AnyResponse:
    """Ask the leads to have the item of my decision judged once more."""
    wanted, reason = known_id(decision_id), _typed().get("reason", "").strip()[:2000]
    try:
        with write_session() as session:
            reopening.ask_to_reopen(session=session, actor=actor(), decision_id=wanted, reason=reason)
        flash("The leads have been asked.", "good")
    except (Conflict, Invalid) as error:
        flash(error.message, "warning")
    return _away(url_for("review.decisions"))


@blueprint.get("/queues/<slug>/items")
@signed_in
def items(slug: str) -> str:
    """Items of a queue, narrowed by the filters in the address, with the views that are saved of it."""
    who, filters = actor(), finding.filters_of(request.args)
    with read_session() as session:
        found = finding.items_of(
            session=session, actor=who, slug=slug, filters=filters, cursor=request.args.get("cursor")
        )
        shape = configuration(session, found.queue.id, found.queue.version).config
        views = saved_views.views_of(session=session, actor=who, queue_id=found.queue.id, page=page_number("views"))
        people = assigning.everybody(session=session, queue_id=found.queue.id)
        latest = progress.latest(session=session, actor=who, queue_id=found.queue.id)
    return render_template(
        "review/items.html", queue=found.queue, page=found, filters=filters, states=list(ItemState), views=views,
        people=people, labels=shape.labels if shape.view.type == "choice" else [], verdicts=list(Verdict),
        looked_at=finding.LOOKED_AT, paged="cursor" in request.args, actions=actions.open_to(who, found.queue.id),
        most=previewing.MOST, latest=latest,
    )  # fmt: skip


@blueprint.post("/items/<item_id>/reopenings")
@signed_in
def reopen_item(item_id: str) -> AnyResponse:
    """Have an item that has ended judged once more, by somebody else."""
    wanted, reason = known_id(item_id), _typed().get("reason", "").strip()
    try:
        with write_session() as session:
            reopening.reopen(session=session, actor=actor(), item_id=wanted, reason=reason[:2000])
        flash("Reopened: somebody else will judge it. The present answer stands until then.", "good")
    except (Conflict, Invalid) as error:
        flash(error.message, "warning")
    return _away(url_for("review.item", item_id=wanted))


@blueprint.get("/items/<item_id>/comments")
@signed_in
def conversation(item_id: str) -> str:
    """What was said about an item, and what it is about. Opening it is an event, so this writes."""
    with write_session() as session:
        found = comments.conversation(session=session, actor=actor(), item_id=known_id(item_id))
    shown = input_shown(without(json.loads(found.item.input)), found.config.view.input)
    return render_template("review/conversation.html", found=found, item=found.item, input=shown)


@blueprint.post("/items/<item_id>/comments")
@signed_in
def comment(item_id: str) -> AnyResponse:
    wanted = known_id(item_id)
    try:
        with write_session() as session:
            said = comments.comment(session=session, actor=actor(), item_id=wanted, body=_typed().get("body", ""))
    except Invalid as error:
        flash(error.message, "warning")
        return _away(url_for("review.conversation", item_id=wanted))
    if said.mentioned:
        flash(f"Told: {', '.join(person.name for person in said.mentioned)}.", "good")
    if said.unknown:
        flash(f"Nobody, or more than one, is called {', '.join('@' + word for word in said.unknown)}.", "warning")
    return _away(url_for("review.conversation", item_id=wanted))


@blueprint.get("/items/<item_id>")
@signed_in
def item(item_id: str) -> str:
    """An item and its history. Opening it is an event, so this writes."""
    with write_session() as session:
        history = histories.item_history(session=session, actor=actor(), item_id=item_id)
        work = assigning.work_on(session=session, actor=actor(), item_id=history.item.id)
    return render_template(
        "review/item.html", history=history, work=work, item=history.item, lines=lines,
        input=input_shown(without(history.input), history.config.view.input), drawn=drawn_over(history),
    )  # fmt: skip
