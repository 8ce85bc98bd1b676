"""Queries about one's own work: how much was decided, what was handed on, and why others still wait."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, may
from reviewqueue.core.db import clock
from reviewqueue.core.ids import first_id_at
from reviewqueue.models import AuditEvent, Decision, Item, Queue, Skip, Task
from reviewqueue.models.lanes import may_take
from reviewqueue.models.states import Audience, TaskKind, TaskState, Verdict
from reviewqueue.queues import reveals
from reviewqueue.queues.catalog import configuration
from reviewqueue.review import telling
from reviewqueue.review.board import IN_HAND, SKEW_SECONDS
from reviewqueue.review.claims import leases
from reviewqueue.review.handing import put_off_by

MOST_LISTED = 100
"""Tasks of each kind, the newest."""
MOST_COUNTED = 1000


class Way(StrEnum):
    SKIPPED = "skipped"
    ESCALATED = "escalated"
    SENT = "sent"
    PUT_OFF = "put_off"


@dataclass(frozen=True)
class Handed:
    """A task that somebody did not decide, but handed on."""

    way: Way
    at: datetime
    task_id: str
    item_id: str
    """Under which they know the item."""
    external_id: str | None
    line: str
    """What it says."""
    slug: str
    title: str
    """Of the queue where the task is now."""
    until: datetime | None
    """When it comes back, if it was put off."""
    waits: bool
    """Nobody has decided it yet."""


@dataclass(frozen=True)
class Made:
    """How many decisions somebody has made, in the words of the desk."""

    approved: int = 0
    corrected: int = 0
    rejected: int = 0

    @property
    def total(self) -> int:
        return self.approved + self.corrected + self.rejected


@dataclass(frozen=True)
class Others:
    """Tasks of a queue that somebody is not given, and why; each counted up to `MOST_COUNTED` in all."""

    held: int = 0
    """In the hands of others."""
    judged: int = 0
    """They have judged or skipped the item already: somebody else is to do this."""
    leads: int = 0
    given: int = 0
    """For somebody else alone."""
    later: int = 0
    """Put off."""

    @property
    def total(self) -> int:
        return self.held + self.judged + self.leads + self.given + self.later


@dataclass(frozen=True)
class Ended:
    """For whom nothing waits in a queue any more: what they did there, and what waits for others."""

    made: Made
    handed: dict[Way, int]
    later: list[Handed]
    """Put off, whenever that was."""
    others: Others


def ended(*, session: Session, actor: Actor, queue_id: str, slug: str, since: datetime) -> Ended:
    """Asks no permission."""
    here = [each for each in handed_on(session=session, actor=actor) if each.slug == slug or each.way is Way.SENT]
    return Ended(
        made(session=session, actor=actor, since=since, queue_id=queue_id),
        dict(Counter(each.way for each in here if each.at >= since)),
        [each for each in here if each.way is Way.PUT_OFF],
        others(session=session, actor=actor, queue_id=queue_id),
    )


def made(*, session: Session, actor: Actor, since: datetime, queue_id: str | None = None) -> Made:
    """The decisions of `actor` that stand, made since then, in one queue or in all."""
    # Index ix_decision_person_id_id: ids sort by time.
    rows = session.execute(
        select(Decision.verdict, func.count())
        .join(Task, Task.id == Decision.task_id)
        .where(
            Decision.person_id == actor.id, Decision.id >= first_id_at(since.timestamp() - SKEW_SECONDS),
            Decision.decided_at >= since, Decision.withdrawn_at.is_(None), ~Decision.late,
            *([] if queue_id is None else [Task.queue_id == queue_id]),
        )
        .group_by(Decision.verdict)
    )  # fmt: skip
    counts = Counter({row[0]: row[1] for row in rows})
    return Made(counts[Verdict.APPROVE], counts[Verdict.EDIT] + counts[Verdict.OVERRIDE], counts[Verdict.REJECT])


def handed_on(*, session: Session, actor: Actor) -> list[Handed]:
    """What `actor` has skipped, escalated, sent to another queue or put off, the latest first.

    A check that was handed on looks as if it were a review that still waits.
    """
    skipped = select(Skip.task_id).where(Skip.person_id == actor.id).order_by(Skip.created_at.desc())
    # Index ix_task_escalated_by; an appeal was not handed on, but asked for.
    passed = select(Task.id).where(Task.escalated_by == actor.id, Task.kind != TaskKind.APPEAL).order_by(Task.id.desc())
    off = select(Task.id).where(*put_off_by(actor)).order_by(Task.available_at)
    found: dict[str, Way | None] = {}
    for query, way in ((passed, None), (off, Way.PUT_OFF), (skipped, Way.SKIPPED)):
        for task_id in session.scalars(query.limit(MOST_LISTED)):
            found.setdefault(task_id, way)
    rows = session.execute(_tasks(list(found))).all()
    done = _done_at(session, actor, rows)
    told = [_handed(session, row, found[row.id], *done[row.id]) for row in rows if row.id in done]
    return sorted(told, key=lambda each: each.at, reverse=True)


def _tasks(task_ids: list[str]) -> Any:
    short = func.length(Item.input) <= telling.MOST_READ
    return (
        select(
            Task.id, Task.kind, Task.state, Task.queue_id, Task.config_version, Task.available_at,
            Task.item_id.label("real_id"), Item.queue_id.label("home_id"),
            reveals.home_version(Item.queue_id).label("home_version"),
            func.coalesce(Task.stand_in, Task.item_id).label("item_id"), Item.external_id,
            case((short, Item.input)).label("input"), Queue.slug, Queue.title,
        )
        .join(Item, Item.id == Task.item_id)
        .join(Queue, Queue.id == Task.queue_id)
        .where(Task.id.in_(task_ids))
    )  # fmt: skip


_WAYS = {
    "task.skipped": Way.SKIPPED, "task.escalated": Way.ESCALATED, "task.sent": Way.SENT, "task.put_off": Way.PUT_OFF,
}  # fmt: skip


def _done_at(session: Session, actor: Actor, tasks: Any) -> dict[str, tuple[Way, datetime]]:
    """What they did with each at last, and when."""
    # Index ix_audit_event_item_id_id.
    rows = session.execute(
        select(AuditEvent.subject, AuditEvent.action, AuditEvent.at)
        .where(
            AuditEvent.item_id.in_([task.real_id for task in tasks]), AuditEvent.action.in_(_WAYS),
            AuditEvent.subject.in_([task.id for task in tasks]), AuditEvent.actor == actor.id,
        )
        .order_by(AuditEvent.id)
    )  # fmt: skip
    return {str(row.subject): (_WAYS[row.action], row.at) for row in rows}


def _handed(session: Session, row: Any, known: Way | None, way: Way, at: datetime) -> Handed:
    config = configuration(session, row.queue_id, row.config_version).config
    way = known or way
    hidden = reveals.sensitive_of(session, row.home_id, row.home_version).parts
    return Handed(
        way=way, at=at, task_id=row.id, item_id=row.item_id, external_id=row.external_id,
        line=telling.line_of(config, row.input, hidden), slug=row.slug, title=row.title,
        until=row.available_at if way is Way.PUT_OFF else None,
        waits=row.kind is TaskKind.GOLD or row.state in (TaskState.OPEN, TaskState.CLAIMED),
    )  # fmt: skip


def others(*, session: Session, actor: Actor, queue_id: str) -> Others:
    """Why what is unfinished in the queue does not wait for `actor`. Asks no permission."""
    is_lead = may(actor, Action.TAKE_ESCALATIONS, queue_id)
    later: ColumnElement[bool] = Task.available_at > clock()
    # Index ix_task_open.
    waiting = session.execute(
        select(Task.lane, Task.audience, Task.assignee, later.label("later"))
        .where(Task.queue_id == queue_id, leases.OPEN, Task.kind != TaskKind.GOLD)
        .limit(MOST_COUNTED)
    ).all()
    counts = Counter(_why_not(actor, row, is_lead=is_lead) for row in waiting)
    # Index ix_task_lease_until.
    held = select(func.count()).where(*IN_HAND, Task.queue_id == queue_id, Task.holder != actor.id)
    return Others(
        held=session.execute(held.select_from(Task)).scalar_one(), judged=counts["judged"], leads=counts["leads"],
        given=counts["given"], later=counts["later"],
    )  # fmt: skip


def _why_not(actor: Actor, row: Any, *, is_lead: bool) -> str:
    if row.later:
        return "later"
    if may_take(row.lane, person_id=actor.id, is_lead=is_lead):
        return "theirs"
    if row.audience is Audience.LEAD and not is_lead:
        return "leads"
    return "given" if row.assignee and row.assignee != actor.id else "judged"
