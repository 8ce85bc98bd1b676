"""Operations on opt-outs: people who are not to be learned from, by the name that items give them in `subject`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock
from reviewqueue.core.moments import iso
from reviewqueue.models import Item, OptOut
from reviewqueue.models.base import table

_opt_out, _item = table(OptOut).c, table(Item).c


def learnable(as_of: datetime | None = None) -> ColumnElement[bool]:
    """SQL, of an item: that it is about nobody who has opted out, or had at `as_of`."""
    theirs = exists().where(_opt_out.subject == _item.subject)
    if as_of is not None:
        theirs = theirs.where(_opt_out.recorded_at <= as_of)
    return or_(_item.subject.is_(None), ~theirs)


def record(*, session: Session, actor: Actor, subject: str) -> OptOut:
    """Learn nothing from items about `subject` from now on; twice changes nothing. Raises `Forbidden`."""
    require(actor, Action.RECORD_OPT_OUTS)
    found = session.get(OptOut, subject)
    if found is not None:
        return found
    try:
        with session.begin_nested():
            session.execute(insert(OptOut).values(subject=subject, recorded_by=actor.label, recorded_at=clock()))
    except IntegrityError:
        pass  # Another request was quicker.
    else:
        trail.record(session, actor, "opt_out.recorded", content={"subject": subject})
    return session.scalars(select(OptOut).where(OptOut.subject == subject)).one()


def end(*, session: Session, actor: Actor, subject: str) -> bool:
    """Learn from them again; False when they had not opted out. Raises `Forbidden`."""
    require(actor, Action.RECORD_OPT_OUTS)
    gone = session.execute(delete(OptOut).where(OptOut.subject == subject).returning(OptOut.subject)).first()
    if gone is None:
        return False
    trail.record(session, actor, "opt_out.ended", content={"subject": subject})
    return True


def page(*, session: Session, actor: Actor, beyond: str | None, limit: int) -> list[OptOut]:
    """Opt-outs after that subject, in the order of their subjects. Raises `Forbidden`."""
    require(actor, Action.RECORD_OPT_OUTS)
    query = select(OptOut).order_by(OptOut.subject).limit(limit)
    return list(session.scalars(query if beyond is None else query.where(OptOut.subject > beyond)))


def as_json(found: OptOut) -> dict[str, Any]:
    """An opt-out as programs read it."""
    return {"subject": found.subject, "recorded_at": iso(found.recorded_at)}
