"""HTML routes of alerts: those that are open, what was, and that somebody has one in hand."""

from __future__ import annotations

import json

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from werkzeug.wrappers import Response

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Conflict
from reviewqueue.insights import alert_readings, alerts
from reviewqueue.models.states import AlertFigure

blueprint = Blueprint("alerts", __name__)
NAMES = {
    AlertFigure.OVERRIDE_RATE: lazy_gettext("Override rate"),
    AlertFigure.CONFIDENCE_DRIFT: lazy_gettext("Drift of the confidence"),
    AlertFigure.INPUT_DRIFT: lazy_gettext("Drift of the inputs' length"),
    AlertFigure.LABEL_DRIFT: lazy_gettext("Drift of the labels"),
    AlertFigure.OVERRIDE_DRIFT: lazy_gettext("Drift of the override rate"),
    AlertFigure.WAITING: lazy_gettext("Tasks waiting"),
    AlertFigure.OVERDUE: lazy_gettext("Tasks overdue"),
    AlertFigure.AGREEMENT: lazy_gettext("Agreement"),
    AlertFigure.SIGNS_OF_HASTE: lazy_gettext("People with signs of haste"),
    AlertFigure.WEBHOOKS_GIVEN_UP: lazy_gettext("Webhooks given up"),
}


@blueprint.get("/alerts")
@signed_in
def index() -> str:
    """Open alerts, those that are over, and what is watched."""
    with read_session() as session:
        opened, over = alerts.alerts_of(session=session, actor=actor())
        watched = alerts.watched(session=session, actor=actor())
    return render_template(
        "insights/alerts.html", opened=opened, over=over, watched=watched, names=NAMES, shown=alert_readings.shown,
        of_many=alert_readings.TOLD_OF_MANY,
        done=lambda row: json.loads(row.done),
    )  # fmt: skip


@blueprint.post("/alerts/<alert_id>/acknowledgement")
@signed_in
def acknowledge(alert_id: str) -> Response:
    """I have it in hand."""
    note = request.form.get("note", "").strip()
    try:
        with write_session() as session:
            alerts.acknowledge(session=session, actor=actor(), alert_id=known_id(alert_id), note=note)
        flash(_("You have it in hand. It stays open until the figure is back."), "good")
    except Conflict as error:
        flash(error.message, "warning")
    return redirect(url_for("alerts.index"), 303)
