"""RQ entry points of intake."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from flask import current_app
from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from reviewqueue.core.bulk import insert_rows
from reviewqueue.core.db import among, hold, write_session
from reviewqueue.intake import imports
from reviewqueue.intake.ordering import doubt_of, group_of, priority_of
from reviewqueue.intake.similar import similar_key
from reviewqueue.models import Item, ItemDoubt, ItemLikeness, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import RoutingAction, TaskKind, TaskState
from reviewqueue.queues.catalog import configuration

RUNS_FOR = 20.0
"""Seconds, so that a long import does not keep a worker from everything else."""
MOST_FULL = 3
"""Chunks that one job tries in vain, for want of room: each takes as long as one that is stored."""
NEWEST_DOUBTS = 10_000
"""Of a queue, those among which an item has its place. What was ordered long ago tells nothing of what waits."""
GAP = 0.15
"""Seconds between two chunks on SQLite, longer than a waiting writer there sleeps."""


_item = table(Item).c
_QUEUED = select(
    _item.id, _item.queue_id, _item.config_version, _item.state, _item.input,
    exists().where(table(ItemLikeness).c.item_id == _item.id).label("noted"),
).where(among(_item.id, "ids"))  # fmt: skip


COPYING = 7_351_260_022
"""The lock that work shares while it makes something out of what items say. Whoever erases has it alone: else a digest
of what an item said could be stored just after all that it said was erased."""


def queued(session: Session, refs: Sequence[str]) -> Sequence[Any]:
    """What the work that follows on items with a task looks at, read once for all of it. Nothing of it is erased before
    the transaction ends."""
    hold(session, COPYING, shared=True)
    return session.execute(_QUEUED, {"ids": refs}).all()


def find_similar(*, session: Session, items: Sequence[Any]) -> None:
    """Note by what the desk counts others that say nearly the same; `items` are from `queued`. Safe to run twice."""
    keys = [(item, similar_key(item.input)) for item in items if not item.noted]
    insert_rows(
        session, table(ItemLikeness),
        [{"item_id": item.id, "queue_id": item.queue_id, "key": key} for item, key in keys if key],
    )  # fmt: skip


def order_by_value(*, session: Session, items: Sequence[Any]) -> None:
    """Give tasks of queues that are ordered by value their place, see `ordering`; `items` are from `queued`.

    Safe to run twice. Not audits: these are a random sample, and come first, so that they stay one whatever is left
    undone.
    """
    views = {
        version: config.view.type
        for version in {(item.queue_id, item.config_version) for item in items}
        if (config := configuration(session, *version).config).order == "value"
    }
    if not views:
        return
    ordered = exists().where(ItemDoubt.item_id == Item.id)
    rows = session.execute(
        select(
            Item.id, Item.queue_id, Item.config_version, Item.confidence, Item.alternatives, Item.model,
            Item.model_version, Item.output, Item.input,
        )
        .where(among(_item.id, "ids"), Item.action == RoutingAction.REVIEW, Item.priority == 0, ~ordered)
        .order_by(Item.id),
        {"ids": [item.id for item in items]},
    ).all()  # fmt: skip
    by_queue: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        view = views.get((row.queue_id, row.config_version))
        if view is not None:
            group = group_of(view, row.model, row.model_version, row.output)
            by_queue[row.queue_id].append((row, group, doubt_of(row.confidence, row.alternatives)))
    for queue_id, found in by_queue.items():
        _place(session, queue_id, found)


def _place(session: Session, queue_id: str, found: list[Any]) -> None:
    said = {row.id: similar_key(row.input) for row, _, _ in found}
    known: set[str | None] = set(
        session.scalars(
            select(ItemLikeness.key).where(
                ItemLikeness.queue_id == queue_id, ItemLikeness.key.in_({key for key in said.values() if key})
            )
        )
    )
    doubts = [
        {"item_id": row.id, "queue_id": queue_id, "group": group, "doubt": doubt} for row, group, doubt in found
    ]  # fmt: skip
    insert_rows(session, table(ItemDoubt), doubts)
    others: dict[str, list[float]] = defaultdict(list)
    # Index ix_item_doubt_queue_id_item_id.
    newest = select(ItemDoubt.group, ItemDoubt.doubt).where(ItemDoubt.queue_id == queue_id)
    for group, doubt in session.execute(newest.order_by(ItemDoubt.item_id.desc()).limit(NEWEST_DOUBTS)):
        others[group].append(doubt)
    items = sum(map(len, others.values()))
    for doubts_of_group in others.values():
        doubts_of_group.sort()
    for row, group, doubt in found:
        before = bisect_left(others[group], doubt)
        is_known = said[row.id] is not None and said[row.id] in known
        place = priority_of(before, items, len(others), known=is_known)
        session.execute(
            update(Task)
            .where(
                Task.item_id == row.id, Task.kind == TaskKind.REVIEW, Task.state == TaskState.OPEN, Task.priority == 0
            )
            .values(priority=place)
            .execution_options(synchronize_session=False)
        )
        known.add(said[row.id])


def store_import(*, ref: str, renew: Callable[..., Any]) -> None:
    """Store what waits of an import, for at most 20 seconds; another job goes on. Safe to run twice, also at once."""
    ends = time.monotonic() + RUNS_FOR
    full: list[str] = []
    while time.monotonic() < ends:
        with write_session() as session:
            step, chunk = imports.store_next(session=session, import_id=ref, besides=full)
            full += [chunk] if step is imports.Step.FULL else []
            if step is imports.Step.NOTHING or len(full) == MOST_FULL:
                imports.call_for_the_rest(session, ref)
                return
        renew(progress=True)
        if current_app.config["SETTINGS"].is_sqlite:
            # Its writers take no turns: without a gap, those of the web would not get one.
            time.sleep(GAP)
    with write_session() as session:
        imports.call(session, ref)
