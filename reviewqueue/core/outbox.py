"""Ask for work to be done after the commit. The relay hands it to RQ; see `relay.py`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import insert
from sqlalchemy.orm import Session

from reviewqueue.core.db import clock, clock_in
from reviewqueue.core.strictjson import dumps
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


TOGETHER = 500
"""Ids that a row carries at most: as many as a job does in one transaction."""


def append(session: Session, topic: str, *, rq_queue: str, ref: str, delay_seconds: float = 0.0) -> None:
    """Add a row in the caller's transaction. `ref` is the id of what the work is about, never the thing itself."""
    row = {"topic": topic, "rq_queue": rq_queue, "ref": ref, "refs": None, "attempts": 0}
    session.execute(_ROW, {**row, "delay_seconds": delay_seconds})


def append_many(session: Session, topic: str, *, rq_queue: str, refs: Sequence[str]) -> None:
    """As `append` for each, in as few rows as can be. Not for long work, which has one id a job."""
    for start in range(0, len(refs), TOGETHER):
        some = list(refs[start : start + TOGETHER])
        row = {"topic": topic, "rq_queue": rq_queue, "ref": some[0], "refs": dumps(some), "attempts": 0}
        session.execute(_ROW, {**row, "delay_seconds": 0.0})
