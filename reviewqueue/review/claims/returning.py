"""Operations that bring a task back to its queue: handed back, taken back, or its lease is over."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Action, Actor, require
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.errors import Conflict, NotFound
from reviewqueue.models import Task
from reviewqueue.models.base import table
from reviewqueue.models.states import TaskState
from reviewqueue.review.claims.leases import CLAIMED, lost_lease, parse_claim_id, queue_of_task

_task = table(Task).c


def release(*, session: Session, actor: Actor, claim_id: str) -> None:
    """Hand the task back; the draft stays. Raises `LeaseLost`, `NotFound`."""
    task_id, fence = parse_claim_id(claim_id)
    queue_of_task(session, actor, task_id)
    if not hand_back(session, actor, "task.released", Task.id == task_id, Task.holder == actor.id, Task.fence == fence):
        raise lost_lease(session, actor, task_id)


def release_all(*, session: Session, actor: Actor) -> int:
    """Hand back everything `actor` holds (a pause); returns how many."""
    return len(hand_back(session, actor, "task.released", Task.holder == actor.id))


def take_back(*, session: Session, actor: Actor, task_id: str) -> None:
    """Take a task from whoever holds it, for whoever comes first or has it assigned; the holder's draft stays. Raises
    `NotFound`, `Forbidden`, and `Conflict` where nobody holds it."""
    queue_id = session.execute(select(Task.queue_id).where(Task.id == task_id)).scalar_one_or_none()
    if queue_id is None:
        raise NotFound
    require(actor, Action.ASSIGN_TASKS, queue_id)
    if not hand_back(session, actor, "task.taken_back", Task.id == task_id):
        raise Conflict("Nobody holds this task.", code="not_held")


# Index ix_task_lease_until.
LEASE_OVER = select(_task.id).where(CLAIMED, _task.lease_until < clock()).limit(1)


def return_expired(*, session: Session) -> int:
    """Open the tasks whose lease has run out; returns how many. A duty of the relay."""
    over = [Task.lease_until < clock()]
    if on_postgresql(session):
        # Never waits: whoever decides an item holds its tasks one by one, and would wait for us.
        due = select(Task.id).where(CLAIMED, *over).with_for_update(skip_locked=True)
        over = [Task.id.in_(due)]
    return len(hand_back(session, SYSTEM, "task.lease_expired", *over))


def hand_back(session: Session, actor: Actor, action: str, *conditions: Any) -> list[Any]:
    rows = session.execute(
        update(Task)
        .where(CLAIMED, *conditions)
        .values(state=TaskState.OPEN, last_holder=Task.holder, holder=None, lease_until=None)
        .returning(Task.id, Task.item_id, Task.queue_id, Task.fence)
        .execution_options(synchronize_session=False)
    ).all()
    for row in rows:
        trail.record(
            session,
            actor,
            action,
            queue_id=row.queue_id,
            item_id=row.item_id,
            subject=row.id,
            facts={"fence": row.fence},
        )
    return list(rows)
