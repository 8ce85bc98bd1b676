"""RQ entry points of intake."""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from reviewqueue.intake import imports
from reviewqueue.intake.similar import similar_key
from reviewqueue.models import Item


def find_similar(*, session: Session, refs: list[str]) -> None:
    """Give the items the key by which the desk counts others that say nearly the same. Safe to run twice."""
    for row in session.execute(select(Item.id, Item.input).where(Item.id.in_(refs), Item.similar_key.is_(None))).all():
        session.execute(update(Item).where(Item.id == row.id).values(similar_key=similar_key(row.input)))


def store_chunks(*, session: Session, refs: list[str]) -> None:
    """Store chunks of imports. Safe to run twice."""
    for chunk_id in refs:
        imports.store(session=session, chunk_id=chunk_id)
