"""JSON routes of alerts: those that are open and were, having one in hand, and what a queue asks for."""

from __future__ import annotations

from typing import Annotated

from flask import Response, request
from pydantic import Field

from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import (
    Shape,
    actor,
    api_blueprint,
    cursor_of,
    id_cursor,
    json_answer,
    list_answer,
    only_parameters,
    page_size,
    read_body,
)
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Invalid
from reviewqueue.insights import alerts, conditions
from reviewqueue.queues.configuration import Alert

blueprint = api_blueprint("alerts_api")
STATES = {None: None, "open": True, "over": False}


class AcknowledgementShape(Shape):
    note: Annotated[str, Field(max_length=alerts.LONGEST_NOTE)] = ""
    """What you do about it."""


class ConditionShape(Alert):
    """An alert as a configuration asks for it; `name` may be left to the address."""


@blueprint.get("/alerts")
def list_alerts() -> Response:
    """Newest first: `?queue=&state=open|over&limit=&cursor=`."""
    only_parameters("queue", "state", "limit", "cursor")
    limit, after, state = page_size(), id_cursor(), request.args.get("state")
    if state not in STATES:
        raise Invalid("state must be open or over.", code="bad_parameter")
    with read_session() as session:
        rows = alerts.page(
            session=session, actor=actor(), slug=request.args.get("queue"), is_open=STATES[state], before=after,
            limit=limit + 1,
        )  # fmt: skip
    cursor = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return list_answer("alerts", [alerts.as_json(row) for row in rows[:limit]], cursor)


@blueprint.get("/alerts/<alert_id>")
def read_alert(alert_id: str) -> Response:
    """One alert."""
    with read_session() as session:
        return json_answer(alerts.as_json(alerts.alert_of(session=session, actor=actor(), alert_id=known_id(alert_id))))


@blueprint.post("/alerts/<alert_id>/acknowledgement")
def acknowledge(alert_id: str) -> Response:
    """Say that one has it in hand: `{note}`."""
    who, shape = actor(), read_body(AcknowledgementShape).shape
    with write_session() as session:
        alerts.acknowledge(session=session, actor=who, alert_id=known_id(alert_id), note=shape.note)
        return json_answer(alerts.as_json(alerts.alert_of(session=session, actor=who, alert_id=known_id(alert_id))))


@blueprint.get("/queues/<slug>/alert-conditions")
def list_conditions(slug: str) -> Response:
    """What the queue's configuration asks for."""
    with read_session() as session:
        found = conditions.conditions_of(session=session, actor=actor(), slug=slug)
    return list_answer("conditions", [conditions.as_json(each) for each in found], None)


@blueprint.put("/queues/<slug>/alert-conditions/<condition>")
def put_condition(slug: str, condition: str) -> Response:
    """Ask for an alert: a new version of the configuration."""
    who, body = actor(), read_body(ConditionShape)
    with write_session() as session:
        found, new = conditions.put(session=session, actor=who, slug=slug, name=condition, wanted=body.value)
    return json_answer(conditions.as_json(found), 201 if new else 200)


@blueprint.delete("/queues/<slug>/alert-conditions/<condition>")
def remove_condition(slug: str, condition: str) -> Response:
    """Ask for it no more."""
    with write_session() as session:
        conditions.remove(session=session, actor=actor(), slug=slug, name=condition)
    return Response(status=204)
