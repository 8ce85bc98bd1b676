"""Operations that confirm an action on many items, work it off, and end it.

Each item is changed by the operation that changes one, as the person who confirmed, in the transaction that notes what
came of it: a job that is killed loses nothing and does nothing twice.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.identity import actor_of_person
from reviewqueue.core import outbox, trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may, require
from reviewqueue.core.background import KILLED
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.errors import Conflict, NotFound
from reviewqueue.models import Bulk, BulkItem, OutboxRow
from reviewqueue.models.base import table
from reviewqueue.models.states import BulkOutcome, BulkState, NoticeKind
from reviewqueue.notices import inbox
from reviewqueue.queues.catalog import queue_by_id
from reviewqueue.review import finding
from reviewqueue.review.bulk.actions import NEEDS, Wanted, change
from reviewqueue.review.bulk.previewing import FORGOTTEN_SECONDS
from reviewqueue.review.bulk.progress import counts

RUN = "bulk.run"
AT_ONCE = 100
"""As many are done with the confirmation; more by a job."""
BATCH = 20
"""Items of one transaction."""
_row = table(BulkItem).c


def confirm(*, session: Session, actor: Actor, bulk_id: str) -> None:
    """Do what was prepared: a few items at once, many by a job. Again changes nothing. Raises `NotFound` for what
    somebody else prepared, and `Forbidden`."""
    run = _own(session, actor, bulk_id)
    # Not what may be forgotten just now, see `forget_unconfirmed`.
    fresh = Bulk.state == BulkState.PREVIEW, Bulk.created_at >= clock(-FORGOTTEN_SECONDS)
    if not _begin(session, bulk_id, *fresh, confirmed_at=clock()):
        if run.state is BulkState.PREVIEW:
            raise Conflict("This preview is more than a day old: prepare it anew.", code="preview_over")
        return
    pending = session.execute(select(func.count()).where(_row.bulk_id == bulk_id, *_PENDING)).scalar_one()
    trail.record(
        session, actor, "bulk.confirmed", queue_id=run.queue_id, subject=bulk_id,
        facts={"action": run.action, "items": pending},
    )  # fmt: skip
    if pending > AT_ONCE:
        call(session, bulk_id, run.queue_id)
        return
    while work_off(session=session, bulk_id=bulk_id):
        continue


_PENDING = (_row.outcome == BulkOutcome.PENDING,)


def resume(*, session: Session, actor: Actor, bulk_id: str) -> None:
    """Go on, by a job, with what an action that failed has not tried. Again changes nothing. Raises `NotFound` for what
    somebody else prepared, and `Forbidden`."""
    run = _own(session, actor, bulk_id)
    if _begin(session, bulk_id, Bulk.state == BulkState.FAILED, error=None, finished_at=None):
        trail.record(session, actor, "bulk.resumed", queue_id=run.queue_id, subject=bulk_id)
        call(session, bulk_id, run.queue_id)


def _own(session: Session, actor: Actor, bulk_id: str) -> Any:
    columns = Bulk.queue_id, Bulk.action, Bulk.state
    run = session.execute(select(*columns).where(Bulk.id == bulk_id, Bulk.person_id == actor.id)).one_or_none()
    if run is None:
        raise NotFound
    require(actor, NEEDS[run.action], run.queue_id)
    return run


def _begin(session: Session, bulk_id: str, *conditions: Any, **values: Any) -> bool:
    """Whether it runs from now on."""
    begun = session.execute(
        update(Bulk)
        .where(Bulk.id == bulk_id, *conditions)
        .values(state=BulkState.RUNNING, **values)
        .returning(Bulk.id)
        .execution_options(synchronize_session=False)
    )
    return begun.one_or_none() is not None


def call(session: Session, bulk_id: str, queue_id: str) -> None:
    """Have a job work it off."""
    outbox.append(session, RUN, rq_queue=outbox.review_queue(queue_by_id(session, queue_id).slug), ref=bulk_id)


def work_off(*, session: Session, bulk_id: str, most: int = BATCH) -> bool:
    """Change the next items of a bulk action that runs; whether there may be more."""
    query = select(Bulk).where(Bulk.id == bulk_id, Bulk.state == BulkState.RUNNING)
    # Two jobs of one action follow each other.
    run = session.scalars(query.with_for_update() if on_postgresql(session) else query).one_or_none()
    if run is None:
        return False
    actor = actor_of_person(session, run.person_id)
    if actor is None or not may(actor, NEEDS[run.action], run.queue_id):
        _end(session, run, BulkState.FAILED, "Whoever began it may not do it any more.")
        return False
    wanted = Wanted(run.action, **json.loads(run.argument))
    ids = session.scalars(
        # In the order in which all lock several items.
        select(_row.item_id).where(_row.bulk_id == bulk_id, *_PENDING).order_by(_row.item_id).limit(most)
    ).all()
    work = finding.tasks_of(session, list(ids))
    for item_id in ids:
        tasks = [task for task in work.get(item_id, []) if may(actor, Action.ASSIGN_TASKS, task.queue_id)]
        outcome, why = change(session, actor, wanted, item_id, tasks)
        session.execute(
            update(table(BulkItem))
            .where(_row.bulk_id == bulk_id, _row.item_id == item_id)
            .values(outcome=outcome, why=why)
        )
    if len(ids) == most:
        return True
    _end(session, run, BulkState.DONE)
    _tell(session, actor, run, wanted)
    return False


def _end(session: Session, run: Bulk, state: BulkState, error: str | None = None) -> None:
    session.execute(
        update(Bulk)
        .where(Bulk.id == run.id)
        .values(state=state, error=error, finished_at=clock())
        .execution_options(synchronize_session=False)
    )
    facts: dict[str, Any] = {name: count for name, count in counts(session, run.id).items() if count}
    trail.record(session, SYSTEM, f"bulk.{state}", queue_id=run.queue_id, subject=run.id, facts=facts)


def _tell(session: Session, actor: Actor, run: Bulk, wanted: Wanted) -> None:
    """One notice of all that was given to somebody."""
    if wanted.person is None:
        return
    done = _row.bulk_id == run.id, _row.outcome == BulkOutcome.DONE
    first = session.execute(select(_row.item_id).where(*done).order_by(_row.item_id).limit(1)).scalar_one_or_none()
    if first is not None:
        inbox.tell(session, actor, [wanted.person], NoticeKind.ASSIGNED, item_id=first)


# Index ix_outbox_failed: of all work there is, that which was given up.
_GIVEN_UP = OutboxRow.topic == RUN, OutboxRow.failed_at.is_not(None)
GIVEN_UP = select(OutboxRow.id).where(*_GIVEN_UP).limit(1)


def fail_given_up(*, session: Session) -> int:
    """End the actions whose job was given up; returns how many. A duty of the relay.

    What has to be done about it stands on the action's own page, so its row leaves the outbox. The item at which the
    job failed ten times is marked as failed: whoever goes on gets past it.
    """
    rows = session.execute(
        delete(OutboxRow).where(*_GIVEN_UP).returning(OutboxRow.ref, OutboxRow.error)
        .execution_options(synchronize_session=False)
    ).all()  # fmt: skip
    for row in rows:
        query = select(Bulk).where(Bulk.id == row.ref, Bulk.state == BulkState.RUNNING)
        run = session.scalars(query.with_for_update() if on_postgresql(session) else query).one_or_none()
        if run is None:
            continue
        if row.error == KILLED:
            _end(session, run, BulkState.FAILED, KILLED)
            continue
        why = f"failed ten times ({(row.error or '').partition(':')[0]})"
        at = select(_row.item_id).where(_row.bulk_id == run.id, *_PENDING).order_by(_row.item_id).limit(1)
        session.execute(
            update(table(BulkItem))
            .where(_row.bulk_id == run.id, _row.item_id == at.scalar_subquery())
            .values(outcome=BulkOutcome.FAILED, why=f"{why[:1].upper()}{why[1:]}: see the log of the worker.")
        )
        _end(session, run, BulkState.FAILED, f"The work {why}.")
    return len(rows)
