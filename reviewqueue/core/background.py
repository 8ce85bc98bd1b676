"""Work off the outbox: what each topic does, the job that RQ runs, and its hold on the rows.

A job carries ids alone. It first takes an execution lease on its rows, so that a second job for the same rows, or one
that comes late, does nothing. Rows are deleted when their work is done.
"""

from __future__ import annotations

import importlib
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import case, delete, or_, update
from sqlalchemy.orm import Session

from reviewqueue.core import logs, outbox, traces, trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.errors import NotFound, Unavailable
from reviewqueue.models import OutboxRow

log = logging.getLogger(__name__)

JOB = "reviewqueue.core.background.work"
MOST_ATTEMPTS = 10
MANY = 10
"""Rows of several ids that a job works off, one after the other: to begin a job takes as long as a row."""
KILLED = "The worker ended before the work did, ten times: it was killed, or ran out of memory or time."
LARGEST_ID = 2**63 - 1
SECONDS = 2
"""Timeout of every Redis call: a frozen Redis must not freeze us."""
JOB_TIMEOUT_SECONDS = 3600


@dataclass(frozen=True)
class Topic:
    """What is to be done with the rows of a topic; named by dotted string, so that nothing is imported for it."""

    handler: str
    """Short work: `handler(*, session, refs)`, all in one transaction. Long: `handler(*, ref, renew)`."""
    batch: int = 50
    long: bool = False


class LeaseGone(Exception):
    """Another job has taken over: stop."""


def connect(url: str, *, retries: int = 0) -> Redis:
    """A client whose calls end within two seconds, for as do its retries. Raises `Unavailable` for no address."""
    try:
        return Redis.from_url(
            url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS, retry=Retry(ConstantBackoff(0.2), retries)
        )
    except ValueError as error:
        raise Unavailable(f"REDIS_URL cannot be read: {error}") from None


def redis_url() -> str:
    """Raises `Unavailable` where none is configured."""
    url = current_app.config["SETTINGS"].redis_url
    if not url:
        raise Unavailable("No Redis is configured: set REDIS_URL, or run `reviewqueue up`, which brings its own.")
    return str(url)


def rq_queue(name: str, connection: Redis) -> Queue:
    return Queue(name, connection=connection, serializer=JSONSerializer)


def enqueue(connection: Redis, name: str, topic: Topic, ids: Sequence[int], *, apart: bool = False) -> None:
    """Hand rows to RQ, in one job: to be done together, or `apart`, each as if it had a job of its own. Only the relay
    calls this, after its commit."""
    rq_queue(name, connection).enqueue(
        JOB,
        topic.handler,
        topic.long,
        list(ids),
        apart,
        job_timeout=JOB_TIMEOUT_SECONDS,
        result_ttl=0,
        failure_ttl=3600,
    )


_app_of_worker: list[Flask] = []


def serve(app: Flask) -> None:
    """Give jobs of this process their application. Called before the fork; the engine connects after it."""
    _app_of_worker[:] = [app]


def work(handler: str, long: bool, ids: list[int], apart: bool = False) -> None:
    """The job: take the lease, run the handler, delete what is done; where rows are `apart`, one after the other."""
    with _app_of_worker[0].app_context(), logs.about(job=handler, rows=ids):
        for some in [[row_id] for row_id in ids] if apart else [ids]:
            run(handler, some, long=long)
    traces.flush()


def run(handler_name: str, ids: Sequence[int], *, long: bool) -> int:
    """Work off these outbox rows; returns how many were done. Safe to run twice, also at the same time."""
    lease = new_id()
    rows, asked = _take(lease, ids)
    with traces.span(handler_name, asked, kind="CONSUMER", rows=len(rows)):
        return _run(handler_name, lease, rows, long=long)


def _run(handler_name: str, lease: str, rows: Mapping[int, list[str]], *, long: bool) -> int:
    handler = _imported(handler_name)
    if long:
        return sum(_run_long(handler, lease, row_id, ref) for row_id, [ref] in rows.items())
    if not rows:
        return 0
    try:
        _run_batch(handler, lease, rows)
    except Exception:
        log.exception("batch of %d for %s failed; trying one by one", len(rows), handler_name)
        return sum(_run_alone(handler, lease, row_id, refs) for row_id, refs in rows.items())
    return len(rows)


def _take(lease: str, ids: Sequence[int]) -> tuple[dict[int, list[str]], list[str | None]]:
    """The ids that each row is about, and the traces that the rows are part of."""
    seconds = current_app.config["SETTINGS"].execution_lease_seconds
    free = (
        OutboxRow.id.in_(list(ids)),
        OutboxRow.failed_at.is_(None),
        or_(OutboxRow.leased_until.is_(None), OutboxRow.leased_until < clock()),
    )
    with write_session() as session:
        # Whatever takes its worker down with it leaves no error behind, and must not do so for ever.
        session.execute(
            update(OutboxRow)
            .where(*free, OutboxRow.attempts >= MOST_ATTEMPTS)
            .values(failed_at=clock(), error=KILLED)
            .execution_options(synchronize_session=False)
        )
        rows = session.execute(
            update(OutboxRow)
            .where(*free)
            .values(lease=lease, leased_until=clock(seconds), attempts=OutboxRow.attempts + 1)
            .returning(OutboxRow.id, OutboxRow.ref, OutboxRow.refs, OutboxRow.trace)
            .execution_options(synchronize_session=False)
        ).all()
    refs = {row.id: [row.ref] if row.refs is None else json.loads(row.refs) for row in rows}
    return refs, [row.trace for row in rows]


