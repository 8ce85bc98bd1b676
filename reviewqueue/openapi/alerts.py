"""Alerts in the API's document: what is answered, and the operations. Pure tables."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from reviewqueue.core.access import Scope
from reviewqueue.insights.alerts_api import AcknowledgementShape, ConditionShape
from reviewqueue.models.states import AlertFigure
from reviewqueue.openapi.events import ALERT, ToldAlert
from reviewqueue.openapi.operations import Answer, Operation, Parameter, Tag, Told, json_body
from reviewqueue.openapi.parameters import OF_QUEUE, PAGES, QUEUE


class InHand(Told):
    """Somebody is at it."""

    by: str
    """Their name."""
    at: datetime
    note: str | None


class OpenedAlert(ToldAlert):
    """One time that a figure was beyond its bar; the value is that of when it opened."""

    queue: str
    config_version: int
    """That asked for it."""
    state: Literal["open", "over"]
    done: list[str]
    """What was done about it by itself, in words."""
    in_hand: InHand | None
    resolved_at: datetime | None
    resolved_value: float | None
    """Null while it is open, and where the configuration asks for it no more."""


class AlertList(Told):
    alerts: list[OpenedAlert]
    cursor: str | None
    """For the next page; null on the last one."""


class Condition(Told):
    """What a queue asks for, with what was left out filled in."""

    name: str
    on: AlertFigure
    above: float | None
    below: float | None
    until: float
    """Where the figure must be back for it to be over."""
    hours: int
    at_least: int
    stop: bool
    audit_rate: float | None


class ConditionList(Told):
    conditions: list[Condition]
    cursor: None
    """They come all at once."""


OPENED = {
    **ALERT, "queue": QUEUE, "config_version": 7, "state": "open", "done": ["The queue was stopped."], "in_hand": None,
    "resolved_at": None, "resolved_value": None,
}  # fmt: skip
TAKEN = {**OPENED, "in_hand": {"by": "Bob", "at": "2026-11-20T10:06:00.000Z", "note": "Rolled back to version 6"}}
WANTED = {"on": "override_rate", "above": 0.3, "stop": True}
CONDITION = {
    "name": "override_rate", "on": "override_rate", "above": 0.3, "below": None, "until": 0.27, "hours": 24,
    "at_least": 50, "stop": True, "audit_rate": None,
}  # fmt: skip
_STATE = Parameter(
    "state", "query", {"enum": ["open", "over"]}, "Only those that are open, or over.", "open", ("bad_parameter",)
)
_CHANGES = ("version_conflict", "bad_configuration")

TAG = Tag(
    "Alerts",
    "Figures of a queue that passed a bar, and the bars.",
    (
        Operation(
            "GET", "/alerts", "list_alerts", "List alerts",
            {200: Answer("Newest first.", AlertList, {"alerts": [OPENED], "cursor": None}, ("Link",))},
            scope=Scope.QUEUES_WRITE, parameters=(OF_QUEUE, _STATE, *PAGES),
        ),
        Operation(
            "GET", "/alerts/{alert_id}", "read_alert", "Read an alert",
            {200: Answer("The alert.", OpenedAlert, OPENED)},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "POST", "/alerts/{alert_id}/acknowledgement", "acknowledge_alert", "Say that you have it in hand",
            {200: Answer("The alert. It stays open until its figure is back.", OpenedAlert, TAKEN)},
            scope=Scope.REVIEW,
            body=json_body(
                AcknowledgementShape, {"With a note": {"note": "Rolled back to version 6"}}, required=False
            ),
            codes=("alert_settled",),
        ),
        Operation(
            "GET", "/queues/{slug}/alert-conditions", "list_alert_conditions", "List what a queue asks for",
            {200: Answer("In the order of the configuration.", ConditionList,
                         {"conditions": [CONDITION], "cursor": None})},
            scope=Scope.QUEUES_WRITE,
        ),
        Operation(
            "PUT", "/queues/{slug}/alert-conditions/{condition}", "put_alert_condition", "Ask for an alert",
            {
                200: Answer("Changed.", Condition, CONDITION),
                201: Answer("Asked for from now on.", Condition, CONDITION),
            },
            "It becomes part of the queue's configuration, as a new version.",
            scope=Scope.QUEUES_WRITE, body=json_body(ConditionShape, {"Too many corrections": WANTED}), codes=_CHANGES,
        ),
        Operation(
            "DELETE", "/queues/{slug}/alert-conditions/{condition}", "remove_alert_condition",
            "Ask for an alert no more",
            {204: Answer("An open one is over with the next look.")},
            scope=Scope.QUEUES_WRITE, codes=_CHANGES,
        ),
    ),
)  # fmt: skip
