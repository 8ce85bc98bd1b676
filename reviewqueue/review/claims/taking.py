"""Operations that take a task: the most urgent, one in particular, or an item whose answer is known."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from types import SimpleNamespace
from typing import Any

from flask import current_app
from sqlalchemy import bindparam, exists, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock, clock_in, on_postgresql
from reviewqueue.errors import Conflict, NotFound
from reviewqueue.models import Item, Task
from reviewqueue.models.base import table
from reviewqueue.models.lanes import may_take
from reviewqueue.models.states import TaskKind, TaskState
from reviewqueue.queues import routing
from reviewqueue.queues.applying import fits
from reviewqueue.queues.catalog import QueueHead, configuration, queue_by_id
from reviewqueue.review import golden, standings
from reviewqueue.review.claims.leases import CLAIMED, DESK, ONE, OPEN, RETURNED, Held, held_of, require_person
from reviewqueue.review.claims.reach import Sight, best_lane, claimable, lanes_for
from reviewqueue.review.claims.returning import hand_back

_task = table(Task).c

BLINDABLE = frozenset({TaskKind.REVIEW, TaskKind.AUDIT, TaskKind.GOLD})
ATTEMPTS = 5
"""How often a claim looks again when others took what it had seen."""


def claim_next(*, session: Session, actor: Actor, slug: str | None = None, seat: int = DESK) -> Held | None:
    """Claim the most urgent open task that `actor` may review, in queue `slug` or in all of theirs.

    Whoever holds a claim there, in that seat, gets it again. The lease ends `lease_minutes` after the database's
    clock. None when nothing waits. Raises `NotFound` or `Forbidden` without membership. Two requests of one person at
    the same moment: the second raises `IntegrityError` from the database (index uq_task_held); the edge tries again.
    """
    require_person(actor)
    for attempt in range(ATTEMPTS):
        sight = lanes_for(session, actor, slug)
        lanes, new_to = standings.sift(session, actor, sight.heads, sight.lanes, named=slug is not None)
        if new_to is not None:
            return _calibrate(session, actor, new_to, seat)
        place = best_lane(session, actor, lanes, apart=sight.holds)
        if place is not None:
            held = _take_gold(session, actor, sight, *place, seat) or _take(session, actor, sight, *place, seat)
            if held is not None:
                return held
        if attempt == 0:
            # Nothing taken: a claim is held already, others were quicker, or nothing waits.
            held = _held_by(session, actor, sight.heads, seat)
            if held is not None:
                return held
        if place is None:
            return None
    return None


def _lease_update(*conditions: Any) -> Any:
    """The guarded UPDATE of a claim: success is a returned row."""
    return (
        update(table(Task))
        .where(*conditions)
        .values(
            state=TaskState.CLAIMED, holder=bindparam("by_person"), seat=bindparam("in_seat"), fence=_task.fence + 1,
            lease_until=clock_in("lease_seconds"),
        )
        .returning(
            _task.id, _task.fence, _task.lease_until, _task.queue_id, _task.item_id, _task.kind, _task.config_version,
            _task.blind,
        )
    )  # fmt: skip


def _take_statement(*, locks: bool, one_queue: bool, apart: bool) -> Any:
    candidate = claimable(bindparam("in_queue"), bindparam("in_lane"), bindparam("by_person"), _task.id, apart=apart)
    if locks:
        candidate = candidate.with_for_update(skip_locked=True, of=table(Task))
    other = table(Task).alias("other")
    holds_one = exists(text("1")).where(
        other.c.holder == bindparam("by_person"), text("other.state = 'claimed'"),
        # A list of parameters is written into the statement anew each time.
        other.c.queue_id == bindparam("in_queue")
        if one_queue
        else other.c.queue_id.in_(bindparam("in_queues", expanding=True)),
        other.c.seat == bindparam("in_seat"),
    )  # fmt: skip
    return _lease_update(_task.id == candidate.scalar_subquery(), OPEN, ~holds_one)


# Built once, for PostgreSQL and for SQLite: building them anew costs more than running them.
_TAKE = {
    which: _take_statement(locks=which[0], one_queue=which[1], apart=which[2])
    for which in product((True, False), repeat=3)
}
_TAKE_ONE = _lease_update(_task.id == bindparam("task_id"), OPEN, _task.lane == bindparam("in_lane"))
_TAKE_AGAIN = _lease_update(
    _task.id == bindparam("task_id"), CLAIMED, _task.holder == bindparam("by_person"),
    _task.fence == bindparam("old_fence"),
)  # fmt: skip


def _take(session: Session, actor: Actor, sight: Sight, queue_id: str, lane: str, seat: int) -> Held | None:
    """The most urgent of the lane, for somebody who holds nothing in any of these queues, in that seat."""
    place: dict[str, Any] = {"in_queue": queue_id, "in_lane": lane}
    one_queue = len(sight.heads) == 1
    if not one_queue:
        place["in_queues"] = list(sight.heads)
    statement = _TAKE[on_postgresql(session), one_queue, sight.holds]
    return _lease(session, actor, sight.heads[queue_id], statement, place, seat)


def _take_gold(session: Session, actor: Actor, sight: Sight, queue_id: str, lane: str, seat: int) -> Held | None:
    """Now and then an item whose answer is known, where there is work of the kind that it looks like."""
    head = sight.heads[queue_id]
    if not golden.is_drawn(configuration(session, head.id, head.version).config.reviews.gold):
        return None
    mine = _task.holder == actor.id, CLAIMED, _task.queue_id.in_(sight.heads), _task.seat == seat
    holds_one = select(ONE).where(*mine).limit(ONE)
    columns = _task.kind, _task.priority, _task.due, _task.created_at
    near = session.execute(claimable(queue_id, lane, actor.id, *columns, apart=sight.holds)).one_or_none()
    if near is None or near.kind is not TaskKind.REVIEW or session.execute(holds_one).first() is not None:
        return None
    made = golden.make_task(session, actor, head, near)
    if made is None:
        return None
    return _lease(session, actor, head, _TAKE_ONE, {"task_id": made.id, "in_lane": made.lane}, seat)


def _calibrate(session: Session, actor: Actor, head: QueueHead, seat: int) -> Held:
    """An item whose answer is known, for somebody who is to judge some before any work. Raises `NotAdmitted` when there
    is none left for them, and when they hold as many in other seats as they are to judge."""
    held = _held_by(session, actor, [head.id], seat)
    if held is not None:
        return held
    standings.require_checks_left(session, actor, head)
    mine = select(Task.id, Task.lane).where(
        Task.assignee == actor.id, Task.queue_id == head.id, Task.kind == TaskKind.GOLD, OPEN
    )
    task = session.execute(mine.order_by(Task.id).limit(1)).one_or_none()
    if task is None:
        due_seconds = configuration(session, head.id, head.version).config.sla.due_minutes * 60.0
        now = session.execute(select(clock().label("now"), clock(due_seconds).label("due"))).one()
        near = SimpleNamespace(priority=0, due=now.due, created_at=now.now)
        task = golden.make_task(session, actor, head, near, hidden=False)
    held = task and _lease(session, actor, head, _TAKE_ONE, {"task_id": task.id, "in_lane": task.lane}, seat)
    if held is None:
        raise standings.nothing_to_calibrate()
    return held


def _lease(
    session: Session, actor: Actor, head: QueueHead, statement: Any, parameters: dict[str, Any], seat: int
) -> Held | None:
    minutes = configuration(session, head.id, head.version).config.lease_minutes
    row = session.execute(
        statement, {**parameters, "by_person": actor.id, "in_seat": seat, "lease_seconds": minutes * 60.0}
    ).one_or_none()
    if row is None:
        return None
    version = row.config_version if row.config_version == head.version else _newest_version(session, row, head)
    _draw_blind(session, row, configuration(session, head.id, version).config.reviews.blind)
    trail.record(
        session, actor, "task.claimed", queue_id=row.queue_id, item_id=row.item_id, subject=row.id,
        facts={"fence": row.fence, "kind": row.kind, "version": version},
    )  # fmt: skip
    return held_of(row)


def _draw_blind(session: Session, row: Any, share: float) -> None:
    """Whether what the AI said is hidden: the same for a task for ever, as long as the queue asks for that share."""
    blind = False
    if share and row.kind in BLINDABLE:
        key = current_app.config["SETTINGS"].secret_key.encode()
        blind = routing.draw(row.id, key, "blind") < share and _has_output(session, row.item_id)
    if blind is not row.blind:
        session.execute(update(table(Task)).where(_task.id == row.id).values(blind=blind))


def _has_output(session: Session, item_id: str) -> bool:
    return session.execute(select(Item.output).where(Item.id == item_id)).scalar_one() != "null"


def _newest_version(session: Session, row: Any, head: QueueHead) -> int:
    """The version under which the task is judged: the current one if its item satisfies it, else the one it has."""
    item = session.execute(select(Item.input, Item.output).where(Item.id == row.item_id)).one()
    if not fits(configuration(session, head.id, head.version), item.input, item.output):
        return int(row.config_version)
    session.execute(update(Task).where(Task.id == row.id).values(config_version=head.version))
    return head.version


def _held_by(session: Session, actor: Actor, queue_ids: Iterable[str], seat: int) -> Held | None:
    """The claim that `actor` holds there, in that seat; one whose lease is over is leased anew, with a new fence."""
    row = session.execute(
        select(*RETURNED, (Task.lease_until > clock()).label("live"))
        .where(Task.holder == actor.id, CLAIMED, Task.queue_id.in_(queue_ids), Task.seat == seat)
        .order_by(Task.priority.desc(), Task.due, Task.id)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    if row.live:
        return held_of(row)
    head = queue_by_id(session, row.queue_id)
    return _lease(session, actor, head, _TAKE_AGAIN, {"task_id": row.id, "old_fence": row.fence}, seat)


def claim_task(*, session: Session, actor: Actor, task_id: str, seat: int = DESK, again: bool = False) -> Held:
    """Claim one particular open task, handing back what `actor` holds in its queue, in that seat. `again`: they had it
    a moment ago.

    Raises `NotFound`, `Forbidden`, `NotAdmitted` where they get no work, and `Conflict` when it is not open to them.
    """
    require_person(actor)
    columns = Task.queue_id, Task.item_id, Task.lane, Task.kind
    row = session.execute(select(*columns).where(Task.id == task_id)).one_or_none()
    if row is None:
        raise NotFound
    require(actor, Action.REVIEW, row.queue_id)
    head = queue_by_id(session, row.queue_id)
    if not again:
        standings.require_admitted(session, actor, head, row.kind)
    is_lead = may(actor, Action.TAKE_ESCALATIONS, row.queue_id)
    if not may_take(row.lane, person_id=actor.id, is_lead=is_lead):
        raise Conflict("This task is for somebody else.", code="not_yours")
    there = Task.holder == actor.id, Task.queue_id == row.queue_id, Task.seat == seat
    hand_back(session, actor, "task.released", *there)
    beside = select(Task.id).where(Task.holder == actor.id, CLAIMED, Task.item_id == row.item_id, Task.id != task_id)
    if session.execute(beside.limit(1)).first() is not None:
        raise Conflict("You have another review of this item in hand: somebody else is to do this.", code="not_yours")
    held = _lease(session, actor, head, _TAKE_ONE, {"task_id": task_id, "in_lane": row.lane}, seat)
    if held is None:
        raise Conflict("Somebody else took this task a moment ago.", code="taken")
    return held
