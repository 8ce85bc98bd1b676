"""Queries for what a person can reach: the lanes that are open to them, and the most urgent task of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Boolean, Select, bindparam, exists, false, func, select, text, true, union_all
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may, no_queue, require
from reviewqueue.core.db import among, clock
from reviewqueue.models import Decision, Queue, Skip, Task
from reviewqueue.models.base import table
from reviewqueue.models.lanes import may_take
from reviewqueue.queues.catalog import HEAD, QueueHead, head_of
from reviewqueue.review.claims.leases import ONE, OPEN

_task = table(Task).c

LANES_A_STATEMENT = 200
"""SQLite takes at most 500 parts in a compound SELECT."""


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


def best_lane(
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
            claimable(
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
_LANES_OF_IDS = _lanes_query(among(_queue.id, "ids"), _queue.archived_at.is_(None))
_decision, _skip = table(Decision).c, table(Skip).c


def claimable(queue_id: Any, lane: Any, person_id: Any, *columns: Any, apart: bool) -> Select[Any]:
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
