"""Operations before it is confirmed: look at what would be hit, keep exactly that, and forget it after a day."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from sqlalchemy import delete, insert, select, text
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Actor, require
from reviewqueue.core.bulk import insert_rows
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.strictjson import dumps
from reviewqueue.errors import Fault, Invalid
from reviewqueue.models import Bulk, BulkItem, Item
from reviewqueue.models.base import table
from reviewqueue.models.states import BulkAction, BulkOutcome, BulkState
from reviewqueue.queues.catalog import QueueHead, find_queue
from reviewqueue.review import assigning, finding, golden
from reviewqueue.review.bulk.actions import NEEDS, Wanted, why_not

_bulk = table(Bulk).c
_row = table(BulkItem).c
MOST = 10_000
"""Items of one action."""
CHUNK = 500
FORGOTTEN_SECONDS = 86_400.0


class Look:
    """What an action would hit, looked for in steps, each of which reads little: those chosen by id, or all that match
    the filters, the newest `MOST` at most.

    Raises `NotFound`, `Forbidden`, and `Invalid` for an argument that cannot be.
    """

    def __init__(
        self, *, session: Session, actor: Actor, slug: str, wanted: Wanted, chosen: Iterable[str] | finding.Filters
    ) -> None:
        self.head = find_queue(session=session, actor=actor, slug=slug, action=NEEDS[wanted.action])
        self.wanted = _checked(session, self.head, wanted)
        self.filters = chosen if isinstance(chosen, finding.Filters) else None
        self.rows: list[tuple[str, str | None]] = []
        """Each item, and why it would be skipped; None: it would be changed."""
        self._actor = actor
        self._before: str | None = None
        self._ids = [] if isinstance(chosen, finding.Filters) else _of_queue(session, self.head, chosen)
        self._found = self.filters is None

    @property
    def more(self) -> bool:
        """More match than one action takes."""
        return len(self._ids) > MOST

    def go_on(self, session: Session) -> bool:
        """Look at the next; whether there are more to look at."""
        if self.filters is not None and not self._found:
            step = finding.step(
                session=session, actor=self._actor, head=self.head, filters=self.filters, before=self._before
            )
            self._ids += step.ids
            self._before, self._found = step.before, step.before is None or len(self._ids) > MOST
            return True
        start = len(self.rows)
        self.rows += _assessed(session, self._actor, self.wanted, self._ids[:MOST][start : start + CHUNK])
        return len(self.rows) < len(self._ids[:MOST])


def prepare(*, session: Session, actor: Actor, look: Look) -> str:
    """Keep which items the action would hit, and which not and why, as they were seen. Returns the id of its preview;
    nothing is changed. Raises `Forbidden`, and `Invalid` when there is no item."""
    wanted, head = look.wanted, look.head
    require(actor, NEEDS[wanted.action], head.id)
    if not look.rows:
        raise Invalid("No item is chosen.", [Fault("/items", "has none of this queue")])
    bulk_id = new_id()
    session.execute(
        insert(Bulk).values(
            id=bulk_id, queue_id=head.id, person_id=actor.id, action=wanted.action, argument=dumps(wanted.argument),
            query=None if look.filters is None else look.filters.address, more=look.more, state=BulkState.PREVIEW,
            created_at=clock(),
        )
    )  # fmt: skip
    insert_rows(
        session, table(BulkItem),
        [
            {
                "bulk_id": bulk_id, "item_id": item_id, "why": why,
                "outcome": BulkOutcome.SKIPPED if why else BulkOutcome.PENDING,
            }
            for item_id, why in look.rows
        ],
    )  # fmt: skip
    trail.record(
        session, actor, "bulk.prepared", queue_id=head.id, subject=bulk_id,
        facts={"action": wanted.action, "items": len(look.rows), "by_filter": look.filters is not None},
    )  # fmt: skip
    return bulk_id


def _checked(session: Session, head: QueueHead, wanted: Wanted) -> Wanted:
    if wanted.action is BulkAction.PRIORITISE and abs(wanted.priority) > assigning.MOST_PRIORITY:
        raise Invalid("A priority is from -1,000 to 1,000.", [Fault("/priority", "is too high or too low")])
    if wanted.action in (BulkAction.CLOSE, BulkAction.REOPEN) and not wanted.reason.strip():
        raise Invalid("Say why.", [Fault("/reason", "is required")])
    if wanted.action is not BulkAction.ASSIGN or wanted.person is None:
        return wanted
    name = wanted.person.strip().casefold()
    for one in assigning.everybody(session=session, queue_id=head.id):
        if name in {one.id, one.email.casefold()}:
            return Wanted(wanted.action, person=one.id)
    raise Invalid("Nobody who reviews in this queue is called that.", [Fault("/person", "is no reviewer here")])


def _of_queue(session: Session, head: QueueHead, ids: Iterable[str]) -> list[str]:
    wanted = sorted({known_id(item_id) for item_id in islice(ids, MOST)}, reverse=True)
    found: set[str] = set()
    for start in range(0, len(wanted), CHUNK):
        some = wanted[start : start + CHUNK]
        found |= set(session.scalars(select(Item.id).where(Item.id.in_(some), Item.queue_id == head.id)))
    return [item_id for item_id in wanted if item_id in found]


def _assessed(session: Session, actor: Actor, wanted: Wanted, ids: list[str]) -> Iterator[tuple[str, str | None]]:
    items = {row.id: row for row in session.execute(select(Item.id, Item.state, Item.revision).where(Item.id.in_(ids)))}
    work = finding.tasks_of(session, ids)
    known = golden.known_among(session, ids) if wanted.action is BulkAction.REOPEN else frozenset()
    for item_id in ids:
        if item_id not in items:
            yield item_id, "is there no more"
        elif item_id in known:
            yield item_id, "is a check, whose answer is known"
        else:
            yield item_id, why_not(actor, wanted, items[item_id], work.get(item_id, []))


# Index ix_bulk_unconfirmed: its condition must stand here in the same words.
UNCONFIRMED = select(_bulk.id).where(text("bulk.state = 'preview'"), _bulk.created_at < clock(-FORGOTTEN_SECONDS))
FORGOTTEN_AT_ONCE = 2_000
"""Items."""


def forget_unconfirmed(*, session: Session) -> int:
    """Delete the oldest preview that nobody confirmed in a day, or so much of it as may be at once; returns 0 where
    there is none. A duty of the relay.

    Whoever confirms it in this moment comes first, and is left alone; after a day nobody can.
    """
    query = UNCONFIRMED.order_by(_bulk.created_at).limit(1)
    bulk_id = session.scalars(
        query.with_for_update(skip_locked=True) if on_postgresql(session) else query
    ).one_or_none()
    if bulk_id is None:
        return 0
    some = select(_row.item_id).where(_row.bulk_id == bulk_id).limit(FORGOTTEN_AT_ONCE)
    gone = session.execute(
        delete(table(BulkItem)).where(_row.bulk_id == bulk_id, _row.item_id.in_(some)).returning(_row.item_id)
    ).all()
    if len(gone) < FORGOTTEN_AT_ONCE:
        session.execute(delete(table(Bulk)).where(_bulk.id == bulk_id))
    return 1
