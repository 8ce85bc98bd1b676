"""What the background is doing: the outbox and the relay as the database knows them, RQ as Redis does. Reads only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from reviewqueue.core.background import connect
from reviewqueue.core.db import clock, database_now
from reviewqueue.errors import Unavailable
from reviewqueue.models import OutboxRow, RelayLease

MOST_SHOWN = 100
MOST_COUNTED = 100_000
WORKER_SILENT_SECONDS = 60
RELAY_SILENT_SECONDS = 15


@dataclass(frozen=True)
class Worker:
    """An RQ worker, as it last said of itself."""

    name: str
    host: str
    state: str
    queues: tuple[str, ...]
    heard_at: datetime | None

    @property
    def heard(self) -> bool:
        """Whether it spoke lately: a killed one stays listed for a while."""
        return self.heard_at is not None and (datetime.now(UTC) - self.heard_at).total_seconds() < WORKER_SILENT_SECONDS


@dataclass(frozen=True)
class Rq:
    """What Redis knows; `problem` says why it knows nothing."""

    queues: tuple[tuple[str, int], ...] = ()
    """Name and how many jobs wait."""
    failed: tuple[int, ...] = ()
    """Jobs that failed within the last hour, of each of them; the outbox has them tried again."""
    workers: tuple[Worker, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Lead:
    """The leading relay; `silent_seconds` since its last beat, by the database's clock."""

    holder: str
    beat_at: datetime
    silent_seconds: float

    @property
    def fresh(self) -> bool:
        return self.silent_seconds < RELAY_SILENT_SECONDS


def rq(url: str | None) -> Rq:
    """Never raises and never waits longer than a few seconds."""
    if not url:
        return Rq(problem="No Redis is configured here. Set REDIS_URL, or start with `reviewqueue up`.")
    try:
        with connect(url) as redis:
            return _ask(redis)
    except (RedisError, Unavailable) as error:
        return Rq(problem=f"Redis does not answer: {error}")


def _ask(redis: Redis) -> Rq:
    # Read as RQ stores them: its own classes make several round trips a worker.
    listed: Any = redis.smembers("rq:queues")
    registered: Any = redis.smembers("rq:workers")
    names = sorted(key.decode().removeprefix("rq:queue:") for key in listed)
    keys = sorted(registered)[:MOST_SHOWN]
    with redis.pipeline(transaction=False) as pipeline:
        for name in names:
            pipeline.llen(f"rq:queue:{name}")
        for name in names:
            pipeline.zcard(f"rq:failed:{name}")
        for key in keys:
            pipeline.hgetall(key)
        answers = pipeline.execute()
    lengths, failed, hashes = answers[: len(names)], answers[len(names) : 2 * len(names)], answers[2 * len(names) :]
    workers = [_worker(key.decode(), found) for key, found in zip(keys, hashes, strict=True) if found]
    return Rq(queues=tuple(zip(names, lengths, strict=True)), failed=tuple(failed), workers=tuple(workers))


def _worker(key: str, found: Mapping[bytes, bytes]) -> Worker:
    def said(name: str) -> str:
        return found.get(name.encode(), b"").decode(errors="replace")

    return Worker(
        name=key.removeprefix("rq:worker:"),
        host=said("hostname"),
        state=said("state") or "unknown",
        queues=tuple(name for name in said("queues").split(",") if name),
        heard_at=_moment(said("last_heartbeat")),
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None


def lead(session: Session) -> Lead | None:
    """None before the first relay started."""
    row = session.get(RelayLease, "relay")
    if row is None:
        return None
    silent = (database_now(session) - row.beat_at).total_seconds()
    return Lead(row.holder, row.beat_at, silent)


def waiting(session: Session) -> list[Any]:
    """Rows (`rq_queue`, `rows`, `oldest_at`): the outbox that is not done yet, without what has failed and what is for
    later. Counts the first `MOST_COUNTED`."""
    some = (
        select(OutboxRow.rq_queue, OutboxRow.created_at)
        .where(OutboxRow.failed_at.is_(None), or_(OutboxRow.dispatched_at.is_not(None), OutboxRow.next_at <= clock()))
        .limit(MOST_COUNTED)
        .subquery()
    )
    grouped = select(some.c.rq_queue, func.count().label("rows"), func.min(some.c.created_at).label("oldest_at"))
    return list(session.execute(grouped.group_by(some.c.rq_queue).order_by(some.c.rq_queue)).all())


def failed_by_queue(session: Session) -> list[Any]:
    """Rows (`rq_queue`, `rows`): work that was given up. Index ix_outbox_failed."""
    failed = select(OutboxRow.rq_queue, func.count().label("rows")).where(OutboxRow.failed_at.is_not(None))
    return list(session.execute(failed.group_by(OutboxRow.rq_queue)).all())


def failures(session: Session) -> list[OutboxRow]:
    """Work that waits for a retry by hand, the latest first; at most `MOST_SHOWN`."""
    return list(
        session.scalars(
            select(OutboxRow)
            .where(OutboxRow.failed_at.is_not(None))
            .order_by(OutboxRow.failed_at.desc(), OutboxRow.id.desc())
            .limit(MOST_SHOWN)
        )
    )
