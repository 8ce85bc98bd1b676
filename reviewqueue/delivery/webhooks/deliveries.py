"""Operations on deliveries: made from the feed, leased for sending, recorded, sent again; and the log.

An endpoint follows its queue's feed by a position of its own. The deliveries of a stretch and the new position are one
transaction: each resolution becomes exactly one delivery, and none is missed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, delete, exists, func, insert, literal_column, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from reviewqueue.core import outbox, traces, trail
from reviewqueue.core.access import SYSTEM, Actor
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.moments import iso
from reviewqueue.delivery.webhooks import endpoints, events
from reviewqueue.delivery.webhooks.sending import Outcome
from reviewqueue.errors import Conflict, NotFound
from reviewqueue.models import Item, OutboxRow, Queue, Resolution, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from reviewqueue.models.base import table
from reviewqueue.models.states import DeliveryState
from reviewqueue.queues import brakes
from reviewqueue.resolution import feed

SEND = "webhooks.send"
SENDER = "00000000-0000-7000-8000-000000000001"
"""What the outbox row refers to: there is one sender for all that is due."""
STRETCH = 500
LEASE_SECONDS = 60.0
WAITS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 54_000, 57_600)
"""Seconds after each failed attempt; ten attempts in about 63 hours, of which each wait may be a tenth longer."""
KEPT_SECONDS = 30 * 86_400.0
"""For how long what was delivered stays in the log."""

_endpoint, _delivery, _resolution = table(WebhookEndpoint).c, table(WebhookDelivery).c, table(Resolution).c
_enabled = _endpoint.disabled_at.is_(None)
# While a queue is held, nothing is sent; what is due then goes out when it is let go.
_sends = and_(_enabled, ~brakes.holding(_endpoint.queue_id))

# -- from the feed ----------------------------------------------------------------------------------------------------

BEHIND = (
    select(_endpoint.id)
    .where(
        _enabled,
        exists().where(_resolution.queue_id == _endpoint.queue_id, _resolution.position > _endpoint.position),
    )
    .limit(1)
)


def follow(*, session: Session) -> int:
    """Make the deliveries of what has been numbered since; returns how many. A duty of the relay."""
    query = select(_endpoint.id, _endpoint.queue_id, _endpoint.position, _endpoint.events).where(_enabled)
    query = query.order_by(_endpoint.id)
    if on_postgresql(session):
        query = query.with_for_update(skip_locked=True, key_share=True)
    return sum(_follow(session, endpoint) for endpoint in session.execute(query).all())


def _follow(session: Session, endpoint: Any) -> int:
    rows = feed.names_after(session, queue_id=endpoint.queue_id, position=endpoint.position, limit=STRETCH)
    if not rows:
        return 0
    wanted = [(feed.event_of(row.by, row.revision), row.id) for row in rows]
    made = _announce(session, endpoint, [(event, f"msg_{ref}", ref) for event, ref in wanted])
    moved = update(table(WebhookEndpoint)).where(_endpoint.id == endpoint.id).values(position=rows[-1].position)
    session.execute(moved)
    return made


def _announce(session: Session, endpoint: Any, told: Iterable[tuple[str, str, str]]) -> int:
    """A delivery for each (event, event id, ref) that the endpoint listens for; returns how many. One that is there
    already stays as it is."""
    listens = set(json.loads(endpoint.events))
    rows = [
        {"id": new_id(), "endpoint_id": endpoint.id, "event": event, "event_id": event_id, "ref": ref,
         "state": DeliveryState.PENDING, "attempts": 0}
        for event, event_id, ref in told
        if "*" in listens or event in listens or event == events.TEST
    ]  # fmt: skip
    if rows:
        session.execute(_MAKE[on_postgresql(session)], rows)
    return len(rows)


def _make_statement(dialect: Any) -> Any:
    statement = dialect.insert(table(WebhookDelivery)).values(next_at=clock(), created_at=clock())
    return statement.on_conflict_do_nothing(index_elements=["endpoint_id", "event_id"])


_MAKE = {True: _make_statement(postgresql), False: _make_statement(sqlite)}


def announce(session: Session, queue_id: str, told: Sequence[tuple[str, str, str]]) -> None:
    """Tell the queue's endpoints of what is in no feed: (event, event id, ref) each. Safe to run twice.

    Those that are disabled, too: they miss nothing, and are sent it once they are enabled.
    """
    listening = select(_endpoint.id, _endpoint.events).where(_endpoint.queue_id == queue_id).order_by(_endpoint.id)
    if on_postgresql(session):
        # One that is being removed is waited for, and is then not there.
        listening = listening.with_for_update(read=True, key_share=True)
    for endpoint in session.execute(listening).all():
        _announce(session, endpoint, told)


def announce_queued(session: Session, queued: Sequence[tuple[str, str]]) -> None:
    """Tell the endpoints of items that wait for a person: (item id, queue id) each. Safe to run twice."""
    for queue_id in sorted({queue_id for _, queue_id in queued}):
        items = [item_id for item_id, of_queue in queued if of_queue == queue_id]
        announce(session, queue_id, [(events.QUEUED, f"msg_{item_id}_queued", item_id) for item_id in items])


# -- to be sent -------------------------------------------------------------------------------------------------------

_not_under_way = or_(_delivery.leased_until.is_(None), _delivery.leased_until < clock())
_is_due = and_(_delivery.state == literal_column("'pending'"), _delivery.next_at <= clock(), _not_under_way)
_outbox = table(OutboxRow).c
# One that was given up calls nobody any more. Index ix_outbox_due.
_called = exists().where(_outbox.rq_queue == outbox.WEBHOOKS, _outbox.topic == SEND, _outbox.failed_at.is_(None))
# Index ix_webhook_delivery_due, for each endpoint: its condition stands in the question in the same words.
_has_due = exists().where(_delivery.endpoint_id == _endpoint.id, _is_due)
UNCALLED = select(_endpoint.id).where(_sends, _has_due, ~_called).limit(1)


def call_sender(*, session: Session) -> None:
    """Have a job send what is due, unless one is called already. A duty of the relay."""
    if session.execute(UNCALLED).first() is not None:
        outbox.append(session, SEND, rq_queue=outbox.WEBHOOKS, ref=SENDER)


@dataclass(frozen=True)
class Parcel:
    """A delivery that is to be sent now."""

    delivery_id: str
    endpoint_id: str
    number: int
    """Of the attempt, from 1."""
    url: str
    event_id: str
    body: bytes
    secrets: tuple[str, ...]
    event: str
    trace: str | None
    """That of the request which brought the item, where requests are traced."""


def endpoints_with_due(session: Session) -> list[str]:
    return list(session.scalars(select(_endpoint.id).where(_sends, _has_due).order_by(_endpoint.id)))


def lease(session: Session, endpoint_id: str, most: int) -> list[Parcel]:
    """Take up to `most` due deliveries of an endpoint for a minute, and make what is to be sent."""
    let_go = exists().where(_endpoint.id == endpoint_id, _sends)
    due = select(_delivery.id).where(_delivery.endpoint_id == endpoint_id, _is_due, let_go)
    due = due.order_by(_delivery.next_at, _delivery.id).limit(most)
    if on_postgresql(session):
        due = due.with_for_update(skip_locked=True)
    rows = session.execute(
        update(table(WebhookDelivery))
        .where(_delivery.id.in_(due))
        .values(leased_until=clock(LEASE_SECONDS), attempts=_delivery.attempts + 1)
        .returning(
            _delivery.id, _delivery.attempts, _delivery.event, _delivery.event_id, _delivery.ref, _delivery.created_at
        )
    ).all()
    if not rows:
        return []
    endpoint, slug = session.execute(
        select(WebhookEndpoint, Queue.slug).join(Queue).where(WebhookEndpoint.id == endpoint_id)
    ).one()
    secrets = tuple(endpoints.secrets_of(session, endpoint))
    asked = _traces(session, [row.ref for row in rows]) if traces.wanted() else {}
    parcels = []
    for row in sorted(rows, key=lambda row: str(row.id)):
        body = events.body_of(session, row.event, row.ref, slug, row.created_at)
        if body is None:
            _end(session, row.id, DeliveryState.DEAD)
            continue
        parcels.append(
            Parcel(
                row.id, endpoint_id, row.attempts, endpoint.url, row.event_id, body, secrets, row.event,
                asked.get(row.ref),
            )
        )  # fmt: skip
    return parcels


def _traces(session: Session, refs: Sequence[str]) -> dict[str, str]:
    """By id of a resolution or an item: the trace of the request that brought the item."""
    of_items = select(Item.id, Item.trace).where(Item.id.in_(refs), Item.trace.is_not(None))
    ended = select(_resolution.id, Item.trace).join(Item, Item.id == _resolution.item_id)
    of_resolutions = ended.where(_resolution.id.in_(refs), Item.trace.is_not(None))
    return {row[0]: row[1] for query in (of_items, of_resolutions) for row in session.execute(query)}


def record(session: Session, parcel: Parcel, outcome: Outcome) -> None:
    """Note what came of an attempt, and when the next is due, if any. Nothing for an endpoint removed meanwhile."""
    there = select(_delivery.id).join_from(table(WebhookEndpoint), table(WebhookDelivery))
    there = there.where(_delivery.id == parcel.delivery_id)
    if on_postgresql(session):
        # Whoever removes the endpoint waits for this, or this for them.
        there = there.with_for_update(read=True, key_share=True)
    if session.execute(there).first() is None:
        return
    session.execute(
        insert(WebhookAttempt).values(
            delivery_id=parcel.delivery_id, number=parcel.number, at=clock(), seconds=outcome.seconds,
            status=outcome.status, answer=outcome.answer,
        )
    )  # fmt: skip
    if outcome.delivered:
        _end(session, parcel.delivery_id, DeliveryState.DELIVERED)
        return
    if outcome.gone:
        _disable(session, parcel.endpoint_id, "the receiver answered 410 Gone")
    if parcel.number > len(WAITS):
        _end(session, parcel.delivery_id, DeliveryState.DEAD)
        return
    wait = WAITS[parcel.number - 1] * random.uniform(1.0, 1.1)  # noqa: S311 - spreads the load, hides nothing
    session.execute(
        update(table(WebhookDelivery))
        .where(_delivery.id == parcel.delivery_id)
        .values(next_at=clock(wait), leased_until=None)
    )


def _end(session: Session, delivery_id: str, state: DeliveryState) -> None:
    ended = update(table(WebhookDelivery)).where(_delivery.id == delivery_id)
    session.execute(ended.values(state=state, ended_at=clock(), leased_until=None))


def _disable(session: Session, endpoint_id: str, why: str) -> None:
    queue_id = session.execute(
        update(table(WebhookEndpoint))
        .where(_endpoint.id == endpoint_id, _enabled)
        .values(disabled_at=clock(), disabled_why=why)
        .returning(_endpoint.queue_id)
    ).scalar_one_or_none()
    if queue_id is not None:
        trail.record(session, SYSTEM, "webhook.disabled", queue_id=queue_id, subject=endpoint_id, facts={"why": why})


# -- by hand ----------------------------------------------------------------------------------------------------------


def test(*, session: Session, actor: Actor, endpoint_id: str) -> str:
    """Send an event of type `webhook.test`; returns the delivery's id. Raises `NotFound`, `Conflict` when disabled."""
    endpoint = endpoints.permitted(session=session, actor=actor, endpoint_id=endpoint_id)
    if endpoint.disabled_at is not None:
        raise Conflict("The endpoint is disabled. Enable it first.", code="endpoint_disabled")
    event_id = f"msg_test_{new_id()}"
    _announce(session, endpoint, [(events.TEST, event_id, endpoint.id)])
    trail.record(session, actor, "webhook.tested", queue_id=endpoint.queue_id, subject=endpoint.id)
    made = select(_delivery.id).where(_delivery.endpoint_id == endpoint.id, _delivery.event_id == event_id)
    return str(session.execute(made).scalar_one())


