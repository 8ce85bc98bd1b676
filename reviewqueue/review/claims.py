"""Operations on claims: take the most urgent task, keep it, hand it back or on.

A claim is a lease in the task's row; its id is `<task>.<fence>` and the fence rises with every claim, so that a
reviewer who was away too long cannot act with an old one. All times are the database's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from types import SimpleNamespace
from typing import Any

from flask import current_app
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Select,
    bindparam,
    delete,
    exists,
    false,
    func,
    insert,
    literal_column,
    select,
    text,
    true,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may, no_queue, require
from reviewqueue.core.db import clock, clock_in, on_postgresql
from reviewqueue.core.ids import known_id
from reviewqueue.errors import Conflict, Forbidden, LeaseLost, NotFound
from reviewqueue.models import Decision, Item, Queue, Skip, Task
from reviewqueue.models.base import table
from reviewqueue.models.lanes import may_take, restrictions
from reviewqueue.models.states import Audience, QueueRole, TaskKind, TaskState
from reviewqueue.queues import routing
from reviewqueue.queues.applying import fits
from reviewqueue.queues.catalog import HEAD, QueueHead, configuration, head_of, queue_by_id
from reviewqueue.review import golden, rounds, standings

SKIPS_BEFORE_ESCALATION = 3
DESK = 0
"""The seat of whoever works on one task after the other; the rows of a grid have seats of their own."""
LANES_A_STATEMENT = 200
"""SQLite takes at most 500 parts in a compound SELECT."""
BLINDABLE = frozenset({TaskKind.REVIEW, TaskKind.AUDIT, TaskKind.GOLD})
ATTEMPTS = 5
"""How often a claim looks again when others took what it had seen."""

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


_RETURNED = (
    Task.id, Task.fence, Task.lease_until, Task.queue_id, Task.item_id, Task.kind, Task.config_version,
)  # fmt: skip


def _held(row: Any) -> Held:
    return Held(f"{row.id}.{row.fence}", row.id, row.fence, row.lease_until, row.queue_id, row.item_id, row.kind)


def parse_claim_id(claim_id: str) -> tuple[str, int]:
    """Task and fence. Raises `NotFound` for what cannot be a claim's id."""
    task_id, _, fence = claim_id.rpartition(".")
    if not fence.isascii() or not fence.isdigit() or len(fence) > 9:
        raise NotFound
    return known_id(task_id), int(fence)


# -- taking -----------------------------------------------------------------------------------------------------------


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
        place = _best_lane(session, actor, lanes, apart=sight.holds)
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


def require_person(actor: Actor) -> None:
    if actor.kind != "person":
        raise Forbidden("Only people decide: use a personal token with the scope review.")


@dataclass(frozen=True)
class Sight:
    """Where somebody may take tasks from."""

    heads: dict[str, QueueHead]
    """The queues by id."""
    lanes: list[tuple[str, str]]
    """Queue and lane."""
    holds: bool
    """Whether they hold any claim: whoever holds several holds no two of one item, which they may judge but once."""


def lanes_for(session: Session, actor: Actor, slug: str | None = None) -> Sight:
    """The lanes that `actor` may take from, in queue `slug` or in all of theirs. Raises `NotFound`, `Forbidden`."""
    if slug is not None:
        rows = session.execute(_LANES_OF_SLUG, {"slug": slug, "by_person": actor.id}).all()
        if not rows:
            raise no_queue()
        require(actor, Action.REVIEW, rows[0].id, by_name=True)
    else:
        mine = [queue_id for queue_id in actor.memberships if may(actor, Action.REVIEW, queue_id)]
        rows = session.execute(_LANES_OF_IDS, {"ids": mine, "by_person": actor.id}).all() if mine else []
    lanes = [
        (row.id, row.lane)
        for row in rows
        if row.lane is not None
        and may_take(row.lane, person_id=actor.id, is_lead=may(actor, Action.TAKE_ESCALATIONS, row.id))
    ]
    return Sight({row.id: head_of(row) for row in rows}, lanes, any(row.holds for row in rows))


def _best_lane(
    session: Session, actor: Actor, lanes: list[tuple[str, str]], *, apart: bool
) -> tuple[str, str] | None:  # fmt: skip
    """Queue and lane whose head is the most urgent that `actor` may take; None when there is none."""
    if len(lanes) < 2:
        return lanes[0] if lanes else None
    best = min(_tops(session, actor, lanes, apart=apart), key=_urgency, default=None)
    return None if best is None else (best.queue_id, best.lane)


def _urgency(row: Any) -> tuple[Any, ...]:
    return -row.priority, row.due, row.id


def most_urgent(session: Session, actor: Actor, sight: Sight) -> dict[str, Any]:
    """By queue, the task that `actor` would be given of these lanes: `priority`, `due`, `id`."""
    tops = _tops(session, actor, sight.lanes, apart=sight.holds)
    return {row.queue_id: row for row in sorted(tops, key=_urgency, reverse=True)}


