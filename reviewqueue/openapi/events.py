"""The events that are sent to webhooks, in the API's document. Pure tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from reviewqueue.feedback.api import FilterShape
from reviewqueue.models.states import AlertFigure, Risk
from reviewqueue.openapi.exports import READY as FINISHED
from reviewqueue.openapi.exports import Changes, SplitFile
from reviewqueue.openapi.items import NEW, ROUTE, Route
from reviewqueue.openapi.operations import Told
from reviewqueue.openapi.parameters import ITEM, PATHS, QUEUE
from reviewqueue.openapi.queues import ENTRY, End


class EndedData(End):
    """An entry of the decision feed, with the queue and the item's metadata."""

    queue: str
    metadata: dict[str, Any]


class EndedEvent(Told):
    type: str
    timestamp: datetime
    data: EndedData


class QueuedData(Told):
    queue: str
    id: UUID
    external_id: str | None
    confidence: float | None
    risk: Risk
    model: str | None
    model_version: str | None
    routing: Route
    due_at: datetime
    metadata: dict[str, Any]
    test: bool


class QueuedEvent(Told):
    type: str
    timestamp: datetime
    data: QueuedData


class ReadyExport(Told):
    """An export of the queue that is there."""

    id: UUID
    number: int
    """In its queue, from 1."""
    format: str
    filter: FilterShape
    rows: int
    files: list[SplitFile]
    digest: str
    """Equal digests, equal records."""
    changes: Changes | None
    """Since the version before it, where there is one."""
    as_of: datetime
    """It holds what was in force then."""
    finished_at: datetime


class ReadyData(Told):
    queue: str
    export: ReadyExport


class ReadyEvent(Told):
    type: str
    timestamp: datetime
    data: ReadyData


class ToldAlert(Told):
    """A figure of the queue that passed its bar, as it was then."""

    id: UUID
    name: str
    figure: AlertFigure
    bar: float
    beyond: Literal["above", "below"]
    value: float
    observations: int
    """Of how many it was told."""
    opened_at: datetime


class AlertData(Told):
    queue: str
    alert: ToldAlert


class AlertEvent(Told):
    type: str
    timestamp: datetime
    data: AlertData


class TestData(Told):
    queue: str
    title: str
    endpoint: UUID


class TestEvent(Told):
    type: str
    timestamp: datetime
    data: TestData


@dataclass(frozen=True)
class Event:
    """One type: when it is sent, and its body."""

    summary: str
    shape: type[Told]
    data: Mapping[str, Any]
    timestamp: str = "2026-11-20T10:04:11.482Z"

    def example(self, name: str) -> dict[str, Any]:
        return {"type": name, "timestamp": self.timestamp, "data": self.data}


def _ended(event: str, state: str, **resolution: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {**ENTRY, "event": event, "state": state, "queue": QUEUE, "metadata": {}}
    return {**entry, "resolution": {**entry["resolution"], **resolution}}


_QUEUED = {
    "queue": QUEUE, "id": ITEM, "external_id": "chat-1", "confidence": 0.42, "risk": "low", "model": "intents",
    "model_version": "7", "routing": ROUTE, "due_at": "2026-11-21T10:00:00.123Z", "metadata": {}, "test": False,
}  # fmt: skip
_READY = {
    "queue": QUEUE,
    "export": {
        **{name: FINISHED[name] for name in ("id", "number", "format", "filter", "as_of", "finished_at")},
        "rows": 61, "files": FINISHED["manifest"]["files"], "digest": FINISHED["digest"],
        "changes": FINISHED["changes"],
    },
}  # fmt: skip
ALERT = {
    "id": "01939d1c-7b2a-7cc0-8f3e-6f1f0c1d2e50", "name": "override_rate", "figure": "override_rate", "bar": 0.3,
    "beyond": "above", "value": 0.41, "observations": 120, "opened_at": "2026-11-20T10:04:11.123Z",
}  # fmt: skip
_ALERT = {"queue": QUEUE, "alert": ALERT}
_PASSED = {"verdict": "approve", "output": NEW["output"], "by": "routing", "message": None}
_NONE = {"verdict": None, "output": None, "message": None}

EVENTS: Mapping[str, Event] = {
    "item.queued": Event("An item waits for a person", QueuedEvent, _QUEUED),
    "item.auto_approved": Event(
        "Routing let an item pass", EndedEvent,
        _ended("item.auto_approved", "auto_approved", **_PASSED),
    ),
    "item.resolved": Event("People have decided", EndedEvent, _ended("item.resolved", "resolved")),
    "item.revised": Event(
        "An item that had ended has another answer", EndedEvent, _ended("item.revised", "resolved", revision=2)
    ),
    "item.expired": Event(
        "Nobody answered in time", EndedEvent, _ended("item.expired", "expired", by="default", **_NONE)
    ),
    "item.cancelled": Event(
        "The program withdrew an item", EndedEvent, _ended("item.cancelled", "cancelled", by="cancelled", **_NONE)
    ),
    "dataset.ready": Event("An export of the queue is there", ReadyEvent, _READY),
    "alert.opened": Event("A figure of the queue passed its bar", AlertEvent, _ALERT),
    "alert.resolved": Event("It is back", AlertEvent, _ALERT),
    "webhook.test": Event(
        "Somebody asked for a test", TestEvent,
        {"queue": QUEUE, "title": "Support intents", "endpoint": PATHS["endpoint_id"].example},
    ),
}  # fmt: skip
"""Each type that `delivery.webhooks.events` knows."""
