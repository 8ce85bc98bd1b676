"""HTML routes of what was decided: my decisions, a queue's items, an item."""

from __future__ import annotations

from flask import flash, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.core.db import database_now, read_session, write_session
from reviewqueue.core.http import actor, page_number, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.core.pages import midnight
from reviewqueue.errors import Conflict, Invalid
from reviewqueue.models.states import ItemState, Verdict
from reviewqueue.queues.catalog import configuration
from reviewqueue.queues.references import without
from reviewqueue.review import (
    assigning,
    comments,
    finding,
    histories,
    quality,
    reopening,
    saved_views,
    sitting,
    telling,
)
from reviewqueue.review.boxing import drawn_over
from reviewqueue.review.bulk import actions, previewing, progress
from reviewqueue.review.shown import input_shown, lines
from reviewqueue.review.web.filters import blueprint
from reviewqueue.review.web.going_on import away, typed


@blueprint.get("/decisions")
@signed_in
def decisions() -> str:
    """My decisions, newest first, with what I handed on and what is measured of me."""
    who, narrowed = actor(), {name: request.args.get(name, "") for name in ("queue", "verdict")}
    cursor = request.args.get("cursor")
    with read_session() as session:
        page = histories.my_decisions(
            session=session, actor=who, cursor=cursor, slug=narrowed["queue"], verdict=narrowed["verdict"]
        )
        queues = histories.queues_decided_in(session=session, actor=who)
        now = database_now(session)
        today = sitting.made(session=session, actor=who, since=midnight(now))
        week = sitting.made(session=session, actor=who, since=midnight(now, days_ago=6))
        first = cursor is None and not any(narrowed.values())
        handed = sitting.handed_on(session=session, actor=who) if first else []
        measured = quality.mine(session=session, actor=who) if first else []
    return render_template(
        "review/decisions.html", page=page, measured=measured, queues=queues, today=today, week=week, handed=handed,
        narrowed={name: value for name, value in narrowed.items() if value}, enough=quality.ENOUGH, first=first,
    )  # fmt: skip


@blueprint.post("/decisions/<decision_id>/reopening")
@signed_in
def ask_to_reopen(decision_id: str) -> AnyResponse:
    """Ask the leads to have the item of my decision judged once more."""
    wanted, reason = known_id(decision_id), typed().get("reason", "").strip()[:2000]
    try:
        with write_session() as session:
            reopening.ask_to_reopen(session=session, actor=actor(), decision_id=wanted, reason=reason)
        flash(_("The leads have been asked."), "good")
    except (Conflict, Invalid) as error:
        flash(error.message, "warning")
    return away(url_for("review.decisions"))


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
    wanted, reason = known_id(item_id), typed().get("reason", "").strip()
    try:
        with write_session() as session:
            reopening.reopen(session=session, actor=actor(), item_id=wanted, reason=reason[:2000])
        flash(_("Reopened: somebody else will judge it. The present answer stands until then."), "good")
    except (Conflict, Invalid) as error:
        flash(error.message, "warning")
    return away(url_for("review.item", item_id=wanted))


@blueprint.get("/items/<item_id>/comments")
@signed_in
def conversation(item_id: str) -> str:
    """What was said about an item, and what it is about. Opening it is an event, so this writes."""
    with write_session() as session:
        found = comments.conversation(session=session, actor=actor(), item_id=known_id(item_id))
        work = assigning.work_on(session=session, actor=actor(), item_id=found.item.id)
    shown = input_shown(without(found.input), found.config.view.input)
    return render_template("review/conversation.html", found=found, item=found.item, input=shown, work=work)


@blueprint.post("/items/<item_id>/comments")
@signed_in
def comment(item_id: str) -> AnyResponse:
    wanted = known_id(item_id)
    try:
        with write_session() as session:
            said = comments.comment(session=session, actor=actor(), item_id=wanted, body=typed().get("body", ""))
    except Invalid as error:
        flash(error.message, "warning")
        return away(url_for("review.conversation", item_id=wanted))
    if said.mentioned:
        flash(_("Told: %(mentioned)s.", mentioned=", ".join(person.name for person in said.mentioned)), "good")
    if said.unknown:
        flash(
            _(
                "%(unknown)s was not told: no member of this queue, or more than one, is called that.",
                unknown=", ".join("@" + word for word in said.unknown),
            ),
            "warning",
        )
    return away(url_for("review.conversation", item_id=wanted))


@blueprint.post("/items/<item_id>/reveals")
@signed_in
def reveal(item_id: str) -> AnyResponse:
    """Show me what is sensitive of the item, for a while."""
    wanted = known_id(item_id)
    try:
        with write_session() as session:
            histories.reveal(session=session, actor=actor(), item_id=wanted, why=request.form.get("why", ""))
    except Invalid as error:
        flash(error.message, "warning")
    return away(url_for("review.item", item_id=wanted))


@blueprint.get("/items/<item_id>")
@signed_in
def item(item_id: str) -> str:
    """An item and its history. Opening it is an event, so this writes."""
    with write_session() as session:
        history = histories.item_history(session=session, actor=actor(), item_id=item_id)
        work = assigning.work_on(session=session, actor=actor(), item_id=history.item.id)
    told = {
        row.Decision.id: telling.told(history.config, row.Decision, history.item.output) for row in history.decisions
    }
    return render_template(
        "review/item.html", history=history, told=told, work=work, item=history.item, lines=lines,
        input=input_shown(without(history.input), history.config.view.input), drawn=drawn_over(history),
    )  # fmt: skip
