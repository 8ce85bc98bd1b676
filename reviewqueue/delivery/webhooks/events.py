"""What a webhook tells: the types of events, and the body of each, made from what it is about when it is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw, spliced
from reviewqueue.intake.items import item_json
from reviewqueue.models import Item, Queue, Resolution
from reviewqueue.models.base import table
from reviewqueue.resolution import feed

QUEUED, TEST = "item.queued", "webhook.test"
OF_RESOLUTIONS = ("item.auto_approved", "item.resolved", "item.revised", "item.expired", "item.cancelled")
TYPES = (QUEUED, *OF_RESOLUTIONS)
"""What an endpoint may ask for; `*` is all of them, those of the future, too."""


def body_of(session: Session, event: str, ref: str, slug: str) -> bytes | None:
    """`{type, timestamp, data}`, the same with each attempt; None where what it told of is gone."""
    found = _BODIES.get(event, _resolution)(session, ref, slug)
    if found is None:
        return None
    timestamp, data = found
    return spliced({"type": event, "timestamp": timestamp, "data": data}).encode()


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


def _test(session: Session, ref: str, slug: str) -> tuple[str | None, Mapping[str, Any]] | None:
    title = session.execute(select(Queue.title).where(Queue.slug == slug)).scalar_one()
    return None, {"queue": slug, "title": title, "endpoint": ref}


_BODIES: dict[str, Callable[[Session, str, str], tuple[str | None, Mapping[str, Any]] | None]] = {
    QUEUED: _queued, TEST: _test,
}  # fmt: skip
