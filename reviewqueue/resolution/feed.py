"""The decision feed: a queue's resolutions, numbered in the order in which they were committed. Operations, queries.

A resolution gets its number after its commit, by the leading relay alone. So whoever has read up to a number has seen
all that is below it: what commits later, however early it began, is numbered later.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Integer, Select, bindparam, func, literal_column, select, text, update
from sqlalchemy.orm import Session

from reviewqueue.models import Item, Resolution
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState, ResolvedBy
from reviewqueue.queues import brakes
from reviewqueue.resolution import reading

BATCH = 2_000
_resolution, _item = table(Resolution).c, table(Item).c

# Index ix_resolution_unnumbered: its condition must stand here in the same words. What a hold keeps back gets its
# number when the hold is over, and so goes out then, by the feed and by webhooks, in order and whole.
_WAITS = (text("resolution.position IS NULL"), ~brakes.holding(_resolution.queue_id))
UNNUMBERED = select(_resolution.id).where(*_WAITS).limit(1)


def _number_statement() -> Any:
    some = (
        select(_resolution.id, _resolution.queue_id, _resolution.created_at)
        .where(*_WAITS)
        .order_by(_resolution.id)
        .limit(BATCH)
        .subquery("some")
    )
    before = table(Resolution).alias("before")
    # Index uq_resolution_queue_id_position gives the last number at once.
    last = select(func.max(before.c.position)).where(before.c.queue_id == some.c.queue_id).scalar_subquery()
    place = func.row_number().over(partition_by=some.c.queue_id, order_by=some.c.id)
    numbered = select(some.c.id, (func.coalesce(last, 0) + place).label("position")).subquery("numbered")
    return (
        update(table(Resolution))
        # The second condition is looked at again after waiting for another relay: what that one numbered stays.
        .where(_resolution.id == numbered.c.id, _resolution.position.is_(None))
        .values(position=numbered.c.position)
        .returning(literal_column("1"))
    )


_NUMBER = _number_statement()


def number(*, session: Session) -> int:
    """Number what was committed since; returns how many, at most 2,000. A duty of the leading relay.

    Of two relays that both believe to lead, the second leaves what the first numbered, or raises `IntegrityError` and
    changes nothing.
    """
    return len(session.execute(_NUMBER).all())


def event_of(by: str, revision: int) -> str:
    """What a resolution is called in the feed and in webhooks."""
    if revision > 1:
        return "item.revised"
    return _EVENTS[ResolvedBy(by)]


_EVENTS = {
    ResolvedBy.ROUTING: "item.auto_approved",
    ResolvedBy.PEOPLE: "item.resolved",
    ResolvedBy.DUPLICATE: "item.resolved",
    ResolvedBy.DEFAULT: "item.expired",
    ResolvedBy.CANCELLED: "item.cancelled",
}
_STATES = {
    ResolvedBy.ROUTING: ItemState.AUTO_APPROVED,
    ResolvedBy.PEOPLE: ItemState.RESOLVED,
    ResolvedBy.DUPLICATE: ItemState.RESOLVED,
    ResolvedBy.DEFAULT: ItemState.EXPIRED,
    ResolvedBy.CANCELLED: ItemState.CANCELLED,
}


def entries() -> Select[Any]:
    """Select resolutions with what `entry_json` shows."""
    return select(
        _resolution.id, _resolution.position, _resolution.item_id, _resolution.verdict, _resolution.output,
        _resolution.by, _resolution.revision, _resolution.reason, _resolution.message, _resolution.created_at,
        _item.external_id, _item.test, _item.model, _item.model_version, _item.metadata.label("metadata_json"),
    ).join_from(table(Resolution), table(Item), _item.id == _resolution.item_id)  # fmt: skip


# Index uq_resolution_queue_id_position.
_AFTER = (
    entries()
    .where(
        _resolution.queue_id == bindparam("queue_id"),
        _resolution.position > bindparam("position", type_=BigInteger),
    )
    .order_by(_resolution.position)
    .limit(bindparam("most", type_=Integer))
)


def after(session: Session, *, queue_id: str, position: int, limit: int) -> list[Any]:
    """The entries after that position, in order."""
    return list(session.execute(_AFTER, {"queue_id": queue_id, "position": position, "most": limit}).all())


_NAMES_AFTER = _AFTER.with_only_columns(
    _resolution.id, _resolution.position, _resolution.by, _resolution.revision, maintain_column_froms=True
)


def names_after(session: Session, *, queue_id: str, position: int, limit: int) -> list[Any]:
    """As `after`, but of each entry no more than `id`, `position`, `by` and `revision`: outputs may be large."""
    return list(session.execute(_NAMES_AFTER, {"queue_id": queue_id, "position": position, "most": limit}).all())


def entry_json(row: Any) -> dict[str, Any]:
    """An entry for `spliced`: the item as this resolution left it."""
    return {
        "position": row.position, "event": event_of(row.by, row.revision), "item": row.item_id,
        "external_id": row.external_id, "state": _STATES[ResolvedBy(row.by)], "test": row.test, "model": row.model,
        "model_version": row.model_version, "resolution": reading.as_json(row),
    }  # fmt: skip
