"""HTML routes of advice: a queue's threshold, simulated and made a version with one click."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, flash, redirect, request, url_for
from werkzeug.wrappers import Response

from reviewqueue.core.access import Action, may
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, signed_in
from reviewqueue.errors import Conflict, Invalid
from reviewqueue.insights.advice_pictures import Drawn
from reviewqueue.insights.advice_reading import document_with, promise_of, report
from reviewqueue.insights.risk import GRID
from reviewqueue.insights.web import page
from reviewqueue.queues import applying, simulation
from reviewqueue.queues.catalog import find_queue
from reviewqueue.queues.web import told_of

blueprint = Blueprint("advice", __name__)
PERIODS = ("7d", "30d", "90d", "52w")


@blueprint.get("/queues/<slug>/advice")
@signed_in
def show(slug: str) -> Any:
    """The threshold that what was judged supports, and with `?simulate=1` what it would have made of what came."""
    who, asked = actor(), request.args
    promise = promise_of(_from_percent("error"), _from_percent("confidence"))
    last = asked.get("last", simulation.LAST)
    model, _separator, model_version = asked.get("version", "").partition("\t")
    with read_session() as session:
        found = report(
            session=session, actor=who, slug=slug, promise=promise, last=last, model=model or None,
            model_version=model_version or None,
        )  # fmt: skip
        simulated = None
        if asked.get("simulate") and found.candidate is not None:
            simulated = simulation.simulate(
                session=session, actor=who, slug=slug, document=json.dumps(found.candidate), last=last
            )
    drawn = Drawn(found)
    return page(
        "insights/advice.html", drawn.tables, slug, queue=found.queue, found=found, drawn=drawn, simulated=simulated,
        promise=promise, periods=PERIODS, configures=may(who, Action.CONFIGURE_QUEUES, found.queue.id),
        here=lambda **changes: url_for(".show", slug=slug, **{**asked.to_dict(), **changes}),
    )  # fmt: skip


def _from_percent(name: str) -> str | None:
    """As `promise_of` takes it."""
    given = request.args.get(name, "").strip().removesuffix("%").strip()
    if not given:
        return None
    try:
        return repr(round(float(given.replace(",", ".")) / 100, 6))
    except ValueError:
        return given


@blueprint.post("/queues/<slug>/advice")
@signed_in
def apply(slug: str) -> Response:
    """Make it a new version of the configuration: the present one with another threshold."""
    threshold, expected = request.form.get("threshold", type=float), request.form.get("expected_version", type=int)
    if threshold not in GRID or expected is None:
        raise Invalid("Send a threshold that was advised, and the version it was advised for.", code="bad_parameter")
    try:
        with write_session() as session:
            head = find_queue(session=session, actor=actor(), slug=slug, action=Action.CONFIGURE_QUEUES)
            applied = applying.apply(
                session=session, actor=actor(), document=document_with(session, head, threshold), slug=slug,
                expected_version=expected, note=request.form.get("note", "")[:2000],
            )  # fmt: skip
    except Conflict as error:
        flash(error.message, "bad")
        return redirect(url_for(".show", slug=slug), 303)
    flash(*told_of(applied))
    return redirect(url_for("queues.show", slug=slug), 303)
