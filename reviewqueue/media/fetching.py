"""Fetching media from the addresses that the operator lets through: by a job, never while somebody waits."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import current_app
from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import guarded, trail
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.addresses import Refused, target_of
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.errors import Error, Invalid
from reviewqueue.media import uploads
from reviewqueue.media.linking import lets
from reviewqueue.models import Item, ItemMedia, Media, Task
from reviewqueue.models.states import MediaState, TaskState

SECONDS = 30.0
MOST_ATTEMPTS = 4
HEADERS = {"User-Agent": "reviewqueue-media/1", "Accept": "image/*, application/pdf"}


class NotYet(Exception):
    """It may go better later: the outbox tries again."""


@dataclass(frozen=True)
class _Failed:
    why: str
    for_good: bool


def fetch(media_id: str) -> None:
    """Fetch one, and let the tasks that waited for it open. Safe to run twice. Raises `NotYet`."""
    with read_session() as session:
        row = session.execute(
            select(Media.url, Media.attempts).where(Media.id == media_id, Media.state == MediaState.WAITING)
        ).one_or_none()
    if row is None:
        return
    found = _get(row.url)
    if isinstance(found, _Failed) and not found.for_good and row.attempts + 1 < MOST_ATTEMPTS:
        with write_session() as session:
            _note(session, media_id, attempts=row.attempts + 1, error=found.why)
        raise NotYet(found.why)
    with write_session() as session:
        if isinstance(found, _Failed):
            _end(session, media_id, MediaState.FAILED, {"error": found.why})
        else:
            _end(session, media_id, MediaState.READY, found)


def _get(url: str) -> Mapping[str, Any] | _Failed:
    limit = current_app.config["SETTINGS"].max_media_bytes
    if not url.startswith(current_app.config["SETTINGS"].media_allow or ("\x00",)):
        return _Failed("The operator lets media be fetched from there no more.", for_good=True)
    try:
        reply = guarded.exchange(
            "GET", target_of(url, lets()), lets(), headers=HEADERS, seconds=SECONDS, most=limit + 1
        )
    except (Refused, Invalid) as error:
        return _Failed(str(error), for_good=True)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return _Failed(f"{type(error).__name__}: {error}", for_good=False)
    if reply.status != 200:
        busy = reply.status in {408, 429} or reply.status >= 500
        return _Failed(f"The server answered {reply.status}.", for_good=not busy)
    if not reply.whole:
        return _Failed("The connection ended before all had come.", for_good=False)
    try:
        return uploads.kept(reply.body)
    except Error as error:
        return _Failed(error.message, for_good=True)


def _note(session: Session, media_id: str, **values: Any) -> Any:
    """The queue of the media, if it still waited; None else."""
    return session.execute(
        update(Media)
        .where(Media.id == media_id, Media.state == MediaState.WAITING)
        .values(**values)
        .returning(Media.queue_id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()


def _end(session: Session, media_id: str, state: MediaState, found: Mapping[str, Any]) -> None:
    values = dict(found)
    if "error" in values:
        values["error"] = str(values["error"]).replace("\x00", "\ufffd")[:2000]
    queue_id = _note(session, media_id, state=state, **values)
    if queue_id is None:
        return
    content = {"why": values["error"]} if "error" in values else None
    facts = {} if content else values
    trail.record(session, SYSTEM, f"media.{state}", queue_id=queue_id, subject=media_id, facts=facts, content=content)
    _open_tasks(session, media_id)


def _open_tasks(session: Session, media_id: str) -> None:
    """Of the item whose last media this was. What somebody has put off since stays put off."""
    items = select(ItemMedia.item_id).where(ItemMedia.media_id == media_id)
    # Two media of one item that end at the same moment: the later one waits here, and then sees the other's end.
    session.execute(select(Item.id).where(Item.id.in_(items)).order_by(Item.id).with_for_update()).all()
    waits = exists(
        select(Media.id)
        .join(ItemMedia, ItemMedia.media_id == Media.id)
        .where(ItemMedia.item_id == Task.item_id, Media.state == MediaState.WAITING)
    )
    session.execute(
        update(Task)
        .where(
            Task.item_id.in_(items), Task.state == TaskState.OPEN, Task.fence == 0, Task.available_at > clock(), ~waits
        )
        .values(available_at=clock())
        .execution_options(synchronize_session=False)
    )
