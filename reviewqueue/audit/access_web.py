"""Pages: who may do what, and who looked at what."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.accounts.identity import name_of
from reviewqueue.audit import access_review, viewing
from reviewqueue.audit.access_review import Holder, Wanted
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, cursor_of, id_cursor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.core.moments import iso
from reviewqueue.feedback.formats.lines import csv_line

blueprint = Blueprint("access", __name__)

MOST = 200
"""Shown on the page; the CSV has all."""
_COLUMNS = (
    "kind", "name", "email", "id", "state", "role", "queue_roles", "teams", "scopes", "queues", "signs_in",
    "second_factor", "created_at", "last_used_at", "may", "reviewed_at", "reviewed_by", "changed_since",
)  # fmt: skip


def _wanted() -> Wanted:
    asked = request.args
    return Wanted(asked.get("q", "")[:200], asked.get("kind", ""), asked.get("role", ""), asked.get("state", "live"))


@blueprint.get("/admin/access")
@signed_in
def index() -> str:
    """People and tokens that may do something here; `?q=&kind=&role=&state=`."""
    wanted = _wanted()
    with read_session() as session:
        found = access_review.holders(session=session, actor=actor(), wanted=wanted)
    return render_template(
        "audit/access.html", holders=found[:MOST], count=len(found), most=MOST, wanted=wanted,
        query={name: value for name, value in vars(wanted).items() if name != "text"} | {"q": wanted.text},
    )  # fmt: skip


@blueprint.get("/admin/access.csv")
@signed_in
def download() -> Response:
    """The same, all of it, as CSV."""
    with read_session() as session:
        found = access_review.holders(session=session, actor=actor(), wanted=_wanted())
    lines = b"".join([csv_line(_COLUMNS), *(csv_line(_cells(one)) for one in found)])
    headers = {"Content-Disposition": "attachment; filename=access.csv"}
    return Response(lines, mimetype="text/csv", headers=headers)


def _cells(one: Holder) -> list[str | None]:
    allowed = [f"{place or '*'}: {' '.join(actions)}" for place, actions in one.may.items()]
    return [
        one.kind, one.name, one.email, one.id, "live" if one.live else "ended", one.role or "",
        "; ".join(f"{place.slug}: {place.role}" for place in one.places),
        "; ".join(sorted({place.team for place in one.places if place.team})), " ".join(one.scopes),
        " ".join(one.queues), " + ".join(one.signs_in), "yes" if one.second_factor else "no", iso(one.created_at),
        iso(one.used_at), "; ".join(allowed),
        iso(one.reviewed_at), one.reviewed_by, "yes" if one.changed else "",
    ]  # fmt: skip


@blueprint.post("/admin/access/reviews")
@signed_in
def note_reviewed() -> AnyResponse:
    """I have looked at what `holder` may do."""
    with write_session() as session:
        access_review.note_reviewed(session=session, actor=actor(), holder_id=request.form.get("holder", "")[:64])
    flash(_("Noted in the audit log."), "good")
    asked = request.form
    back = url_for(
        ".index", q=asked.get("q") or None, kind=asked.get("kind"), role=asked.get("role"), state=asked.get("state")
    )
    return redirect(back, 303)


@blueprint.get("/admin/views")
@signed_in
def views() -> str:
    """Who looked at items: all, or with `?item=` or `?person=` of one."""
    asked = request.args.get("item"), request.args.get("person")
    item_id, person_id = (known_id(each) if each else None for each in asked)
    before = id_cursor()
    with read_session() as session:
        found = viewing.views(
            session=session, actor=actor(), item_id=item_id, person_id=person_id, before=before,
            limit=viewing.PAGE + 1,
        )  # fmt: skip
        about = item_id or (name_of(session, f"person:{person_id}") if person_id else None)
    more = None
    if len(found) > viewing.PAGE:
        more = url_for(".views", item=item_id, person=person_id, cursor=cursor_of(found[viewing.PAGE - 1].id))
    first = url_for(".views", item=item_id, person=person_id) if before else None
    return render_template("audit/views.html", views=found[: viewing.PAGE], about=about, more=more, first=first)
