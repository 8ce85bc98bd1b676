"""HTML routes of webhook endpoints: a queue's list, one endpoint with its log, and what can be done to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import SelectMultipleField, StringField
from wtforms.validators import DataRequired, Length
from wtforms.widgets import CheckboxInput, ListWidget

from reviewqueue.core.access import Action
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import actor, cursor_of, id_cursor, signed_in
from reviewqueue.delivery.webhooks import deliveries, endpoints, events
from reviewqueue.errors import Conflict, Invalid
from reviewqueue.queues.catalog import find_queue, queue_by_id

blueprint = Blueprint("webhooks", __name__)
PAGE = 25


class EndpointForm(FlaskForm):  # type: ignore[misc]
    url = StringField(lazy_gettext("Address"), [DataRequired(lazy_gettext("Name the address.")), Length(max=2000)],
                      description=lazy_gettext("https://… of the program that listens."))  # fmt: skip
    events = SelectMultipleField(
        lazy_gettext("Events"), choices={event: event for event in events.TYPES},
        description=lazy_gettext("None marked: all of them, those of later versions, too."),
        option_widget=CheckboxInput(), widget=ListWidget(prefix_label=False),
    )  # fmt: skip
    description = StringField(lazy_gettext("What it is for"), [Length(max=300)])


@blueprint.get("/admin/queues/<slug>/webhooks")
@signed_in
def index(slug: str) -> str:
    """The queue's endpoints, and the form for another."""
    return _index(slug, EndpointForm(formdata=None))


def _index(slug: str, form: EndpointForm) -> str:
    with read_session() as session:
        head = find_queue(session=session, actor=actor(), slug=slug, action=Action.CONFIGURE_QUEUES)
        found = endpoints.endpoints_of(session=session, actor=actor(), slug=slug)
        counts = deliveries.counts(session, [endpoint.id for endpoint in found])
        shown = [{**endpoints.as_json(session, endpoint), **counts[endpoint.id]} for endpoint in found]
    return render_template("delivery/webhooks.html", queue=head, endpoints=shown, form=form)


@blueprint.post("/admin/queues/<slug>/webhooks")
@signed_in
def create(slug: str) -> Any:
    """Make an endpoint, and show it with its secret."""
    form = EndpointForm()
    try:
        with write_session() as session:
            endpoint_id = endpoints.create(
                session=session, actor=actor(), slug=slug, url=(form.url.data or "").strip(),
                wanted=form.events.data or ["*"], description=form.description.data or "",
            )  # fmt: skip
    except (Conflict, Invalid) as error:
        form.url.errors = [fault.detail for fault in getattr(error, "faults", ())] or [error.message]
        return _index(slug, form), 422
    return redirect(url_for(".show", endpoint_id=endpoint_id), 303)


@blueprint.get("/admin/webhooks/<endpoint_id>")
@signed_in
def show(endpoint_id: str) -> str:
    """An endpoint, its secret, and what was sent to it, newest first."""
    before = id_cursor()
    with read_session() as session:
        endpoint = endpoints.permitted(session=session, actor=actor(), endpoint_id=endpoint_id)
        head = queue_by_id(session, endpoint.queue_id)
        log = deliveries.log(session=session, actor=actor(), endpoint_id=endpoint_id, before=before, limit=PAGE + 1)
        shown = {**endpoints.as_json(session, endpoint), **deliveries.counts(session, [endpoint.id])[endpoint.id]}
        secret = endpoints.secrets_of(session, endpoint)[0]
    more = None
    if len(log) > PAGE:
        more = url_for(".show", endpoint_id=endpoint_id, cursor=cursor_of(log[PAGE - 1]["id"]))
    return render_template(
        "delivery/webhook.html", queue=head, endpoint=shown, secret=secret, log=log[:PAGE], more=more,
        paged=before is not None,
    )  # fmt: skip


def _done(endpoint_id: str, operation: Callable[..., Any], message: str, **arguments: Any) -> Response:
    try:
        with write_session() as session:
            operation(session=session, actor=actor(), endpoint_id=endpoint_id, **arguments)
        flash(message, "good")
    except Conflict as error:
        flash(error.message, "warning")
    return redirect(url_for(".show", endpoint_id=endpoint_id), 303)


@blueprint.post("/admin/webhooks/<endpoint_id>/test")
@signed_in
def test(endpoint_id: str) -> Response:
    return _done(endpoint_id, deliveries.test, "A test is on its way. Reload to see what came back.")


@blueprint.post("/admin/webhooks/<endpoint_id>/rotation")
@signed_in
def rotate(endpoint_id: str) -> Response:
    return _done(endpoint_id, endpoints.rotate, "There is a new secret. For a day the old one signs, too.")


@blueprint.post("/admin/webhooks/<endpoint_id>/enabling")
@signed_in
def enable(endpoint_id: str) -> Response:
    return _done(endpoint_id, endpoints.set_enabled, "Enabled: it goes on where it stopped.", enabled=True)


@blueprint.post("/admin/webhooks/<endpoint_id>/disabling")
@signed_in
def disable(endpoint_id: str) -> Response:
    return _done(endpoint_id, endpoints.set_enabled, "Disabled: what happens meanwhile is kept for it.", enabled=False)


@blueprint.post("/admin/webhooks/<endpoint_id>/redelivery")
@signed_in
def redeliver_dead(endpoint_id: str) -> Response:
    return _done(endpoint_id, deliveries.redeliver, "What was given up is sent again.")


@blueprint.post("/admin/webhooks/<endpoint_id>/deliveries/<delivery_id>/redelivery")
@signed_in
def redeliver_one(endpoint_id: str, delivery_id: str) -> Response:
    return _done(endpoint_id, deliveries.redeliver, "It is sent now, under the same id.", delivery_id=delivery_id)


@blueprint.post("/admin/webhooks/<endpoint_id>/removal")
@signed_in
def remove(endpoint_id: str) -> Response:
    """Forget it with its deliveries."""
    with write_session() as session:
        endpoint = endpoints.permitted(session=session, actor=actor(), endpoint_id=endpoint_id)
        slug = queue_by_id(session, endpoint.queue_id).slug
        endpoints.remove(session=session, actor=actor(), endpoint_id=endpoint_id)
    flash(_("The endpoint is gone."), "good")
    return redirect(url_for(".index", slug=slug), 303)
