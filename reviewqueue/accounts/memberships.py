"""Operations on membership: who is what in which queue. And the queries that list it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.accounts import departures, people, sessions
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, no_queue, require
from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict, NotFound
from reviewqueue.models import Membership, Person, Queue
from reviewqueue.models.states import QueueRole

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class QueueName:
    id: str
    slug: str
    title: str


@dataclass(frozen=True)
class Member:
    """One role of one person in one queue; `id` is the membership's."""

    id: str
    role: QueueRole
    person_id: str
    name: str
    email: str
    disabled: bool
    created_at: datetime


@dataclass(frozen=True)
class Place:
    """A queue that a person is a member of."""

    queue: QueueName
    role: QueueRole


def find_queue(session: Session, actor: Actor, slug: str, action: Action) -> QueueName:
    """The queue called `slug`. Raises `NotFound`, or `Forbidden` for one whose members `actor` may not handle."""
    row = None
    if _SLUG.fullmatch(slug):
        row = session.execute(select(Queue.id, Queue.slug, Queue.title).where(Queue.slug == slug)).one_or_none()
    if row is None:
        raise no_queue()
    require(actor, action, row.id, by_name=True)
    return QueueName(*row)


def add(*, session: Session, actor: Actor, slug: str, email: str, role: QueueRole) -> str:
    """Give the person a role in the queue; returns the membership's id.

    Their sessions get new ids. Raises `NotFound` (queue or person), `Conflict` (`already_member`,
    `person_disabled`), `Forbidden`.
    """
    queue = find_queue(session, actor, slug, Action.MANAGE_MEMBERS)
    person = people.by_email(session, email)
    if person.disabled_at is not None:
        raise Conflict(f"{person.name} is disabled. Enable them first.", code="person_disabled")
    membership_id = new_id()
    try:
        with session.begin_nested():
            session.execute(
                insert(Membership).values(
                    id=membership_id, person_id=person.id, queue_id=queue.id, role=role, created_at=clock()
                )
            )
    except IntegrityError:
        raise Conflict(f"{person.name} is {role.value} of this queue already.", code="already_member") from None
    sessions.rotate_all(session, person.id)
    trail.record(session, actor, "membership.added", queue_id=queue.id, subject=person.id, facts={"role": role})
    return membership_id


def remove(*, session: Session, actor: Actor, slug: str, membership_id: str) -> None:
    """Take that role away; the person's sessions get new ids, and what they hold in the queue goes back.

    Raises `NotFound`, `Forbidden`.
    """
    queue = find_queue(session, actor, slug, Action.MANAGE_MEMBERS)
    row = session.execute(
        delete(Membership)
        .where(Membership.id == membership_id, Membership.queue_id == queue.id)
        .returning(Membership.person_id, Membership.role)
    ).one_or_none()
    if row is None:
        raise NotFound
    sessions.rotate_all(session, row.person_id)
    facts = {"role": row.role}
    trail.record(session, actor, "membership.removed", queue_id=queue.id, subject=row.person_id, facts=facts)
    if row.role is not QueueRole.ANALYST:
        departures.release_claims(session, actor, row.person_id, why="membership_removed", queue_id=queue.id)
        departures.clear_assignments(session, actor, row.person_id, why="membership_removed", queue_id=queue.id)


def find_id(session: Session, slug: str, email: str, role: QueueRole) -> str:
    """The id of that membership. Raises `NotFound`."""
    person = people.by_email(session, email)
    found = session.scalar(
        select(Membership.id)
        .join(Queue, Queue.id == Membership.queue_id)
        .where(Queue.slug == slug, Membership.person_id == person.id, Membership.role == role)
    )
    if found is None:
        raise NotFound(f"{person.name} is not {role.value} of the queue {slug}.")
    return found


def members(*, session: Session, actor: Actor, slug: str, text: str = "") -> list[Member]:
    """The queue's members, or those whose name or e-mail contains `text`, by name. Raises `NotFound`, `Forbidden`."""
    queue = find_queue(session, actor, slug, Action.READ_PEOPLE)
    rows = session.execute(
        select(
            Membership.id,
            Membership.role,
            Person.id,
            Person.name,
            Person.email,
            Person.disabled_at.is_not(None),
            Membership.created_at,
        )
        .join(Person, Person.id == Membership.person_id)
        .where(Membership.queue_id == queue.id)
        .order_by(func.lower(Person.name), Person.id, Membership.role)
    )
    words = text.casefold().strip()
    return [member for member in (Member(*row) for row in rows) if words in f"{member.name}\n{member.email}".casefold()]


def places(session: Session, person_id: str) -> list[Place]:
    """What the person is, queue by queue."""
    rows = session.execute(
        select(Queue.id, Queue.slug, Queue.title, Membership.role)
        .join(Membership, Membership.queue_id == Queue.id)
        .where(Membership.person_id == person_id)
        .order_by(Queue.title, Membership.role)
    )
    return [Place(QueueName(row.id, row.slug, row.title), row.role) for row in rows]


def queues_of(session: Session) -> list[QueueName]:
    """All queues that are not archived, by title: what a form offers."""
    rows = session.execute(
        select(Queue.id, Queue.slug, Queue.title).where(Queue.archived_at.is_(None)).order_by(Queue.title, Queue.id)
    )
    return [QueueName(*row) for row in rows]


def people_with(session: Session, queue_id: str, *roles: QueueRole) -> set[str]:
    """Those who have one of the roles in the queue and an account that is not disabled. Asks no permission."""
    found = (
        select(Membership.person_id)
        .join(Person, Person.id == Membership.person_id)
        .where(Membership.queue_id == queue_id, Membership.role.in_(roles), Person.disabled_at.is_(None))
    )
    return set(session.scalars(found))
