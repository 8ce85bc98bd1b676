"""Operations on media of their own: upload one, and forget those that no item refers to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any, TypedDict

from flask import current_app
from sqlalchemy import delete, exists, insert, select
from sqlalchemy.orm import Session

from reviewqueue.core import idempotency, trail
from reviewqueue.core.access import Action, Actor
from reviewqueue.core.db import clock, database_now
from reviewqueue.core.strictjson import dumps
from reviewqueue.errors import Fault, Invalid, NotFound, TooLarge
from reviewqueue.media import files, kinds
from reviewqueue.models import ItemMedia, Media
from reviewqueue.models.states import MediaState
from reviewqueue.queues.catalog import find_queue

ROUTE = "POST /api/v1/media"
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


def upload(
    *, session: Session, actor: Actor, slug: str, file: Kept, idempotency_key: str | None = None
) -> dict[str, Any]:  # fmt: skip
    """Have a file that is kept already belong to the queue, for its items; returns it as programs read it. The same key
    gives the same one.

    Raises `Invalid` for a queue that the actor may not submit to and for a key that is none or came with another file,
    `InFlight`, `Forbidden`.
    """
    queue_id = require_known(session=session, actor=actor, slug=slug)
    key = None
    if idempotency_key is not None:
        said = f"{slug}\x1f{file['sha256']}".encode()
        key = idempotency.key_for(actor, route=ROUTE, key=idempotency_key, body=said)
        if saved := idempotency.begin(session, key):
            found: dict[str, Any] = json.loads(saved.answer)
            # It may have been forgotten meanwhile: then it is there again.
            if session.execute(select(Media.id).where(Media.id == found["$media"])).first() is None:
                _insert(session, actor, queue_id, found["$media"], file)
            return found
    # No UUIDv7: reviewers see it in the input, and it must not tell how old an item is whose answer is known.
    media_id = str(uuid.uuid4())
    _insert(session, actor, queue_id, media_id, file)
    found = {
        "$media": media_id, "type": file["mime"], "bytes": file["bytes"], "sha256": file["sha256"],
        "width": file["width"], "height": file["height"],
    }  # fmt: skip
    if key is not None:
        idempotency.save(session, key, 201, dumps(found))
    return found


def _insert(session: Session, actor: Actor, queue_id: str, media_id: str, file: Kept) -> None:
    session.execute(
        insert(Media).values(
            id=media_id, queue_id=queue_id, state=MediaState.READY, attempts=0, created_by=actor.label,
            created_at=clock(), **file,
        )
    )  # fmt: skip
    trail.record(session, actor, "media.uploaded", queue_id=queue_id, subject=media_id, facts=dict(file))


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
