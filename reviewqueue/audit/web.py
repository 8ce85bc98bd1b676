"""The auditor's page: the whole log, proofs of its events, how far it is sealed; and erasing."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from reviewqueue.audit import erasing, reading, verifying
from reviewqueue.core.access import Action, require
from reviewqueue.core.db import read_session
from reviewqueue.core.http import actor, cursor_of, id_cursor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Invalid

blueprint = Blueprint("audit", __name__)


@blueprint.get("/admin/audit")
@signed_in
def index() -> str:
    filters, before = reading.filters_of(request.args), id_cursor()
    with read_session() as session:
        found = reading.page(session=session, actor=actor(), filters=filters, before=before)
        seal = reading.seal(session=session, actor=actor())
    here = url_for(".index", **{name: value for name, value in vars(filters).items() if value})
    joint = "&" if filters.address else "?"
    more = f"{here}{joint}cursor={cursor_of(found.go_on)}" if found.go_on else None
    return render_template(
        "audit/index.html", page=found, filters=filters, seal=seal, more=more, first=here if before else None
    )


@blueprint.get("/admin/audit/<event_id>/proof")
@signed_in
def proof(event_id: str) -> Response:
    """The file that `verify_audit_log.py` checks."""
    with verifying.snapshot() as session:
        lines = verifying.proof(session=session, actor=actor(), event_id=known_id(event_id))
    headers = {"Content-Disposition": f'attachment; filename="proof-{event_id}.jsonl"'}
    return Response("".join(lines), mimetype="application/x-ndjson", headers=headers)


@blueprint.post("/admin/erasures")
@signed_in
def erase() -> AnyResponse:
    """Erase what an item, or all items about somebody, said."""
    item, subject = request.form.get("item", "").strip() or None, request.form.get("subject", "").strip() or None
    if (item is None) == (subject is None):
        require(actor(), Action.ERASE)
        raise Invalid(_("Name an item, or somebody; one of both."), code="bad_parameter")
    count = erasing.erase_all(actor=actor(), reason=request.form.get("reason", ""), item_id=item, subject=subject)
    flash(ngettext("%(num)d item erased.", "%(num)d items erased.", count))
    return redirect(url_for(".index", action="erasure"), 303)
