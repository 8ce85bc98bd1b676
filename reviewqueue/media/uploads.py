"""Operations on media of their own: upload one, and forget those that no item refers to."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from flask import current_app
from sqlalchemy import delete, exists, insert, select
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import clock, database_now
from reviewqueue.errors import Fault, Invalid, NotFound, TooLarge
from reviewqueue.media import files, kinds
from reviewqueue.models import ItemMedia, Media
from reviewqueue.models.states import MediaState
from reviewqueue.queues.catalog import find_queue

SWEPT_AT_ONCE = 200
UNUSED_SECONDS = 7 * 86_400.0
"""After which an upload that no item refers to is deleted."""
OLD = (
    select(Media.id)
    .where(Media.created_at < clock(-UNUSED_SECONDS), ~exists().where(ItemMedia.media_id == Media.id))
    .limit(SWEPT_AT_ONCE)
)
"""Index ix_item_media_media_id."""


def upload(*, session: Session, actor: Actor, slug: str, data: bytes) -> dict[str, Any]:
    """Keep a picture or a document for items of the queue; returns it as programs read it.

    Raises `Invalid` for a file that is nothing known and for a queue that the actor may not submit to, `TooLarge`,
    `Forbidden`.
    """
    try:
        head = find_queue(session=session, actor=actor, slug=slug, action=Action.SUBMIT_ITEMS)
    except NotFound:
        fault = Fault("/queue", "is not the name of a queue that you may submit to")
        raise Invalid("The queue is not known.", [fault], code="unknown_queue") from None
    found = kept(data)
    # No UUIDv7: reviewers see it in the input, and it must not tell how old an item is whose answer is known.
    media_id = str(uuid.uuid4())
    session.execute(
        insert(Media).values(
            id=media_id, queue_id=head.id, state=MediaState.READY, attempts=0, created_by=actor.label,
            created_at=clock(), **found,
        )
    )  # fmt: skip
    trail.record(session, actor, "media.uploaded", queue_id=head.id, subject=media_id, facts=found)
    return {
        "$media": media_id, "type": found["mime"], "bytes": found["bytes"], "sha256": found["sha256"],
        "width": found["width"], "height": found["height"],
    }  # fmt: skip


def kept(data: bytes) -> dict[str, Any]:
    """Keep the file; the columns of `Media` that say what it is. Raises as `checked`."""
    kind = checked(data)
    return {
        "sha256": files.keep(data), "mime": kind.mime, "bytes": len(data), "width": kind.width, "height": kind.height,
    }  # fmt: skip


def checked(data: bytes) -> kinds.Kind:
    """What the file is. Raises `TooLarge`, and `Invalid` for what is not taken."""
    limit = current_app.config["SETTINGS"].max_media_bytes
    if len(data) > limit:
        raise TooLarge(f"The file is larger than {limit:,} bytes, the limit.")
    kind = kinds.kind_of(data)
    if kind is None:
        most = f"{kinds.MOST_PIXELS // 1_000_000} million pixels"
        fault = Fault("/file", f"is no {kinds.KNOWN}, whatever it is called, or has more than {most}")
        raise Invalid("The file is nothing that can be shown.", [fault], code="unknown_media")
    return kind


def sweep(*, session: Session) -> int:
    """Delete uploads that no item has referred to for a week; returns how many. A periodic duty."""
    gone = session.execute(
        delete(Media).where(Media.id.in_(OLD)).returning(Media.sha256).execution_options(synchronize_session=False)
    ).all()
    kept_before = database_now(session) - timedelta(hours=1)
    for sha256 in {row.sha256 for row in gone if row.sha256}:
        # Index ix_media_sha256. The same picture may have been sent for another item.
        if session.execute(select(Media.id).where(Media.sha256 == sha256).limit(1)).first() is None:
            files.remove(sha256, kept_before=kept_before)
    return len(gone)
