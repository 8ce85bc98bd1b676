"""What a submitted item refers to: checked, noted beside the item, and fetched by a job where it is an address."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from flask import current_app
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import outbox
from reviewqueue.core.access import Actor
from reviewqueue.core.addresses import Allowed, allowed, target_of
from reviewqueue.core.db import clock
from reviewqueue.core.http import Body
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Fault, Invalid
from reviewqueue.models import ItemMedia, Media, Task
from reviewqueue.models.states import MediaState
from reviewqueue.queues.references import MOST, Reference, references_in

FETCH = "media.fetch"
PATIENCE_SECONDS = 120.0
"""For so long at most the tasks of an item wait for its media; then people see it without."""


def references_of(session: Session, queue_id: str, body: Body[Any]) -> tuple[Reference, ...]:
    """Those of a submitted item. Raises `Invalid` with a pointer to each that cannot be had."""
    # JSON may write any letter as an escape. To look for one byte is many times as fast as for more.
    if b"$" not in body.text and b"\\" not in body.text:
        return ()
    if b"$media" not in body.text and b"\\u" not in body.text:
        return ()
    found = tuple(references_in(body.value.get("input")))
    faults = [
        *([Fault("/input", f"refers to more than {MOST} media")] if len(found) > MOST else []),
        *_unknown(session, queue_id, [one for one in found if not one.is_address]),
        *(fault for one in found if one.is_address and (fault := _refused(one))),
    ]
    if faults:
        raise Invalid("The item refers to media that cannot be had.", faults[:20], code="invalid_item")
    return found


def _unknown(session: Session, queue_id: str, uploaded: Sequence[Reference]) -> list[Fault]:
    # Pairs: what is given may be anything, also what has no hash.
    wanted = [(one.pointer, _as_id(one.given)) for one in uploaded]
    ids = {media_id for _, media_id in wanted if media_id}
    query = select(Media.id).where(Media.id.in_(ids), Media.queue_id == queue_id, Media.url.is_(None))
    known = set(session.scalars(query)) if ids else set()
    detail = "must be the id of a file that was uploaded for this queue, or an address"
    return [Fault(f"/input{pointer}/$media", detail) for pointer, media_id in wanted if media_id not in known]


def _as_id(given: Any) -> str | None:
    try:
        return str(uuid.UUID(given)) if isinstance(given, str) else None
    except ValueError:
        return None


def _refused(one: Reference) -> Fault | None:
    place = f"/input{one.pointer}/$media"
    prefixes = current_app.config["SETTINGS"].media_allow
    if len(one.given) > 2000:
        return Fault(place, "is longer than 2,000 characters")
    # A path with dots may lead out of what the operator named.
    if not one.given.startswith(tuple(prefixes)) or "/.." in one.given or "%2e" in one.given.lower():
        return Fault(place, "is no address from which this site fetches media: REVIEWQUEUE_MEDIA_ALLOW names those")
    try:
        target_of(one.given, lets())
    except Invalid as error:
        return Fault(place, error.faults[0].detail)
    return None


def lets() -> Allowed:
    """What may be asked though it is not public."""
    return allowed(current_app.config["SETTINGS"].webhook_allow)


def attach(
    session: Session, actor: Actor, *, queue_id: str, slug: str, item_id: str, references: Sequence[Reference]
) -> None:
    """Note what an item that has just been stored refers to, and have addresses fetched. Its tasks wait for that, but
    not for ever."""
    rows = [
        {"item_id": item_id, "place": place, "media_id": _fetched(session, actor, queue_id, slug, one)
         if one.is_address else _as_id(one.given)}
        for place, one in enumerate(references)
    ]  # fmt: skip
    if rows:
        session.execute(insert(ItemMedia), rows)
    if any(one.is_address for one in references):
        session.execute(
            update(Task)
            .where(Task.item_id == item_id)
            .values(available_at=clock(PATIENCE_SECONDS))
            .execution_options(synchronize_session=False)
        )


def _fetched(session: Session, actor: Actor, queue_id: str, slug: str, one: Reference) -> str:
    media_id = new_id()
    session.execute(
        insert(Media).values(
            id=media_id, queue_id=queue_id, state=MediaState.WAITING, url=one.given, attempts=0,
            created_by=actor.label, created_at=clock(),
        )
    )  # fmt: skip
    outbox.append(session, FETCH, rq_queue=outbox.review_queue(slug), ref=media_id)
    return media_id
