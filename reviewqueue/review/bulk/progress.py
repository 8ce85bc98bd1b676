"""Queries for the pages of an action on many items: what it would hit, how far it is, what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock
from reviewqueue.errors import NotFound
from reviewqueue.models import Bulk, BulkItem, Item, Person, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import BulkOutcome, BulkState, TaskKind
from reviewqueue.queues.catalog import QueueHead, queue_by_id
from reviewqueue.review.claims import leases

_row = table(BulkItem).c

SHOWN = 10


@dataclass(frozen=True)
class Progress:
    """A bulk action, before it is confirmed and after."""

    run: Bulk
    queue: QueueHead
    argument: dict[str, Any]
    person_name: str | None
    """To whom it assigns."""
    counts: dict[BulkOutcome, int]
    whys: list[tuple[BulkOutcome, str, int]]
    """Why items were skipped or failed, the most frequent first, with how many."""
    first: list[Any]
    """The first that would be changed, or were: id, external_id, state, created_at."""
    failed: list[Any]
    """The first that failed: id, external_id, why."""
    held: int
    """Of those that would be changed, in somebody's hands."""
    mine: bool

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def hits(self) -> int:
        """What it changes, changed, or tried to."""
        return self.total - self.counts[BulkOutcome.SKIPPED]


def counts(session: Session, bulk_id: str) -> dict[BulkOutcome, int]:
    """Items by what came of them."""
    rows = session.execute(select(_row.outcome, func.count()).where(_row.bulk_id == bulk_id).group_by(_row.outcome))
    return dict.fromkeys(BulkOutcome, 0) | {row[0]: row[1] for row in rows}


def progress_of(*, session: Session, actor: Actor, bulk_id: str) -> Progress:
    """For whoever prepared it, and for those who see the queue's workload. Raises `NotFound` for anybody else."""
    run = session.execute(select(Bulk).where(Bulk.id == bulk_id)).scalar_one_or_none()
    if run is None or not (run.person_id == actor.id or may(actor, Action.SEE_WORKLOAD, run.queue_id)):
        raise NotFound
    require(actor, Action.READ_ITEMS, run.queue_id)
    argument = json.loads(run.argument)
    found = counts(session, run.id)
    hit = BulkOutcome.PENDING if run.state is BulkState.PREVIEW else BulkOutcome.DONE
    columns = Item.id, Item.external_id, Item.state, Item.created_at
    return Progress(
        run, queue_by_id(session, run.queue_id), argument, _name(session, argument.get("person")), found,
        _whys(session, run.id), _some(session, run.id, hit, *columns),
        _some(session, run.id, BulkOutcome.FAILED, Item.id, Item.external_id, _row.why),
        _in_hand(session, run.id) if run.state is BulkState.PREVIEW else 0, run.person_id == actor.id,
    )  # fmt: skip


def latest(*, session: Session, actor: Actor, queue_id: str) -> list[Any]:
    """What `actor` began lately in the queue, the newest first: id, action, state, confirmed_at."""
    # Index ix_bulk_person_id.
    rows = (
        select(Bulk.id, Bulk.action, Bulk.state, Bulk.confirmed_at)
        .where(Bulk.person_id == actor.id, Bulk.queue_id == queue_id, Bulk.state != BulkState.PREVIEW)
        .order_by(Bulk.id.desc())
        .limit(5)
    )
    return list(session.execute(rows))


def _name(session: Session, person_id: str | None) -> str | None:
    return None if person_id is None else session.scalars(select(Person.name).where(Person.id == person_id)).one()


def _whys(session: Session, bulk_id: str) -> list[tuple[BulkOutcome, str, int]]:
    rows = session.execute(
        select(_row.outcome, _row.why, func.count())
        .where(_row.bulk_id == bulk_id, _row.why.is_not(None))
        .group_by(_row.outcome, _row.why)
        .order_by(func.count().desc(), _row.why)
        .limit(50)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _some(session: Session, bulk_id: str, outcome: BulkOutcome, *columns: Any) -> list[Any]:
    rows = (
        select(*columns)
        .select_from(table(BulkItem))
        .join(Item, Item.id == _row.item_id)
        .where(_row.bulk_id == bulk_id, _row.outcome == outcome)
        .order_by(_row.item_id.desc())
        .limit(SHOWN if outcome is not BulkOutcome.FAILED else 5 * SHOWN)
    )
    return list(session.execute(rows))


def _in_hand(session: Session, bulk_id: str) -> int:
    task = table(Task).c
    # From the claims, of which there are few.
    return session.execute(
        select(func.count(_row.item_id.distinct()))
        .select_from(table(BulkItem))
        .join(table(Task), task.item_id == _row.item_id)
        .where(
            _row.bulk_id == bulk_id, _row.outcome == BulkOutcome.PENDING, leases.CLAIMED, task.lease_until > clock(),
            task.kind != TaskKind.GOLD,
        )
    ).scalar_one()  # fmt: skip
