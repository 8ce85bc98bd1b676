"""What a webhook tells: the types of events, and the body of each, made from what it is about when it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, spliced
from reviewqueue.intake.items import item_json
from reviewqueue.models import Alert, DatasetVersion, Item, Queue, Resolution
from reviewqueue.models.base import table
from reviewqueue.resolution import feed

QUEUED, READY, TEST = "item.queued", "dataset.ready", "webhook.test"
OF_RESOLUTIONS = ("item.auto_approved", "item.resolved", "item.revised", "item.expired", "item.cancelled")
ALERT_OPENED, ALERT_RESOLVED = "alert.opened", "alert.resolved"
TYPES = (QUEUED, *OF_RESOLUTIONS, READY, ALERT_OPENED, ALERT_RESOLVED)
"""What an endpoint may ask for; `*` is all of them, those of the future, too."""


def body_of(session: Session, event: str, ref: str, slug: str, at: datetime) -> bytes | None:
    """`{type, timestamp, data}`, the same with each attempt; None where what it told of is gone. `at` is when the
    delivery was made."""
    found = _BODIES.get(event, _resolution)(session, ref, slug)
    if found is None:
        return None
    timestamp, data = found
    return spliced({"type": event, "timestamp": timestamp or iso(at), "data": data}).encode()


def _resolution(session: Session, ref: str, slug: str) -> tuple[str | None, Mapping[str, Any]] | None:
    row = session.execute(feed.entries().where(table(Resolution).c.id == ref)).one_or_none()
    if row is None:
        return None
    return iso(row.created_at), {"queue": slug, **feed.entry_json(row), "metadata": Raw(row.metadata_json)}


def _queued(session: Session, ref: str, slug: str) -> tuple[str | None, Mapping[str, Any]] | None:
    item = session.execute(select(Item).where(Item.id == ref)).scalar_one_or_none()
    if item is None:
        return None
    shown = item_json(session, item, slug)
    names = "id", "external_id", "confidence", "risk", "model", "model_version", "routing", "due_at", "metadata", "test"
    return iso(item.created_at), {"queue": slug, **{name: shown[name] for name in names}}


def _ready(session: Session, ref: str, slug: str) -> tuple[str | None, Mapping[str, Any]] | None:
    export = session.execute(select(DatasetVersion).where(DatasetVersion.id == ref)).scalar_one_or_none()
    if export is None or export.manifest is None:
        return None
    manifest = json.loads(export.manifest)
    shown = {
        "id": export.id, "number": export.number, "format": export.format, "filter": Raw(export.filter),
        "rows": export.rows_done, "files": manifest["files"], "digest": export.digest,
        "changes": manifest.get("changes"), "as_of": iso(export.as_of), "finished_at": iso(export.finished_at),
    }  # fmt: skip
    return iso(export.finished_at), {"queue": slug, "export": shown}


def _alert(session: Session, ref: str, slug: str) -> tuple[str | None, Mapping[str, Any]] | None:
    alert = session.execute(select(Alert).where(Alert.id == ref)).scalar_one_or_none()
    if alert is None:
        return None
    return None, {"queue": slug, "alert": alert_json(alert)}


def alert_json(alert: Any) -> dict[str, Any]:
    """An alert as it was when it opened."""
    return {
        "id": alert.id, "name": alert.name, "figure": alert.figure, "bar": alert.bar,
        "beyond": "above" if alert.above else "below", "value": alert.value, "observations": alert.observations,
        "opened_at": iso(alert.opened_at),
    }  # fmt: skip


def _test(session: Session, ref: str, slug: str) -> tuple[str | None, Mapping[str, Any]] | None:
    title = session.execute(select(Queue.title).where(Queue.slug == slug)).scalar_one()
    return None, {"queue": slug, "title": title, "endpoint": ref}


_BODIES: dict[str, Callable[[Session, str, str], tuple[str | None, Mapping[str, Any]] | None]] = {
    QUEUED: _queued, READY: _ready, ALERT_OPENED: _alert, ALERT_RESOLVED: _alert, TEST: _test,
}  # fmt: skip
