"""Operations that stop or hold a queue, or hold the whole site, and let go; and who asks whether one is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.accounts.memberships import people_with
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.core.moments import iso
from reviewqueue.errors import Conflict, Fault, Invalid
from reviewqueue.models import Brake, Membership, Person, Queue
from reviewqueue.models.base import table
from reviewqueue.models.states import BrakeKind, NoticeKind, QueueRole
from reviewqueue.notices import inbox

LONGEST_WHY = 500
_brake = table(Brake).c
_PULLED = (
    select(*_brake, table(Queue).c.slug, table(Queue).c.title)
    .outerjoin_from(table(Brake), table(Queue), and_(table(Queue).c.id == _brake.queue_id))
    .order_by(_brake.queue_id.is_not(None), _brake.pulled_at)
)


def pull(*, session: Session, actor: Actor, kind: BrakeKind, queue_id: str | None, why: str) -> Brake:
    """Stop or hold the queue, or hold everything; one that is pulled already stays as it is. Returns it.

    From the commit on nothing passes. Raises `Invalid` without a reason, `Forbidden`, `NotFound`.
    """
    require(actor, Action.PULL_BRAKES, queue_id)
    why = " ".join(why.split())
    if not why or len(why) > LONGEST_WHY:
        raise Invalid(
            "Say why: everybody who works here reads it.", [Fault("/why", f"must be 1 to {LONGEST_WHY} characters")]
        )
    found = _pulled(session, kind, queue_id)
    if found is not None:
        return found
    try:
        with session.begin_nested():
            session.execute(
                insert(Brake).values(
                    id=new_id(), kind=kind, queue_id=queue_id, why=why, pulled_by=actor.label,
                    pulled_by_name=actor.name, pulled_at=clock(),
                )
            )  # fmt: skip
    except IntegrityError:
        pass  # Another was quicker; theirs stands.
    else:
        trail.record(session, actor, f"{_what(queue_id)}.{_PAST[kind]}", queue_id=queue_id, content={"why": why})
        inbox.tell_of_queue(session, actor, _leads(session, queue_id), _TOLD[kind], queue_id=queue_id, words=why)
    pulled = _pulled(session, kind, queue_id)
    if pulled is None:
        raise Conflict("Somebody let go at this very moment. Try again.")
    return pulled


def release(*, session: Session, actor: Actor, kind: BrakeKind, queue_id: str | None) -> bool:
    """Let go, so that the rules decide again and answers go out; False when it was not pulled. Raises `Forbidden`."""
    require(actor, Action.PULL_BRAKES, queue_id)
    gone = session.execute(delete(Brake).where(*_is(kind, queue_id)).returning(Brake.id)).first()
    if gone is None:
        return False
    trail.record(session, actor, f"{_what(queue_id)}.{_UNDONE[kind]}", queue_id=queue_id)
    return True


_TOLD = {BrakeKind.STOP: NoticeKind.STOPPED, BrakeKind.HOLD: NoticeKind.HELD}


def _leads(session: Session, queue_id: str | None) -> set[str]:
    if queue_id is not None:
        return people_with(session, queue_id, QueueRole.LEAD)
    everywhere = select(Membership.person_id).join(Person, Person.id == Membership.person_id)
    return set(
        session.scalars(everywhere.where(Membership.role == QueueRole.LEAD, Person.disabled_at.is_(None)).distinct())
    )


_PAST = {BrakeKind.STOP: "stopped", BrakeKind.HOLD: "held"}
_UNDONE = {BrakeKind.STOP: "resumed", BrakeKind.HOLD: "released"}


def _what(queue_id: str | None) -> str:
    return "site" if queue_id is None else "queue"


def _is(kind: BrakeKind, queue_id: str | None) -> tuple[ColumnElement[bool], ...]:
    return Brake.kind == kind, Brake.queue_id.is_(None) if queue_id is None else Brake.queue_id == queue_id


def _pulled(session: Session, kind: BrakeKind, queue_id: str | None) -> Brake | None:
    return session.execute(select(Brake).where(*_is(kind, queue_id))).scalar_one_or_none()


# -- queries ----------------------------------------------------------------------------------------------------------


def stopping(queue_id: ColumnElement[str]) -> ColumnElement[bool]:
    """SQL: whether anything keeps the queue from passing items."""
    return exists().where(or_(_brake.queue_id == queue_id, _brake.queue_id.is_(None)))


def stopped(queue_id: ColumnElement[str]) -> ColumnElement[bool]:
    """SQL: whether the queue's own stop is pulled."""
    return exists().where(_brake.queue_id == queue_id, _brake.kind == BrakeKind.STOP)


def holding(queue_id: ColumnElement[str]) -> ColumnElement[bool]:
    """SQL: whether the answers of the queue are kept back."""
    # Two sub-queries that do not depend on the row: they are asked once a statement, not once a row.
    everything = exists().where(_brake.kind == BrakeKind.HOLD, _brake.queue_id.is_(None))
    held = select(_brake.queue_id).where(_brake.kind == BrakeKind.HOLD, _brake.queue_id.is_not(None))
    return or_(everything, queue_id.in_(held))


def of_queue(session: Session, queue_id: str | None) -> dict[BrakeKind, Brake]:
    """The queue's own brakes that are pulled, or the site's."""
    own = Brake.queue_id.is_(None) if queue_id is None else Brake.queue_id == queue_id
    return {brake.kind: brake for brake in session.scalars(select(Brake).where(own))}


def seen_by(session: Session, actor: Actor) -> list[Any]:
    """All that are pulled where the actor may see it, the site's first: columns of `Brake`, `slug` and `title`."""
    return [
        row for row in session.execute(_PULLED) if row.queue_id is None or may(actor, Action.SEE_QUEUE, row.queue_id)
    ]


def as_json(brake: Any) -> dict[str, Any]:
    """A brake as programs read it."""
    return {"kind": brake.kind, "why": brake.why, "by": brake.pulled_by_name, "since": iso(brake.pulled_at)}
