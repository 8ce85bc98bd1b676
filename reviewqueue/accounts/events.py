"""Queries about the audit log of the administration: what happened to people, tokens, queues and the site.

What happens to items is in each item's own history; here are the events that are about none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.accounts.identity import name_of
from reviewqueue.accounts.memberships import find_queue
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.ids import known_id
from reviewqueue.errors import NotFound
from reviewqueue.models import AuditContent, AuditEvent, Person, Queue, Token
from reviewqueue.models.states import Via

PAGE = 50


@dataclass(frozen=True)
class Event:
    """Something that happened, with names instead of ids."""

    id: str
    at: datetime
    action: str
    who: str
    via: Via
    queue: str | None
    """Its slug."""
    about: str | None
    """Whom or what else it is about."""
    details: Mapping[str, Any]


def events(
    *, session: Session, actor: Actor, subject: str | None = None, slug: str | None = None, before: str | None = None,
    limit: int = PAGE,
) -> list[Event]:  # fmt: skip
    """The newest first, all of them or those about `subject` (a person's or token's id) or the queue `slug`.

    Raises `NotFound`, `Forbidden`: those of a queue are for whoever may read its history.
    """
    # Indexes ix_audit_event_subject and ix_audit_event_queue, whose condition must stand here in the same words.
    query = (
        select(AuditEvent, AuditContent.payload, Queue.slug)
        .outerjoin(AuditContent, AuditContent.event_id == AuditEvent.id)
        .outerjoin(Queue, Queue.id == AuditEvent.queue_id)
        .where(AuditEvent.item_id.is_(None))
        .order_by(AuditEvent.id.desc())
        .limit(limit)
    )
    if slug is not None:
        query = query.where(AuditEvent.queue_id == find_queue(session, actor, slug, Action.READ_HISTORY).id)
    else:
        require(actor, Action.READ_HISTORY)
    if subject is not None:
        query = query.where(AuditEvent.subject == subject)
    if before is not None:
        query = query.where(AuditEvent.id < before)
    rows = session.execute(query).all()
    names = _names(session, {row.AuditEvent.subject for row in rows if row.AuditEvent.subject})
    return [_event(session, row, names) for row in rows]


def _event(session: Session, row: Any, names: Mapping[str, str]) -> Event:
    event = row.AuditEvent
    details = {**json.loads(event.facts), **(json.loads(row.payload) if row.payload else {})}
    about = names.get(event.subject, event.subject) if event.subject else None
    who = name_of(session, f"{event.actor_kind}:{event.actor}")
    return Event(event.id, event.at, event.action, who, event.via, row.slug, about, details)


def _names(session: Session, ids: set[str]) -> dict[str, str]:
    like_people = [one for one in ids if _is_id(one)]
    people = session.execute(select(Person.id, Person.name).where(Person.id.in_(like_people)))
    programs = session.execute(select(Token.id, Token.name).where(Token.id.in_(ids)))
    return {row.id: row.name for row in (*people, *programs)}


def _is_id(text: str) -> bool:
    try:
        return bool(known_id(text))
    except NotFound:
        return False


def title_of(*, session: Session, subject: str) -> str:
    """What a subject is called; as it is where nobody knows it."""
    return _names(session, {subject}).get(subject, subject)
