"""Operations on webhook endpoints: create, change, rotate the secret, remove; and how one is shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from flask import current_app
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import addresses, trail
from reviewqueue.core.access import Action, Actor, may
from reviewqueue.core.db import clock, database_now, on_postgresql
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.moments import iso
from reviewqueue.delivery.webhooks import events, signing
from reviewqueue.errors import Conflict, Faults, NotFound
from reviewqueue.models import Queue, Resolution, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from reviewqueue.queues.catalog import find_queue

OLD_SECRET_SECONDS = 24 * 3600.0
"""For how long the secret before signs, too, after a rotation."""
MOST_ENDPOINTS = 100
"""A queue."""


def create(
    *, session: Session, actor: Actor, slug: str, url: str, wanted: Sequence[str] = ("*",), description: str = ""
) -> str:
    """Have `url` hear of the queue's events from now on; returns the endpoint's id.

    Raises `Invalid` with pointers, `Conflict` for too many, `NotFound`, `Forbidden`.
    """
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.CONFIGURE_QUEUES)
    _check(url, wanted)
    there = select(func.count()).select_from(WebhookEndpoint).where(WebhookEndpoint.queue_id == head.id)
    if session.execute(there).scalar_one() >= MOST_ENDPOINTS:
        raise Conflict(f"The queue has {MOST_ENDPOINTS} endpoints. Remove one first.", code="too_many_endpoints")
    endpoint_id = new_id()
    last = select(func.coalesce(func.max(Resolution.position), 0)).where(Resolution.queue_id == head.id)
    session.execute(
        insert(WebhookEndpoint).values(
            id=endpoint_id, queue_id=head.id, url=url, events=json.dumps(list(wanted)), description=description[:300],
            secret=1, position=last.scalar_subquery(), created_by=actor.label, created_at=clock(),
        )
    )  # fmt: skip
    trail.record(
        session, actor, "webhook.created", queue_id=head.id, subject=endpoint_id, facts={"events": list(wanted)},
        content={"url": url},
    )  # fmt: skip
    return endpoint_id


def _check(url: str, wanted: Sequence[str]) -> None:
    if len(url) > 2000:
        faults = Faults()
        faults.add("/url", "is longer than 2,000 characters")
        faults.raise_if_any("The endpoint cannot be made.")
    addresses.target_of(url, lets())
    faults = Faults()
    for place, event in enumerate(wanted):
        if event != "*" and event not in events.TYPES:
            faults.add(f"/events/{place}", f"is not known: *, {', '.join(events.TYPES)}")
    if not wanted:
        faults.add("/events", "names no event: send * for all")
    faults.raise_if_any("The endpoint cannot be made.")


def lets() -> addresses.Allowed:
    """What the operator lets through."""
    return addresses.allowed(current_app.config["SETTINGS"].webhook_allow)


def permitted(*, session: Session, actor: Actor, endpoint_id: str) -> WebhookEndpoint:
    """The endpoint, for somebody who configures its queue. Raises `NotFound` for anybody else."""
    endpoint = session.execute(
        select(WebhookEndpoint).where(WebhookEndpoint.id == known_id(endpoint_id))
    ).scalar_one_or_none()
    if endpoint is None or not may(actor, Action.CONFIGURE_QUEUES, endpoint.queue_id):
        raise NotFound
    return endpoint


def endpoints_of(*, session: Session, actor: Actor, slug: str) -> list[WebhookEndpoint]:
    """All of the queue, oldest first. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.CONFIGURE_QUEUES)
    mine = select(WebhookEndpoint).where(WebhookEndpoint.queue_id == head.id).order_by(WebhookEndpoint.id)
    return list(session.scalars(mine))


def set_enabled(*, session: Session, actor: Actor, endpoint_id: str, enabled: bool) -> None:
    """Pause deliveries, or go on where they stopped: nothing is lost in between."""
    endpoint = permitted(session=session, actor=actor, endpoint_id=endpoint_id)
    if (endpoint.disabled_at is None) is enabled:
        return
    session.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint.id)
        .values(disabled_at=None if enabled else clock(), disabled_why=None if enabled else "by hand")
    )
    action = "webhook.enabled" if enabled else "webhook.disabled"
    trail.record(session, actor, action, queue_id=endpoint.queue_id, subject=endpoint.id)


def rotate(*, session: Session, actor: Actor, endpoint_id: str) -> str:
    """Give it a new secret, and return it. For a day the old one signs, too."""
    endpoint = permitted(session=session, actor=actor, endpoint_id=endpoint_id)
    number = session.execute(
        update(WebhookEndpoint)
        .where(WebhookEndpoint.id == endpoint.id)
        .values(secret=WebhookEndpoint.secret + 1, old_secret_until=clock(OLD_SECRET_SECONDS))
        .returning(WebhookEndpoint.secret)
    ).scalar_one()
    trail.record(session, actor, "webhook.secret_rotated", queue_id=endpoint.queue_id, subject=endpoint.id)
    return signing.secret_of(_site_key(), endpoint.id, number)


def remove(*, session: Session, actor: Actor, endpoint_id: str) -> None:
    """Forget the endpoint with its deliveries; what has not been delivered never will be. Raises `NotFound`."""
    endpoint = permitted(session=session, actor=actor, endpoint_id=endpoint_id)
    theirs = select(WebhookDelivery.id).where(WebhookDelivery.endpoint_id == endpoint.id)
    if on_postgresql(session):
        # Nobody adds a delivery from here on, nor an attempt: it would refer to what is about to go.
        whole = select(WebhookEndpoint.id).where(WebhookEndpoint.id == endpoint.id).with_for_update()
        if session.execute(whole).first() is None:
            raise NotFound
        session.execute(theirs.with_for_update())
    for statement in (
        delete(WebhookAttempt).where(WebhookAttempt.delivery_id.in_(theirs)),
        delete(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint.id),
        delete(WebhookEndpoint).where(WebhookEndpoint.id == endpoint.id),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    trail.record(session, actor, "webhook.removed", queue_id=endpoint.queue_id, subject=endpoint.id)


def secrets_of(session: Session, endpoint: Any) -> list[str]:
    """The secrets that sign at this moment, the present one first."""
    numbers = [endpoint.secret]
    if endpoint.old_secret_until is not None and endpoint.old_secret_until > database_now(session):
        numbers.append(endpoint.secret - 1)
    return [signing.secret_of(_site_key(), endpoint.id, number) for number in numbers]


def _site_key() -> str:
    key: str = current_app.config["SETTINGS"].secret_key
    return key


def as_json(session: Session, endpoint: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint as programs read it, without its secret."""
    slug = session.execute(select(Queue.slug).where(Queue.id == endpoint.queue_id)).scalar_one()
    return {
        "id": endpoint.id, "queue": slug, "url": endpoint.url, "events": json.loads(endpoint.events),
        "description": endpoint.description, "enabled": endpoint.disabled_at is None,
        "disabled_why": endpoint.disabled_why, "created_at": iso(endpoint.created_at),
    }  # fmt: skip
