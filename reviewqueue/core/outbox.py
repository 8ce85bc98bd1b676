"""Ask for work to be done after the commit. The relay hands it to RQ; see `relay.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from reviewqueue.core import db, traces
from reviewqueue.core.strictjson import dumps
from reviewqueue.models import OutboxRow

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


TOGETHER = 500
"""Ids that a row carries at most: as many as a job does in one transaction."""


def append(session: Session, topic: str, *, rq_queue: str, ref: str, delay_seconds: float = 0.0) -> None:
    """Add a row in the caller's transaction. `ref` is the id of what the work is about, never the thing itself."""
    _append(session, topic, rq_queue, ref, None, delay_seconds)


def append_many(session: Session, topic: str, *, rq_queue: str, refs: Sequence[str]) -> None:
    """As `append` for each, in as few rows as can be. Not for long work, which has one id a job."""
    for start in range(0, len(refs), TOGETHER):
        some = list(refs[start : start + TOGETHER])
        _append(session, topic, rq_queue, some[0], dumps(some), 0.0)


def _append(session: Session, topic: str, rq_queue: str, ref: str, refs: str | None, delay_seconds: float) -> None:
    row: dict[str, Any] = {"topic": topic, "rq_queue": rq_queue, "ref": ref, "refs": refs, "attempts": 0}
    row |= {"trace": traces.carried()} if traces.wanted() else {}
    db.append(session, OutboxRow, {**row, "created_at": db.NOW, "next_at": db.In(delay_seconds)})
