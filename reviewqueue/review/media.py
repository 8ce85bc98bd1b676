"""Queries: the media of an item, for whoever may see the item, or holds a task on it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core.access import Action, Actor
from reviewqueue.media import reading
from reviewqueue.models import Task
from reviewqueue.review import comments, workpiece
from reviewqueue.review.claims import leases


def of_item(*, session: Session, actor: Actor, item_id: str, place: int) -> Any:
    """The media of an item at `place`, also under a stand-in's id. Raises `NotFound`, `Forbidden`."""
    item_id, _ = comments.meant(session, actor, item_id)
    comments.places_of(session, actor, item_id, Action.READ_ITEMS, Action.COMMENT)
    return reading.at_place(session, item_id, place)


def of_claim(*, session: Session, actor: Actor, claim_id: str, place: int) -> Any:
    """As `of_item`, for whoever may see the claim. Raises `NotFound`, `Forbidden`."""
    task_id, fence = leases.parse_claim_id(claim_id)
    task: Any = session.execute(
        select(Task.queue_id, Task.item_id, Task.audience, Task.fence, Task.holder, Task.last_holder).where(
            Task.id == task_id
        )
    ).one_or_none()
    workpiece.require_shown(actor, task, fence)
    return reading.at_place(session, task.item_id, place)
