"""Operations on alerts: look at the figures that queues ask for, open, resolve, acknowledge. And the queries for them.

Each figure is one bounded question, asked once a minute and queue, a few queues a round of the relay. They are read
without a transaction that writes; only a change opens one.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, or_, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Action, Actor, require
from reviewqueue.core.db import clock, database_now, upsert, write_session
from reviewqueue.core.ids import first_id_at, known_id, new_id
from reviewqueue.delivery.webhooks import deliveries, events
from reviewqueue.errors import Conflict, Error, NotFound
from reviewqueue.insights.alert_figures import Reading, Step, overrides, stability, step
from reviewqueue.insights.metrics import JUDGED, judged
from reviewqueue.models import Alert, Item, Person, Queue, QueueVersion, WebhookEndpoint
from reviewqueue.models.states import AlertFigure, BrakeKind, DeliveryState, NoticeKind, QueueRole, SiteRole
from reviewqueue.notices import inbox
from reviewqueue.queues import brakes
from reviewqueue.queues import configuration as documents
from reviewqueue.queues.applying import apply, document_of
from reviewqueue.queues.catalog import QueueHead, configuration, queue_by_id, queues_for, queues_or_refusal
from reviewqueue.review import board, quality

log = logging.getLogger(__name__)

EVERY_SECONDS = 60.0
AT_ONCE = 3
"""Queues looked at in one round of the relay, which has other things to do."""
COMPARED = 2_000
"""Items of which the confidence is compared, latest and before."""
BEFORE = 7
"""How many times longer than the latest hours those before them are."""
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
        reading = _FIGURES[alert.on](session, head, alert)
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


# -- figures ----------------------------------------------------------------------------------------------------------

TOLD_OF_MANY = frozenset({AlertFigure.OVERRIDE_RATE, AlertFigure.CONFIDENCE_DRIFT, AlertFigure.AGREEMENT})
"""Those that say nothing of few observations."""


def _override_rate(session: Session, head: QueueHead, alert: documents.Alert) -> Reading:
    found = overrides(judged(session, head.id, seconds=alert.hours * 3600.0, most=JUDGED))
    return Reading(found.value or 0.0, found.of)


def _confidence_drift(session: Session, head: QueueHead, alert: documents.Alert) -> Reading:
    now = database_now(session)
    since = now - timedelta(hours=alert.hours)
    latest = _confidences(session, head.id, since, now)
    before = _confidences(session, head.id, since - timedelta(hours=BEFORE * alert.hours), since)
    fewer = min(len(latest), len(before))
    return Reading(stability(before, latest) if fewer else 0.0, fewer)


def _confidences(session: Session, queue_id: str, since: datetime, until: datetime) -> list[float]:
    # Index ix_item_queue_id_id: ids sort by time.
    some = (
        select(Item.confidence, Item.test)
        .where(
            Item.queue_id == queue_id, Item.id >= first_id_at(since.timestamp()),
            Item.id < first_id_at(until.timestamp()),
        )
        .order_by(Item.id.desc())
        .limit(COMPARED)
    )  # fmt: skip
    return [row.confidence for row in session.execute(some) if row.confidence is not None and not row.test]


def _waiting(session: Session, head: QueueHead, _alert: documents.Alert) -> Reading:
    waiting = board.figures_of(session, head.id).waiting
    return Reading(float(waiting), waiting)


def _overdue(session: Session, head: QueueHead, _alert: documents.Alert) -> Reading:
    figures = board.figures_of(session, head.id)
    return Reading(float(figures.overdue), figures.waiting)


def _agreement(session: Session, head: QueueHead, _alert: documents.Alert) -> Reading:
    agreed = quality.agreed_in(session, head.id)
    return Reading(agreed.value or 0.0, agreed.of)


def _signs_of_haste(session: Session, head: QueueHead, _alert: documents.Alert) -> Reading:
    hasty = quality.hasty_in(session, head.id)
    return Reading(float(hasty), hasty)


def _webhooks_given_up(session: Session, head: QueueHead, _alert: documents.Alert) -> Reading:
    endpoints = list(session.scalars(select(WebhookEndpoint.id).where(WebhookEndpoint.queue_id == head.id)))
    dead = sum(count[DeliveryState.DEAD] for count in deliveries.counts(session, endpoints).values())
    return Reading(float(dead), dead)


_FIGURES: Mapping[AlertFigure, Callable[[Session, QueueHead, documents.Alert], Reading]] = {
    AlertFigure.OVERRIDE_RATE: _override_rate,
    AlertFigure.CONFIDENCE_DRIFT: _confidence_drift,
    AlertFigure.WAITING: _waiting,
    AlertFigure.OVERDUE: _overdue,
    AlertFigure.AGREEMENT: _agreement,
    AlertFigure.SIGNS_OF_HASTE: _signs_of_haste,
    AlertFigure.WEBHOOKS_GIVEN_UP: _webhooks_given_up,
}
SHARES = frozenset({AlertFigure.OVERRIDE_RATE, AlertFigure.AGREEMENT})


def shown(figure: AlertFigure, value: float) -> str:
    """A value as people read it."""
    if figure in SHARES:
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if figure is AlertFigure.CONFIDENCE_DRIFT else f"{value:,.10g}"


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
    ids = [head.id for head in queues_or_refusal(session=session, actor=actor, action=Action.READ_ALERTS)]
    told = (
        select(
            *Alert.__table__.columns, Queue.slug, Queue.title, Person.name.label("by_name"),
        )
        .join(Queue, Queue.id == Alert.queue_id)
        .outerjoin(Person, Person.id == Alert.acknowledged_by)
        .where(Alert.queue_id.in_(ids))
        .order_by(Alert.id.desc())
    )  # fmt: skip
    return (
        list(session.execute(told.where(_is_open))),
        list(session.execute(told.where(Alert.resolved_at.is_not(None)).limit(HISTORY))),
    )


def watched(*, session: Session, actor: Actor) -> list[tuple[QueueHead, tuple[documents.Alert, ...]]]:
    """What is asked for in each queue whose alerts `actor` may see."""
    heads = queues_for(session=session, actor=actor, action=Action.READ_ALERTS)
    live = [head for head in heads if not head.archived]
    return [(head, configuration(session, head.id, head.version).config.alerts) for head in live]
