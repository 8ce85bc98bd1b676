"""HTML routes of quality: a queue's figures and its gold."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from reviewqueue.core.access import Action, may
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Conflict, Invalid
from reviewqueue.models.states import StandingState
from reviewqueue.queues.catalog import configuration
from reviewqueue.review import golden, quality, standings

blueprint = Blueprint("quality", __name__)


@blueprint.get("/queues/<slug>/quality")
@signed_in
def show(slug: str) -> str:
    """How people meet the queue's gold, how they agree, and the gold itself for those who manage it."""
    who = actor()
    with read_session() as session:
        found = quality.quality_of(session=session, actor=who, slug=slug)
        manages = may(who, Action.MANAGE_GOLD, found.queue.id)
        gold = golden.gold_of(session=session, actor=who, slug=slug) if manages else None
        rules = configuration(session, found.queue.id, found.queue.version).config.reviews
    return render_template("review/quality.html", quality=found, gold=gold, enough=quality.ENOUGH, rules=rules)


@blueprint.post("/items/<item_id>/gold")
@signed_in
def add(item_id: str) -> Response:
    """Make an item that people have resolved gold."""
    wanted, note = known_id(item_id), request.form.get("note", "").replace("\x00", "").strip()[:2000]
    try:
        with write_session() as session:
            golden.add(session=session, actor=actor(), item_id=wanted, note=note or None)
        flash(_("It is gold now: people who have not seen it are given it as a check."), "good")
    except Conflict as error:
        flash(error.message, "warning")
    return redirect(url_for("review.item", item_id=wanted), 303)


@blueprint.post("/queues/<slug>/gold/<gold_id>/retirement")
@signed_in
def retire(slug: str, gold_id: str) -> Response:
    """Give it to nobody any more."""
    with write_session() as session:
        golden.retire(session=session, actor=actor(), gold_id=known_id(gold_id))
    return redirect(url_for("quality.show", slug=slug), 303)


@blueprint.post("/queues/<slug>/standings/<reviewer_id>")
@signed_in
def rule(slug: str, reviewer_id: str) -> Response:
    """Let somebody begin or go on, have them calibrated, or pause them."""
    note = request.form.get("note", "").replace("\x00", "").strip()[:2000]
    state = request.form.get("state", "")
    if state not in list(StandingState):
        raise Invalid(f"state must be one of {', '.join(StandingState)}.", code="bad_parameter")
    with write_session() as session:
        standings.rule(
            session=session, actor=actor(), slug=slug, person_id=known_id(reviewer_id), state=StandingState(state),
            note=note or None,
        )  # fmt: skip
    return redirect(url_for("quality.show", slug=slug), 303)
