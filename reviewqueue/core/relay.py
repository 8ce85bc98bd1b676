"""The relay: hands outbox rows to RQ, and does what is due by time. One leads, any number stand by.

The database is the truth; Redis may be empty, slow or gone at any moment. A row is handed over again every 15 seconds
until a job has done it. A sentinel key tells when Redis was emptied: then nothing waits for those 15 seconds.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import Executable, func, or_, select, update
from sqlalchemy.orm import Session

from reviewqueue.core.background import MANY, Topic, connect, enqueue, rq_queue
from reviewqueue.core.db import clock, on_postgresql, read_connection, read_session, upsert, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.models import OutboxRow, RelayLease

log = logging.getLogger(__name__)

AGAIN_AFTER_SECONDS = 15
LEASE_SECONDS = 8
BATCH = 500
MOST_JOBS_WAITING = 100
TURNS = 20
PAUSE_SECONDS = 0.2
SENTINEL = "reviewqueue:sentinel"


@dataclass(frozen=True)
class Duty:
    """Something due by time: `act(session=…)` in a transaction of its own, every so many seconds."""

    name: str
    act: Callable[..., Any]
    every_seconds: float
    due: Executable | None = None
    """Gives a row when there is something to do; None: there may always be. Reading holds nobody up, while on SQLite a
    transaction that writes holds up everybody else's, and would for as long as this process is frozen in it."""
    writes: bool = True
    batch: int | None = None
    """How much it does at once at most, by what it returns. After a full batch it goes on in the next round."""


class Relay:
    """One relay process. `run` returns after `stop`."""

    def __init__(self, *, topics: Mapping[str, Topic], duties: tuple[Duty, ...], url: str | None) -> None:
        self._topics = topics
        self._duties = duties
        self._redis: Redis | None = connect(url) if url else None
        self._redis_is_down = False
        self._try_redis_at = 0.0
        self._name = f"{socket.gethostname()}:{os.getpid()}:{new_id()[-6:]}"
        self._due: dict[str, float] = {}
        self._renew_at = 0.0
        self._leads = False
        self._stop = threading.Event()

    def stop(self) -> None:
        self._stop.set()

    def run(self) -> None:
        """Until stopped. A failure is logged and the next round tries again."""
        while not self._stop.is_set():
            try:
                if self._lead():
                    self._do_duties()
                    self._dispatch()
            except Exception:
                log.exception("relay round failed")
                self._stop.wait(1)
            self._stop.wait(PAUSE_SECONDS)
        if self._leads:
            self._resign()

    # -- leadership ---------------------------------------------------------------------------------------------------

    def _lead(self) -> bool:
        """Hold or take the lease row; renewed every quarter of its time."""
        now = time.monotonic()
        if now < self._renew_at:
            return self._leads
        with write_session() as session:
            fence = session.execute(_lease_statement(session, self._name)).scalar_one_or_none()
        if (fence is not None) != self._leads:
            log.info("relay %s %s", self._name, "leads" if fence is not None else "stands by")
        self._leads = fence is not None
        self._renew_at = now + LEASE_SECONDS / 4
        return self._leads

    def _resign(self) -> None:
        with write_session() as session:
            session.execute(update(RelayLease).where(RelayLease.holder == self._name).values(lease_until=clock(-1)))

    # -- duties -------------------------------------------------------------------------------------------------------

    def _do_duties(self) -> None:
        for duty in self._duties:
            now = time.monotonic()
            if now < self._due.get(duty.name, 0.0):
                continue
            self._due[duty.name] = now + duty.every_seconds
            try:
                if duty.due is not None and not _anything(duty.due):
                    continue
                with write_session() if duty.writes else read_session() as session:
                    done = duty.act(session=session)
                if duty.batch is not None and done >= duty.batch:
                    self._due[duty.name] = now
            except Exception:
                log.exception("duty %s failed", duty.name)

    # -- dispatch -----------------------------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        if self._redis is None or time.monotonic() < self._try_redis_at:
            return
        try:
            self._notice_emptied(self._redis)
            self._take_turns(self._redis)
            if self._redis_is_down:
                log.warning("Redis answers again")
            self._redis_is_down = False
        except RedisError as error:
            if not self._redis_is_down:
                log.warning("Redis does not answer (%s); rows wait in the outbox", error)
            self._redis_is_down = True
            self._try_redis_at = time.monotonic() + 1

    def _notice_emptied(self, redis: Redis) -> None:
        if redis.get(SENTINEL) is not None:
            return
        # Rows that a job works on are left to it: its lease tells when it is gone.
        handed_over = OutboxRow.dispatched_at.is_not(None), OutboxRow.failed_at.is_(None), _unleased()
        if _anything(select(OutboxRow.id).where(*handed_over).limit(1)):
            again = update(OutboxRow).where(*handed_over).values(next_at=clock())
            with write_session() as session:
                session.execute(again.execution_options(synchronize_session=False))
        redis.set(SENTINEL, self._name)

    def _take_turns(self, redis: Redis) -> None:
        """One batch a queue and turn, so that a flooded queue cannot starve another."""
        names = _due_queues()
        for _ in range(TURNS):
            names = [name for name in names if self._hand_over(redis, name)]
            if not names:
                return

    def _hand_over(self, redis: Redis, name: str) -> bool:
        """Whether the queue may have more to hand over."""
        if len(rq_queue(name, redis)) >= MOST_JOBS_WAITING:
            return False
        with write_session() as session:
            rows = session.execute(_handover_statement(session, name)).all()
        by_topic: dict[tuple[str, bool], list[int]] = {}
        for row in rows:
            by_topic.setdefault((row.topic, row.length is not None), []).append(row.id)
        for (topic_name, many), ids in by_topic.items():
            topic = self._topics.get(topic_name)
            if topic is None:
                log.error("no handler for topic %s", topic_name)
                continue
            size = 1 if topic.long else MANY if many else topic.batch
            for start in range(0, len(ids), size):
                enqueue(redis, name, topic, sorted(ids)[start : start + size], apart=many)
        return len(rows) == BATCH


