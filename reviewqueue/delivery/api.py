"""JSON routes for reading items, waiting for their resolution, and the decision feed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, may, require
from reviewqueue.core.db import read_session, write_session
from reviewqueue.core.http import (
    actor,
    api_blueprint,
    bad_cursor,
    cursor_of,
    id_cursor,
    json_answer,
    list_answer,
    page_of,
    page_size,
    parse_cursor,
    read_body,
    text_answer,
)  # fmt: skip
from reviewqueue.core.ids import known_id
from reviewqueue.core.strictjson import spliced
from reviewqueue.delivery.waiting import LONGEST_SECONDS, wait_for
from reviewqueue.errors import Invalid
from reviewqueue.intake.items import shown_to, stored_size
from reviewqueue.models import Item, Queue
from reviewqueue.models.states import ENDED, ActorKind, ItemState
from reviewqueue.queues import reveals
from reviewqueue.queues.api import RevealShape
from reviewqueue.queues.catalog import find_queue, overflow_of, queues_or_refusal
from reviewqueue.resolution import feed as resolutions
from reviewqueue.resolution import reading
from reviewqueue.resolution.stand_ins import no_item

blueprint = api_blueprint("delivery")
FEED = "feed"


@blueprint.get("/items/<item_id>")
def read_item(item_id: str) -> Response:
    """The item, with its resolution once it is there; `?wait=` seconds (at most 60) for that."""
    who = actor()
    wanted = known_id(item_id)
    seconds = _wait_seconds()
    with read_session() as session:
        item, shown = _item(session, who, wanted)
    _record_views(who, [item])
    if seconds == 0 or shown["state"] in ENDED:
        return text_answer(spliced(shown))
    if not wait_for(wanted, seconds):
        return text_answer(spliced(shown), headers={"Retry-After": "1"})
    with read_session() as session:
        return text_answer(spliced(_item(session, who, wanted)[1]))


def _wait_seconds() -> float:
    given = request.args.get("wait", "0")
    try:
        seconds = float(given)
    except ValueError:
        seconds = -1
    if not 0 <= seconds <= LONGEST_SECONDS:
        raise Invalid(f"wait must be a number of seconds from 0 to {LONGEST_SECONDS}.", code="bad_parameter")
    return seconds


def _item(session: Session, who: Actor, item_id: str) -> tuple[Item, dict[str, Any]]:
    row = session.execute(
        select(Item, Queue.slug).join(Queue, Queue.id == Item.queue_id).where(Item.id == item_id)
    ).one_or_none()
    if row is None:
        raise no_item(session, who, Action.READ_ITEMS, item_id)
    require(who, Action.READ_ITEMS, row.Item.queue_id)
    return row.Item, shown_to(session, who, row.Item, row.slug)


@blueprint.post("/items/<item_id>/reveals")
def reveal(item_id: str) -> Response:
    """Be shown the item's sensitive parts for a quarter of an hour: 200 and the parts. It is recorded."""
    who, shape, wanted = actor(), read_body(RevealShape).shape, known_id(item_id)
    with write_session() as session:
        item, _shown = _item(session, who, wanted)
        parts = reveals.reveal(session=session, actor=who, item_id=item.id, queue_id=item.queue_id, why=shape.why)
    return json_answer({"parts": list(parts)})


@blueprint.get("/items")
def list_items() -> Response:
    """Items, newest first: `?queue=&state=&external_id=&subject=&limit=&cursor=`."""
    who = actor()
    limit = page_size()
    after = id_cursor()
    with read_session() as session:
        slugs, conditions = _filter(session, who)
        # Of the table alone: joined with the queue, SQLite would sort all of its items for each page.
        query = select(Item).where(*conditions).order_by(Item.id.desc())

        def read(last: Item | None, most: int) -> Sequence[Item]:
            start = after if last is None else last.id
            return session.scalars((query if start is None else query.where(Item.id < start)).limit(most)).all()

        rows, more = page_of(read, limit, stored_size)
        items = [shown_to(session, who, row, slugs[row.queue_id]) for row in rows]
        cursor = cursor_of(rows[-1].id) if more else None
    _record_views(who, rows)
    return list_answer("items", items, cursor)


def _record_views(who: Actor, items: Sequence[Item]) -> None:
    """Of people: what a program reads goes where its operator sends it."""
    if who.kind is ActorKind.PERSON and items:
        with write_session() as session:
            for item in items:
                trail.record(session, who, "item.viewed", queue_id=item.queue_id, item_id=item.id)


def _filter(session: Session, who: Actor) -> tuple[dict[str, str], list[Any]]:
    """The queues' names by id, and what is asked for."""
    arguments = request.args
    slug = arguments.get("queue")
    if slug is not None:
        heads = [find_queue(session=session, actor=who, slug=slug, action=Action.READ_ITEMS)]
        if arguments.get("external_id"):
            # It may have been handed on, and whoever asks by its id means that very item.
            other = overflow_of(session, heads[0])
            heads += [other] if other is not None and may(who, Action.READ_ITEMS, other.id) else []
    else:
        heads = queues_or_refusal(session=session, actor=who, action=Action.READ_ITEMS)
    slugs = {head.id: head.slug for head in heads}
    # Index ix_item_queue_id_id of one queue; of several, the primary key.
    conditions = [Item.queue_id == heads[0].id if len(heads) == 1 else Item.queue_id.in_(slugs)]
    if arguments.get("state"):
        try:
            conditions.append(reading.told_as(session, ItemState(arguments["state"])))
        except ValueError:
            raise Invalid(f"state must be one of {', '.join(ItemState)}.", code="bad_parameter") from None
    if arguments.get("external_id"):
        conditions.append(Item.external_id == arguments["external_id"])
    if arguments.get("subject"):
        conditions.append(Item.subject == arguments["subject"])
    return slugs, conditions


@blueprint.get("/queues/<slug>/resolutions")
def feed(slug: str) -> Response:
    """What the queue's items ended with, in order: `?cursor=&limit=`. There is always a cursor, and it never ends."""
    limit = page_size()
    position = _position(slug)
    with read_session() as session:
        head = find_queue(session=session, actor=actor(), slug=slug, action=Action.READ_ITEMS)

        def read(last: Any, most: int) -> list[Any]:
            start = position if last is None else last.position
            return resolutions.after(session, queue_id=head.id, position=start, limit=most)

        rows, more = page_of(read, limit, lambda row: len(row.output))
    entries = [{**resolutions.entry_json(row), "cursor": _cursor(slug, row.position)} for row in rows]
    cursor = entries[-1]["cursor"] if entries else _cursor(slug, position)
    return list_answer("resolutions", entries, cursor, more=more)


def _cursor(slug: str, position: int) -> str:
    return cursor_of(FEED, slug, str(position))


def _position(slug: str) -> int:
    # Two parts: from before cursors named their queue. A cursor of the feed is good for ever.
    found = parse_cursor(request.args.get("cursor"), 2, 3)
    if found is None:
        return 0
    kind, *queue, place = found
    if kind != FEED or queue not in ([], [slug]) or not place.isascii() or not place.isdigit() or len(place) > 18:
        raise bad_cursor()
    return int(place)
