"""Operations on one claim: what it is, whose it is, and keeping it.

A claim is a lease in the task's row; its id is `<task>.<fence>` and the fence rises with every claim, so that a
reviewer who was away too long cannot act with an old one. All times are the database's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, literal_column, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock, clock_in
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Conflict, Forbidden, LeaseLost, NotFound
from reviewqueue.models import Queue, Skip, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import Audience, TaskKind, TaskState
from reviewqueue.queues.catalog import HEAD, QueueHead, configuration, head_of

_queue = table(Queue).c
DESK = 0
"""The seat of whoever works on one task after the other; the rows of a grid have seats of their own."""
# Written out, not bound: a partial index serves only a query whose condition is known when it is planned.
OPEN = text("task.state = 'open'")
CLAIMED = text("task.state = 'claimed'")
ONE: ColumnElement[int] = literal_column("1")
"""Of a LIMIT. With a bound one PostgreSQL plans the claim anew each time, which takes longer than to run it."""


@dataclass(frozen=True)
class Held:
    """A live claim."""

    claim_id: str
    task_id: str
    fence: int
    lease_until: datetime
    queue_id: str
    item_id: str
    kind: TaskKind


RETURNED = (
    Task.id, Task.fence, Task.lease_until, Task.queue_id, Task.item_id, Task.kind, Task.config_version,
)  # fmt: skip


def held_of(row: Any) -> Held:
    return Held(f"{row.id}.{row.fence}", row.id, row.fence, row.lease_until, row.queue_id, row.item_id, row.kind)


def parse_claim_id(claim_id: str) -> tuple[str, int]:
    """Task and fence. Raises `NotFound` for what cannot be a claim's id."""
    task_id, _, fence = claim_id.rpartition(".")
    if not fence.isascii() or not fence.isdigit() or len(fence) > 9:
        raise NotFound
    return known_id(task_id), int(fence)


def require_person(actor: Actor) -> None:
    if actor.kind != "person":
        raise Forbidden("Only people decide: use a personal token with the scope review.")


_task = table(Task).c
_QUEUE_OF = (
    select(*HEAD)
    .join_from(table(Queue), table(Task), _task.queue_id == _queue.id)
    .where(_task.id == bindparam("task_id"))
)


def still_theirs(task: Any) -> tuple[ColumnElement[bool], ...]:
    """SQL: that the claim of the task is still that person's. Its parameters are among `claim_parameters`."""
    return (
        task.state == literal_column("'claimed'"), task.holder == bindparam("by_person"),
        task.fence == bindparam("with_fence"), task.lease_until > clock(),
    )  # fmt: skip


LIVE_CLAIM: tuple[Any, ...] = (_task.id == bindparam("task_id"), *still_theirs(_task))
"""The conditions under which a claim is still somebody's; its parameters are `claim_parameters`."""


def claim_parameters(task_id: str, fence: int, actor: Actor) -> dict[str, Any]:
    return {"task_id": task_id, "by_person": actor.id, "with_fence": fence}


_IS_LIVE = select(ONE).select_from(table(Task)).where(*LIVE_CLAIM)


def is_live(session: Session, actor: Actor, task_id: str, fence: int) -> bool:
    return session.execute(_IS_LIVE, claim_parameters(task_id, fence, actor)).one_or_none() is not None


_RENEW = (
    update(table(Task))
    .where(*LIVE_CLAIM)
    .values(lease_until=clock_in("lease_seconds"))
    .returning(*(_task[column.key] for column in RETURNED))
)


def renew(*, session: Session, actor: Actor, claim_id: str) -> Held:
    """Extend the lease by `lease_minutes` from now. Raises `LeaseLost`, `NotFound`."""
    task_id, fence = parse_claim_id(claim_id)
    head = queue_of_task(session, actor, task_id)
    minutes = configuration(session, head.id, head.version).config.lease_minutes
    row = session.execute(
        _RENEW, {**claim_parameters(task_id, fence, actor), "lease_seconds": minutes * 60.0}
    ).one_or_none()
    if row is None:
        raise lost_lease(session, actor, task_id)
    return held_of(row)


def queue_of_claim(*, session: Session, actor: Actor, claim_id: str) -> QueueHead:
    """The queue of a claim, live or not. Raises `NotFound`, `Forbidden`."""
    task_id, _ = parse_claim_id(claim_id)
    return queue_of_task(session, actor, task_id)


def queue_of_task(session: Session, actor: Actor, task_id: str) -> QueueHead:
    row = session.execute(_QUEUE_OF, {"task_id": task_id}).one_or_none()
    if row is None:
        raise NotFound
    require(actor, Action.REVIEW, row.id)
    return head_of(row)


def lost_lease(session: Session, actor: Actor, task_id: str) -> Conflict:
    """Why a claim no longer holds, in words for its former holder."""
    row = session.execute(
        select(Task.state, Task.kind, Task.holder, Task.queue_id, Task.audience, Task.assignee).where(
            Task.id == task_id
        )
    ).one()
    if row.state is TaskState.DONE:
        return LeaseLost("Your time on this task ran out, and somebody else has decided it. Your draft is kept.")
    needless = LeaseLost("This item needs no decision any more. Your draft is kept.", code="item_ended")
    if row.state is TaskState.CANCELLED and row.kind is not TaskKind.GOLD:
        return needless
    if row.state is TaskState.CLAIMED and row.holder != actor.id:
        return LeaseLost("Your time on this task ran out, and somebody else has it now. Your draft is kept.")
    if row.state is not TaskState.CLAIMED and _has_skipped(session, actor, task_id):
        return LeaseLost("You have skipped this task: it goes to somebody else.", code="not_yours")
    if row.assignee not in {None, actor.id}:
        return LeaseLost("This task was given to somebody else. Your draft is kept.", code="not_yours")
    if row.audience is Audience.LEAD and not may(actor, Action.TAKE_ESCALATIONS, row.queue_id):
        return LeaseLost("This task is with the leads now. Your draft is kept.", code="not_yours")
    if row.state is TaskState.CANCELLED:
        return needless  # a check that was retired: one that they handed on is told as above
    return LeaseLost(
        "It went back to the queue: its time ran out, you handed it back, or a lead took it. Claim it again to go on."
    )


def _has_skipped(session: Session, actor: Actor, task_id: str) -> bool:
    skipped = select(ONE).select_from(Skip).where(Skip.task_id == task_id, Skip.person_id == actor.id)
    return session.execute(skipped).one_or_none() is not None
