"""Operations that pass a task on to others: skip it, put a check aside, open it for somebody else."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.models import Skip, Task
from reviewqueue.models.base import table
from reviewqueue.models.lanes import restrictions
from reviewqueue.models.states import Audience, QueueRole, TaskKind, TaskState
from reviewqueue.review import rounds
from reviewqueue.review.claims.leases import LIVE_CLAIM, claim_parameters, lost_lease, parse_claim_id, queue_of_task

_task = table(Task).c

SKIPS_BEFORE_ESCALATION = 3


def skip(*, session: Session, actor: Actor, claim_id: str, comment: str | None = None) -> None:
    """ "Not me", and why: the actor never gets this task again. After three skips, or when nobody is left, it goes to
    the leads.

    For somebody must decide: when each lead has skipped it, too, the leads get it again after ten minutes; in a queue
    without leads, everybody does.
    Raises `LeaseLost`, `NotFound`.
    """
    task_id, fence = parse_claim_id(claim_id)
    queue_of_task(session, actor, task_id)
    rounds.lock_item_of(session, task_id)
    task = locked(session, task_id, fence, actor)
    session.execute(insert(Skip).values(task_id=task_id, person_id=actor.id, comment=comment, created_at=clock()))
    if task.kind is TaskKind.GOLD:
        put_aside(session, actor, task, "task.skipped", facts={"fence": fence})
        return
    decided = rounds.judges(session, task.item_id, task.kind)
    excluded = sorted({*json.loads(task.excluded), actor.id})
    skips = session.execute(select(func.count()).select_from(Skip).where(Skip.task_id == task_id)).scalar_one()
    escalates = task.audience is Audience.REVIEWER and (
        skips >= SKIPS_BEFORE_ESCALATION or not rounds.reviewers(session, task.queue_id) - set(excluded)
    )
    leads = people_with(session, task.queue_id, QueueRole.LEAD) - decided
    audience = Audience.LEAD if escalates and leads else task.audience
    put_off = {}
    again = (leads or set(excluded) - decided) if escalates or audience is Audience.LEAD else set()
    if again and again <= set(excluded):
        excluded = ask_again(session, task_id, excluded, again)
        put_off = {"available_at": clock(rounds.PUT_OFF_SECONDS)}
    # Whoever it was assigned to has said no.
    assignee = None if task.assignee == actor.id else task.assignee
    hand_on(session, task, audience=audience, excluded=excluded, assignee=assignee, **put_off)
    rounds.exclude(session, item_id=task.item_id, task_id=task_id, person_id=actor.id)
    trail.record(
        session,
        actor,
        "task.skipped",
        queue_id=task.queue_id,
        item_id=task.item_id,
        subject=task_id,
        facts={"fence": fence, "escalated": escalates},
        content={"comment": comment} if comment else None,
    )


def ask_again(session: Session, task_id: str, excluded: list[str], people: set[str]) -> list[str]:
    """These people have all skipped the task, and may take it again: for somebody must. Returns who is excluded now."""
    session.execute(delete(Skip).where(Skip.task_id == task_id, Skip.person_id.in_(people)))
    return sorted(set(excluded) - people)


def put_aside(session: Session, actor: Actor, task: Any, action: str, *, facts: dict[str, Any], **values: Any) -> None:
    """A check that somebody hands on ends there: it was for them. `values` are what its claim's page tells them by."""
    session.execute(
        update(table(Task))
        .where(_task.id == task.id)
        .values(state=TaskState.CANCELLED, last_holder=_task.holder, holder=None, lease_until=None, **values)
    )
    trail.record(session, actor, action, queue_id=task.queue_id, item_id=task.item_id, subject=task.id, facts=facts)


def locked(session: Session, task_id: str, fence: int, actor: Actor) -> Any:
    """The task's columns, its row locked until the end of the transaction. Raises `LeaseLost`."""
    query = select(
        _task.id, _task.queue_id, _task.item_id, _task.kind, _task.audience, _task.assignee, _task.excluded
    ).where(*LIVE_CLAIM)
    parameters = claim_parameters(task_id, fence, actor)
    row = session.execute(query.with_for_update() if on_postgresql(session) else query, parameters).one_or_none()
    if row is None:
        raise lost_lease(session, actor, task_id)
    return row


def hand_on(
    session: Session,
    task: Any,
    *,
    audience: Audience,
    excluded: list[str],
    assignee: str | None = None,
    **values: Any,
) -> None:
    """Open the task for those who may take it now, available at once unless `values` say otherwise. `task` has the
    columns of `locked`."""
    if audience is Audience.LEAD and task.audience is Audience.REVIEWER:
        assignee = None
        values.setdefault("escalates_at", rounds.beyond_the_leads(session, task.queue_id))
    session.execute(
        update(Task)
        .where(Task.id == task.id)
        .values(
            state=TaskState.OPEN, last_holder=Task.holder, holder=None, lease_until=None,
            **restrictions(audience=audience, assignee=assignee, excluded=excluded),
            **{"available_at": clock(), **values},
        )
    )  # fmt: skip
