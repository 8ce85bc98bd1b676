"""Queries about who looked at which item: opened it, had it in hand, was shown what is sensitive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from reviewqueue.accounts.identity import name_of
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.models import AuditContent, AuditEvent, Item, Queue
from reviewqueue.models.audit import VIEWS
from reviewqueue.models.states import Via

PAGE = 50


@dataclass(frozen=True)
class View:
    id: str
    at: datetime
    action: str
    who: str
    person_id: str
    via: Via
    queue: str | None
    item_id: str
    external_id: str | None
    parts: Sequence[str]
    """What was shown of what is sensitive."""
    why: str


def views(
    *, session: Session, actor: Actor, item_id: str | None = None, person_id: str | None = None,
    before: str | None = None, limit: int = PAGE,
) -> list[View]:  # fmt: skip
    """The newest first: of all items and people, or of one. Raises `Forbidden`."""
    require(actor, Action.READ_AUDIT)
    # Of a person, index ix_audit_event_viewer, whose condition must stand here in the same words; of an item,
    # ix_audit_event_item_id_id. Of all: the newest events, of which many are views.
    query = (
        select(AuditEvent, AuditContent.payload, Queue.slug, Item.external_id)
        .outerjoin(AuditContent, AuditContent.event_id == AuditEvent.id)
        .outerjoin(Queue, Queue.id == AuditEvent.queue_id)
        .outerjoin(Item, Item.id == AuditEvent.item_id)
        .where(text(f"audit_event.{VIEWS}"))
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    if item_id is not None:
        query = query.where(AuditEvent.item_id == item_id)
    if person_id is not None:
        query = query.where(AuditEvent.actor == person_id)
    if before is not None:
        query = query.where(AuditEvent.id < before)
    return [_view(session, row) for row in session.execute(query)]


def _view(session: Session, row: Any) -> View:
    event = row.AuditEvent
    said = json.loads(row.payload) if row.payload else {}
    return View(
        event.id, event.at, event.action, name_of(session, f"{event.actor_kind}:{event.actor}"), event.actor, event.via,
        row.slug, event.item_id, row.external_id, json.loads(event.facts).get("parts", ()), said.get("why", ""),
    )  # fmt: skip
