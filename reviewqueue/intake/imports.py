"""Operations on imports: a stream is kept in chunks as it comes, and jobs store them, one after the other.

A chunk, the faults of its lines and the import's counters are one transaction: a job that is killed leaves the chunk to
the next, and no line is stored twice. What is stored stays, whatever becomes of the rest. Any number of jobs may work
on an import; each takes the next chunk that nobody has in hand.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from sqlalchemy import delete, exists, func, insert, or_, select, text, update
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException

from reviewqueue.accounts.identity import actor_of_person, actor_of_token
from reviewqueue.core import outbox, trail
from reviewqueue.core.access import SYSTEM, Action, Actor, may
from reviewqueue.core.bulk import insert_rows
from reviewqueue.core.db import clock, on_postgresql
from reviewqueue.core.http import Body, problem_json, shaped_or_error
from reviewqueue.core.ids import known_id, new_id
from reviewqueue.core.moments import iso
from reviewqueue.core.strictjson import dumps, parse_object
from reviewqueue.errors import Error, Forbidden, Invalid, NotFound, QueueFull
from reviewqueue.intake.batches import Stored, submit_many
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.models import Import, ImportChunk, ImportFault
from reviewqueue.models.base import table
from reviewqueue.models.states import ActorKind, ImportState
from reviewqueue.queues.catalog import find_queue, queues_or_refusal

STORE = "import.store"
BROKEN_OFF = "The stream broke off. The whole lines that came are stored all the same. Send it again."
CHUNKS_A_JOB = 8
"""A job is called for each so many chunks, so that several workers share a long stream."""
CHUNK_LINES = 1_000
CHUNK_BYTES = 4_194_304
FULL_SECONDS = 10.0
"""After which lines whose queue was full are tried again."""
# Index ix_import_chunk_waiting.
WAITING = text("import_chunk.payload IS NOT NULL")

_import, _chunk, _fault = table(Import).c, table(ImportChunk).c, table(ImportFault).c


def begin(*, session: Session, actor: Actor, queue: str | None) -> str:
    """Open an import whose lines go to `queue` where they name none; returns its id. Raises `NotFound`, `Forbidden`."""
    if queue is not None:
        find_queue(session=session, actor=actor, slug=queue, action=Action.SUBMIT_ITEMS)
    else:
        queues_or_refusal(session=session, actor=actor, action=Action.SUBMIT_ITEMS)
    if actor.token_id is None and actor.kind is not ActorKind.PERSON:
        raise Forbidden("Imports are sent with a token, or by somebody who is signed in.")
    import_id = new_id()
    session.execute(
        insert(Import).values(
            id=import_id, queue=queue, token_id=actor.token_id or "",
            person_id=None if actor.token_id else actor.id, requested_by=actor.label, state=ImportState.RECEIVING,
            created_at=clock(), heard_at=clock(),
        )
    )  # fmt: skip
    trail.record(session, actor, "import.begun", subject=import_id)
    return import_id


# -- the stream -------------------------------------------------------------------------------------------------------


@dataclass
class Chunk:
    """Some lines of the stream."""

    number: int
    first_line: int
    lines: list[bytes] = field(default_factory=list)
    bytes: int = 0


def chunks_of(read: Callable[[int], bytes], expected: int | None = None, *, longest: int) -> Iterator[Chunk]:
    """The stream's lines in chunks, in constant memory: of a line longer than `longest` only that much is kept, which
    is too much for an item, too. When the stream breaks off, what came whole is given first; then its error is raised,
    `EOFError` where fewer bytes came than `expected`."""
    chunk = Chunk(0, 1)
    line, number, came = bytearray(), 1, 0
    broken: Exception | None = None
    while True:
        try:
            data = read(262_144)
        except (OSError, EOFError, zlib.error, HTTPException) as error:
            data, broken = b"", error
        came += len(data)
        first, *others = data.split(b"\n")
        _lengthen(line, first, longest)
        for piece in others:
            _add(chunk, bytes(line))
            number += 1
            if len(chunk.lines) >= CHUNK_LINES or chunk.bytes >= CHUNK_BYTES:
                yield chunk
                chunk = Chunk(chunk.number + 1, number)
            line.clear()
            _lengthen(line, piece, longest)
        if not data:
            break
    if broken is None and expected is not None and came < expected:
        broken = EOFError()
    if line and broken is None:
        _add(chunk, bytes(line))
    if chunk.lines:
        yield chunk
    if broken is not None:
        raise broken


def _lengthen(line: bytearray, piece: bytes, longest: int) -> None:
    if len(line) <= longest:
        line += piece[: longest + 1]


def _add(chunk: Chunk, line: bytes) -> None:
    chunk.lines.append(line.removesuffix(b"\r"))
    chunk.bytes += len(line) + 1


def keep(*, session: Session, import_id: str, chunk: Chunk) -> None:
    """Keep a chunk, and have a job store it."""
    session.execute(
        insert(ImportChunk).values(
            id=new_id(), import_id=import_id, number=chunk.number, first_line=chunk.first_line,
            payload=zlib.compress(b"\n".join(chunk.lines), 1),
        )
    )  # fmt: skip
    session.execute(
        update(table(Import))
        .where(_import.id == import_id)
        .values(
            heard_at=clock(), chunks=_import.chunks + 1, bytes=_import.bytes + chunk.bytes,
            lines=_import.lines + sum(1 for line in chunk.lines if line.strip()),
        )
    )  # fmt: skip
    if chunk.number % CHUNKS_A_JOB == 0:
        call(session, import_id)


def call(session: Session, import_id: str, *, delay_seconds: float = 0.0) -> None:
    """Have a job store what waits of the import."""
    outbox.append(session, STORE, rq_queue=outbox.IMPORTS, ref=import_id, delay_seconds=delay_seconds)


def call_for_the_rest(session: Session, import_id: str) -> None:
    """Have a job come back for what waits of the import, in a while; one, however many ask."""
    again = session.execute(
        update(table(Import))
        .where(
            _import.id == import_id, or_(_import.retry_at.is_(None), _import.retry_at <= clock()),
            exists().where(_chunk.import_id == import_id, WAITING),
        )
        .values(retry_at=clock(FULL_SECONDS))
        .returning(_import.id)
    ).one_or_none()  # fmt: skip
    if again is not None:
        call(session, import_id, delay_seconds=FULL_SECONDS)


def received(*, session: Session, import_id: str) -> None:
    """The stream has come to its end."""
    session.execute(
        update(table(Import))
        .where(_import.id == import_id, _import.state == ImportState.RECEIVING)
        .values(state=ImportState.RUNNING)
    )
    # The last chunks may have come after the jobs that were called before had ended.
    call(session, import_id)
    _end_if_done(session, import_id)


def fail(*, session: Session, import_id: str, why: str) -> None:
    """Give up; what is stored stays. One that has ended stays as it is."""
    live = ImportState.RECEIVING, ImportState.RUNNING
    failed = session.execute(
        update(table(Import))
        .where(_import.id == import_id, _import.state.in_(live))
        .values(state=ImportState.FAILED, error=why[:2000], finished_at=clock())
        .returning(_import.id)
    ).one_or_none()
    if failed is not None:
        trail.record(session, SYSTEM, "import.failed", subject=import_id, content={"why": why[:2000]})


SILENT_SECONDS = 3600
"""After which a stream that has not ended is taken for broken off: the process that received it was killed."""
SILENT = select(_import.id).where(
    _import.state == ImportState.RECEIVING, func.coalesce(_import.heard_at, _import.created_at) < clock(-SILENT_SECONDS)
)


def give_up_silent(*, session: Session) -> None:
    """A duty of the relay: fail imports whose stream nobody receives any more, and have stored what came."""
    for import_id in session.scalars(SILENT).all():
        fail(session=session, import_id=import_id, why=BROKEN_OFF)
        call(session, import_id)


KEPT_DAYS = 30
"""For which it is known which lines of an import were refused, and why."""
OLD = (
    select(_import.id)
    .where(
        _import.finished_at < clock(-86_400.0 * KEPT_DAYS),
        exists().where(_chunk.import_id == _import.id),
        ~exists().where(_chunk.import_id == _import.id, WAITING),
    )
    .limit(1)
)


def sweep(*, session: Session) -> int:
    """A duty of the relay: forget the lines of an import that ended long ago. Returns of how many."""
    import_id = session.scalar(OLD)
    if import_id is None:
        return 0
    session.execute(delete(table(ImportFault)).where(_fault.import_id == import_id))
    session.execute(delete(table(ImportChunk)).where(_chunk.import_id == import_id))
    return 1


# -- storing ----------------------------------------------------------------------------------------------------------


class Step(Enum):
    """What came of storing a chunk."""

    STORED = auto()
    FULL = auto()
    """Some lines are left: their queue takes no more for now."""
    NOTHING = auto()
    """No chunk waits."""


def store_next(*, session: Session, import_id: str, besides: Sequence[str] = ()) -> tuple[Step, str]:
    """Store the lines of the next chunk as items, each with its result; what came of it, and the chunk's id. Lines for
    a full queue stay for later, and hold up no others. `besides`: chunks that are not to be tried."""
    query = (
        select(_chunk.id, _chunk.first_line, _chunk.payload)
        .where(_chunk.import_id == import_id, WAITING, _chunk.id.not_in(besides))
        .order_by(_chunk.met_full, _chunk.number)
        .limit(1)
    )
    chunk = session.execute(query.with_for_update(skip_locked=True) if on_postgresql(session) else query).one_or_none()
    if chunk is None:
        return Step.NOTHING, ""
    run = session.execute(select(Import).where(Import.id == import_id)).scalar_one()
    actor = actor_of_token(session, run.token_id) if run.token_id else actor_of_person(session, run.person_id)
    if actor is None:
        _give_up(session, run.id, _NOBODY if run.person_id else _ENDED)
        return Step.NOTHING, ""
    lines = [
        (place, line)
        for place, line in enumerate(zlib.decompress(chunk.payload).split(b"\n"), chunk.first_line)
        if line.strip()
    ]
    try:
        batch = submit_many(session=session, actor=actor, bodies=[body_of(line, run.queue) for _, line in lines])
    except Forbidden as error:
        _give_up(session, run.id, error.message)
        return Step.NOTHING, ""
    left = {place: line for (place, line), result in zip(lines, batch.results, strict=True) if _is_early(result)}
    results = [
        (place, result)
        for (place, _), result in zip(lines, batch.results, strict=True)
        if place not in left
    ]  # fmt: skip
    faults = [(place, result) for place, result in results if isinstance(result, Error)]
    insert_rows(
        session, table(ImportFault),
        [{"import_id": run.id, "line": place, "problem": dumps(problem_json(error))} for place, error in faults],
    )  # fmt: skip
    stored = sum(1 for _, result in results if isinstance(result, Stored) and result.fresh is not None)
    session.execute(
        update(table(ImportChunk))
        .where(_chunk.id == chunk.id)
        .values(payload=_payload_of(left, chunk.first_line), met_full=_chunk.met_full + int(bool(left)))
    )
    session.execute(
        update(table(Import))
        .where(_import.id == run.id)
        .values(
            chunks_done=_import.chunks_done + (0 if left else 1), stored=_import.stored + stored,
            refused=_import.refused + len(faults),
            repeated=_import.repeated + len(results) - stored - len(faults),
        )
    )  # fmt: skip
    _end_if_done(session, run.id)
    return Step.FULL if left else Step.STORED, chunk.id


def _give_up(session: Session, import_id: str, why: str) -> None:
    """Nobody may store it any more: nor is it kept."""
    session.execute(update(table(ImportChunk)).where(_chunk.import_id == import_id).values(payload=None))
    fail(session=session, import_id=import_id, why=why)


_ENDED = "The token that sent it is revoked or has expired."
_NOBODY = "Whoever sent it has no account here any more."


def _is_early(result: Stored | Error) -> bool:
    return isinstance(result, QueueFull)


def _payload_of(left: dict[int, bytes], first_line: int) -> bytes | None:
    """The lines that are left, at their places; None for none."""
    if not left:
        return None
    return zlib.compress(b"\n".join(left.get(place, b"") for place in range(first_line, max(left) + 1)), 1)


def body_of(line: bytes, queue: str | None) -> Body[ItemShape] | Error:
    """A line as an item, of `queue` where it names none, or the error that says why it is none."""
    try:
        document = parse_object(line)
    except Invalid as error:
        return error
    if queue is not None:
        document.value.setdefault("queue", queue)
    return shaped_or_error(ItemShape, document, line)


def _end_if_done(session: Session, import_id: str) -> None:
    row = session.execute(
        update(table(Import))
        .where(_import.id == import_id, _import.state == ImportState.RUNNING, _import.chunks == _import.chunks_done)
        .values(state=ImportState.DONE, finished_at=clock())
        .returning(_import.stored, _import.repeated, _import.refused)
    ).one_or_none()
    if row is not None:
        facts = {"stored": row.stored, "repeated": row.repeated, "refused": row.refused}
        trail.record(session, SYSTEM, "import.done", subject=import_id, facts=facts)


# -- reading ----------------------------------------------------------------------------------------------------------


def permitted(*, session: Session, actor: Actor, import_id: str) -> Import:
    """The import, for whoever sent it and for administrators. Raises `NotFound` for anybody else."""
    found = session.execute(select(Import).where(Import.id == known_id(import_id))).scalar_one_or_none()
    if found is None or not (found.requested_by == actor.label or may(actor, Action.CONFIGURE_QUEUES)):
        raise NotFound
    return found


def imports_of(*, session: Session, actor: Actor, before: str | None, limit: int) -> list[Import]:
    """Those of the actor, all of them for administrators, newest first."""
    query = select(Import).order_by(Import.id.desc()).limit(limit)
    if not may(actor, Action.CONFIGURE_QUEUES):
        query = query.where(Import.requested_by == actor.label)
    return list(session.scalars(query if before is None else query.where(Import.id < before)))


def faults_of(session: Session, import_id: str, *, after_line: int, limit: int) -> list[tuple[int, str]]:
    """Refused lines after that one, with their problem details as JSON text."""
    rows = session.execute(
        select(_fault.line, _fault.problem)
        .where(_fault.import_id == import_id, _fault.line > after_line)
        .order_by(_fault.line)
        .limit(limit)
    )
    return [(row.line, row.problem) for row in rows]


def as_json(run: Import) -> dict[str, Any]:
    """An import as programs read it."""
    return {
        "id": run.id, "state": run.state, "queue": run.queue, "lines": run.lines, "bytes": run.bytes,
        "stored": run.stored, "repeated": run.repeated, "refused": run.refused, "error": run.error,
        "created_at": iso(run.created_at), "finished_at": iso(run.finished_at),
    }  # fmt: skip