def redeliver(*, session: Session, actor: Actor, endpoint_id: str, delivery_id: str | None = None) -> int:
    """Send a delivery now under the same id, also one that arrived or waits for its next attempt, or all that were
    given up; returns how many.

    Raises `NotFound`, and `Conflict` for one of which an attempt is under way.
    """
    endpoint = endpoints.permitted(session=session, actor=actor, endpoint_id=endpoint_id)
    which = [_delivery.endpoint_id == endpoint.id]
    which.append(
        _delivery.state == DeliveryState.DEAD if delivery_id is None else _delivery.id == known_id(delivery_id)
    )
    again = (
        update(table(WebhookDelivery))
        .where(*which, _not_under_way)
        .values(state=DeliveryState.PENDING, next_at=clock(), ended_at=None)
        .returning(_delivery.id)
    )
    count = len(session.execute(again).all())
    if delivery_id is not None and not count:
        leased_until = session.execute(select(_delivery.leased_until).where(*which)).scalar_one_or_none()
        if leased_until is None:
            raise NotFound
        raise Conflict(
            f"An attempt is under way at this moment, until {iso(leased_until)} at the latest. See how it ends first.",
            code="delivery_pending",
        )
    trail.record(
        session, actor, "webhook.redelivered", queue_id=endpoint.queue_id, subject=endpoint.id, facts={"count": count}
    )
    return count


