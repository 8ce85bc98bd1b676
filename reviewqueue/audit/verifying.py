"""Queries that read the whole log, in order: for checking it here, and for taking it elsewhere.

Everything is read from one snapshot, taken after the file of checkpoints was read: so nothing that is written
meanwhile looks like a fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from reviewqueue.audit import chain, keys, sealing
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import database_now, db, on_postgresql, read_session
from reviewqueue.errors import Conflict, NotFound
from reviewqueue.models import AuditCheckpoint, AuditContent, AuditEvent, AuditSeal, AuditWaiting
from reviewqueue.models.base import table

PAGE = 1_000
_event, _seal, _content = table(AuditEvent).c, table(AuditSeal).c, table(AuditContent).c
_waiting, _checkpoint = table(AuditWaiting).c, table(AuditCheckpoint).c
_SEALED = (
    sealing.EVENTS.add_columns(
        _seal.sequence, _seal.hash, _content.salt, _content.payload, _content.event_id.label("has_content")
    )
    .select_from(table(AuditSeal))
    .outerjoin(table(AuditEvent), _event.id == _seal.event_id)
    .outerjoin(table(AuditContent), _content.event_id == _seal.event_id)
    .order_by(_seal.sequence)
    .limit(PAGE)
)


@contextmanager
def snapshot() -> Iterator[Session]:
    """A session that reads one state of the database, however long it takes, and holds nobody up."""
    with read_session() as reading:
        if not on_postgresql(reading):
            yield reading
            return
    engine = db.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with Session(engine, expire_on_commit=False, autoflush=False) as session:
        yield session


def sealed(session: Session) -> Iterator[Any]:
    """The log's events in the order of the chain, each with its seal and what is left of its content."""
    last: int | None = None
    while True:
        query = _SEALED if last is None else _SEALED.where(_seal.sequence > last)
        rows = session.execute(query).all()
        yield from rows
        if len(rows) < PAGE:
            return
        last = rows[-1].sequence


def event_of(row: Any) -> dict[str, Any] | None:
    """None where a seal has lost its event."""
    return None if row.id is None else sealing.as_hashed(row)


def content_of(row: Any) -> dict[str, str] | None:
    return None if row.has_content is None else {"salt": row.salt, "payload": row.payload}


