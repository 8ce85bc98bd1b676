"""Resolutions as programs read them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, not_, or_, select
from sqlalchemy.orm import Session

from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import Raw
from reviewqueue.models import Item, Resolution
from reviewqueue.models.base import table
from reviewqueue.models.states import ENDED, ItemState, ResolvedBy
from reviewqueue.queues import brakes

_resolution, _item = table(Resolution).c, table(Item).c
_KNOWN_AT_ONCE = (ResolvedBy.ROUTING, ResolvedBy.CANCELLED)
"""What the program was told, or did, in the same request."""

WITHHELD = and_(
    _resolution.position.is_(None), _resolution.by.not_in(_KNOWN_AT_ONCE), brakes.holding(_resolution.queue_id)
)
"""SQL, of a resolution: that it came while its queue is held. It gets its place in the feed when that is over."""


def kept_back() -> ColumnElement[bool]:
    """SQL, of an item: that its newest resolution is withheld."""
    return exists().where(_resolution.item_id == _item.id, _resolution.revision == _item.revision, WITHHELD)


def told_as(session: Session, state: ItemState) -> ColumnElement[bool]:
    """SQL, of an item: that this is its state, as programs are told it: `in_review` while all its answers are
    withheld."""
    # Index ix_resolution_unnumbered. Where nothing is withheld, the index of states serves.
    if not session.scalar(select(exists().where(WITHHELD))):
        return _item.state == state
    told = exists().where(_resolution.item_id == _item.id, not_(WITHHELD))
    secret = and_(_item.revision > 0, ~told)
    return or_(_item.state == state, secret) if state is ItemState.IN_REVIEW else and_(_item.state == state, ~secret)


def answered() -> ColumnElement[bool]:
    """SQL, of an item: that it has ended, and its answer may be told."""
    return and_(_item.state.in_(ENDED), ~kept_back())


def as_json(row: Any) -> dict[str, Any]:
    """`{verdict, output, by, revision, reason, message, resolved_at}` for `spliced`; `row` has the columns."""
    return {
        "verdict": row.verdict,
        "output": Raw(row.output),
        "by": row.by,
        "revision": row.revision,
        "reason": row.reason,
        "message": row.message,
        "resolved_at": iso(row.created_at),
    }


def in_force(session: Session, item_id: str) -> dict[str, Any] | None:
    """The item's resolution, the latest revision; None while there is none."""
    return _latest(session, item_id, _resolution.revision == _item.revision)


def told(session: Session, item_id: str) -> dict[str, Any] | None:
    """As `in_force`, for programs: the latest that is not kept back by a hold."""
    return _latest(session, item_id, _resolution.revision <= _item.revision, ~WITHHELD)


def _latest(session: Session, item_id: str, *conditions: ColumnElement[bool]) -> dict[str, Any] | None:
    # Index uq_resolution_item_id_revision.
    row = session.execute(
        select(table(Resolution))
        .join_from(table(Resolution), table(Item), _item.id == _resolution.item_id)
        .where(_item.id == item_id, *conditions)
        .order_by(_resolution.revision.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else as_json(row)
