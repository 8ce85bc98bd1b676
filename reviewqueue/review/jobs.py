"""RQ entry points of review. Each may run twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.db import write_session
from reviewqueue.models import Bulk
from reviewqueue.review.bulk import running
from reviewqueue.review.handing import remind_of

log = logging.getLogger(__name__)


def remind(*, session: Session, refs: list[str]) -> None:
    """Tell people of what they had put off until now."""
    for ref in refs:
        remind_of(session=session, task_id=ref)


RUNS_FOR = 20.0
"""Seconds, so that a long action does not keep a worker from everything else."""
GAP = 0.05
"""Seconds between two transactions on SQLite, whose writers take no turns."""


def run_bulk(*, ref: str, renew: Callable[..., Any]) -> None:
    """Work off a bulk action, for at most 20 seconds; another job goes on. Safe to run twice, also at once."""
    ends = time.monotonic() + RUNS_FOR
    while time.monotonic() < ends:
        if not _next_items(ref):
            return
        renew(progress=True)
        if current_app.config["SETTINGS"].is_sqlite:
            time.sleep(GAP)
    with write_session() as session:
        queue_id = session.scalars(select(Bulk.queue_id).where(Bulk.id == ref)).one()
        running.call(session, ref, queue_id)


def _next_items(bulk_id: str) -> bool:
    """Change the next; whether there are more. One that cannot be changed at all undoes none but itself."""
    try:
        with write_session() as session:
            return running.work_off(session=session, bulk_id=bulk_id)
    except Exception:
        log.exception("items of the action %s failed; trying one by one", bulk_id)
    with write_session() as session:
        return running.work_off(session=session, bulk_id=bulk_id, most=1)
