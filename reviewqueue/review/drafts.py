"""Drafts: what a reviewer has typed and not decided. They outlive the lease, so nothing typed is ever lost."""

from __future__ import annotations

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock, upsert
from reviewqueue.errors import NotFound
from reviewqueue.models import Draft, Task
from reviewqueue.models.base import table


def save(*, session: Session, actor: Actor, task_id: str, body: str) -> None:
    """Keep `body`, the JSON text of an object, also without a live claim. Raises `NotFound` for a task that the actor
    may not know of."""
    queue_id = session.execute(select(Task.queue_id).where(Task.id == task_id)).scalar_one_or_none()
    if queue_id is None:
        raise NotFound
    require(actor, Action.REVIEW, queue_id)
    keep(session, task_id=task_id, person_id=actor.id, body=body)


def keep(session: Session, *, task_id: str, person_id: str, body: str) -> None:
    """Insert or replace the draft. For operations that have asked for permission."""
    session.execute(
        upsert(session, Draft)
        .values(task_id=task_id, person_id=person_id, body=body, updated_at=clock())
        .on_conflict_do_update(index_elements=["task_id", "person_id"], set_={"body": body, "updated_at": clock()})
    )


def read(session: Session, task_id: str, person_id: str) -> str | None:
    """The person's draft of the task, JSON text; None without one."""
    body: str | None = session.execute(
        select(Draft.body).where(Draft.task_id == task_id, Draft.person_id == person_id)
    ).scalar_one_or_none()
    return body


_DROP = delete(table(Draft)).where(
    table(Draft).c.task_id == bindparam("task_id"), table(Draft).c.person_id == bindparam("person_id")
)


def drop(session: Session, *, task_id: str, person_id: str) -> None:
    """Forget the draft: it has become a decision."""
    session.execute(_DROP, {"task_id": task_id, "person_id": person_id})
