"""The page of what happened in the administration."""

from __future__ import annotations

from flask import Blueprint, render_template, request, url_for

from reviewqueue.accounts import events
from reviewqueue.core.db import read_session
from reviewqueue.core.http import actor, cursor_of, id_cursor, signed_in
from reviewqueue.errors import Invalid

blueprint = Blueprint("events", __name__)


@blueprint.get("/admin/events")
@signed_in
def index() -> str:
    """All of it, or with `?subject=` or `?queue=` what is about one."""
    subject, slug = request.args.get("subject") or None, request.args.get("queue") or None
    if subject is not None and not (subject.isascii() and subject.isprintable() and len(subject) <= 64):
        raise Invalid("subject must be the id of a person or a token.", code="bad_parameter")
    before = id_cursor()
    with read_session() as session:
        found = events.events(
            session=session, actor=actor(), subject=subject, slug=slug, before=before, limit=events.PAGE + 1
        )
        about = slug or (events.title_of(session=session, subject=subject) if subject else None)
    more = None
    if len(found) > events.PAGE:
        more = url_for(".index", subject=subject, queue=slug, cursor=cursor_of(found[events.PAGE - 1].id))
    first = url_for(".index", subject=subject, queue=slug) if before else None
    return render_template("accounts/events.html", events=found[: events.PAGE], about=about, more=more, first=first)
