"""Saved views: the filters of a queue's items under a name, one's own or shared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict, Fault, Invalid, NotFound
from reviewqueue.models import Person, SavedView
from reviewqueue.queues.catalog import find_queue
from reviewqueue.review.finding import Filters

MOST = 50
"""A person's views of a queue."""
PAGE = 60
"""Views shown at once: all of one's own, and some that others share."""
LONGEST_NAME = 80


def save(*, session: Session, actor: Actor, slug: str, name: str, filters: Filters, shared: bool) -> str:
    """Keep the filters under that name, for oneself or for all who may read the queue's items; returns its id.

    Raises `NotFound`, `Forbidden` (to share, one leads the queue), `Invalid` without a name or filters, and `Conflict`
    where one has a view of that name, or too many.
    """
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_ITEMS)
    if shared:
        require(actor, Action.ASSIGN_TASKS, head.id)
    if not name.strip() or len(name) > LONGEST_NAME:
        fault = Fault("/name", f"must have 1 to {LONGEST_NAME} characters")
        raise Invalid(f"Give the view a name of up to {LONGEST_NAME} characters.", [fault])
    if not filters.query:
        raise Invalid("Set a filter first: a view without one is the whole list.", [Fault("/", "has no filter")])
    mine = select(SavedView.id).where(SavedView.queue_id == head.id, SavedView.person_id == actor.id)
    if len(session.scalars(mine).all()) >= MOST:
        raise Conflict(f"You have {MOST} views of this queue. Remove one first.", code="too_many_views")
    view_id = new_id()
    try:
        with session.begin_nested():
            session.execute(
                insert(SavedView).values(
                    id=view_id, queue_id=head.id, person_id=actor.id, name=name.strip(),
                    query=filters.address, shared=shared, created_at=clock(),
                )
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("You have a view of that name already.", code="view_exists") from None
    trail.record(
        session, actor, "view.saved", queue_id=head.id, subject=view_id, facts={"shared": shared},
        content={"name": name.strip()},
    )  # fmt: skip
    return view_id


def remove(*, session: Session, actor: Actor, slug: str, view_id: str) -> None:
    """Raises `NotFound` for a view that one does not see, and `Forbidden` for somebody else's, unless one leads."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.READ_ITEMS)
    owner = session.execute(
        select(SavedView.person_id).where(SavedView.id == view_id, *_seen_by(actor, head.id))
    ).scalar_one_or_none()
    if owner is None:
        raise NotFound
    if owner != actor.id:
        require(actor, Action.ASSIGN_TASKS, head.id)
    session.execute(delete(SavedView).where(SavedView.id == view_id))
    trail.record(session, actor, "view.removed", queue_id=head.id, subject=view_id)


@dataclass(frozen=True)
class Views:
    """A page of a queue's views: id, name, query, shared, owner, `mine`, `removable`."""

    rows: list[Any]
    page: int
    more: bool


def views_of(*, session: Session, actor: Actor, queue_id: str, page: int = 1) -> Views:
    """One's own, then those that others share, by name. Asks no permission."""
    mine = SavedView.person_id == actor.id
    leads = may(actor, Action.ASSIGN_TASKS, queue_id)
    rows = list(
        session.execute(
            select(
                SavedView.id, SavedView.name, SavedView.query, SavedView.shared, Person.name.label("owner"),
                (mine if not leads else SavedView.queue_id == queue_id).label("removable"), mine.label("mine"),
            )
            .join(Person, Person.id == SavedView.person_id)
            .where(*_seen_by(actor, queue_id))
            .order_by(mine.desc(), SavedView.name, SavedView.id)
            .offset((page - 1) * PAGE)
            .limit(PAGE + 1)
        )
    )  # fmt: skip
    return Views(rows[:PAGE], page, len(rows) > PAGE)


def _seen_by(actor: Actor, queue_id: str) -> tuple[Any, ...]:
    return SavedView.queue_id == queue_id, or_(SavedView.person_id == actor.id, SavedView.shared)