def known_checkpoints(session: Session, in_file: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the file and of the database, each once, the smallest first."""
    kept = session.scalars(select(_checkpoint.document).order_by(_checkpoint.size)).all()
    found = {json.dumps(one, sort_keys=True): one for one in (*in_file, *map(json.loads, kept))}
    return sorted(found.values(), key=lambda one: one["size"] if isinstance(one.get("size"), int) else 0)


def in_file() -> list[dict[str, Any]]:
    """The checkpoints in the data directory's file. None where other machines have it."""
    path = sealing.file_of_checkpoints()
    return chain.checkpoints_in(path.read_text(encoding="utf-8")) if path.exists() else []


def unsealed_notes(session: Session) -> list[Any]:
    """Events that say that content is gone, or that a backup was restored, and wait for their seal."""
    about = _event.action.in_((chain.ITEM_ERASED, chain.CONTENT_ERASED, chain.RESTORED))
    return list(session.execute(sealing.EVENTS.where(_event.id.in_(select(_waiting.event_id)), about)).all())


def verify(
    *,
    actor: Actor,
    own: list[dict[str, Any]] | None = None,
    accepted: frozenset[str] = frozenset(),
    progress: Callable[[int], Any] = lambda _: None,
) -> tuple[chain.Checker, int]:
    """Check everything; returns what was found, and how many events wait.

    `own`: checkpoints that somebody kept; `accepted`: ids of restores that they know of.

    Raises `Forbidden`.
    """
    require(actor, Action.READ_AUDIT)
    outside = [*in_file(), *(own or [])]
    with snapshot() as session:
        checker = chain.Checker(keys.known_keys(), known_checkpoints(session, outside), accepted=accepted)
        for row in sealed(session):
            checker.add(row.sequence, row.hash, event_of(row), content_of(row))
            if row.sequence % PAGE == 0:
                progress(row.sequence)
        waiting = waiting_count(session)
        for row in unsealed_notes(session):
            checker.note(sealing.as_hashed(row))
        for event_id in _forgotten(session):
            checker.fault("unsealed", None, f"Event {event_id} is not sealed and does not wait for it.")
        checker.end()
    return checker, waiting


def _forgotten(session: Session) -> list[str]:
    neither = ~exists().where(_seal.event_id == _event.id), ~exists().where(_waiting.event_id == _event.id)
    return list(session.scalars(select(_event.id).where(*neither).order_by(_event.id).limit(chain.MOST_FAULTS)))


def exported(*, actor: Actor) -> Iterator[str]:
    """The log as lines of JSON, with its checkpoints where they belong and the public key. Raises `Forbidden`."""
    require(actor, Action.READ_AUDIT)
    outside = in_file()
    with snapshot() as session:
        checkpoints = known_checkpoints(session, outside)
        size, _ = sealing.head(session)
        yield _line(
            kind="log", format=chain.FORMAT, at=sealing.exact(database_now(session)), keys=sorted(keys.known_keys()),
            size=size,
        )  # fmt: skip
        for row in sealed(session):
            # Before their event: the verifier knows early what it has to meet.
            while checkpoints and _size(checkpoints[0]) <= row.sequence:
                yield _line(kind="checkpoint", checkpoint=checkpoints.pop(0))
            yield _event_line(row)
        for checkpoint in checkpoints:
            yield _line(kind="checkpoint", checkpoint=checkpoint)
        for row in unsealed_notes(session):
            yield _line(kind="waiting", event=sealing.as_hashed(row))


def _size(checkpoint: dict[str, Any]) -> int:
    size = checkpoint.get("size")
    return size if isinstance(size, int) else 0


def _event_line(row: Any) -> str:
    return _line(
        kind="event", sequence=row.sequence, hash=row.hash, event=event_of(row), content=content_of(row)
    )  # fmt: skip


def proof(*, session: Session, actor: Actor, event_id: str) -> list[str]:
    """Lines that prove one event: itself, its content and salt, of its neighbours up to the next checkpoint nothing but
    digests, and that checkpoint.

    Raises `Forbidden`, `NotFound`, and `Conflict` for an event that no checkpoint covers yet.
    """
    require(actor, Action.READ_AUDIT)
    sequence = session.scalar(select(_seal.sequence).where(_seal.event_id == event_id))
    if sequence is None:
        if session.scalar(select(_event.id).where(_event.id == event_id)) is None:
            raise NotFound("There is no such event.")
        raise _uncovered()
    # Index ix_audit_checkpoint_size.
    query = select(_checkpoint.size, _checkpoint.document).where(_checkpoint.size >= sequence)
    covering = session.execute(query.order_by(_checkpoint.size).limit(1)).one_or_none()
    if covering is None:
        raise _uncovered()
    before = session.scalar(select(_seal.hash).where(_seal.sequence == sequence - 1)) or chain.START
    lines = [
        _line(
            kind="proof", format=chain.FORMAT, at=sealing.exact(database_now(session)), keys=sorted(keys.known_keys()),
            size=covering.size, after={"sequence": sequence - 1, "hash": before}, event=event_id,
        )
    ]  # fmt: skip
    last = sequence - 1
    while last < covering.size:
        within = _seal.sequence > last, _seal.sequence <= covering.size
        rows = session.execute(_SEALED.where(*within)).all()
        if not rows:
            break
        lines.extend(_event_line(row) if row.sequence == sequence else _link_line(row) for row in rows)
        last = rows[-1].sequence
    return [*lines, _line(kind="checkpoint", checkpoint=json.loads(covering.document))]


def _uncovered() -> Conflict:
    seconds = sealing.CHECKPOINT_SECONDS
    return Conflict(f"No checkpoint covers this event yet: there is one every {seconds} seconds.")


def _link_line(row: Any) -> str:
    event = event_of(row)
    return _line(kind="link", sequence=row.sequence, hash=row.hash, digest=chain.digest(event) if event else None)


def _line(**members: Any) -> str:
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) + "\n"


def waiting_count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(table(AuditWaiting))) or 0