def log(*, session: Session, actor: Actor, endpoint_id: str, before: str | None, limit: int) -> list[dict[str, Any]]:
    """The endpoint's deliveries with their attempts, newest first. Raises `NotFound`."""
    endpoint = endpoints.permitted(session=session, actor=actor, endpoint_id=endpoint_id)
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id)
    if before is not None:
        query = query.where(WebhookDelivery.id < before)
    return _told(session, session.scalars(query.order_by(WebhookDelivery.id.desc()).limit(limit)).all())


def read(*, session: Session, actor: Actor, endpoint_id: str, delivery_id: str) -> dict[str, Any]:
    """One of the endpoint's deliveries with its attempts. Raises `NotFound`."""
    endpoint = endpoints.permitted(session=session, actor=actor, endpoint_id=endpoint_id)
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id)
    found = _told(session, session.scalars(query.where(WebhookDelivery.id == known_id(delivery_id))).all())
    if not found:
        raise NotFound
    return found[0]


def _told(session: Session, rows: Sequence[WebhookDelivery]) -> list[dict[str, Any]]:
    attempts: dict[str, list[dict[str, Any]]] = {row.id: [] for row in rows}
    made = select(WebhookAttempt).where(WebhookAttempt.delivery_id.in_(list(attempts))).order_by(WebhookAttempt.number)
    for attempt in session.scalars(made) if attempts else ():
        attempts[attempt.delivery_id].append({
            "number": attempt.number, "at": iso(attempt.at), "seconds": round(attempt.seconds, 3),
            "status": attempt.status, "answer": attempt.answer,
        })  # fmt: skip
    return [
        {
            "id": row.id, "event": row.event, "webhook_id": row.event_id, "ref": row.ref, "state": row.state,
            "created_at": iso(row.created_at), "ended_at": iso(row.ended_at),
            "next_at": iso(row.next_at) if row.state is DeliveryState.PENDING else None, "attempts": attempts[row.id],
        }
        for row in rows
    ]  # fmt: skip


