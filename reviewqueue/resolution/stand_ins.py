"""Queries about stand-ins: the ids under which the items of checks are shown until these are decided."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor, require
from reviewqueue.errors import NotFound
from reviewqueue.models import Task


def check_behind(session: Session, item_id: str) -> Any:
    """The check whose item is shown as `item_id`: its id, item_id and queue_id; None where none is."""
    # Index ix_task_stand_in.
    return session.execute(
        select(Task.id, Task.item_id, Task.queue_id, Task.assignee, Task.state).where(Task.stand_in == item_id)
    ).one_or_none()


def no_item(session: Session, actor: Actor, action: Action, item_id: str) -> NotFound:
    """What to raise where no item has that id. Raises `Forbidden` itself where it stands for one that the actor may not
    do this with: it must not look different from any other."""
    check = check_behind(session, item_id)
    if check is not None:
        require(actor, action, check.queue_id)
    return NotFound()
