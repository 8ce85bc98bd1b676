"""HTML routes of notices."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Response

from reviewqueue.core.access import Action, may
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.models.states import ActorKind, NoticeKind
from reviewqueue.notices import inbox
from reviewqueue.notices.mail import says

blueprint = Blueprint("notices", __name__)


@blueprint.get("/notices")
@signed_in
def index() -> str:
    """My notices, newest first."""
    with read_session() as session:
        rows, cursor = inbox.mine(session=session, actor=actor(), cursor=request.args.get("cursor"))
        mailed = inbox.is_mailed(session=session, actor=actor())
    return render_template("notices/index.html", rows=rows, cursor=cursor, says=says, mailed=mailed)


@blueprint.get("/notices/<notice_id>")
@signed_in
def show(notice_id: str) -> Response:
    """To what it tells of; a link in an e-mail can only be followed, so this writes."""
    with write_session() as session:
        notice = inbox.read(session=session, actor=actor(), notice_id=known_id(notice_id))
    if notice.kind in {NoticeKind.ASSIGNED, NoticeKind.FOLLOW_UP}:
        return redirect(url_for("review.tasks"), 303)
    if notice.kind in inbox.OF_ALERTS:
        return redirect(url_for("alerts.index", _anchor=f"alert-{notice.item_id}"), 303)
    if notice.item_id is None:
        return redirect(_page_of_queue(notice), 303)
    if notice.kind is NoticeKind.REOPENING_ASKED or (notice.kind is NoticeKind.ESCALATED and _may_read(notice)):
        return redirect(url_for("review.item", item_id=notice.item_id), 303)
    return redirect(url_for("review.conversation", item_id=notice.item_id), 303)


def _may_read(notice: Any) -> bool:
    """Whether the item's own page is open to them: of one that came from another queue it may not be."""
    return may(actor(), Action.READ_ITEMS, notice.queue_id)


def _page_of_queue(notice: Any) -> str:
    if notice.slug is None:
        return url_for("review.home")
    pages = {NoticeKind.REVIEWER_PAUSED: "quality.show", NoticeKind.PAUSED: "review.queue"}
    return url_for(pages.get(notice.kind, "queues.show"), slug=notice.slug)


@blueprint.post("/notices/reading")
@signed_in
def read_all() -> Response:
    with write_session() as session:
        inbox.read_all(session=session, actor=actor())
    return redirect(url_for("notices.index"), 303)


@blueprint.post("/notices/mailing")
@signed_in
def set_mailed() -> Response:
    """Switch e-mail about notices on or off."""
    wanted = request.form.get("mailed") == "1"
    with write_session() as session:
        inbox.set_mailed(session=session, actor=actor(), wanted=wanted)
    flash(_("Notices come by e-mail, too.") if wanted else _("Notices come by e-mail no more."), "good")
    return redirect(url_for("notices.index"), 303)


def unread_notices() -> int:
    """For every page: how many wait to be read."""
    who = g.get("actor")
    if who is None or who.kind is not ActorKind.PERSON:
        return 0
    try:
        with read_session() as session:
            return inbox.unread(session=session, actor=who)
    except SQLAlchemyError:
        # The page may be the very one that says so.
        return 0
