"""The operation `submit_many`: any number of items in one transaction, each with a result of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from types import SimpleNamespace
from typing import Any, NamedTuple

from sqlalchemy import Table, Text, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import idempotency, outbox, trail
from reviewqueue.core.access import Actor
from reviewqueue.core.bulk import insert_tables
from reviewqueue.core.db import database_now, on_postgresql
from reviewqueue.core.http import Body, problem_json, status_of
from reviewqueue.core.ids import new_ids
from reviewqueue.core.strictjson import Raw, spliced
from reviewqueue.errors import Conflict, Error, Forbidden
from reviewqueue.intake.expectation import expected_at
from reviewqueue.intake.items import answer_of, item_json
from reviewqueue.intake.preparing import Prepared, prepare, queue_for
from reviewqueue.intake.pressure import Waiting
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import ITEM_QUEUED, external_id_taken, refuse, stored_before
from reviewqueue.models import AuditContent, AuditEvent, Item, Queue, Resolution, Task
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState
from reviewqueue.queues.catalog import QueueHead

ROUTE = "POST /items/batch"
_item = table(Item).c
ATTEMPTS = 5
"""How often a batch is stored anew when another request takes an `external_id` of it at the same moment."""


class Stored(NamedTuple):
    """An item that is in the database; `fresh` is what was stored now, None for one that was there before."""

    item_id: str
    fresh: Prepared | None


Result = Stored | Error


@dataclass(frozen=True)
class Batch:
    """A result for each item, in their order, and the time at which the fresh ones were stored."""

    results: list[Result]
    stored_at: datetime

    @property
    def fresh(self) -> list[Prepared]:
        return [found.fresh for found in self.results if isinstance(found, Stored) and found.fresh is not None]


def answer_batch(
    *, session: Session, actor: Actor, bodies: Sequence[Body[ItemShape] | Error], body: bytes,
    idempotency_key: str | None,
) -> str:  # fmt: skip
    """`submit_many`, and what the program is told, as JSON text: `{results: [{status, item} | {status, error}]}`.

    The same `Idempotency-Key` again gives the same answer. Raises `InFlight`, `Invalid` for a key used otherwise.
    """
    key = None
    if idempotency_key is not None:
        key = idempotency.key_for(actor, route=ROUTE, key=idempotency_key, body=body)
        saved = idempotency.begin(session, key)
        if saved is not None:
            return saved.answer
    batch = submit_many(session=session, actor=actor, bodies=bodies)
    text = spliced({"results": _told(session, batch)})
    if key is not None:
        idempotency.save(session, key, 200, text)
    return text


def _told(session: Session, batch: Batch) -> list[dict[str, Any]]:
    there = [result.item_id for result in batch.results if isinstance(result, Stored) and result.fresh is None]
    found = select(Item, Queue.slug).join(Queue, Queue.id == Item.queue_id).where(Item.id.in_(there))
    stored = {row.Item.id: item_json(session, row.Item, row.slug) for row in session.execute(found)} if there else {}
    waiting = {item.head.id for item in batch.fresh if item.state is ItemState.QUEUED}
    expected = {queue_id: expected_at(session, queue_id, batch.stored_at) for queue_id in waiting}
    told: list[dict[str, Any]] = []
    for result in batch.results:
        if isinstance(result, Error):
            told.append({"status": status_of(result), "error": problem_json(result)})
        elif result.fresh is None:
            told.append({"status": 200, "item": stored[result.item_id]})
        else:
            told.append({"status": 201, "item": Raw(_answer(result.fresh, batch.stored_at, expected))})
    return told


def _answer(item: Prepared, now: datetime, expected: Mapping[str, datetime | None]) -> str:
    """`expected`: when an answer is, by queue."""
    resolution = None if item.answer is None else SimpleNamespace(**item.resolution(), created_at=now)
    due = now + timedelta(seconds=item.due_seconds)
    return answer_of(item, due, expected[item.head.id] if item.state is ItemState.QUEUED else None, resolution)


def submit_many(*, session: Session, actor: Actor, bodies: Sequence[Body[ItemShape] | Error]) -> Batch:
    """Store the items. One that is refused, for whatever reason, has its error for a result and hinders no other; an
    error that is given for a body is its result.

    The same `external_id` with the same body is stored once, also within the batch. Raises `Forbidden`.
    """
    results: list[Any] = list(bodies)
    fresh: dict[int, Prepared] = {}
    queues: dict[str, QueueHead | Error] = {}
    waiting = Waiting(session)
    for (place, body), item_id in zip(enumerate(bodies), new_ids(len(bodies)), strict=True):
        if isinstance(body, Error):
            continue
        try:
            head = _queue(session, actor, body.shape.queue, queues)
            item = prepare(session, actor, head, body, item_id=item_id, waiting=waiting)
        except Forbidden:
            raise
        except Error as error:
            results[place] = _before(session, actor, body) or error
            continue
        before = _before(session, actor, body) if item.refused or item.limited else None
        if before is not None:
            waiting.add(item.head.id, -item.compiled.config.reviews.required)
            results[place] = before
        elif item.refused:
            results[place] = refuse(session, actor, item)
        else:
            fresh[place] = item
    now = database_now(session)
    for _ in range(ATTEMPTS):
        found = _apart(session, fresh)
        new = [item.fresh for item in found.values() if isinstance(item, Stored) and item.fresh is not None]
        try:
            with session.begin_nested():
                _store(session, actor, new, now)
        except IntegrityError:
            continue
        for place, result in found.items():
            results[place] = result
        return Batch(results, now)
    raise Conflict("Other requests store items with the same external_ids at this moment. Send the batch again.")


def _before(session: Session, actor: Actor, body: Body[ItemShape]) -> Stored | None:
    row = stored_before(session, actor, body)
    return None if row is None else Stored(row.Item.id, None)


def _queue(session: Session, actor: Actor, slug: str, queues: dict[str, QueueHead | Error]) -> QueueHead:
    if slug not in queues:
        try:
            queues[slug] = queue_for(session, actor, slug)
        except Forbidden:
            # No item of theirs would be taken: the whole request is refused.
            raise
        except Error as error:
            queues[slug] = error
    found = queues[slug]
    if isinstance(found, Error):
        raise found
    return found


def _apart(session: Session, items: dict[int, Prepared]) -> dict[int, Result]:
    """What is new, what is there already, and what clashes with it."""
    known = _known(session, items.values())
    results: dict[int, Result] = {}
    for place, item in items.items():
        external_id, digest = item.columns["external_id"], item.columns["body_sha256"]
        key = (item.head.id, external_id)
        if external_id is None or key not in known:
            known[key] = (item.item_id, digest)
            results[place] = Stored(item.item_id, item)
        elif known[key][1] == digest:
            results[place] = Stored(known[key][0], None)
        else:
            results[place] = external_id_taken(external_id)
    return results


def _known(session: Session, items: Any) -> dict[tuple[str, Any], tuple[str, str]]:
    """Id and digest of stored items, by queue and `external_id`."""
    wanted: dict[str, list[str]] = {}
    for item in items:
        if item.columns["external_id"] is not None:
            wanted.setdefault(item.head.id, []).append(item.columns["external_id"])
    known = {}
    for queue_id, external_ids in wanted.items():
        if on_postgresql(session):
            found = session.execute(_KNOWN, {"queue_id": queue_id, "external_ids": external_ids})
        else:
            found = session.execute(
                select(_item.id, _item.external_id, _item.body_sha256).where(
                    _item.queue_id == queue_id, _item.external_id.in_(external_ids)
                )
            )
        for row in found:
            known[queue_id, row.external_id] = (row.id, row.body_sha256)
    return known


def _known_statement() -> Any:
    """A look into uq_item_queue_id_external_id for each. Asked `IN (…)`, PostgreSQL compares every item of a queue that
    has grown since its last ANALYZE with each of them."""
    wanted = select(func.unnest(bindparam("external_ids", type_=ARRAY(Text))).label("external_id")).subquery("wanted")
    found = (
        select(_item.id, _item.external_id, _item.body_sha256)
        .where(_item.queue_id == bindparam("queue_id"), _item.external_id == wanted.c.external_id)
        .limit(1)
        .lateral("found")
    )
    return select(found).select_from(wanted.join(found, true()))


_KNOWN = _known_statement()


def _store(session: Session, actor: Actor, items: list[Prepared], now: datetime) -> None:
    # In one order, whatever that of the requests: two that store the same external_ids must not wait for each other.
    items = sorted(items, key=lambda item: (item.head.id, item.columns["external_id"] or "", item.item_id))
    tasks = [item for item in items if item.needs_task]
    insert_tables(session, _rows(actor, items, tasks, now))
    for slug in dict.fromkeys(item.head.slug for item in tasks):
        refs = [item.item_id for item in tasks if item.head.slug == slug]
        outbox.append_many(session, ITEM_QUEUED, rq_queue=outbox.review_queue(slug), refs=refs)
    for item in items:
        item.attach_media(session, actor)


def _rows(
    actor: Actor, items: list[Prepared], tasks: list[Prepared], now: datetime
) -> Iterator[tuple[Table, list[dict[str, Any]]]]:
    """What is stored of them, a table at a time; `tasks`: those that need some."""
    yield table(Item), [_item_row(item, now) for item in items]
    task_ids = iter(new_ids(sum(item.tasks for item in tasks)))
    yield table(Task), [row for item in tasks for row in _task_rows(item, task_ids, now)]
    event_ids = new_ids(len(items))
    events = [_event(actor, item, event_id, now) for item, event_id in zip(items, event_ids, strict=True)]
    contents = [trail.add_content(event, item.content()) for event, item in zip(events, items, strict=True)]
    yield table(AuditEvent), events
    yield table(AuditContent), contents
    answered = [item for item in items if item.answer is not None]
    yield table(Resolution), [{**item.resolution(), "created_at": now} for item in answered]


def _item_row(item: Prepared, now: datetime) -> dict[str, Any]:
    """Its columns themselves, with the times: a copy of forty for each of a thousand items would take as long again."""
    row, seconds = item.columns, item.expiry_seconds
    row["created_at"], row["due_at"] = now, now + timedelta(seconds=item.due_seconds)
    row["expires_at"] = None if seconds is None else now + timedelta(seconds=seconds)
    return row


def _task_rows(item: Prepared, task_ids: Iterator[str], now: datetime) -> list[dict[str, Any]]:
    due = now + timedelta(seconds=item.due_seconds)
    return item.task_columns(islice(task_ids, item.tasks), due=due, now=now)


def _event(actor: Actor, item: Prepared, event_id: str, now: datetime) -> dict[str, Any]:
    facts = item.facts()
    queue_id, item_id = item.head.id, item.item_id
    event = trail.columns(actor, event_id, "item.submitted", queue_id=queue_id, item_id=item_id, facts=facts)
    event["at"] = now
    return event