def _tops(session: Session, actor: Actor, lanes: list[tuple[str, str]], *, apart: bool) -> list[Any]:
    """The most urgent task of each lane that `actor` may take."""
    tops = [
        select(subquery.c.queue_id, subquery.c.lane, subquery.c.priority, subquery.c.due, subquery.c.id)
        for subquery in (
            _claimable(
                queue_id, lane, actor.id, _task.queue_id, _task.lane, _task.priority, _task.due, _task.id, apart=apart
            ).subquery()
            for queue_id, lane in lanes
        )
    ]
    return [
        row
        for start in range(0, len(tops), LANES_A_STATEMENT)
        for row in session.execute(union_all(*tops[start : start + LANES_A_STATEMENT])).all()
    ]


def _lanes_query(*which: Any) -> Select[Any]:
    """The queues with each lane that has open tasks (null where none has), found by hopping along index ix_task_open
    instead of reading it; `holds`: whether the person has any claim, by index uq_task_held."""
    task, queue = table(Task), table(Queue)
    first = select(func.min(task.c.lane)).where(task.c.queue_id == queue.c.id, OPEN).scalar_subquery()
    hop = select(queue.c.id.label("queue_id"), first.label("lane")).where(*which).cte("hop", recursive=True)
    following = select(func.min(task.c.lane)).where(task.c.queue_id == hop.c.queue_id, OPEN, task.c.lane > hop.c.lane)
    hop = hop.union_all(select(hop.c.queue_id, following.scalar_subquery()).where(hop.c.lane.is_not(None)))
    mine = table(Task).alias("mine")
    holds = (
        exists(text("1"))
        .select_from(mine)
        .where(mine.c.holder == bindparam("by_person"), text("mine.state = 'claimed'"))
    )
    return (
        select(*HEAD, hop.c.lane, holds.label("holds"))
        .join_from(queue, hop, (hop.c.queue_id == queue.c.id) & hop.c.lane.is_not(None), isouter=True)
        .where(*which)
    )


_queue = table(Queue).c
_LANES_OF_SLUG = _lanes_query(_queue.slug == bindparam("slug"))
_LANES_OF_IDS = _lanes_query(_queue.id.in_(bindparam("ids", expanding=True)), _queue.archived_at.is_(None))


_task = table(Task).c
_decision, _skip = table(Decision).c, table(Skip).c
_QUEUE_OF = (
    select(*HEAD)
    .join_from(table(Queue), table(Task), _task.queue_id == _queue.id)
    .where(_task.id == bindparam("task_id"))
)


def _claimable(queue_id: Any, lane: Any, person_id: Any, *columns: Any, apart: bool) -> Select[Any]:
    """The most urgent task of a lane, which index ix_task_open gives first. That the person has neither decided nor
    skipped it is a second lock on the door, for a task whose lane was not brought up to date. `apart`: none of an item
    of which they hold another."""
    decided = _found(
        _decision.item_id == _task.item_id, _decision.round == _task.round,
        _decision.person_id == person_id, text("decision.withdrawn_at IS NULL AND NOT decision.late"),
    )  # fmt: skip
    skipped = _found(_skip.task_id == _task.id, _skip.person_id == person_id)
    mine = table(Task).alias("mine").c
    beside = _found(mine.item_id == _task.item_id, mine.holder == person_id, text("mine.state = 'claimed'"))
    return (
        select(*columns)
        .where(
            _task.queue_id == queue_id, OPEN, _task.lane == lane, _task.available_at <= clock(),
            ~decided, ~skipped, *([~beside] if apart else []),
        )
        .order_by(_task.priority.desc(), _task.due, _task.id)
        .limit(ONE)
    )  # fmt: skip


def _found(*conditions: Any) -> Any:
    # Not EXISTS: PostgreSQL may make an anti-join of it, which reads all that the person ever decided. This is looked
    # up in an index, for each task that is considered.
    found = select(true()).where(*conditions).limit(ONE).correlate(table(Task)).scalar_subquery()
    return func.coalesce(found, false(), type_=Boolean)


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
    candidate = _claimable(bindparam("in_queue"), bindparam("in_lane"), bindparam("by_person"), _task.id, apart=apart)
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
    near = session.execute(_claimable(queue_id, lane, actor.id, *columns, apart=sight.holds)).one_or_none()
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
    return _held(row)


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
        select(*_RETURNED, (Task.lease_until > clock()).label("live"))
        .where(Task.holder == actor.id, CLAIMED, Task.queue_id.in_(queue_ids), Task.seat == seat)
        .order_by(Task.priority.desc(), Task.due, Task.id)
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    if row.live:
        return _held(row)
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
    _hand_back(session, actor, "task.released", *there)
    beside = select(Task.id).where(Task.holder == actor.id, CLAIMED, Task.item_id == row.item_id, Task.id != task_id)
    if session.execute(beside.limit(1)).first() is not None:
        raise Conflict("You have another review of this item in hand: somebody else is to do this.", code="not_yours")
    held = _lease(session, actor, head, _TAKE_ONE, {"task_id": task_id, "in_lane": row.lane}, seat)
    if held is None:
        raise Conflict("Somebody else took this task a moment ago.", code="taken")
    return held


# -- keeping, handing back --------------------------------------------------------------------------------------------


