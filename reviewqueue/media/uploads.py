"""Operations on media of their own: upload one, and forget those that no item refers to."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any, TypedDict

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
ABOUT_TO_REFER_SECONDS = 3600.0
"""A file is kept before the row is written that refers to it: in that time at most."""
ROUND_SECONDS = 600.0
FOLDERS_A_ROUND = 16
"""Of `files.FOLDERS`: all of them in less than three hours."""
OLD = (
    select(Media.id)
    .where(Media.created_at < clock(-UNUSED_SECONDS), ~exists().where(ItemMedia.media_id == Media.id))
    .limit(SWEPT_AT_ONCE)
)
"""Index ix_item_media_media_id."""


class Kept(TypedDict):
    """A file that is kept: the columns of `Media` that say what it is."""

    sha256: str
    mime: str
    bytes: int
    width: int | None
    height: int | None


def require_known(*, session: Session, actor: Actor, slug: str) -> str:
    """The id of the queue that the actor may submit to. Raises `Invalid`, `Forbidden`."""
    try:
        return find_queue(session=session, actor=actor, slug=slug, action=Action.SUBMIT_ITEMS).id
    except NotFound:
        fault = Fault("/queue", "is not the name of a queue that you may submit to")
        raise Invalid("The queue is not known.", [fault], code="unknown_queue") from None


def upload(*, session: Session, actor: Actor, slug: str, file: Kept) -> dict[str, Any]:
    """Have a file that is kept already belong to the queue, for its items; returns it as programs read it.

    Raises `Invalid` for a queue that the actor may not submit to, `Forbidden`.
    """
    queue_id = require_known(session=session, actor=actor, slug=slug)
    # No UUIDv7: reviewers see it in the input, and it must not tell how old an item is whose answer is known.
    media_id = str(uuid.uuid4())
    session.execute(
        insert(Media).values(
            id=media_id, queue_id=queue_id, state=MediaState.READY, attempts=0, created_by=actor.label,
            created_at=clock(), **file,
        )
    )  # fmt: skip
    trail.record(session, actor, "media.uploaded", queue_id=queue_id, subject=media_id, facts=dict(file))
    return {
        "$media": media_id, "type": file["mime"], "bytes": file["bytes"], "sha256": file["sha256"],
        "width": file["width"], "height": file["height"],
    }  # fmt: skip


def kept(data: bytes) -> Kept:
    """Keep the file; what it is. Before a transaction and never in one: others would wait for the disk. Raises as
    `checked`."""
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
    """Forget uploads that no item has referred to for a week; returns how many. Their files go later, see
    `remove_unused`. A periodic duty."""
    gone = session.execute(
        delete(Media).where(Media.id.in_(OLD)).returning(Media.id).execution_options(synchronize_session=False)
    )
    return len(gone.all())


def remove_unused(*, session: Session) -> int:
    """Remove files that no row refers to, in some of the folders, the next ones with the next round; returns how many.
    A periodic duty that only reads: what it removes was forgotten by a transaction that is over."""
    now = database_now(session)
    kept_before = now - timedelta(seconds=ABOUT_TO_REFER_SECONDS)
    first = int(now.timestamp() / ROUND_SECONDS) * FOLDERS_A_ROUND
    removed = 0
    for number in range(first, first + FOLDERS_A_ROUND):
        for some in batched(files.kept_in(number % files.FOLDERS, kept_before=kept_before), SWEPT_AT_ONCE):
            # Index ix_media_sha256.
            wanted = set(session.scalars(select(Media.sha256).where(Media.sha256.in_(some))))
            removed += sum(files.remove(name, kept_before=kept_before) for name in some if name not in wanted)
    return removed


def batched(names: Iterable[str], most: int) -> Iterator[list[str]]:
    found = iter(names)
    while some := list(islice(found, most)):
        yield some
