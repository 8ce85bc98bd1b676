"""Queries for metrics: what waits, is held, decided, sent, written, and failed. Of queues, never of people or content.

Each question is bounded and has its index; what they find serves everybody who asks within a few seconds.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from flask import current_app
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from reviewqueue.core import background_state
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.db import clock, database_now, read_session
from reviewqueue.delivery.webhooks import deliveries
from reviewqueue.insights.alert_figures import overrides
from reviewqueue.models import Alert, DatasetVersion, Decision, Import, Item, Queue, WebhookDelivery, WebhookEndpoint
from reviewqueue.models.states import DeliveryState, ExportState, ImportState, Verdict
from reviewqueue.queues.catalog import QueueHead, queues_for
from reviewqueue.review import board

KEPT_SECONDS = 5.0
MOST_QUEUES = 500
JUDGED = 1_000
"""Latest decisions of a queue, of which its override rate is told …"""
JUDGED_SECONDS = 86_400.0
"""… if they are younger than that."""
_kept: tuple[float, list[Metric]] = (float("-inf"), [])
_lock = Lock()


class Gauges(Collector):
    """What the database and Redis say at this moment, or said some seconds ago."""

    def collect(self) -> Iterator[Metric]:
        global _kept  # noqa: PLW0603 - one a process, for all who ask
        with _lock:
            if time.monotonic() - _kept[0] >= KEPT_SECONDS:
                _kept = time.monotonic(), _gauges()
            yield from _kept[1]


def forget() -> None:
    """Ask anew next time."""
    global _kept  # noqa: PLW0603
    with _lock:
        _kept = float("-inf"), []


def _gauges() -> list[Metric]:
    up = 1.0
    found: list[Metric] = []
    try:
        with read_session() as session:
            now = database_now(session)
            for part in (_queues, _alerts, _outbox, _relay, _webhooks, _exports, _imports):
                found += part(session, now)
    except SQLAlchemyError:
        # Whoever watches is to hear of it, and of the requests that were answered meanwhile.
        up = 0.0
    # After the session: a silent Redis must not hold a connection of the database.
    found += _rq()
    return [_gauge("reviewqueue_database_up", "Whether the database answers.", [], [((), up)]), *found]


Samples = Iterable[tuple[Sequence[str], float]]


def _gauge(name: str, says: str, labels: Sequence[str], samples: Samples) -> Metric:
    gauge = GaugeMetricFamily(name, says, labels=labels)
    for values, number in samples:
        gauge.add_metric(values, number)
    return gauge


def _age(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment is not None else 0.0


# -- queues -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Queue:
    head: QueueHead
    figures: board.Figures
    held: int
    judged: Counter[Verdict]


_OF_QUEUE: tuple[tuple[str, str, Callable[[_Queue, datetime], float]], ...] = (
    ("waiting_tasks", "Tasks that nobody holds, counted up to 100,000.", lambda one, _: one.figures.waiting),
    ("oldest_waiting_seconds", "Age of the oldest of them.", lambda one, now: _age(one.figures.oldest_at, now)),
    ("overdue_tasks", "Of them, those past their due time.", lambda one, _: one.figures.overdue),
    ("leads_tasks", "Of them, those escalated to the leads.", lambda one, _: one.figures.with_leads),
    ("leases", "Tasks that somebody holds.", lambda one, _: one.held),
    ("in_review_items", "Items with a decision and no answer yet.", lambda one, _: one.figures.in_review),
    ("decided_last_hour", "Decisions made within the last hour.", lambda one, _: one.figures.decided_hour),
    ("arrived_last_hour", "Tasks that came with new items within the hour.", lambda one, _: one.figures.arrived_hour),
    ("stopped", "1 where nothing passes without a person.", lambda one, _: float(one.head.stopped is not None)),
    ("held", "1 where no answer goes out.", lambda one, _: float(one.head.held)),
)


def _queues(session: Session, now: datetime) -> list[Metric]:
    heads = [head for head in queues_for(session=session, actor=SYSTEM) if not head.archived][:MOST_QUEUES]
    leases = board.held(session, [head.id for head in heads])
    every = [
        _Queue(head, board.figures_of(session, head.id), leases[head.id], judged(session, head.id)) for head in heads
    ]
    found = [
        _gauge(f"reviewqueue_queue_{name}", says, ["queue"], [([one.head.slug], of(one, now)) for one in every])
        for name, says, of in _OF_QUEUE
    ]
    verdicts = [([one.head.slug, verdict], float(one.judged[verdict])) for one in every for verdict in Verdict]
    rates = [([one.head.slug], _rate(one.judged)) for one in every if one.judged]
    return [
        *found,
        _gauge(
            "reviewqueue_queue_judged", f"The latest decisions of a day, {JUDGED:,} at most, by verdict.",
            ["queue", "verdict"], verdicts,
        ),
        _gauge("reviewqueue_queue_override_ratio", "Share of them that the output did not survive.", ["queue"], rates),
    ]  # fmt: skip


def _rate(verdicts: Counter[Verdict]) -> float:
    found = overrides(verdicts)
    return found.met / found.of


def judged(
    session: Session, queue_id: str, *, seconds: float = JUDGED_SECONDS, until: float = 0.0, most: int = JUDGED
) -> Counter[Verdict]:
    """The queue's latest decisions by verdict, of the last `seconds` or, of these, more than `until` ago; without
    checks, and without items sent to try it."""
    # Index ix_decision_made.
    before = [Decision.decided_at < clock(-until)] if until else []
    some = (
        select(Decision.verdict, Decision.item_id)
        .where(Decision.queue_id == queue_id, board.COUNTS, Decision.decided_at >= clock(-seconds), *before)
        .order_by(Decision.decided_at.desc())
        .limit(most)
        .subquery()
    )
    rows = session.execute(
        select(some.c.verdict, func.count())
        .join(Item, Item.id == some.c.item_id)
        .where(~Item.test)
        .group_by(some.c.verdict)
    )
    return Counter({row[0]: row[1] for row in rows})


def _alerts(session: Session, _now: datetime) -> list[Metric]:
    # Index uq_alert_open.
    rows = session.execute(
        select(Queue.slug, Alert.figure, func.count())
        .join(Queue, Queue.id == Alert.queue_id)
        .where(Alert.resolved_at.is_(None))
        .group_by(Queue.slug, Alert.figure)
    )
    says = "Alerts of a queue's own configuration that are open."
    return [_gauge("reviewqueue_alerts_open", says, ["queue", "figure"], [([x[0], x[1]], x[2]) for x in rows])]


# -- the background ---------------------------------------------------------------------------------------------------


def _outbox(session: Session, now: datetime) -> list[Metric]:
    waiting = background_state.waiting(session)
    failed = background_state.failed_by_queue(session)
    label = ["rq_queue"]
    return [
        _gauge("reviewqueue_outbox_rows", "Work that is to be done.", label, [([x.rq_queue], x.rows) for x in waiting]),
        _gauge(
            "reviewqueue_outbox_oldest_seconds", "Age of the oldest of it.", label,
            [([row.rq_queue], _age(row.oldest_at, now)) for row in waiting],
        ),
        _gauge(
            "reviewqueue_outbox_failed_rows", "Work that was given up and waits for a retry by hand.", label,
            [([row.rq_queue], row.rows) for row in failed],
        ),
    ]  # fmt: skip


def _relay(session: Session, _now: datetime) -> list[Metric]:
    lead = background_state.lead(session)
    silent = [((), lead.silent_seconds)] if lead is not None else []
    return [_gauge("reviewqueue_relay_silent_seconds", "Since the leading relay was heard.", [], silent)]


def _rq() -> list[Metric]:
    found = background_state.rq(current_app.config["SETTINGS"].redis_url)
    heard = Counter(worker.state if worker.heard else "silent" for worker in found.workers)
    jobs = [([name], float(length)) for name, length in found.queues]
    failed = [([name], float(count)) for (name, _), count in zip(found.queues, found.failed, strict=True)]
    return [
        _gauge("reviewqueue_rq_up", "Whether Redis answers.", [], [((), float(not found.problem))]),
        _gauge("reviewqueue_rq_jobs", "Jobs that wait for a worker.", ["rq_queue"], jobs),
        _gauge("reviewqueue_rq_failed_jobs", "Jobs that failed within the hour.", ["rq_queue"], failed),
        _gauge("reviewqueue_rq_workers", "Workers by state.", ["state"], [([x], float(heard[x])) for x in heard]),
    ]


# -- answers and labels -----------------------------------------------------------------------------------------------

_delivery = WebhookDelivery


def _webhooks(session: Session, now: datetime) -> list[Metric]:
    slugs = {head.id: head.slug for head in queues_for(session=session, actor=SYSTEM)}
    endpoints = session.execute(select(WebhookEndpoint.id, WebhookEndpoint.queue_id, _first_due())).all()
    counts = session.execute(deliveries.undelivered([row.id for row in endpoints])).all() if endpoints else []
    of_queue = {row.id: slugs[row.queue_id] for row in endpoints}
    states: Counter[tuple[str, str]] = Counter()
    lag: dict[str, float] = {}
    for row in endpoints:
        for state in (DeliveryState.PENDING, DeliveryState.DEAD):
            states[of_queue[row.id], state] += 0
        lag[of_queue[row.id]] = max(lag.get(of_queue[row.id], 0.0), _age(row.first_due, now))
    for endpoint_id, state, number in counts:
        states[of_queue[endpoint_id], state] += number
    delivered = dict.fromkeys(lag, 0.0) | {slugs[row[0]]: float(row[1]) for row in session.execute(_delivered())}
    return [
        _gauge(
            "reviewqueue_webhook_deliveries", "Events not delivered yet, and those that were given up.",
            ["queue", "state"], [(key, float(number)) for key, number in states.items()],
        ),
        _gauge(
            "reviewqueue_webhook_lag_seconds", "For how long the first event that is due has not been sent.", ["queue"],
            [([slug], seconds) for slug, seconds in lag.items()],
        ),
        _gauge(
            "reviewqueue_webhook_delivered_last_hour", "Events that arrived within the hour, counted up to 100,000.",
            ["queue"], [([slug], number) for slug, number in delivered.items()],
        ),
    ]  # fmt: skip


def _first_due() -> Any:
    # Index ix_webhook_delivery_due, once an endpoint.
    return (
        select(func.min(_delivery.next_at))
        .where(_delivery.endpoint_id == WebhookEndpoint.id, text("webhook_delivery.state = 'pending'"))
        .scalar_subquery()
        .label("first_due")
    )


def _delivered() -> Any:
    # Index ix_webhook_delivery_delivered.
    some = (
        select(_delivery.endpoint_id)
        .where(text("webhook_delivery.state = 'delivered'"), _delivery.ended_at >= clock(-3600.0))
        .limit(board.MOST_COUNTED)
        .subquery()
    )
    return (
        select(WebhookEndpoint.queue_id, func.count())
        .join(some, some.c.endpoint_id == WebhookEndpoint.id)
        .group_by(WebhookEndpoint.queue_id)
    )


def _exports(session: Session, _now: datetime) -> list[Metric]:
    # Index ix_dataset_version_state.
    found = _by_state(session, DatasetVersion.state, text("dataset_version.state <> 'ready'"))
    counts = dict.fromkeys((ExportState.PENDING, ExportState.RUNNING, ExportState.FAILED), 0.0) | found
    samples = [([state], number) for state, number in counts.items()]
    return [_gauge("reviewqueue_exports", "Exports by state, those that are ready left out.", ["state"], samples)]


def _imports(session: Session, _now: datetime) -> list[Metric]:
    # Index ix_import_state.
    found = _by_state(session, Import.state, text("import.state <> 'done'"))
    counts = dict.fromkeys((ImportState.RECEIVING, ImportState.RUNNING, ImportState.FAILED), 0.0) | found
    samples = [([state], number) for state, number in counts.items()]
    return [_gauge("reviewqueue_imports", "Imports by state, those that are done left out.", ["state"], samples)]


def _by_state(session: Session, state: Any, which: Any) -> dict[Any, float]:
    return {row[0]: float(row[1]) for row in session.execute(select(state, func.count()).where(which).group_by(state))}
