"""Operations on escalation: to the queue's leads, and beyond them along the chain that the configuration names."""

from __future__ import annotations

import json
import logging
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Actor
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.errors import Conflict, Error
from reviewqueue.models import Queue, Task
from reviewqueue.models.states import Audience, NoticeKind, QueueRole, TaskKind
from reviewqueue.notices import inbox
from reviewqueue.queues.catalog import HEAD, QueueHead, configuration, head_of, queue_by_id
from reviewqueue.review import handing, rounds
from reviewqueue.review.claims import leases, passing_on

log = logging.getLogger(__name__)
BATCH = 200


def escalate(*, session: Session, actor: Actor, claim_id: str, comment: str | None = None) -> None:
    """ "Not my authority": the task goes to the queue's leads, with `comment`; from a lead, and where there is no
    other, to the queue that `escalation` names.

    Raises `LeaseLost`, `NotFound`, `Conflict` when there is nobody beyond, and `Invalid` when the item does not fit the
    queue named.
    """
    task_id, fence = leases.parse_claim_id(claim_id)
    here = leases.queue_of_claim(session=session, actor=actor, claim_id=claim_id)
    rounds.lock_item_of(session, task_id)
    task = passing_on.locked(session, task_id, fence, actor)
    decided = set() if task.kind is TaskKind.GOLD else rounds.judges(session, task.item_id, task.kind)
    leads = people_with(session, here.id, QueueRole.LEAD) - {actor.id} - decided
    there = None
    if task.audience is Audience.LEAD or not leads:
        there = _next(session, here)
        _require_somebody(task, there)
    if task.kind is TaskKind.GOLD:
        _put_aside(session, actor, task, here, there, fence=fence, comment=comment)
        return
    by = {"escalated_by": actor.id, "escalation_comment": comment}
    if there is None:
        excluded = json.loads(task.excluded)
        if leads <= set(excluded):
            # It is their authority that is wanted, though they did not want it.
            excluded = passing_on.ask_again(session, task_id, excluded, leads)
        passing_on.hand_on(session, task, audience=Audience.LEAD, excluded=excluded, **by)
    else:
        _move_on(session, task, here, there, **by)
        leads = people_with(session, there.id, QueueRole.LEAD)
    handing.leave_siblings(session, task, actor)
    trail.record(
        session, actor, "task.escalated", queue_id=here.id, item_id=task.item_id, subject=task_id,
        facts={"fence": fence} | ({"to": there.id} if there else {}),
        content={"comment": comment} if comment else None,
    )  # fmt: skip
    inbox.tell(session, actor, leads, NoticeKind.ESCALATED, item_id=task.item_id, words=comment)


def _put_aside(
    session: Session, actor: Actor, task: Any, here: QueueHead, there: QueueHead | None, *, fence: int,
    comment: str | None,
) -> None:  # fmt: skip
    """A check, refused where a review would be."""
    gone: dict[str, Any] = {"audience": Audience.LEAD}
    if there is not None:
        handing.require_possible(session, there, task)
        gone = handing.place(here, there)
    by = {"escalated_by": actor.id, "escalation_comment": comment}
    passing_on.put_aside(session, actor, task, "task.escalated", facts={"fence": fence}, **gone, **by)


def _require_somebody(task: Any, there: QueueHead | None) -> None:
    if there is not None:
        return
    if task.audience is Audience.LEAD:
        raise Conflict("This task is with the leads already: decide it, or skip it.", code="already_escalated")
    raise Conflict("The queue has no other lead who could take it: decide it, or skip it.", code="no_lead")


def _next(session: Session, here: QueueHead) -> QueueHead | None:
    """The queue beyond the leads of this one, by its present configuration."""
    chain = configuration(session, here.id, here.version).config.escalation
    if chain is None:
        return None
    row = session.execute(select(*HEAD).where(Queue.slug == chain.to, Queue.archived_at.is_(None))).one_or_none()
    return None if row is None else head_of(row)


def _move_on(session: Session, task: Any, here: QueueHead, there: QueueHead, **values: Any) -> None:
    handing.require_possible(session, there, task)
    handing.move(session, task, here, there, **values)


# Index ix_task_escalates_at: its condition must stand here in the same words.
OVERDUE = (
    select(Task.id, Task.queue_id, Task.item_id, Task.audience, Task.assignee, Task.excluded)
    .where(text("task.state = 'open' AND task.escalates_at IS NOT NULL"), Task.escalates_at <= clock())
    .order_by(Task.escalates_at)
    .limit(BATCH)
)


def escalate_due(*, session: Session) -> int:
    """Send on what the leads have not decided in the time that their queue gives them; returns how many. A duty of the
    relay. What cannot go on stays with them, and an event says why."""
    due = OVERDUE.with_for_update(skip_locked=True, of=Task) if on_postgresql(session) else OVERDUE
    rows = session.execute(due).all()
    for task in rows:
        _send_on(session, task)
    return len(rows)


def _send_on(session: Session, task: Any) -> None:
    here = queue_by_id(session, task.queue_id)
    there = _next(session, here)
    try:
        with session.begin_nested():
            _require_somebody(task, there)
            assert there is not None
            _move_on(session, task, here, there)
            trail.record(
                session, SYSTEM, "task.escalated", queue_id=here.id, item_id=task.item_id, subject=task.id,
                facts={"to": there.id},
            )  # fmt: skip
            leads = people_with(session, there.id, QueueRole.LEAD)
            inbox.tell(session, SYSTEM, leads, NoticeKind.ESCALATED, item_id=task.item_id)
    except Error as error:
        log.warning("task %s of %s cannot go beyond the leads: %s", task.id, here.slug, error.message)
        session.execute(update(Task).where(Task.id == task.id).values(escalates_at=None))
        trail.record(
            session, SYSTEM, "task.escalation_failed", queue_id=here.id, item_id=task.item_id, subject=task.id,
            facts={"to": there.id if there else None, "why": error.code},
        )  # fmt: skip
