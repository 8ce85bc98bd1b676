"""Operations that hand a task on by a person's choice: to another queue, or to themself at another time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import outbox, trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may, require
from reviewqueue.core.db import clock, database_now, on_postgresql
from reviewqueue.core.moments import iso
from reviewqueue.errors import Conflict, Fault, GraceOver, Invalid, NotFound
from reviewqueue.models import Item, Queue, Skip, Task
from reviewqueue.models.base import table
from reviewqueue.models.lanes import restrictions
from reviewqueue.models.states import Audience, Intake, NoticeKind, TaskKind, TaskState
from reviewqueue.notices import inbox
from reviewqueue.queues.catalog import HEAD, QueueHead, configuration, head_of
from reviewqueue.review import golden, rounds
from reviewqueue.review.claims import leases, passing_on, taking

LONGEST_UNDO = 600.0
FOLLOW_UP = "task.follow_up"
SOONEST, LATEST = timedelta(minutes=1), timedelta(days=366)
"""Between which a follow-up lies."""


@dataclass(frozen=True)
class Target:
    """A queue to which a task may be sent; `faults` say why its item does not fit there."""

    slug: str
    title: str
    faults: list[Fault]


def send_to_queue(*, session: Session, actor: Actor, claim_id: str, slug: str, comment: str | None = None) -> QueueHead:
    """Hand the claimed task to the people of another queue, who judge it by that queue's rules; returns that queue.

    The item stays in its own queue: its program finds it there, and in that feed its answer. Raises `LeaseLost`,
    `NotFound`, `Invalid` for a queue to which the actor may not send or whose schemas the item does not satisfy, and
    `Conflict` for one that takes nothing, or where nobody could take it.
    """
    task_id, fence = leases.parse_claim_id(claim_id)
    here = leases.queue_of_claim(session=session, actor=actor, claim_id=claim_id)
    rounds.lock_item_of(session, task_id)
    task = passing_on.locked(session, task_id, fence, actor)
    there = next((head for head in _open_to(session, actor, here) if head.slug == slug), None)
    if there is None:
        raise Invalid(
            "The task cannot be sent there.",
            [Fault("/queue", "is not another queue of yours, nor one that this queue's configuration names")],
            code="unknown_queue",
        )
    require_possible(session, there, task)
    by = {"escalated_by": actor.id, "escalation_comment": comment}
    if task.kind is TaskKind.GOLD:
        facts = {"fence": fence, "to": there.id}
        passing_on.put_aside(session, actor, task, "task.sent", facts=facts, **place(here, there), **by)
        return there
    move(session, task, here, there, **by)
    leave_siblings(session, task, actor)
    trail.record(
        session, actor, "task.sent", queue_id=here.id, item_id=task.item_id, subject=task_id,
        facts={"fence": fence, "to": there.id, "version": there.version},
        content={"comment": comment} if comment else None,
    )  # fmt: skip
    return there


def put_off(*, session: Session, actor: Actor, claim_id: str, until: datetime) -> None:
    """Have the claimed task again at `until`, and nobody else meanwhile.

    Raises `LeaseLost`, `NotFound`, and `Invalid` for a moment that is less than a minute or more than a year away, or
    when the item will have expired.
    """
    task_id, fence = leases.parse_claim_id(claim_id)
    here = leases.queue_of_claim(session=session, actor=actor, claim_id=claim_id)
    rounds.lock_item_of(session, task_id)
    task = passing_on.locked(session, task_id, fence, actor)
    expires = _expiry(session, here, task)
    fault = _not_then(until, database_now(session), expires)
    if fault is not None:
        raise Invalid(f"The follow-up {fault}.", [Fault("/until", fault)], code="bad_follow_up")
    passing_on.hand_on(
        session, task, audience=task.audience, excluded=json.loads(task.excluded), assignee=actor.id,
        available_at=until,
    )  # fmt: skip
    leave_siblings(session, task, actor)
    trail.record(
        session, actor, "task.put_off", queue_id=here.id, item_id=task.item_id, subject=task_id,
        facts={"fence": fence, "until": iso(until)},
    )  # fmt: skip
    seconds = (until - database_now(session)).total_seconds()
    outbox.append(session, FOLLOW_UP, rq_queue=outbox.review_queue(here.slug), ref=task_id, delay_seconds=seconds)


def put_off_by(actor: Actor) -> tuple[Any, ...]:
    """The conditions under which a task is put off by `actor`. Index ix_task_assignee."""
    return (
        Task.assignee == actor.id, Task.last_holder == actor.id, Task.state == TaskState.OPEN,
        Task.available_at > clock(),
    )  # fmt: skip


def _expiry(session: Session, here: QueueHead, task: Any) -> datetime | None:
    if task.kind is not TaskKind.GOLD:
        return session.execute(select(Item.expires_at).where(Item.id == task.item_id)).scalar_one()
    made = session.execute(select(Task.created_at, Task.config_version).where(Task.id == task.id)).one()
    return golden.seems_to_expire(made, configuration(session, here.id, made.config_version).config)


def remind_of(*, session: Session, task_id: str) -> None:
    """Tell whoever put the task off that it is due again, unless it was done, handed on or put off once more."""
    row = session.execute(
        select(Task.assignee, Task.item_id).where(
            Task.id == task_id, Task.state == TaskState.OPEN, Task.assignee == Task.last_holder,
            Task.available_at <= clock(),
        )
    ).one_or_none()  # fmt: skip
    if row is not None:
        inbox.tell(session, SYSTEM, [row.assignee], NoticeKind.FOLLOW_UP, item_id=row.item_id)


def _not_then(until: datetime, now: datetime, expires: datetime | None) -> str | None:
    if not SOONEST <= until - now <= LATEST:
        return "must be at least a minute and at most a year away"
    if expires is not None and until >= expires:
        return f"must come before the item expires, at {iso(expires)}"
    return None


def require_possible(session: Session, there: QueueHead, task: Any) -> None:
    """Raises `Invalid` with a pointer to each fault of the task's item in the eyes of that queue; `Conflict` where its
    intake is closed, and where nobody could take the task."""
    item_id = task.item_id
    if there.intake is Intake.CLOSED:
        raise Conflict(f"The queue {there.slug} takes no new items at the moment.", code="intake_closed")
    item = session.execute(select(Item.input, Item.output).where(Item.id == item_id)).one()
    if found := _misfits(session, there, json.loads(item.input), json.loads(item.output)):
        raise Invalid(f"The item does not fit the queue {there.slug}.", found, code="invalid_item")
    if not rounds.reviewers(session, there.id) - set(json.loads(task.excluded)):
        raise Conflict(f"Nobody in the queue {there.slug} could take it.", code="nobody_else")


def _misfits(session: Session, head: QueueHead, given: Any, output: Any) -> list[Fault]:
    compiled = configuration(session, head.id, head.version)
    found = compiled.validate_input(given)
    if output is not None:
        return found + compiled.validate_output(output, given=given)
    if compiled.config.on_invalid_output != "review":
        found.append(Fault("/output", "is null, and that queue takes no broken outputs"))
    return found


def move(session: Session, task: Any, here: QueueHead, there: QueueHead, **values: Any) -> None:
    """Open the task in that queue, for its reviewers. Precondition: it is possible, see `require_possible`."""
    passing_on.hand_on(
        session, task, audience=Audience.REVIEWER, excluded=json.loads(task.excluded), escalates_at=None,
        **place(here, there), **values,
    )  # fmt: skip


def leave_siblings(session: Session, task: Any, actor: Actor) -> None:
    """Whoever hands on one of several reviews of an item, or puts it off, is not given another one of them."""
    if task.kind is not TaskKind.GOLD:
        rounds.exclude(session, item_id=task.item_id, task_id=task.id, person_id=actor.id)


def place(here: QueueHead, there: QueueHead) -> dict[str, Any]:
    """Of a task that goes from one queue to the other: the columns that say where it is."""
    return {"queue_id": there.id, "config_version": there.version, "sent_from": here.id}


def _open_to(session: Session, actor: Actor, here: QueueHead) -> list[QueueHead]:
    """Other queues to which the actor may send: those they know, and those that the configuration names."""
    named = configuration(session, here.id, here.version).config.send_to
    known = [queue_id for queue_id in actor.memberships if may(actor, Action.SEE_QUEUE, queue_id)]
    rows = session.execute(
        select(*HEAD)
        .where(Queue.slug.in_(named) | Queue.id.in_(known), Queue.archived_at.is_(None), Queue.id != here.id)
        .order_by(Queue.title, Queue.slug)
    )
    return [head_of(row) for row in rows]


def targets(*, session: Session, actor: Actor, here: QueueHead, given: Any, output: Any) -> list[Target]:
    """Where the actor may send an item with that input and output; those that would not take it say why."""
    return [
        Target(head.slug, head.title, _misfits(session, head, given, output))
        for head in _open_to(session, actor, here)
        if head.intake is not Intake.CLOSED
    ]


# -- a skip, taken back -----------------------------------------------------------------------------------------------


def last_skip(*, session: Session, actor: Actor) -> Any:
    """What `actor` skipped last, while it may be taken back: `task_id`, `created_at`, and `left` seconds; else None."""
    row = session.execute(_LAST_SKIP, {"person_id": actor.id}).one_or_none()
    if row is None:
        return None
    undo_seconds = configuration(session, row.queue_id, row.config_version).config.undo_seconds
    left = undo_seconds - (row.now - row.created_at).total_seconds()
    return Skipped(row.task_id, row.created_at, left) if left > 0 else None


def _last_skip() -> Any:
    each, task = table(Skip).c, table(Task).c
    # Index ix_skip_person_id_created_at; the configuration lets nobody undo for longer.
    return (
        select(each.task_id, each.created_at, task.queue_id, task.config_version, clock().label("now"))
        .join_from(table(Skip), table(Task), task.id == each.task_id)
        .where(
            each.person_id == bindparam("person_id"), each.created_at > clock(-LONGEST_UNDO),
            task.audience == Audience.REVIEWER,
            # A check that was skipped is over; until then it might have been anybody's.
            or_(task.state == TaskState.OPEN, (task.state == TaskState.CANCELLED) & (task.kind == TaskKind.GOLD)),
        )
        .order_by(each.created_at.desc())
        .limit(1)
    )  # fmt: skip


_LAST_SKIP = _last_skip()


@dataclass(frozen=True)
class Skipped:
    """A skip that may still be taken back."""

    task_id: str
    created_at: datetime
    seconds_left: float


def take_back_skip(*, session: Session, actor: Actor, task_id: str) -> leases.Held:
    """Undo one's last skip in the queue's `undo_seconds`, and claim its task again.

    What they hold in that queue is handed back. Raises `NotFound` for what they did not skip, `GraceOver`, and
    `Conflict` when somebody else took it.
    """
    rounds.lock_item_of(session, task_id)
    # Before the task, as in `golden.retire`.
    of_check = select(Task.item_id).where(Task.id == task_id, Task.kind == TaskKind.GOLD)
    checked = session.scalar(of_check)
    retired = checked is not None and not golden.stays_gold(session, checked)
    query = select(Task.queue_id, Task.item_id, Task.kind, Task.audience, Task.assignee, Task.excluded).where(
        Task.id == task_id
    )
    task = session.execute(query.with_for_update() if on_postgresql(session) else query).one_or_none()
    mine = Skip.task_id == task_id, Skip.person_id == actor.id
    if task is None or session.execute(select(Skip.task_id).where(*mine)).one_or_none() is None:
        raise NotFound
    require(actor, Action.REVIEW, task.queue_id)
    last = last_skip(session=session, actor=actor)
    if last is None or last.task_id != task_id or retired:
        raise GraceOver("The time to undo this skip is over, or somebody else has the task.")
    session.execute(delete(Skip).where(*mine))
    again = restrictions(
        audience=task.audience, assignee=task.assignee, excluded=set(json.loads(task.excluded)) - {actor.id}
    )
    session.execute(update(Task).where(Task.id == task_id).values(**again))
    if checked is not None:
        session.execute(update(Task).where(Task.id == task_id).values(state=TaskState.OPEN))
    else:
        rounds.readmit(session, item_id=task.item_id, task_id=task_id, person_id=actor.id)
    trail.record(session, actor, "task.skip_withdrawn", queue_id=task.queue_id, item_id=task.item_id, subject=task_id)
    return taking.claim_task(session=session, actor=actor, task_id=task_id, again=True)
