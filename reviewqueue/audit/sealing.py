"""Duties of the leading relay: chain what was committed, and sign how far the chain has come.

An event waits in `audit_waiting` from the commit that made it, by a trigger, until it is sealed. So whatever commits
late is sealed late, and once: the row that says that it waits goes away with the seal, in one transaction.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any

from flask import current_app
from sqlalchemy import Select, delete, func, insert, select
from sqlalchemy.orm import Session

from reviewqueue.audit import chain, keys
from reviewqueue.core import outbox
from reviewqueue.core.bulk import insert_rows
from reviewqueue.core.db import among, database_now
from reviewqueue.core.ids import new_id
from reviewqueue.core.strictjson import dumps
from reviewqueue.models import AuditCheckpoint, AuditEvent, AuditSeal, AuditWaiting
from reviewqueue.models.base import table

BATCH = 1_000
CHECKPOINT_SECONDS = 60
_event, _seal, _waiting = table(AuditEvent).c, table(AuditSeal).c, table(AuditWaiting).c
_checkpoint = table(AuditCheckpoint).c

WAITING = select(_waiting.event_id).limit(1)
UNSIGNED = (
    select(_seal.sequence)
    .where(_seal.sequence > func.coalesce(select(func.max(_checkpoint.size)).scalar_subquery(), 0))
    .limit(1)
)
EVENTS: Select[Any] = select(*(_event[name] for name in chain.FIELDS))
_TO_SEAL = EVENTS.where(among(_event.id, "ids")).order_by(_event.id)


def exact(moment: datetime) -> str:
    """A time with all the digits that the database keeps, as it is hashed."""
    return moment.isoformat(timespec="microseconds")


def as_hashed(row: Any) -> dict[str, Any]:
    """An event as the chain hashes it, of a row that begins with the columns of `EVENTS`."""
    found = dict(zip(chain.FIELDS, row, strict=False))
    found["at"] = exact(row.at)
    return found


def head(session: Session) -> tuple[int, str]:
    """Number and hash of the last sealed event."""
    query = select(_seal.sequence, _seal.hash).order_by(_seal.sequence.desc()).limit(1)
    row = session.execute(query).one_or_none()
    return (row.sequence, row.hash) if row else (0, chain.START)


def seal(*, session: Session) -> int:
    """Chain what waits, at most 1,000 events; returns how many. A duty of the leading relay.

    Of two relays that both believe to lead, the second waits for the first's rows and finds them gone, or raises
    `IntegrityError` and changes nothing.
    """
    some = select(_waiting.event_id).order_by(_waiting.event_id).limit(BATCH)
    taken = delete(table(AuditWaiting)).where(_waiting.event_id.in_(some)).returning(_waiting.event_id)
    ids = session.scalars(taken).all()
    if not ids:
        return 0
    # Only now: the rows above may have been another relay's until a moment ago.
    sequence, last = head(session)
    seals = []
    for row in session.execute(_TO_SEAL, {"ids": ids}).all():
        sequence += 1
        last = chain.link(last, sequence, chain.digest(as_hashed(row)))
        seals.append({"sequence": sequence, "event_id": row.id, "hash": last})
    insert_rows(session, table(AuditSeal), seals)
    return len(seals)


def file_of_checkpoints() -> Path:
    """Where the checkpoints are kept outside the database, one a line."""
    folder: Path = current_app.config["SETTINGS"].data_dir
    return folder / "audit_checkpoints.jsonl"


def checkpoint(*, session: Session) -> None:
    """Sign how far the chain has come, if that is further than the last time. A duty of the leading relay.

    It goes to the file first: what the database has is never ahead of it. If the transaction fails after that, the
    file has one checkpoint more, which is as true.
    """
    size, root = head(session)
    signed = session.scalar(select(func.max(_checkpoint.size))) or 0
    if size <= signed:
        return
    at = database_now(session)
    document = dumps(chain.sign(keys.signing_key(), size=size, root=root, at=exact(at)))
    _append_to_file(document)
    checkpoint_id = new_id()
    session.execute(insert(AuditCheckpoint).values(id=checkpoint_id, size=size, at=at, document=document))
    if current_app.config["SETTINGS"].checkpoint_url:
        outbox.append(session, "audit.checkpoint", rq_queue=outbox.WEBHOOKS, ref=checkpoint_id)


def _append_to_file(document: str) -> None:
    path = file_of_checkpoints()
    line = f"{document}\n"
    if path.exists() and path.stat().st_size:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            if file.read() != b"\n":
                line = f"\n{line}"  # the last one was cut off by a crash
    with path.open("a", encoding="utf-8") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
