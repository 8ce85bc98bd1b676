"""Operations on alerts: look at the figures that queues ask for, open, resolve, acknowledge. And the queries for them.

Each figure is one bounded question, asked once a minute and queue, a few queues a round of the relay. They are read
without a transaction that writes; only a change opens one.
"""

from __future__ import annotations

import json
import logging
import time
from typing import Any

from sqlalchemy import Select, or_, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Action, Actor, require
from reviewqueue.core.db import clock, upsert, write_session
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.moments import iso
from reviewqueue.delivery.webhooks import deliveries, events
from reviewqueue.errors import Conflict, Error, NotFound
from reviewqueue.insights.alert_figures import Reading, Step, step
from reviewqueue.insights.alert_readings import FIGURES, TOLD_OF_MANY, shown
from reviewqueue.models import Alert, Person, Queue, QueueVersion
from reviewqueue.models.states import AlertFigure, BrakeKind, NoticeKind, QueueRole, SiteRole
from reviewqueue.notices import inbox
from reviewqueue.queues import brakes
from reviewqueue.queues import configuration as documents
from reviewqueue.queues.applying import apply, document_of
from reviewqueue.queues.catalog import (
    QueueHead,
    configuration,
    find_queue,
    queue_by_id,
    queues_for,
    queues_or_refusal,
)

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
AT_ONCE = 3
"""Queues looked at in one round of the relay, which has other things to do."""
HISTORY = 100
LONGEST_NOTE = 2_000

_asks = QueueVersion.document.contains('"alerts"')
_is_open = Alert.resolved_at.is_(None)
_QUEUES = (
    select(Queue.id)
    .join(QueueVersion, (QueueVersion.queue_id == Queue.id) & (QueueVersion.version == Queue.version))
    .where(or_(Queue.archived_at.is_(None) & _asks, Queue.id.in_(select(Alert.queue_id).where(_is_open))))
)
ASKED: Select[Any] = _QUEUES.limit(1)
_looked: dict[str, float] = {}
"""When each queue was, by the monotonic clock of this process: another that leads begins anew."""


def look(*, session: Session) -> int:
    """Look at the queues whose minute is over; returns how many, at most `AT_ONCE`. A duty of the relay."""
    now = time.monotonic()
    waiting = [one for one in session.scalars(_QUEUES) if now - _looked.get(one, float("-inf")) >= EVERY_SECONDS]
    waiting.sort(key=lambda one: _looked.get(one, float("-inf")))
    for queue_id in waiting[:AT_ONCE]:
        _looked[queue_id] = now
        try:
            look_at(session=session, queue_id=queue_id)
        except Error:
            log.exception("the alerts of a queue could not be looked at")
    return min(len(waiting), AT_ONCE)


def look_at(*, session: Session, queue_id: str) -> None:
    """Open and resolve what is due in one queue. `session` reads; each change is a transaction of its own."""
    head = queue_by_id(session, queue_id)
    asked = () if head.archived else configuration(session, head.id, head.version).config.alerts
    opened = {row.name: row for row in session.scalars(select(Alert).where(Alert.queue_id == head.id, _is_open))}
    for alert in asked:
        reading = FIGURES[alert.on](session, head, alert)
        found = opened.pop(alert.name, None)
        wanted = step(
            reading, is_open=found is not None, above=alert.above is not None, bar=alert.bar, over_at=alert.over_at,
            at_least=alert.at_least if alert.on in TOLD_OF_MANY else 0,
        )  # fmt: skip
        if wanted is Step.OPEN:
            with write_session() as writer:
                open_alert(session=writer, actor=SYSTEM, head=head, alert=alert, reading=reading)
        elif wanted is Step.RESOLVE and found is not None:
            with write_session() as writer:
                resolve(session=writer, actor=SYSTEM, head=head, alert_id=found.id, value=reading.value)
    for found in opened.values():
        with write_session() as writer:
            resolve(session=writer, actor=SYSTEM, head=head, alert_id=found.id, value=None)


# -- operations -------------------------------------------------------------------------------------------------------