def _imported(name: str) -> Callable[..., Any]:
    module, _, function = name.rpartition(".")
    handler: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return handler


def _run_batch(handler: Callable[..., Any], lease: str, rows: Mapping[int, Sequence[str]]) -> None:
    with write_session() as session:
        handler(session=session, refs=[ref for refs in rows.values() for ref in refs])
        _finish(session, lease, list(rows))


def _run_alone(handler: Callable[..., Any], lease: str, row_id: int, refs: Sequence[str]) -> bool:
    if len(refs) > 1:
        _split(lease, row_id, refs)
        return False
    try:
        _run_batch(handler, lease, {row_id: refs})
    except Exception as error:
        log.exception("outbox row %d failed", row_id)
        _fail(lease, row_id, error)
        return False
    return True


def _split(lease: str, row_id: int, refs: Sequence[str]) -> None:
    """A row for each, so that the one that does not work holds up no other."""
    with write_session() as session:
        row = session.execute(
            delete(OutboxRow)
            .where(OutboxRow.id == row_id, OutboxRow.lease == lease)
            .returning(OutboxRow.topic, OutboxRow.rq_queue)
            .execution_options(synchronize_session=False)
        ).one_or_none()
        if row is not None:
            for ref in refs:
                outbox.append(session, row.topic, rq_queue=row.rq_queue, ref=ref)


def _run_long(handler: Callable[..., Any], lease: str, row_id: int, ref: str) -> bool:
    try:
        handler(ref=ref, renew=_renewer(lease, row_id))
    except LeaseGone:
        return False
    except Exception as error:
        log.exception("outbox row %d failed", row_id)
        _fail(lease, row_id, error)
        return False
    with write_session() as session:
        _finish(session, lease, [row_id])
    return True


def _renewer(lease: str, row_id: int) -> Callable[..., None]:
    """What long work calls as often as it likes: `renew(progress=True)` when something is done that stays done. It
    renews the lease when called first, and later once a twentieth of its time has passed: each time is a transaction,
    and an export calls after every page."""
    every, due = current_app.config["SETTINGS"].execution_lease_seconds / 20, 0.0
    progressed = False

    def renew(*, progress: bool = False) -> None:
        nonlocal due, progressed
        now, progressed = time.monotonic(), progressed or progress
        if now >= due:
            _renew(lease, row_id, progressed)
            due = now + every

    return renew


def _renew(lease: str, row_id: int, progressed: bool) -> None:
    seconds = current_app.config["SETTINGS"].execution_lease_seconds
    # Work that gets on is not what kills its workers.
    anew = {"attempts": 1} if progressed else {}
    with write_session() as session:
        kept = session.execute(
            update(OutboxRow)
            .where(OutboxRow.id == row_id, OutboxRow.lease == lease)
            .values(leased_until=clock(seconds), **anew)
            .returning(OutboxRow.id)
            .execution_options(synchronize_session=False)
        ).one_or_none()
    if kept is None:
        raise LeaseGone


def _finish(session: Session, lease: str, ids: Sequence[int]) -> None:
    session.execute(
        delete(OutboxRow)
        .where(OutboxRow.id.in_(list(ids)), OutboxRow.lease == lease)
        .execution_options(synchronize_session=False)
    )


def _fail(lease: str, row_id: int, error: Exception) -> None:
    """Note the failure; back off 15 s, 30 s, … up to an hour; after ten attempts wait for a retry by hand."""
    with write_session() as session:
        attempts = session.execute(
            update(OutboxRow)
            .where(OutboxRow.id == row_id, OutboxRow.lease == lease)
            .values(
                leased_until=None,
                lease=None,
                error=f"{type(error).__name__}: {error}"[:2000],
                failed_at=case((OutboxRow.attempts >= MOST_ATTEMPTS, clock()), else_=None),
            )
            .returning(OutboxRow.attempts)
            .execution_options(synchronize_session=False)
        ).scalar_one_or_none()
        if attempts is not None:
            seconds = min(3600, 15 * 2 ** (attempts - 1))
            session.execute(update(OutboxRow).where(OutboxRow.id == row_id).values(next_at=clock(seconds)))


def retry(*, session: Session, actor: Actor, row_id: int | None = None) -> int:
    """Give work that was given up ten new attempts: one row, or all; returns how many.

    Raises `Forbidden`, and `NotFound` when that row did not fail or is done by now.
    """
    require(actor, Action.RETRY_BACKGROUND)
    if row_id is not None and row_id > LARGEST_ID:
        raise NotFound
    failed = OutboxRow.failed_at.is_not(None)
    again = (
        update(OutboxRow)
        .where(failed if row_id is None else failed & (OutboxRow.id == row_id))
        .values(failed_at=None, attempts=0, next_at=clock())
        .returning(OutboxRow.id, OutboxRow.topic, OutboxRow.ref)
        .execution_options(synchronize_session=False)
    )
    rows = session.execute(again).all()
    if row_id is not None and not rows:
        raise NotFound("This work did not fail, or is done by now.")
    for row in rows:
        trail.record(session, actor, "background.retried", subject=row.ref, facts={"topic": row.topic, "row": row.id})
    return len(rows)
