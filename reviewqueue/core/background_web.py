"""The administration page of the background: RQ, the outbox, the relay, and what failed."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from reviewqueue.core import background, background_state
from reviewqueue.core.access import Action, require
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import signed_in

blueprint = Blueprint("background", __name__)


@blueprint.get("/admin/background")
@signed_in
def show() -> Any:
    require(g.actor, Action.SEE_BACKGROUND)
    with read_session() as session:
        lead = background_state.lead(session)
        waiting = background_state.waiting(session)
        failures = background_state.failures(session)
    # After the session: a silent Redis must not hold a connection of the database.
    rq = background_state.rq(current_app.config["SETTINGS"].redis_url)
    return render_template("background/background.html", lead=lead, waiting=waiting, failures=failures, rq=rq)


@blueprint.post("/admin/background/failures/<int:outbox_id>/retry")
@signed_in
def retry(outbox_id: int) -> Response:
    return _retried(outbox_id)


@blueprint.post("/admin/background/failures/retry")
@signed_in
def retry_all() -> Response:
    return _retried(None)


def _retried(row_id: int | None) -> Response:
    with write_session() as session:
        count = background.retry(session=session, actor=g.actor, row_id=row_id)
    flash(
        _("%(count)s to be tried again.", count=count) if count else _("Nothing has failed."),
        "good" if count else "info",
    )
    return redirect(url_for("background.show"), 303)
