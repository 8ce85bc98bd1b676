"""When a queued item can be expected back: after as long as the queue's latest answers took. A query, kept a while."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from statistics import median
from threading import Lock

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.models import Decision, Item
from reviewqueue.models.base import table

LOOKED_AT = 500
"""Latest decisions of the site; those of the queue among them count."""
KEPT_SECONDS = 30

_decision, _item = table(Decision).c, table(Item).c
_LATEST = select(_decision.id).order_by(_decision.id.desc()).limit(LOOKED_AT)
_kept: dict[str, tuple[float, float | None]] = {}
_lock = Lock()


def expected_at(session: Session, queue_id: str, submitted_at: datetime) -> datetime | None:
    """The median time from submission to decision, added to `submitted_at`; None while nobody has decided lately."""
    seconds = _median_seconds(session, queue_id)
    return None if seconds is None else submitted_at + timedelta(seconds=seconds)


def _median_seconds(session: Session, queue_id: str) -> float | None:
    now = time.monotonic()
    with _lock:
        measured_at, seconds = _kept.get(queue_id, (float("-inf"), None))
    if now - measured_at < KEPT_SECONDS:
        return seconds
    rows = session.execute(
        select(_decision.decided_at, _item.created_at)
        .join_from(table(Decision), table(Item), _item.id == _decision.item_id)
        .where(_decision.id.in_(_LATEST), _decision.queue_id == queue_id, _decision.correct.is_(None))
    ).all()
    seconds = median((row.decided_at - row.created_at).total_seconds() for row in rows) if rows else None
    with _lock:
        _kept[queue_id] = (now, seconds)
    return seconds
