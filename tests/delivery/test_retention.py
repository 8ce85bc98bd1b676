"""What is old is forgotten as fast as it comes, and every question that is asked all the time has its index."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Select, func, insert, select, text, update

from reviewqueue import cli
from reviewqueue.core import idempotency
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.core.relay import Relay
from reviewqueue.delivery.webhooks import deliveries
from reviewqueue.models import IdempotencyKey, WebhookAttempt, WebhookDelivery
from reviewqueue.models.states import DeliveryState
from tests.fixtures.processes import until


@pytest.fixture
def endpoint_id(hooks) -> str:
    return str(hooks.listen("https://example.com/hook")["id"])


def deliver(session: Any, endpoint_id: str, count: int, *, days_ago: float, **values: Any) -> list[str]:
    """Deliveries that ended so many days ago, with an attempt each."""
    at = clock(-days_ago * 86_400)
    ids = [new_id() for _ in range(count)]
    made = {
        "endpoint_id": endpoint_id,
        "event": "item.resolved",
        "state": DeliveryState.DELIVERED,
        "attempts": 1,
        **values,
    }
    session.execute(
        insert(WebhookDelivery).values(next_at=at, created_at=at, ended_at=at),
        [{"id": row, "event_id": f"msg_{row}", "ref": row, **made} for row in ids],
    )
    session.execute(
        insert(WebhookAttempt).values(at=at),
        [{"delivery_id": row, "number": 1, "seconds": 0.1, "answer": ""} for row in ids],
    )
    return ids


@contextmanager
def leading(app: Any, relay: Relay) -> Iterator[None]:
    def run() -> None:
        with app.app_context():
            relay.run()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        relay.stop()
        thread.join(20)


def test_the_relay_forgets_all_that_is_old_and_nothing_else(app, endpoint_id):
    with app.app_context():
        with write_session() as session:
            deliver(session, endpoint_id, 2_300, days_ago=31)
            young = deliver(session, endpoint_id, 5, days_ago=29)
            dead = deliver(session, endpoint_id, 5, days_ago=31, state=DeliveryState.DEAD)
            keys = [
                {"route": "items", "key": str(number), "body_sha256": "", "answer": "{}"} for number in range(2_300)
            ]
            session.execute(
                insert(IdempotencyKey).values(token_id="t", status=200, created_at=clock(-31 * 86_400)), keys
            )
            session.execute(update(IdempotencyKey).where(IdempotencyKey.key == "7").values(created_at=clock()))
        duties = tuple(duty for duty in cli.duties() if duty.name.startswith("forget old "))
        with leading(app, Relay(topics={}, duties=duties, url=None)):
            until(lambda: (count(WebhookDelivery), count(WebhookAttempt), count(IdempotencyKey)) == (10, 10, 1))
        with read_session() as session:
            assert set(session.scalars(select(WebhookDelivery.id))) == {*young, *dead}
            assert session.scalar(select(IdempotencyKey.key)) == "7"


def count(model: Any) -> int:
    with read_session() as session:
        return session.execute(select(func.count()).select_from(model)).scalar_one()


QUESTIONS: dict[str, tuple[Select[Any], str]] = {
    "what is old": (deliveries.OLD, r"ix_webhook_delivery_delivered\b.*ended_at"),
    "what is due": (deliveries.UNCALLED, r"ix_webhook_delivery_due\b.*endpoint_id.*next_at"),
    "who is called": (deliveries.UNCALLED, r"ix_outbox_due\b.*rq_queue"),
    "which keys are old": (idempotency.OLD, r"ix_idempotency_key_created_at\b.*\(created_at"),
    "what has not arrived": (deliveries.undelivered([new_id()]), r"ix_webhook_delivery_undelivered\b.*endpoint_id"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_asked_all_the_time_is_answered_by_an_index(app, database, question):
    asked, index = QUESTIONS[question]
    explain = "EXPLAIN" if database == "postgresql" else "EXPLAIN QUERY PLAN"
    with app.app_context(), write_session() as session:
        if database == "postgresql":
            # A table with a few rows is read as a whole, index or not.
            session.execute(text("SET LOCAL enable_seqscan = off"))
        # With parameters, as it is asked.
        words: Any = asked.compile(session.get_bind(), compile_kwargs={"render_postcompile": True})
        values = tuple(words.params[name] for name in words.positiontup) if words.positiontup else words.params
        plan = session.connection().exec_driver_sql(f"{explain} {words}", values).all()
    assert re.search(index, str(plan)), plan
