"""The product within one process, to be ended and begun again: clients, the relay, jobs, and time that passes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from sqlalchemy import Engine, select, text, update

from reviewqueue.audit import verifying
from reviewqueue.cli import TOPICS, duties
from reviewqueue.core import background
from reviewqueue.core.db import clock, db, read_session, write_session
from reviewqueue.core.http import API_PREFIX
from reviewqueue.core.relay import Duty, Relay
from reviewqueue.models import Import, OutboxRow, PendingRelease, RelayLease, WebhookDelivery
from reviewqueue.models.states import DeliveryState, ImportState
from reviewqueue.review import edge
from reviewqueue.review.decisions.recording import Decided, Submission
from tests.fixtures import installation
from tests.fixtures.people import Cast, Member
from tests.promises.stored import FIRST

ALWAYS = (
    "settle decisions whose grace is over", "number the feed", "make webhook deliveries", "call the webhook sender",
    "give up imports that broke off",
)  # fmt: skip
SEALS = "seal the audit log", "sign the audit log"
PAST = clock(-3600)
BUSY = (
    "outbox", "pending_release", "resolution WHERE position IS NULL", "webhook_delivery WHERE state = 'pending'",
    "import WHERE state = 'receiving'",
)  # fmt: skip


@dataclass
class World:
    app: Flask
    cast: Cast
    redis_url: str
    engine: Engine
    """A look from outside: none of the product's."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What flows keep from one run to the next."""

    @property
    def own_engine(self) -> Engine:
        with self.app.app_context():
            return db.engine

    def restart(self) -> None:
        """Nothing of the process is left but what is in the database, in Redis and in files."""
        with self.app.app_context():
            installation.dispose()

    # -- clients ------------------------------------------------------------------------------------------------------

    def call(
        self, who: Member, method: str, path: str, body: Any = None, key: str | None = None, **more: Any
    ) -> tuple[int, Any]:
        """Status, and the answer's JSON."""
        headers = {**who.bearer, **({"Idempotency-Key": key} if key else {})}
        given = {"json": body} if body is not None else more
        answer = self.app.test_client().open(f"{API_PREFIX}{path}", method=method, headers=headers, **given)
        return answer.status_code, answer.json if answer.data else None

    def decide_in_grace(self, who: Member, claim_id: str, **submission: Any) -> Decided:
        """As the desk does."""
        with self.app.app_context():
            return edge.decide_now(who.actor, claim_id, Submission(**{"verdict": None, "grace": True, **submission}))

    # -- the background -----------------------------------------------------------------------------------------------

    def relay(self, *names: str, redis: bool = False) -> None:
        """One round of a relay that has these duties, all of its own where none is named."""
        mine = [duty for duty in duties() if duty.name in (names or ALWAYS)]
        assert len(mine) == len(names or ALWAYS)
        mine.append(Duty("stop", lambda session: process.stop(), 0, writes=False))
        process = Relay(topics=TOPICS, duties=tuple(mine), url=self.redis_url if redis else None)
        with self.app.app_context():
            process.run()

    def work(self, *topics: str) -> None:
        """Work off every row that is due, as the relay and the workers would; of these topics, where some are named."""
        with self.app.app_context():
            for _ in range(20):
                with read_session() as session:
                    query = select(OutboxRow.id, OutboxRow.topic).where(OutboxRow.next_at <= clock())
                    query = query.where(OutboxRow.topic.in_(topics)) if topics else query
                    rows = session.execute(query.order_by(OutboxRow.id)).all()
                if not rows:
                    return
                for row in rows:
                    topic = TOPICS[row.topic]
                    background.run(topic.handler, [row.id], long=topic.long)
        raise AssertionError("there is no end to the work")

    def worker(self) -> None:
        """What an RQ worker does with each job, until none waits."""
        background.serve(self.app)
        with background.connect(self.redis_url) as connection:
            queues = [background.rq_queue(name, connection) for name in ("review.intents", "webhooks")]
            worker = SimpleWorker(queues, connection=connection, serializer=JSONSerializer, default_result_ttl=0)
            while found := Queue.dequeue_any(queues, None, connection, serializer=JSONSerializer):
                worker.execute_job(*found)

    def later(self) -> None:
        """So much time has passed that whatever waits for its time is due; what people hold is still theirs."""
        with self.app.app_context(), write_session() as session:
            session.execute(update(OutboxRow).values(next_at=PAST, leased_until=None))
            session.execute(update(RelayLease).values(lease_until=PAST))
            session.execute(update(PendingRelease).values(releases_at=PAST))
            session.execute(
                update(WebhookDelivery)
                .where(WebhookDelivery.state == DeliveryState.PENDING)
                .values(next_at=PAST, leased_until=None)
            )
            session.execute(update(Import).where(Import.state == ImportState.RECEIVING).values(heard_at=clock(-7200)))

    def settle(self) -> None:
        """Let the background do what it has to, until it is quiet."""
        for _ in range(5):
            if not self._is_busy():
                return
            self.later()
            self.relay()
            self.work()

    def newest(self) -> str:
        """The id of the item that came last."""
        with self.engine.connect() as connection:
            return str(connection.execute(text("SELECT id FROM item ORDER BY id DESC LIMIT 1")).scalar() or FIRST)

    def _is_busy(self) -> bool:
        with self.engine.connect() as connection:
            return any(connection.execute(text(f"SELECT 1 FROM {what} LIMIT 1")).first() for what in BUSY)

    def verify(self) -> None:
        """The audit log is sealed to its end, and its chain holds."""
        self.later()
        self.relay(*SEALS)
        with self.app.app_context():
            checker, waiting = verifying.verify(actor=self.cast.auditor.actor)
        assert not checker.faults, checker.faults
        assert waiting == 0
