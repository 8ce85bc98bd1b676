"""A key is locked and looked up at once, and what a twin saved a moment before is seen."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from sqlalchemy import text

from reviewqueue.core import idempotency
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.db import db, write_session
from reviewqueue.errors import InFlight, Invalid
from tests.fixtures.processes import until


def _key(body: bytes = b"{}") -> idempotency.Key:
    return idempotency.key_for(SYSTEM, route="POST /test", key="one", body=body)


def test_a_saved_answer_comes_back_and_only_for_its_body(app: Flask) -> None:
    with app.app_context():
        with write_session() as session:
            assert idempotency.begin(session, _key()) is None
            idempotency.save(session, _key(), 201, '{"id":1}')
        with write_session() as session:
            assert idempotency.begin(session, _key()) == idempotency.Saved(201, '{"id":1}')
            with pytest.raises(Invalid):
                idempotency.begin(session, _key(b"[]"))


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_twin_is_refused_while_the_first_is_answered(app: Flask) -> None:
    with app.app_context(), write_session() as first:
        idempotency.begin(first, _key())
        with write_session() as second, pytest.raises(InFlight):
            idempotency.begin(second, _key())


GATE = 7
BEHIND_THE_GATE = text(
    f"WITH gate AS MATERIALIZED (SELECT left(pg_advisory_xact_lock({GATE})::text, 0) AS passed) "
    "SELECT found.answer FROM gate, LATERAL begin_idempotent(8, :token || gate.passed, :route, :key) AS found"
)
WAITS = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_a_twin_saves_after_the_statement_has_begun_is_seen(app: Flask) -> None:
    key, found = _key(), []

    def look() -> None:
        with app.app_context(), db.engine.connect() as connection:
            given = {"token": key.token_id, "route": key.route, "key": key.key}
            found.append(connection.execute(BEHIND_THE_GATE, given).scalar_one())

    with app.app_context(), db.engine.connect() as gate, db.engine.connect() as watching:
        gate.execute(text(f"SELECT pg_advisory_lock({GATE})"))
        twin = threading.Thread(target=look)
        twin.start()
        until(lambda: watching.execute(WAITS).scalar_one(), what="the twin's waiting at the gate")
        with write_session() as session:
            idempotency.save(session, key, 201, "{}")
        gate.execute(text(f"SELECT pg_advisory_unlock({GATE})"))
        twin.join()
    assert found == ["{}"]
