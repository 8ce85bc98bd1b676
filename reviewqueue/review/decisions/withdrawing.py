"""Operations that take back a decision within its grace time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.ids import known_id
from reviewqueue.core.strictjson import Raw, spliced
from reviewqueue.errors import GraceOver, NotFound
from reviewqueue.models import Decision, Item, PendingRelease, Task
from reviewqueue.models.states import ActorKind, ItemState, TaskState
from reviewqueue.review import drafts, rounds
from reviewqueue.review.claims import leases, taking


def withdraw(*, session: Session, actor: Actor, decision_id: str, seat: int = leases.DESK) -> leases.Held:
    """Take back one's own decision within its grace time: the task reopens and is claimed again by its author.

    What they hold in that queue, in that seat, is handed back. Again gives the claim that they have of it. Raises
    `GraceOver`, and `NotFound` for other people's decisions.
    """
    if actor.kind is not ActorKind.PERSON:
        raise NotFound
    row = session.execute(
        select(Decision.id, Decision.task_id, Decision.item_id, Task.queue_id, Decision.output, Decision.verdict,
               Decision.reason, Decision.comment, Decision.message, Decision.suggested_label, Decision.person_id,
               Decision.withdrawn_at)
        .join(Task, Task.id == Decision.task_id)
        .where(Decision.id == known_id(decision_id))
    ).one_or_none()  # fmt: skip
    if row is None or row.person_id != actor.id:
        raise NotFound
    require(actor, Action.REVIEW, row.queue_id)
    item = select(Item.id).where(Item.id == row.item_id)
    session.execute(item.with_for_update() if on_postgresql(session) else item)
    # Whoever deletes this row decides: its author here, or the relay in `settle_due`.
    pending = session.execute(
        delete(PendingRelease)
        .where(PendingRelease.decision_id == row.id, PendingRelease.releases_at > clock())
        .returning(PendingRelease.decision_id)
    ).one_or_none()
    if pending is None:
        held = _held_by_author(session, actor, row.task_id) if row.withdrawn_at is not None else None
        if held is None:
            raise GraceOver("The time to undo this decision is over.")
        return held
    session.execute(update(Decision).where(Decision.id == row.id).values(withdrawn_at=clock()))
    if not rounds.deciders(session, row.item_id):
        session.execute(
            update(Item)
            .where(Item.id == row.item_id, Item.state == ItemState.IN_REVIEW)
            .values(state=ItemState.QUEUED)
            .execution_options(synchronize_session=False)
        )
    rounds.readmit(session, item_id=row.item_id, task_id=row.task_id, person_id=actor.id)
    session.execute(update(Task).where(Task.id == row.task_id).values(state=TaskState.OPEN))
    _as_draft(session, actor, row)
    trail.record(
        session, actor, "decision.withdrawn", queue_id=row.queue_id, item_id=row.item_id, subject=row.task_id,
        facts={"decision": row.id},
    )  # fmt: skip
    return taking.claim_task(session=session, actor=actor, task_id=row.task_id, seat=seat, again=True)


def _held_by_author(session: Session, actor: Actor, task_id: str) -> leases.Held | None:
    """The claim that they got when they took it back: the answer to that may never have come."""
    claim = select(*leases.RETURNED).where(
        Task.id == task_id, leases.CLAIMED, Task.holder == actor.id, Task.lease_until > clock()
    )
    row = session.execute(claim).one_or_none()
    return None if row is None else leases.held_of(row)


def _as_draft(session: Session, actor: Actor, row: Any) -> None:
    """What was decided comes back as a draft, so that a slip is mended, not typed again."""
    body = {
        "verdict": row.verdict, "output": Raw(row.output), "reason": row.reason, "comment": row.comment,
        "message": row.message, "suggested_label": row.suggested_label,
    }  # fmt: skip
    drafts.keep(session, task_id=row.task_id, person_id=actor.id, body=spliced(body))
