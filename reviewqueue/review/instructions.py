"""Whether a person knows the instructions of a queue as they are now: shown once by themselves when they changed."""

from __future__ import annotations

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import clock, upsert
from reviewqueue.errors import Forbidden
from reviewqueue.models import InstructionsRead
from reviewqueue.models.states import ActorKind
from reviewqueue.queues.catalog import configuration, find_queue
from reviewqueue.queues.configuration import QueueConfig


def mark_of(config: QueueConfig) -> str:
    """The same for versions with the same instructions."""
    return hashlib.sha256(config.instructions.encode()).hexdigest()


def known_to(session: Session, actor: Actor, queue_id: str, config: QueueConfig) -> bool | None:
    """Whether `actor` knows these instructions; None where nothing is known of them and this queue. Whoever begins in a
    queue has them on its page, and is not interrupted."""
    known = session.execute(
        select(InstructionsRead.mark).where(
            InstructionsRead.person_id == actor.id, InstructionsRead.queue_id == queue_id
        )
    ).scalar_one_or_none()
    if known is None:
        return None
    return known == mark_of(config) or not config.instructions


def note_read(*, session: Session, actor: Actor, slug: str, version: int | None = None) -> None:
    """`actor` knows the instructions of that version, or the current one. Raises `NotFound`, `Forbidden`."""
    head = find_queue(session=session, actor=actor, slug=slug, action=Action.REVIEW)
    if actor.kind is not ActorKind.PERSON:
        raise Forbidden("Only people read instructions.")
    version = head.version if version is None else version
    mark = mark_of(configuration(session, head.id, version).config)
    written = session.execute(
        upsert(session, InstructionsRead)
        .values(person_id=actor.id, queue_id=head.id, mark=mark, read_at=clock())
        .on_conflict_do_update(
            index_elements=["person_id", "queue_id"], set_={"mark": mark, "read_at": clock()},
            where=InstructionsRead.mark != mark,
        )
        .returning(InstructionsRead.mark)
    ).one_or_none()  # fmt: skip
    if written is not None:
        trail.record(
            session, actor, "instructions.read", queue_id=head.id, subject=actor.id,
            facts={"version": version, "sha256": mark},
        )  # fmt: skip
