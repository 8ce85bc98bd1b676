"""Queries for the page of the log: events by item, person, action and time, and how far the seal has come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reviewqueue.accounts.identity import name_of
from reviewqueue.audit import sealing, verifying
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.ids import first_id_at, known_id
from reviewqueue.errors import Invalid, NotFound
from reviewqueue.models import AuditCheckpoint, AuditContent, AuditEvent, AuditSeal, Person, Queue
from reviewqueue.models.base import table

PAGE = 50
LOOKED_AT = 10_000
"""Events that a page looks at, however few of them match: no filter needs an index that each event would pay for."""
SKEW = timedelta(minutes=10)
"""By which the clock of a machine that made an id may differ from the database's."""
_event, _content, _seal = table(AuditEvent).c, table(AuditContent).c, table(AuditSeal).c


@dataclass(frozen=True)
class Filters:
    """What the page is narrowed to; each a parameter of its address."""

    item: str = ""
    person: str = ""
    """An e-mail address; or the id of a person or a token, the user of the command line, `system`."""
    action: str = ""
    """Whole, or its beginning up to a dot: `task`."""
    since: str = ""
    until: str = ""
    """Days, UTC; this one is in."""

    @property
    def address(self) -> str:
        return urlencode({name: value for name, value in vars(self).items() if value})


@dataclass(frozen=True)
class Page:
    rows: list[dict[str, Any]]
    go_on: str | None
    """The id before which the next page begins."""


def filters_of(given: Mapping[str, str]) -> Filters:
    """From a request's parameters. Raises `Invalid` for a day that is none."""
    found = Filters(**{name: given.get(name, "").strip()[:300] for name in Filters.__dataclass_fields__})
    for name in ("since", "until"):
        _day(getattr(found, name), name)
    return found


def _day(text: str, name: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise Invalid(f"{name} must be a day such as 2026-11-20.", code="bad_parameter") from None


def _conditions(session: Session, filters: Filters) -> tuple[list[Any], list[Any]]:
    """What bounds the events to be looked at, by an index; and what else of them is wanted."""
    within: list[Any] = []
    wanted: list[Any] = []
    if filters.item:
        try:
            within.append(_event.item_id == known_id(filters.item))  # index ix_audit_event_item_id_id
        except NotFound:
            within.append(_event.item_id.is_(None) & _event.item_id.is_not(None))
    since, until = _day(filters.since, "since"), _day(filters.until, "until")
    if since:
        within.append(_event.id >= first_id_at((since - SKEW).timestamp()))
        wanted.append(_event.at >= since)
    if until:
        end = until + timedelta(days=1)
        within.append(_event.id < first_id_at((end + SKEW).timestamp()))
        wanted.append(_event.at < end)
    if filters.person:
        known = session.scalar(select(Person.id).where(func.lower(Person.email) == filters.person.lower()))
        wanted.append(_event.actor == (known or filters.person))
    if filters.action:
        action = filters.action.lower()
        exactly = _event.action == action
        wanted.append(exactly if "." in action else exactly | _event.action.startswith(f"{action}.", autoescape=True))
    return within, wanted


def page(*, session: Session, actor: Actor, filters: Filters, before: str | None) -> Page:
    """Events, the newest first. Raises `Forbidden`."""
    require(actor, Action.READ_AUDIT)
    within, wanted = _conditions(session, filters)
    if before is not None:
        within.append(_event.id < before)
    looked_at = select(_event.id).where(*within).order_by(_event.id.desc()).limit(LOOKED_AT).subquery()
    query = (
        sealing.EVENTS.add_columns(_content.payload, _seal.sequence, Queue.slug)
        .select_from(table(AuditEvent))
        .join(looked_at, looked_at.c.id == _event.id)
        .outerjoin(table(AuditContent), _content.event_id == _event.id)
        .outerjoin(table(AuditSeal), _seal.event_id == _event.id)
        .outerjoin(Queue, Queue.id == _event.queue_id)
        .where(*wanted)
        .order_by(_event.id.desc())
        .limit(PAGE + 1)
    )
    rows = session.execute(query).all()
    go_on = rows[PAGE - 1].id if len(rows) > PAGE else None
    if go_on is None and wanted:
        last = select(_event.id).where(*within).order_by(_event.id.desc()).offset(LOOKED_AT - 1).limit(1)
        go_on = session.scalar(last)
    names: dict[str, str] = {}
    return Page([_as_shown(session, row, names) for row in rows[:PAGE]], go_on)


def _as_shown(session: Session, row: Any, names: dict[str, str]) -> dict[str, Any]:
    label = f"{row.actor_kind}:{row.actor}"
    if label not in names:
        names[label] = name_of(session, label)
    return {
        "id": row.id, "at": row.at, "action": row.action, "who": names[label], "via": row.via, "item": row.item_id,
        "queue": row.slug, "subject": row.subject, "sequence": row.sequence,
        "details": {**json.loads(row.facts), **(json.loads(row.payload) if row.payload else {})},
        "erased": row.content_sha256 is not None and row.payload is None,
    }  # fmt: skip


@dataclass(frozen=True)
class Seal:
    """How far the chain has come."""

    sealed: int
    waiting: int
    signed: int
    """Up to this event."""
    signed_at: datetime | None
    key: str | None


def seal(*, session: Session, actor: Actor) -> Seal:
    """Raises `Forbidden`."""
    require(actor, Action.READ_AUDIT)
    # Index ix_audit_checkpoint_size.
    last = session.execute(select(AuditCheckpoint).order_by(AuditCheckpoint.size.desc()).limit(1)).scalar_one_or_none()
    return Seal(
        sealing.head(session)[0], verifying.waiting_count(session), last.size if last else 0, last.at if last else None,
        json.loads(last.document)["key"] if last else None,
    )  # fmt: skip