def open_alert(
    *, session: Session, actor: Actor, head: QueueHead, alert: documents.Alert, reading: Reading
) -> str | None:
    """Open it, tell the leads and the webhooks, and do what else the queue asks for; None where it is open already."""
    alert_id, above = new_id(), alert.above is not None
    fresh = upsert(session, Alert).values(
        id=alert_id, queue_id=head.id, name=alert.name, figure=alert.on, config_version=head.version, bar=alert.bar,
        above=above, value=reading.value, observations=reading.observations, done="[]", opened_at=clock(),
    )  # fmt: skip
    fresh = fresh.on_conflict_do_nothing(index_elements=["queue_id", "name"], index_where=text("resolved_at IS NULL"))
    if session.execute(fresh.returning(Alert.id)).first() is None:
        return None
    says = _says(alert.on, reading.value, alert.bar, above=above)
    facts = {
        "name": alert.name,
        "figure": alert.on,
        "value": reading.value,
        "bar": alert.bar,
        "of": reading.observations,
    }
    trail.record(session, actor, "alert.opened", queue_id=head.id, subject=alert_id, facts=facts)
    done = _act(session, actor, head, alert, f"Alert {alert.name}: {says}")
    session.execute(update(Alert).where(Alert.id == alert_id).values(done=json.dumps(done)))
    _tell(session, head, NoticeKind.ALERT_OPENED, alert_id, "\n".join([says, *done]))
    deliveries.announce(session, head.id, [(events.ALERT_OPENED, f"msg_{alert_id}_opened", alert_id)])
    return alert_id


def _says(figure: AlertFigure, value: float, bar: float, *, above: bool) -> str:
    beyond = "above" if above else "below"
    return f"{figure.replace('_', ' ')} {shown(figure, value)}, {beyond} {shown(figure, bar)}"


def _act(session: Session, actor: Actor, head: QueueHead, alert: documents.Alert, why: str) -> list[str]:
    """What was done, in words."""
    done = []
    if alert.stop:
        brakes.pull(session=session, actor=actor, kind=BrakeKind.STOP, queue_id=head.id, why=why[: brakes.LONGEST_WHY])
        done.append("The queue was stopped.")
    if alert.audit_rate is not None:
        done.append(_raise_audit(session, actor, head, alert.audit_rate, why))
    return done


def _raise_audit(session: Session, actor: Actor, head: QueueHead, rate: float, why: str) -> str:
    _, document = document_of(session=session, actor=actor, slug=head.slug)
    wanted = json.loads(document)
    audit = dict(wanted.get("audit") or {})
    if audit.get("rate", 0.0) >= rate:
        return f"The audit rate is {audit['rate']:g} already."
    wanted["audit"] = {**audit, "rate": rate}
    try:
        applied = apply(session=session, actor=actor, document=wanted, note=why, slug=head.slug)
    except Error as error:
        # The alert is worth more than what follows from it.
        return f"The audit rate could not be raised: {error.message}"
    return f"The audit rate was raised to {rate:g} (version {applied.version})."


def resolve(*, session: Session, actor: Actor, head: QueueHead, alert_id: str, value: float | None) -> bool:
    """Close it and tell so; False where that was done already. `value` None: the configuration asks for it no more."""
    closed = (
        update(Alert)
        .where(Alert.id == alert_id, _is_open)
        .values(resolved_at=clock(), resolved_value=value)
        .returning(Alert.name, Alert.figure)
    )
    row = session.execute(closed).one_or_none()
    if row is None:
        return False
    trail.record(
        session, actor, "alert.resolved", queue_id=head.id, subject=alert_id, facts={"name": row.name, "value": value}
    )
    says = "The queue's configuration asks for it no more." if value is None else f"It is {shown(row.figure, value)}."
    _tell(session, head, NoticeKind.ALERT_RESOLVED, alert_id, says)
    deliveries.announce(session, head.id, [(events.ALERT_RESOLVED, f"msg_{alert_id}_resolved", alert_id)])
    return True


def _tell(session: Session, head: QueueHead, kind: NoticeKind, alert_id: str, words: str) -> None:
    """The queue's leads; where it has none, the administrators."""
    people = people_with(session, head.id, QueueRole.LEAD) or set(
        session.scalars(select(Person.id).where(Person.role == SiteRole.ADMIN, Person.disabled_at.is_(None)))
    )
    inbox.tell(session, SYSTEM, people, kind, item_id=alert_id, words=words)


