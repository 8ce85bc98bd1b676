"""HTML routes of imports: those that were sent, how far each is, and what it refused."""

from __future__ import annotations

import json

from flask import Blueprint, render_template, request, url_for

from reviewqueue.accounts.identity import name_of
from reviewqueue.core.access import Action, require
from reviewqueue.core.db import read_session
from reviewqueue.core.http import actor, cursor_of, id_cursor, page_size, parse_cursor, signed_in
from reviewqueue.errors import Invalid
from reviewqueue.intake import imports

blueprint = Blueprint("imports", __name__, url_prefix="/admin/imports")
PAGE = 25


@blueprint.get("")
@signed_in
def index() -> str:
    """All of them, newest first."""
    who, before = actor(), id_cursor()
    require(who, Action.CONFIGURE_QUEUES)
    with read_session() as session:
        rows = imports.imports_of(session=session, actor=who, before=before, limit=PAGE + 1)
        senders = {label: name_of(session, label) for label in {row.requested_by for row in rows}}
    more = url_for(".index", cursor=cursor_of(rows[PAGE - 1].id)) if len(rows) > PAGE else None
    return render_template(
        "intake/imports.html", rows=rows[:PAGE], senders=senders, more=more, paged=before is not None
    )


@blueprint.get("/<import_id>")
@signed_in
def show(import_id: str) -> str:
    """One: its progress while it runs, and the lines it refused."""
    after = parse_cursor(request.args.get("cursor"), 1)
    if after is not None and not (after[0].isascii() and after[0].isdigit() and len(after[0]) < 10):
        raise Invalid("The cursor is not one that this list gave. Start without it.", code="bad_cursor")
    limit = min(page_size(), PAGE)
    with read_session() as session:
        run = imports.permitted(session=session, actor=actor(), import_id=import_id)
        found = imports.faults_of(session, run.id, after_line=int(after[0]) if after else 0, limit=limit + 1)
        sender = name_of(session, run.requested_by)
    faults = [(line, json.loads(problem)) for line, problem in found[:limit]]
    more = url_for(".show", import_id=run.id, cursor=cursor_of(str(faults[-1][0]))) if len(found) > limit else None
    part = request.args.get("part") == "progress"
    return render_template(
        "intake/_progress.html" if part else "intake/import.html",
        run=run, faults=faults, sender=sender, more=more, paged=after is not None,
    )  # fmt: skip
