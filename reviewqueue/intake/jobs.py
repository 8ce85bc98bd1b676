"""RQ entry points of intake."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flask import current_app
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from reviewqueue.core.bulk import insert_rows
from reviewqueue.core.db import write_session
from reviewqueue.intake import imports
from reviewqueue.intake.similar import similar_key
from reviewqueue.models import Item, ItemLikeness
from reviewqueue.models.base import table

RUNS_FOR = 20.0
"""Seconds, so that a long import does not keep a worker from everything else."""
FULL_FOR = 10.0
"""Seconds after which lines for a full queue are tried again."""
GAP = 0.15
"""Seconds between two chunks on SQLite, longer than a waiting writer there sleeps."""


def find_similar(*, session: Session, refs: list[str]) -> None:
    """Note by what the desk counts others that say nearly the same. Safe to run twice."""
    noted = exists().where(ItemLikeness.item_id == Item.id)
    rows = session.execute(select(Item.id, Item.queue_id, Item.input).where(Item.id.in_(refs), ~noted)).all()
    keys = {row.id: similar_key(row.input) for row in rows}
    insert_rows(
        session, table(ItemLikeness),
        [{"item_id": row.id, "queue_id": row.queue_id, "key": keys[row.id]} for row in rows if keys[row.id]],
    )  # fmt: skip


def store_import(*, ref: str, renew: Callable[[], Any]) -> None:
    """Store what waits of an import, for at most 20 seconds; another job goes on. Safe to run twice, also at once."""
    ends = time.monotonic() + RUNS_FOR
    while time.monotonic() < ends:
        with write_session() as session:
            step = imports.store_next(session=session, import_id=ref)
            if step is imports.Step.FULL:
                imports.call(session, ref, delay_seconds=FULL_FOR)
        if step is not imports.Step.STORED:
            return
        renew()
        if current_app.config["SETTINGS"].is_sqlite:
            # Its writers take no turns: without a gap, those of the web would not get one.
            time.sleep(GAP)
    with write_session() as session:
        imports.call(session, ref)
