"""Queries about the media of an item, and the answer that gives one out. They ask no permission."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, send_file
from sqlalchemy import select
from sqlalchemy.orm import Session

from reviewqueue.errors import NotFound
from reviewqueue.media import files
from reviewqueue.media.kinds import SUFFIXES
from reviewqueue.models import ItemMedia, Media
from reviewqueue.models.states import MediaState
from reviewqueue.queues.references import MOST, NAME, references_in

PDF = "application/pdf"
POLICY = "sandbox; default-src 'none'"


@dataclass(frozen=True)
class Picture:
    """Something that an item refers to, as a page shows it."""

    place: int
    """Among the references of the input, from 0."""
    pointer: str
    """Of the reference, into the input."""
    state: MediaState
    mime: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    error: str | None = None
    sha256: str | None = None

    @property
    def is_picture(self) -> bool:
        """Whether it can be drawn: the size is known, and the file is there."""
        return self.state is MediaState.READY and self.width is not None

    @property
    def is_pdf(self) -> bool:
        return self.state is MediaState.READY and self.mime == PDF


_ROWS = (
    ItemMedia.item_id, ItemMedia.place, Media.id, Media.state, Media.mime, Media.width, Media.height, Media.bytes,
    Media.error, Media.sha256, Media.url,
)  # fmt: skip


_SELECT = select(*_ROWS).join_from(ItemMedia, Media, Media.id == ItemMedia.media_id)


def pictures_of(session: Session, item_id: str, given: Any, text: str) -> list[Picture]:
    """What the input `given` of the item refers to; `text` is the input as it was sent."""
    if f'"{NAME}"' not in text:
        return []
    rows = {row.place: row for row in session.execute(_SELECT.where(ItemMedia.item_id == item_id))}
    return [_picture(place, one.pointer, rows.get(place)) for place, one in enumerate(references_in(given))]


def _picture(place: int, pointer: str, row: Any) -> Picture:
    if row is None:
        return Picture(place, pointer, MediaState.FAILED)
    return Picture(
        place, pointer, row.state, row.mime, row.width, row.height, row.bytes, row.error, row.sha256
    )  # fmt: skip


def media_of(session: Session, item_ids: Sequence[str]) -> dict[str, list[Any]]:
    """The media of these items, in their places: rows with id, mime, width, height, url."""
    found: dict[str, list[Any]] = {item_id: [] for item_id in item_ids}
    query = _SELECT.where(ItemMedia.item_id.in_(item_ids)).order_by(ItemMedia.item_id, ItemMedia.place)
    for row in session.execute(query):
        found[row.item_id].append(row)
    return found


def hashes_of(session: Session, item_id: str) -> list[str | None]:
    """The SHA-256 of each media of the item, in their places."""
    query = select(Media.sha256).join(ItemMedia, ItemMedia.media_id == Media.id)
    return list(session.scalars(query.where(ItemMedia.item_id == item_id).order_by(ItemMedia.place)))


def at_place(session: Session, item_id: str, place: int) -> Any:
    """The media that an item has there. Raises `NotFound`, also while it is not there yet."""
    if place >= MOST:
        raise NotFound
    row = session.execute(
        _SELECT.where(ItemMedia.item_id == item_id, ItemMedia.place == place)
    ).one_or_none()  # fmt: skip
    if row is None or row.state is not MediaState.READY:
        raise NotFound
    return row


def given_out(row: Any) -> Response:
    """The file, so that a browser takes it for nothing but what it is, and runs nothing in it."""
    suffix = SUFFIXES[row.mime]
    answer = send_file(
        files.path_of(row.sha256), mimetype=row.mime, etag=row.sha256, conditional=True,
        as_attachment=not row.width, download_name=f"{row.sha256[:16]}.{suffix}",
    )  # fmt: skip
    answer.headers["Content-Security-Policy"] = POLICY
    # The same for a picture that came years ago and for one of a check, which seems to have come just now.
    del answer.headers["Last-Modified"]
    # Content of items is kept nowhere but here.
    answer.headers["Cache-Control"] = "no-store"
    return answer
