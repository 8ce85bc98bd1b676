"""What a person leaves behind: claims go back, and what was assigned to them to everybody; drafts of somebody disabled
go to the queue's lead."""

from __future__ import annotations

import json

from sqlalchemy import RowMapping, exists, literal, select, update
from sqlalchemy.orm import Session, aliased

from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.core.db import clock
from reviewqueue.models import Draft, Membership, Person, Task
from reviewqueue.models.lanes import restrictions
from reviewqueue.models.states import UNFINISHED, QueueRole, TaskKind, TaskState


def release_claims(session: Session, actor: Actor, person_id: str, *, why: str, queue_id: str | None = None) -> int:
    """Open every task that the person holds, in that queue or in all; returns how many. Uses `uq_task_held`."""
    there = [] if queue_id is None else [Task.queue_id == queue_id]
    released = (
        session.execute(
            update(Task)
            .where(Task.holder == person_id, Task.state == TaskState.CLAIMED, *there)
            .values(state=TaskState.OPEN, last_holder=Task.holder, holder=None, lease_until=None)
            .returning(Task.id, Task.queue_id, Task.item_id, Task.fence)
        )
        .mappings()
        .all()
    )
    # Checks were for them alone.
    session.execute(
        update(Task)
        .where(Task.assignee == person_id, Task.kind == TaskKind.GOLD, Task.state == TaskState.OPEN, *there)
        .values(state=TaskState.CANCELLED)
        .execution_options(synchronize_session=False)
    )
    for task in released:
        _record(session, actor, "task.released", task, fence=task["fence"], why=why)
    return len(released)


def clear_assignments(session: Session, actor: Actor, person_id: str, *, why: str, queue_id: str | None = None) -> int:
    """Leave to everybody what was assigned to the person or put off by them, in that queue or in all; returns how
    many tasks. Index ix_task_assignee."""
    there = [] if queue_id is None else [Task.queue_id == queue_id]
    theirs = (
        session.execute(
            select(Task.id, Task.queue_id, Task.item_id, Task.audience, Task.excluded)
            .where(Task.assignee == person_id, Task.state.in_(UNFINISHED), *there)
            .order_by(Task.id)
            .with_for_update()
        )
        .mappings()
        .all()
    )
    for task in theirs:
        anybody = restrictions(audience=task["audience"], excluded=json.loads(task["excluded"]))
        session.execute(update(Task).where(Task.id == task["id"]).values(**anybody, available_at=clock()))
        _record(session, actor, "task.unassigned", task, why=why, was=person_id)
    return len(theirs)


def _record(session: Session, actor: Actor, action: str, task: RowMapping, **facts: str | int) -> None:
    trail.record(
        session, actor, action, queue_id=task["queue_id"], item_id=task["item_id"], subject=task["id"], facts=facts
    )


def hand_over_drafts(session: Session, actor: Actor, person_id: str) -> int:
    """Give the person's drafts to a lead of each queue; returns how many moved.

    The lead of longest standing gets them. A draft stays where it is when its queue has no other lead, or when that
    lead has one of their own on the task.
    """
    theirs = aliased(Draft)
    lead = (
        select(Membership.person_id)
        .join(Person, Person.id == Membership.person_id)
        .where(
            Membership.queue_id == Task.queue_id,
            Membership.role == QueueRole.LEAD,
            Membership.person_id != person_id,
            Person.disabled_at.is_(None),
        )
        .order_by(Membership.created_at, Membership.id)
        .limit(1)
        .scalar_subquery()
    )
    drafts = (
        session.execute(
            select(Task.id, Task.queue_id, Task.item_id, lead.label("lead"))
            .join(Draft, Draft.task_id == Task.id)
            .where(Draft.person_id == person_id)
            .order_by(Task.id)
        )
        .mappings()
        .all()
    )
    moved = 0
    for draft in drafts:
        if draft["lead"] is None:
            continue
        won = session.execute(
            update(Draft)
            .where(
                Draft.task_id == draft["id"],
                Draft.person_id == person_id,
                ~exists().where(theirs.task_id == draft["id"], theirs.person_id == draft["lead"]),
            )
            .values(person_id=draft["lead"], updated_at=clock())
            .returning(literal(1))
        ).one_or_none()
        if won is not None:
            _record(session, actor, "draft.handed_over", draft, to=draft["lead"])
            moved += 1
    return moved
