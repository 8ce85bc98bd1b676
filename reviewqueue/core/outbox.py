"""Ask for work to be done after the commit. The relay hands it to RQ; see `relay.py`."""

from __future__ import annotations

from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from reviewqueue.core.db import clock, clock_in
from reviewqueue.models import OutboxRow
from reviewqueue.models.base import table

EXPORTS = "exports"
MAINTENANCE = "maintenance"
IMPORTS = "imports"
MAIL = "mail"
WEBHOOKS = "webhooks"
SITE = (EXPORTS, IMPORTS, MAIL, MAINTENANCE, WEBHOOKS)
"""The RQ queues that belong to no review queue."""


def review_queue(slug: str) -> str:
    """The RQ queue that backs a review queue."""
    return f"review.{slug}"


_ROW = insert(table(OutboxRow)).values(created_at=clock(), next_at=clock_in("delay_seconds")).inline()


def append(session: Session, topic: str, *, rq_queue: str, ref: str, delay_seconds: float = 0.0) -> None:
    """Add a row in the caller's transaction. `ref` is the id of what the work is about, never the thing itself."""
    session.execute(_ROW, {**columns(topic, rq_queue, ref), "delay_seconds": delay_seconds})


def columns(topic: str, rq_queue: str, ref: str) -> dict[str, Any]:
    """Of a row, but for its times: for those who insert many."""
    return {"topic": topic, "rq_queue": rq_queue, "ref": ref, "attempts": 0}
