"""Queries: the figures that alerts are about, as they are now. Each is one bounded question; none asks permission."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reviewqueue.core.db import database_now
from reviewqueue.core.ids import first_id_at
from reviewqueue.delivery.webhooks import deliveries
from reviewqueue.insights.alert_figures import Reading, moved, overrides, shifted
from reviewqueue.insights.drift import shift
from reviewqueue.insights.drifting import binned
from reviewqueue.insights.gathering import half, hundredth, label_of
from reviewqueue.insights.metrics import JUDGED, judged
from reviewqueue.models import Item, WebhookEndpoint
from reviewqueue.models.states import AlertFigure, DeliveryState
from reviewqueue.queues import configuration as documents
from reviewqueue.queues.catalog import QueueHead
from reviewqueue.review import board, quality

COMPARED = 2_000
"""Items that are compared, latest and before."""
BEFORE = 7
"""How many times longer than the latest hours those before them are."""

Read = Callable[[Session, QueueHead, documents.Alert], Reading]


def _override_rate(session: Session, head: QueueHead, alert: documents.Alert) -> Reading:
    found = overrides(judged(session, head.id, seconds=alert.hours * 3600.0, most=JUDGED))
    return Reading(found.value or 0.0, found.of)


def _override_drift(session: Session, head: QueueHead, alert: documents.Alert) -> Reading:
    seconds = alert.hours * 3600.0
    latest = judged(session, head.id, seconds=seconds, most=JUDGED)
    before = judged(session, head.id, seconds=(BEFORE + 1) * seconds, until=seconds, most=JUDGED)
    return moved(overrides(before), overrides(latest))


@dataclass(frozen=True)
class _Measure:
    """What is told of an item, as insight's page of drift counts it."""

    name: str
    columns: tuple[Any, ...]
    value: Callable[[Session, Any], str | None]


_MEASURES = {
    AlertFigure.CONFIDENCE_DRIFT: _Measure(
        "confidence", (Item.confidence,), lambda _, row: hundredth(row.confidence),
    ),
    AlertFigure.INPUT_DRIFT: _Measure(
        "length", (func.length(Item.input).label("length"),), lambda _, row: half(row.length),
    ),
    AlertFigure.LABEL_DRIFT: _Measure(
        "label", (Item.queue_id, Item.config_version, Item.output),
        lambda session, row: label_of(session, row.queue_id, row.config_version, row.output),
    ),
}  # fmt: skip


def _drift(session: Session, head: QueueHead, alert: documents.Alert) -> Reading:
    measure, now = _MEASURES[alert.on], database_now(session)
    since = now - timedelta(hours=alert.hours)
    latest = _counted(session, head.id, measure, since, now)
    before = _counted(session, head.id, measure, since - timedelta(hours=BEFORE * alert.hours), since)
    return shifted(shift(*binned(measure.name, before, latest)))


def _counted(
    session: Session, queue_id: str, measure: _Measure, since: datetime, until: datetime
) -> dict[str, int]:  # fmt: skip
    # Index ix_item_queue_id_id: ids sort by time.
    rows = session.execute(
        select(*measure.columns, Item.test)
        .where(
            Item.queue_id == queue_id, Item.id >= first_id_at(since.timestamp()),
            Item.id < first_id_at(until.timestamp()),
        )
        .order_by(Item.id.desc())
        .limit(COMPARED)
    )  # fmt: skip
    values = (measure.value(session, row) for row in rows if not row.test)
    return Counter(value for value in values if value is not None)


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


FIGURES: Mapping[AlertFigure, Read] = {
    AlertFigure.OVERRIDE_RATE: _override_rate,
    AlertFigure.OVERRIDE_DRIFT: _override_drift,
    **dict.fromkeys(_MEASURES, _drift),
    AlertFigure.WAITING: _waiting,
    AlertFigure.OVERDUE: _overdue,
    AlertFigure.AGREEMENT: _agreement,
    AlertFigure.SIGNS_OF_HASTE: _signs_of_haste,
    AlertFigure.WEBHOOKS_GIVEN_UP: _webhooks_given_up,
}
SHARES = frozenset({AlertFigure.OVERRIDE_RATE, AlertFigure.OVERRIDE_DRIFT, AlertFigure.AGREEMENT})
TOLD_OF_MANY = SHARES | _MEASURES.keys()
"""Those that say nothing of few observations."""


def shown(figure: AlertFigure, value: float) -> str:
    """A value as people read it."""
    if figure in SHARES:
        return f"{100 * value:.1f} %"
    return f"{value:.2f}" if figure in _MEASURES else f"{value:,.10g}"
