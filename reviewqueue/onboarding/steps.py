"""The first run: its steps, ticked by the state of the database, and what each of them does.

An administrator gets a queue of their own, sends it a trial item, decides it, adds somebody, and makes a token. The
steps are about the newest queue that they are a member of. Each operation does by others' operations what a page of
the administration does, in one transaction.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts import memberships, people
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock
from reviewqueue.errors import Conflict, Forbidden
from reviewqueue.media.uploads import Kept, upload
from reviewqueue.models import Decision, Item, Media, Membership, Person, Queue, Token
from reviewqueue.models.states import ActorKind, QueueRole
from reviewqueue.queues.applying import Applied, apply
from reviewqueue.queues.catalog import QueueHead, queue_by_id

STEPS = ("queue", "item", "decision", "people", "token")


@dataclass(frozen=True)
class Progress:
    """How far an administrator is."""

    queue: QueueHead | None
    """Their own."""
    done: frozenset[str]
    put_away: bool

    @property
    def next(self) -> str | None:
        """The step to do now; None when all are done."""
        return next((step for step in STEPS if step not in self.done), None)

    @property
    def is_over(self) -> bool:
        return self.put_away or self.next is None


def progress(*, session: Session, actor: Actor) -> Progress | None:
    """None for whoever does not set up the site."""
    if actor.kind is not ActorKind.PERSON or not may(actor, Action.CONFIGURE_QUEUES):
        return None
    away = session.scalar(select(Person.set_up_put_away_at).where(Person.id == actor.id)) is not None
    mine = [queue_id for queue_id in actor.memberships if may(actor, Action.REVIEW, queue_id)]
    queue_id = session.scalar(
        select(Queue.id).where(Queue.id.in_(mine), Queue.archived_at.is_(None)).order_by(Queue.id.desc()).limit(1)
    )
    if away or queue_id is None:
        return Progress(None, frozenset(), away)
    row = session.execute(select(*_questions(queue_id, actor.id))).one()
    done = {"queue", *(step for step in STEPS[1:] if getattr(row, step))}
    return Progress(queue_by_id(session, queue_id), frozenset(done), away)


def _questions(queue_id: str, person_id: str) -> list[Any]:
    item = exists().where(Item.queue_id == queue_id)
    decided = exists().where(Item.id == Decision.item_id, Item.queue_id == queue_id, Decision.withdrawn_at.is_(None))
    others = exists().where(Membership.queue_id == queue_id, Membership.person_id != person_id)
    token = exists().where(Token.person_id.is_(None), Token.revoked_at.is_(None))
    return [
        question.label(step) for step, question in zip(STEPS[1:], (item, decided, others, token), strict=True)
    ]  # fmt: skip


def create_queue(*, session: Session, actor: Actor, document: str, picture: Kept | None = None) -> Applied:
    """Make a new queue, and `actor` its lead, so that they can decide there; with a picture for the trial item.

    Raises `Conflict` (`queue_exists`) for a name that is taken, `Invalid` with pointers, `Forbidden`.
    """
    try:
        applied = apply(session=session, actor=actor, document=document, expected_version=0)
    except Conflict as error:
        if error.code != "version_conflict":
            raise
        raise Conflict("A queue of this name is there already. Choose another.", code="queue_exists") from None
    if actor.kind is ActorKind.PERSON:
        email = session.execute(select(Person.email).where(Person.id == actor.id)).scalar_one()
        memberships.add(session=session, actor=actor, slug=applied.slug, email=email, role=QueueRole.LEAD)
    if picture is not None:
        upload(session=session, actor=actor, slug=applied.slug, file=picture)
    return applied


def uploaded(session: Session, queue_id: str, data: bytes) -> str | None:
    """The id of this picture in the queue; None once it was forgotten, as what no item refers to is after a week."""
    # Index ix_media_sha256.
    query = select(Media.id).where(
        Media.sha256 == hashlib.sha256(data).hexdigest(), Media.queue_id == queue_id, Media.url.is_(None)
    )
    return session.scalars(query.order_by(Media.created_at).limit(1)).first()


def invite(
    *, session: Session, actor: Actor, slug: str, email: str, name: str, role: QueueRole
) -> people.Created | None:
    """Add somebody to the queue, with an account and its one-time password where they have none; None where they had.

    Raises `Invalid`, `Conflict` (`already_member`, `person_disabled`), `NotFound`, `Forbidden`.
    """
    created = None
    require(actor, Action.MANAGE_PEOPLE)
    try:
        created = people.create(session=session, actor=actor, email=email, name=name)
    except Conflict as error:
        if error.code != "email_taken":
            raise
    memberships.add(session=session, actor=actor, slug=slug, email=created.email if created else email, role=role)
    return created


def put_away(*, session: Session, actor: Actor) -> None:
    """No more of it for this administrator. Twice changes nothing. Raises `Forbidden`."""
    require(actor, Action.CONFIGURE_QUEUES)
    if actor.kind is not ActorKind.PERSON:
        raise Forbidden("Only people put the set-up away.")
    changed = session.execute(
        update(Person)
        .where(Person.id == actor.id, Person.set_up_put_away_at.is_(None))
        .values(set_up_put_away_at=clock())
        .returning(Person.id)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    if changed is not None:
        trail.record(session, actor, "set_up.put_away", subject=actor.id)
