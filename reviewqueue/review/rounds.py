"""The tasks of one round of an item: who may take those that others have not decided, and opening another.

Whoever has decided one of them, or skipped it, takes none of the others. Precondition of all that writes here: the
item's row is locked (PostgreSQL), so that two who act on one item follow each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.ids import new_id
from reviewqueue.models import Decision, Item, Task
from reviewqueue.models.base import table
from reviewqueue.models.lanes import restrictions
from reviewqueue.models.states import UNFINISHED, Audience, QueueRole, TaskKind, TaskState
from reviewqueue.queues.catalog import configuration, queue_by_id

PUT_OFF_SECONDS = 600.0
_task = table(Task).c


def lock_item_of(session: Session, task_id: str) -> None:
    """Lock the item of a task, before any of its tasks."""
    if on_postgresql(session):
        item = select(Item.id).join(Task, Task.item_id == Item.id).where(Task.id == task_id)
        session.execute(item.with_for_update(of=Item))


def deciders(session: Session, item_id: str) -> set[str]:
    """Whose decision stands in the item's present round."""
    return set(
        session.scalars(
            select(Decision.person_id)
            .join(Item, (Item.id == Decision.item_id) & (Item.round == Decision.round))
            .where(Decision.item_id == item_id, Decision.withdrawn_at.is_(None), ~Decision.late)
        )
    )


def judges(session: Session, item_id: str, kind: TaskKind) -> set[str]:
    """Who may have no task of that kind on the item, whoever else skips it: whose decision stands in the present round;
    of an appeal, whoever has ever judged it."""
    if kind is not TaskKind.APPEAL:
        return deciders(session, item_id)
    return set(session.scalars(select(Decision.person_id).where(Decision.item_id == item_id)))


def has_open(session: Session, item_id: str) -> bool:
    """Whether a task of the item waits or is held."""
    found = (
        select(Task.id).where(Task.item_id == item_id, Task.state.in_(UNFINISHED), Task.kind != TaskKind.GOLD).limit(1)
    )
    return session.execute(found).first() is not None


def exclude(session: Session, *, item_id: str, task_id: str, person_id: str) -> None:
    """The person takes no other task of the item: they decided `task_id`, or handed it on, or keep it for later."""
    for task in _others(session, item_id, task_id):
        _rewrite(session, task, {*json.loads(task.excluded), person_id})


def readmit(session: Session, *, item_id: str, task_id: str, person_id: str) -> None:
    """The person has taken their decision back."""
    for task in _others(session, item_id, task_id):
        _rewrite(session, task, set(json.loads(task.excluded)) - {person_id})


def _others(session: Session, item_id: str, task_id: str) -> list[Any]:
    query = (
        select(_task.id, _task.item_id, _task.queue_id, _task.kind, _task.audience, _task.assignee, _task.excluded)
        .where(_task.item_id == item_id, _task.id != task_id, _task.state.in_(UNFINISHED), _task.kind != TaskKind.GOLD)
        .order_by(_task.id)
    )
    return list(session.execute(query.with_for_update() if on_postgresql(session) else query).all())


def _rewrite(session: Session, task: Any, excluded: set[str]) -> None:
    """Exclude these people. Where nobody would be left, those come back, after a while, who have skipped it only."""
    audience = task.audience
    values: dict[str, Any] = {}
    if audience is Audience.LEAD and not people_with(session, task.queue_id, QueueRole.LEAD) - excluded:
        audience, values = Audience.REVIEWER, {"escalates_at": None}
    if audience is Audience.REVIEWER and not reviewers(session, task.queue_id) - excluded:
        decided = judges(session, task.item_id, task.kind)
        if excluded - decided:
            excluded, values = excluded & decided, {**values, "available_at": clock(PUT_OFF_SECONDS)}
    assignee = task.assignee
    if assignee in excluded:
        # It was given to them, or put off by them, and they have judged the item by another of its tasks.
        assignee, values = None, {"available_at": clock(), **values}
    now = restrictions(audience=audience, assignee=assignee, excluded=excluded)
    session.execute(update(table(Task)).where(_task.id == task.id).values(**now, **values))


def reviewers(session: Session, queue_id: str) -> set[str]:
    """Who may be given a task of the queue."""
    return people_with(session, queue_id, QueueRole.REVIEWER, QueueRole.LEAD)


def open_another(session: Session, actor: Actor, item: Any, *, kind: TaskKind, by_leads: bool) -> None:
    """One task more in the item's round, for somebody who has not decided in it: a lead where that is asked for and
    there is one. `item` has the columns id, queue_id, config_version, round, priority, due_at."""
    excluded = sorted(deciders(session, item.id))
    leads = by_leads and people_with(session, item.queue_id, QueueRole.LEAD) - set(excluded)
    open_one(
        session, actor, SimpleNamespace(item_id=item.id, **{name: getattr(item, name) for name in _KEPT}), kind=kind,
        audience=Audience.LEAD if leads else Audience.REVIEWER, excluded=excluded, priority=item.priority,
        due=item.due_at,
    )  # fmt: skip


_KEPT = ("queue_id", "config_version", "round")


def open_one(
    session: Session, actor: Actor, near: Any, *, kind: TaskKind, excluded: list[str],
    audience: Audience = Audience.REVIEWER, **values: Any,
) -> None:  # fmt: skip
    """A task beside `near`, which has the columns item_id, queue_id, config_version, round. `values`: priority, due."""
    task_id = insert_task(
        session, item_id=near.item_id, **{name: getattr(near, name) for name in _KEPT}, kind=kind, audience=audience,
        excluded=excluded,
        escalates_at=beyond_the_leads(session, near.queue_id) if audience is Audience.LEAD else None, **values,
    )  # fmt: skip
    trail.record(
        session, actor, "task.opened", queue_id=near.queue_id, item_id=near.item_id, subject=task_id,
        facts={"kind": kind, "audience": audience},
    )  # fmt: skip


def beyond_the_leads(session: Session, queue_id: str) -> Any:
    """When a task that comes to the leads now goes on from them; NULL where the queue says nothing of it."""
    head = queue_by_id(session, queue_id)
    chain = configuration(session, head.id, head.version).config.escalation
    return None if chain is None else clock(chain.after_minutes * 60.0)


def insert_task(session: Session, *, audience: Audience, excluded: Iterable[str], **values: Any) -> str:
    """An open task, available now; returns its id. `values` are the other columns that it must have."""
    task_id = new_id()
    session.execute(
        insert(table(Task)).values(
            id=task_id, state=TaskState.OPEN, available_at=clock(), created_at=clock(), fence=0,
            **restrictions(audience=audience, excluded=excluded), **values,
        )
    )  # fmt: skip
    return task_id