def counts(session: Session, endpoint_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """How many deliveries of each endpoint wait, and how many were given up; not those that arrived: they are many."""
    found: dict[str, dict[str, int]] = {endpoint_id: {"pending": 0, "dead": 0} for endpoint_id in endpoint_ids}
    for endpoint_id, state, count in session.execute(undelivered(endpoint_ids)):
        found[endpoint_id][str(state)] = count
    return found


def undelivered(endpoint_ids: Sequence[str]) -> Select[Any]:
    """Count by endpoint and state. Index ix_webhook_delivery_undelivered."""
    return (
        select(_delivery.endpoint_id, _delivery.state, func.count())
        .where(_delivery.endpoint_id.in_(endpoint_ids), _delivery.state != literal_column("'delivered'"))
        .group_by(_delivery.endpoint_id, _delivery.state)
    )


SWEPT_AT_ONCE = 1_000
# Index ix_webhook_delivery_delivered.
OLD = (
    select(_delivery.id)
    .where(_delivery.state == literal_column("'delivered'"), _delivery.ended_at < clock(-KEPT_SECONDS))
    .limit(SWEPT_AT_ONCE)
)


def sweep(*, session: Session) -> int:
    """Forget deliveries of more than 30 days ago that arrived; returns how many, at most 1,000. A duty of the relay."""
    # Not one that somebody is having sent again at this moment.
    some = OLD.with_for_update(skip_locked=True) if on_postgresql(session) else OLD
    old = list(session.scalars(some))
    session.execute(delete(table(WebhookAttempt)).where(table(WebhookAttempt).c.delivery_id.in_(old)))
    session.execute(delete(table(WebhookDelivery)).where(_delivery.id.in_(old)))
    return len(old)
