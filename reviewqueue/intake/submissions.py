"""The operation `submit`: check an item, route it, store it with its task, and answer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from reviewqueue.core import idempotency, outbox, trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import NOW, In, append, clock, clock_in, on_postgresql
from reviewqueue.core.http import Body
from reviewqueue.core.ids import new_id, new_ids
from reviewqueue.core.strictjson import spliced
from reviewqueue.errors import Conflict, Error, Invalid
from reviewqueue.intake.expectation import expected_at
from reviewqueue.intake.items import answer_of, item_json
from reviewqueue.intake.preparing import Prepared, digest_of, open_queue, prepare
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.models import Item, Queue, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState
from reviewqueue.queues.catalog import BY_SLUG, head_of, overflow_of
from reviewqueue.resolution.endings import append_resolution

ITEM_QUEUED = "item.queued"
ROUTE = "POST /items"


@dataclass(frozen=True)
class Answer:
    """What the program is told: an HTTP status and JSON text. A refusal by rule is an answer, too: it is on record."""

    status: int
    text: str
    item_id: str | None = None
    refused: Invalid | None = None


def submit(
    *, session: Session, actor: Actor, body: Body[ItemShape], idempotency_key: str | None = None, waits: bool = False
) -> Answer:
    """Store an item and say what routing decided.

    201 for a new item, 200 for the same `external_id` with the same body. Commit also when `refused` is set, and raise
    it after: the refusal is an audit event. With `waits` the actor must be allowed to read the item, too: nobody then
    works on an answer that cannot be fetched. Raises `Forbidden`, `Invalid` with pointers,
    `Conflict` (`external_id` taken by another body, intake closed), `InFlight`, `TooLarge`.
    """
    slug = {"slug": body.shape.queue}
    if idempotency_key is None:
        return _submit(session, actor, body, waits, session.execute(BY_SLUG, slug).one_or_none())
    key = idempotency.key_for(actor, route=ROUTE, key=idempotency_key, body=body.text)
    saved, row = idempotency.begin_with(session, key, BY_SLUG, slug)
    if saved is not None:
        return Answer(saved.status, saved.answer, json.loads(saved.answer)["id"])
    answer = _submit(session, actor, body, waits, row)
    if answer.refused is None:
        idempotency.save(session, key, answer.status, answer.text)
    return answer


def _submit(session: Session, actor: Actor, body: Body[ItemShape], waits: bool, row: Any) -> Answer:
    """`row`: what `BY_SLUG` has found of the queue."""
    try:
        head = open_queue(row, actor, body.shape.queue)
        if waits:
            require(actor, Action.READ_ITEMS, head.id)
        item = prepare(session, actor, head, body, item_id=new_id())
    except Error:
        earlier = stored_before(session, actor, body)
        if earlier is None:
            raise
        return _replayed(session, earlier)
    if item.refused:
        earlier = stored_before(session, actor, body)
        if earlier is not None:
            return _replayed(session, earlier)
        return Answer(422, "", refused=refuse(session, actor, item))
    if item.limited:
        earlier = stored_before(session, actor, body)
        if earlier is not None:
            return _replayed(session, earlier)
    return _store(session, actor, item) or _stored_meanwhile(session, actor, body)


def _stored_meanwhile(session: Session, actor: Actor, body: Body[ItemShape]) -> Answer:
    earlier = stored_before(session, actor, body)
    if earlier is None:
        raise external_id_taken(body.shape.external_id)
    return _replayed(session, earlier)


def _store(session: Session, actor: Actor, item: Prepared) -> Answer | None:
    """None where the queue has an item with its `external_id`."""
    times = {"due_seconds": item.due_seconds, "expiry_seconds": item.expiry_seconds}
    row = session.execute(_ITEM[on_postgresql(session)], {**item.columns, **times}).one_or_none()
    if row is None:
        return None
    resolution = None
    if item.answer is not None:
        resolution = append_resolution(session, item.resolution(), row.created_at)
    if item.needs_task:
        for columns in item.task_columns(new_ids(item.tasks), due=In(item.due_seconds), now=NOW):
            append(session, Task, columns)
        outbox.append(session, ITEM_QUEUED, rq_queue=outbox.review_queue(item.head.slug), ref=item.item_id)
    item.attach_media(session, actor)
    trail.record(
        session, actor, "item.submitted", queue_id=item.head.id, item_id=item.item_id, facts=item.facts(),
        content=item.content(),
    )  # fmt: skip
    expected = expected_at(session, item.head.id, row.created_at) if item.state is ItemState.QUEUED else None
    text = answer_of(item, row.due_at, expected, resolution)
    return Answer(201, text, item.item_id)


def stored_before(session: Session, actor: Actor, body: Body[ItemShape]) -> Any:
    """The row of this very item, with `slug`, if it was stored before: then it is no matter that the queue would not
    take it now, that its rules have changed or its intake is closed. None for any other."""
    if body.shape.external_id is None:
        return None
    rows = session.execute(
        select(Item, Queue.slug)
        .join(Queue, Queue.id == Item.queue_id)
        .where(
            Queue.slug.in_(_places(session, body.shape.queue)), Item.external_id == body.shape.external_id,
            Item.body_sha256 == digest_of(body),
        )
    ).all()  # fmt: skip
    return next((row for row in rows if may(actor, Action.SUBMIT_ITEMS, row.Item.queue_id)), None)


def _places(session: Session, slug: str) -> list[str]:
    """The queue, and the one that takes what is too much for it."""
    row = session.execute(BY_SLUG, {"slug": slug}).one_or_none()
    other = overflow_of(session, head_of(row)) if row else None
    return [slug] if other is None else [slug, other.slug]


def _replayed(session: Session, row: Any) -> Answer:
    return Answer(200, spliced(item_json(session, row.Item, row.slug)), row.Item.id)


def refuse(session: Session, actor: Actor, item: Prepared) -> Invalid:
    """Put on record that a rule refused the item, and return what to tell the program."""
    facts = {"rule": item.route.rule, "version": item.head.version}
    trail.record(session, actor, "item.refused", queue_id=item.head.id, facts=facts)
    return item.refusal()


def _item_statement(dialect: Any) -> Any:
    statement = dialect.insert(table(Item)).values(
        created_at=clock(), due_at=clock_in("due_seconds"), expires_at=clock_in("expiry_seconds")
    )
    return statement.on_conflict_do_nothing(index_elements=["queue_id", "external_id"]).returning(
        Item.created_at, Item.due_at
    )


# Built once: building a statement of forty columns anew costs as much as running it.
_ITEM = {True: _item_statement(postgresql), False: _item_statement(sqlite)}


def external_id_taken(external_id: str | None) -> Conflict:
    return Conflict(
        f"The queue has an item with external_id {external_id!r} and another body. "
        "Send the same body, or use another external_id.",
        code="external_id_taken",
    )