def acknowledge(*, session: Session, actor: Actor, alert_id: str, note: str = "") -> None:
    """Note that `actor` has it in hand. It stays open until its figure is back.

    Raises `NotFound`, `Forbidden`, `Conflict` for one that is over or that somebody else has acknowledged.
    """
    found = session.execute(select(Alert.queue_id).where(Alert.id == known_id(alert_id))).one_or_none()
    if found is None:
        raise NotFound
    require(actor, Action.ACKNOWLEDGE_ALERTS, found.queue_id)
    taken = session.execute(
        update(Alert)
        .where(Alert.id == alert_id, _is_open, Alert.acknowledged_at.is_(None))
        .values(acknowledged_at=clock(), acknowledged_by=actor.id, note=note[:LONGEST_NOTE] or None)
        .returning(Alert.id)
    ).first()
    if taken is None:
        raise Conflict("It is over, or somebody was quicker. Look at the list again.", code="alert_settled")
    content = {"note": note[:LONGEST_NOTE]} if note else None
    trail.record(session, actor, "alert.acknowledged", queue_id=found.queue_id, subject=alert_id, content=content)


# -- queries ----------------------------------------------------------------------------------------------------------


def alerts_of(*, session: Session, actor: Actor) -> tuple[list[Any], list[Any]]:
    """Those that are open and the latest `HISTORY` that are over, of the queues whose alerts `actor` may see, each with
    `slug`, `title` and `by_name`. Raises `Forbidden` for who may see those of none."""
    told = _TOLD.where(Alert.queue_id.in_(_readable(session, actor)))
    return (
        list(session.execute(told.where(_is_open))),
        list(session.execute(told.where(Alert.resolved_at.is_not(None)).limit(HISTORY))),
    )


_TOLD: Select[Any] = (
    select(*Alert.__table__.columns, Queue.slug, Queue.title, Person.name.label("by_name"))
    .join(Queue, Queue.id == Alert.queue_id)
    .outerjoin(Person, Person.id == Alert.acknowledged_by)
    .order_by(Alert.id.desc())
)


def _readable(session: Session, actor: Actor) -> list[str]:
    return [head.id for head in queues_or_refusal(session=session, actor=actor, action=Action.READ_ALERTS)]


def page(
    *, session: Session, actor: Actor, slug: str | None = None, is_open: bool | None = None,
    before: str | None = None, limit: int,
) -> list[Any]:  # fmt: skip
    """Alerts, newest first, of the queues whose alerts `actor` may see or of one of them; as `alerts_of` has them.

    Raises `NotFound`, `Forbidden`."""
    if slug is None:
        ids = _readable(session, actor)
    else:
        ids = [find_queue(session=session, actor=actor, slug=slug, action=Action.READ_ALERTS).id]
    # Index ix_alert_queue_id_id.
    query = _TOLD.where(Alert.queue_id.in_(ids))
    if is_open is not None:
        query = query.where(_is_open if is_open else Alert.resolved_at.is_not(None))
    if before is not None:
        query = query.where(Alert.id < before)
    return list(session.execute(query.limit(limit)))


def alert_of(*, session: Session, actor: Actor, alert_id: str) -> Any:
    """One, as `alerts_of` has them. Raises `NotFound`, `Forbidden`."""
    row = session.execute(_TOLD.where(Alert.id == alert_id)).one_or_none()
    if row is None:
        raise NotFound
    require(actor, Action.READ_ALERTS, row.queue_id)
    return row


def as_json(row: Any) -> dict[str, Any]:
    """For programs; `row` is one of `alerts_of`."""
    hand = None
    if row.acknowledged_at is not None:
        hand = {"by": row.by_name, "at": iso(row.acknowledged_at), "note": row.note}
    return {
        **events.alert_json(row), "queue": row.slug, "config_version": row.config_version,
        "state": "open" if row.resolved_at is None else "over", "done": json.loads(row.done), "in_hand": hand,
        "resolved_at": iso(row.resolved_at), "resolved_value": row.resolved_value,
    }  # fmt: skip


def watched(*, session: Session, actor: Actor) -> list[tuple[QueueHead, tuple[documents.Alert, ...]]]:
    """What is asked for in each queue whose alerts `actor` may see."""
    heads = queues_for(session=session, actor=actor, action=Action.READ_ALERTS)
    live = [head for head in heads if not head.archived]
    return [(head, configuration(session, head.id, head.version).config.alerts) for head in live]
