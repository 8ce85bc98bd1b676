"""Operations on the rows of a grid: several claims of one person in a queue, each in a seat of its own.

A row is a claim like any other, with its lease, fence and events, and is decided by `decisions.decide`.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import clock
from reviewqueue.core.ids import known_id
from reviewqueue.errors import NotAdmitted, NotFound
from reviewqueue.models import Decision, Task
from reviewqueue.queues.catalog import QueueHead, find_queue
from reviewqueue.queues.configuration import QueueConfig
from reviewqueue.queues.schemas import property_schema
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review import fields
from reviewqueue.review.claims import leases, returning, taking
from reviewqueue.review.claims.leases import Held
from reviewqueue.review.decisions.withdrawing import withdraw

ROWS = 20
MOST_FIELDS = 6


def suits(config: QueueConfig) -> bool:
    """Whether items of the queue can be decided in a row: one label, one text, or a few fields without lists. Pure."""
    view = config.view
    if view.type in {"choice", "text"}:
        return True
    if view.type != "json":
        return False
    schema = property_schema(config.output_schema, view.output)
    part = fields.parts_of(
        schema, config.output_schema, MISSING, pointer="", title="", confidences={}, doubtful_below=0.0
    )
    cells = part.children if part.kind == "object" else [part]
    return 1 <= len(cells) <= MOST_FIELDS and all(cell.kind not in {"object", "array", "raw"} for cell in cells)


def in_hand(*, session: Session, actor: Actor, slug: str) -> tuple[QueueHead, dict[int, str]]:
    """The queue, and by seat the claims that `actor` has in its grid. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.REVIEW)
    rows = session.execute(
        select(Task.seat, Task.id, Task.fence)
        .where(
            Task.holder == actor.id, Task.queue_id == head.id, leases.CLAIMED, Task.seat > leases.DESK,
            Task.lease_until > clock(),
        )
        .order_by(Task.seat)
    )  # fmt: skip
    return head, {row.seat: f"{row.id}.{row.fence}" for row in rows}


def take(*, session: Session, actor: Actor, slug: str, most: int = ROWS) -> list[Held]:
    """Claim tasks, most urgent first, until `actor` has `most` rows; returns the new ones. Fewer where fewer wait."""
    _, held = in_hand(session=session, actor=actor, slug=slug)
    taken: list[Held] = []
    for seat in range(leases.DESK + 1, most + 1):
        if seat in held:
            continue
        try:
            row = taking.claim_next(session=session, actor=actor, slug=slug, seat=seat)
        except NotAdmitted:
            if not held and not taken:
                raise
            # Whoever is being calibrated has all the checks there are.
            break
        if row is None:
            break
        taken.append(row)
    return taken


def renew(*, session: Session, actor: Actor, slug: str) -> list[str]:
    """Extend the lease of every row; returns the claims."""
    _, held = in_hand(session=session, actor=actor, slug=slug)
    return [leases.renew(session=session, actor=actor, claim_id=claim_id).claim_id for claim_id in held.values()]


def release(*, session: Session, actor: Actor, slug: str) -> int:
    """Hand every row back; drafts stay. Returns how many."""
    _, held = in_hand(session=session, actor=actor, slug=slug)
    for claim_id in held.values():
        returning.release(session=session, actor=actor, claim_id=claim_id)
    return len(held)


def undo(*, session: Session, actor: Actor, slug: str, decision_id: str) -> Held:
    """Take back a decision within its grace time, and have its row again, in a seat that is free.

    Raises `GraceOver`, and `NotFound` for what others decided or was decided in another queue.
    """
    head, held = in_hand(session=session, actor=actor, slug=slug)
    place = (
        select(Task.queue_id).join(Decision, Decision.task_id == Task.id).where(Decision.id == known_id(decision_id))
    )
    if session.execute(place).scalar_one_or_none() != head.id:
        raise NotFound
    free = next(seat for seat in range(leases.DESK + 1, ROWS + len(held) + 2) if seat not in held)
    return withdraw(session=session, actor=actor, decision_id=decision_id, seat=free)