LIVE_CLAIM: tuple[Any, ...] = (
    _task.id == bindparam("task_id"), CLAIMED, _task.holder == bindparam("by_person"),
    _task.fence == bindparam("with_fence"), _task.lease_until > clock(),
)  # fmt: skip
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
    .returning(*(_task[column.key] for column in _RETURNED))
)


def renew(*, session: Session, actor: Actor, claim_id: str) -> Held:
    """Extend the lease by `lease_minutes` from now. Raises `LeaseLost`, `NotFound`."""
    task_id, fence = parse_claim_id(claim_id)
    head = _queue_of(session, actor, task_id)
    minutes = configuration(session, head.id, head.version).config.lease_minutes
    row = session.execute(
        _RENEW, {**claim_parameters(task_id, fence, actor), "lease_seconds": minutes * 60.0}
    ).one_or_none()
    if row is None:
        raise lost_lease(session, actor, task_id)
    return _held(row)


def release(*, session: Session, actor: Actor, claim_id: str) -> None:
    """Hand the task back; the draft stays. Raises `LeaseLost`, `NotFound`."""
    task_id, fence = parse_claim_id(claim_id)
    _queue_of(session, actor, task_id)
    if not _hand_back(
        session, actor, "task.released", Task.id == task_id, Task.holder == actor.id, Task.fence == fence
    ):
        raise lost_lease(session, actor, task_id)


def release_all(*, session: Session, actor: Actor) -> int:
    """Hand back everything `actor` holds (a pause); returns how many."""
    return len(_hand_back(session, actor, "task.released", Task.holder == actor.id))


def take_back(*, session: Session, actor: Actor, task_id: str) -> None:
    """Take a task from whoever holds it, for whoever comes first or has it assigned; the holder's draft stays. Raises
    `NotFound`, `Forbidden`, and `Conflict` where nobody holds it."""
    queue_id = session.execute(select(Task.queue_id).where(Task.id == task_id)).scalar_one_or_none()
    if queue_id is None:
        raise NotFound
    require(actor, Action.ASSIGN_TASKS, queue_id)
    if not _hand_back(session, actor, "task.taken_back", Task.id == task_id):
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
    return len(_hand_back(session, SYSTEM, "task.lease_expired", *over))


def _hand_back(session: Session, actor: Actor, action: str, *conditions: Any) -> list[Any]:
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


def queue_of_claim(*, session: Session, actor: Actor, claim_id: str) -> QueueHead:
    """The queue of a claim, live or not. Raises `NotFound`, `Forbidden`."""
    task_id, _ = parse_claim_id(claim_id)
    return _queue_of(session, actor, task_id)


def _queue_of(session: Session, actor: Actor, task_id: str) -> QueueHead:
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
    if row.state is TaskState.CANCELLED and row.kind is not TaskKind.GOLD:
        return LeaseLost("This item needs no decision any more. Your draft is kept.", code="item_ended")
    if row.state is TaskState.CLAIMED and row.holder != actor.id:
        return LeaseLost("Your time on this task ran out, and somebody else has it now. Your draft is kept.")
    if row.state is not TaskState.CLAIMED and _has_skipped(session, actor, task_id):
        return LeaseLost("You have skipped this task: it goes to somebody else.", code="not_yours")
    if row.assignee not in {None, actor.id}:
        return LeaseLost("This task was given to somebody else. Your draft is kept.", code="not_yours")
    if row.audience is Audience.LEAD and not may(actor, Action.TAKE_ESCALATIONS, row.queue_id):
        return LeaseLost("This task is with the leads now. Your draft is kept.", code="not_yours")
    return LeaseLost(
        "It went back to the queue: its time ran out, you handed it back, or a lead took it. Claim it again to go on."
    )


def _has_skipped(session: Session, actor: Actor, task_id: str) -> bool:
    skipped = select(ONE).select_from(Skip).where(Skip.task_id == task_id, Skip.person_id == actor.id)
    return session.execute(skipped).one_or_none() is not None


# -- handing on -------------------------------------------------------------------------------------------------------


def skip(*, session: Session, actor: Actor, claim_id: str, comment: str | None = None) -> None:
    """ "Not me", and why: the actor never gets this task again. After three skips, or when nobody is left, it goes to
    the leads.

    For somebody must decide: when each lead has skipped it, too, the leads get it again after ten minutes; in a queue
    without leads, everybody does.
    Raises `LeaseLost`, `NotFound`.
    """
    task_id, fence = parse_claim_id(claim_id)
    _queue_of(session, actor, task_id)
    rounds.lock_item_of(session, task_id)
    task = locked(session, task_id, fence, actor)
    session.execute(insert(Skip).values(task_id=task_id, person_id=actor.id, comment=comment, created_at=clock()))
    if task.kind is TaskKind.GOLD:
        put_aside(session, actor, task, "task.skipped", facts={"fence": fence})
        return
    decided = rounds.deciders(session, task.item_id)
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
        excluded = sorted(set(excluded) - again)
        session.execute(delete(Skip).where(Skip.task_id == task_id, Skip.person_id.in_(again)))
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