def _anything(due: Executable) -> bool:
    with read_connection() as connection:
        return connection.execute(due).first() is not None


def _unleased() -> Any:
    return or_(OutboxRow.leased_until.is_(None), OutboxRow.leased_until < clock())


def _due_queues() -> list[str]:
    with read_session() as session:
        # Index ix_outbox_due.
        return list(
            session.scalars(
                select(OutboxRow.rq_queue)
                .where(OutboxRow.failed_at.is_(None), OutboxRow.next_at <= clock(), _unleased())
                .distinct()
                .order_by(OutboxRow.rq_queue)
            )
        )


def _handover_statement(session: Session, name: str) -> Any:
    due = (
        select(OutboxRow.id)
        .where(OutboxRow.rq_queue == name, OutboxRow.failed_at.is_(None), OutboxRow.next_at <= clock(), _unleased())
        .order_by(OutboxRow.next_at, OutboxRow.id)
        .limit(BATCH)
    )
    if on_postgresql(session):
        due = due.with_for_update(skip_locked=True)
    return (
        update(OutboxRow)
        .where(OutboxRow.id.in_(due))
        .values(dispatched_at=clock(), next_at=clock(AGAIN_AFTER_SECONDS))
        # Not `refs IS NOT NULL`: RETURNING of SQLite 3.40 says that of a NULL.
        .returning(OutboxRow.id, OutboxRow.topic, func.length(OutboxRow.refs).label("length"))
        .execution_options(synchronize_session=False)
    )


def _lease_statement(session: Session, name: str) -> Any:
    fresh = upsert(session, RelayLease).values(
        name="relay", holder=name, fence=1, lease_until=clock(LEASE_SECONDS), beat_at=clock()
    )
    table: Any = RelayLease.__table__
    return fresh.on_conflict_do_update(
        index_elements=["name"],
        set_={"holder": name, "fence": table.c.fence + 1, "lease_until": clock(LEASE_SECONDS), "beat_at": clock()},
        where=or_(table.c.holder == name, table.c.lease_until < clock()),
    ).returning(table.c.fence)
