"""The two sessions and the database's clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from sqlalchemy import event, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Session

from reviewqueue.core.db import among, clock, database_now, db, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.models import LoginThrottle, Person
from reviewqueue.models.base import table
from reviewqueue.models.states import SiteRole

Edge = Callable[[], AbstractContextManager[Session]]


def add(session: Session, key: str, at: object = None) -> None:
    session.execute(insert(LoginThrottle).values(key=key, failures=0, last_failed_at=clock() if at is None else at))


def test_a_write_session_commits_when_its_block_ends(app: Flask, transaction: Edge) -> None:
    with transaction() as session:
        add(session, "a")
    with transaction() as session:
        assert session.scalars(select(LoginThrottle.key)).all() == ["a"]


def test_a_write_session_leaves_nothing_when_its_block_raises(transaction: Edge) -> None:
    def fail() -> None:
        with transaction() as session:
            add(session, "a")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    with transaction() as session:
        assert session.scalars(select(LoginThrottle.key)).all() == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_read_session_cannot_write(app: Flask) -> None:
    with app.app_context(), pytest.raises(DBAPIError, match="readonly"), read_session() as session:
        add(session, "a")


def test_a_reader_neither_waits_for_a_writer_nor_holds_it_up(app: Flask) -> None:
    with app.app_context(), read_session() as reader:
        reader.scalars(select(LoginThrottle.key)).all()
        with write_session() as writer:
            add(writer, "a")
            begun = time.monotonic()
            with read_session() as other:
                assert other.scalars(select(LoginThrottle.key)).all() == []
            assert time.monotonic() - begun < 2


def test_eight_writers_at_once_lose_nothing_and_none_is_told_that_the_database_is_locked(app: Flask) -> None:
    with app.app_context(), write_session() as session:
        add(session, "shared")

    def count() -> None:
        with app.app_context():
            for _ in range(25):
                with write_session() as session:
                    found = session.scalars(
                        select(LoginThrottle.failures).where(LoginThrottle.key == "shared").with_for_update()
                    ).one()
                    session.execute(update(LoginThrottle).values(failures=found + 1))

    faults: list[Exception] = []

    def guarded() -> None:
        try:
            count()
        except Exception as error:  # noqa: BLE001 - told to the test
            faults.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with app.app_context(), read_session() as session:
        assert session.scalar(select(LoginThrottle.failures)) == 200


def test_the_clock_is_the_databases_and_moves_within_a_transaction(transaction: Edge) -> None:
    with transaction() as session:
        first = database_now(session)
        # The database itself lets time pass; the application's clock is not asked.
        end = time.monotonic() + 10
        while database_now(session) == first and time.monotonic() < end:
            pass
        assert database_now(session) > first
        assert first.tzinfo is UTC
        assert abs(first - datetime.now(UTC)) < timedelta(seconds=60)


def test_the_clock_counts_seconds_forwards_and_backwards(transaction: Edge) -> None:
    with transaction() as session:
        earlier, now, later = session.execute(select(clock(-600.5), clock(), clock(90))).one()
        assert timedelta(seconds=600) < now - earlier < timedelta(seconds=601)
        assert timedelta(seconds=89.5) < later - now < timedelta(seconds=90.5)


def test_stored_times_compare_with_the_clock(transaction: Edge) -> None:
    with transaction() as session:
        add(session, "past", clock(-1))
        add(session, "future", clock(60))
        due = session.scalars(select(LoginThrottle.key).where(LoginThrottle.last_failed_at <= clock())).all()
        assert due == ["past"]


def test_times_come_back_as_aware_utc_whatever_zone_they_were_given_in(transaction: Edge) -> None:
    moment = datetime(2026, 11, 20, 23, 30, 0, 250_000, tzinfo=timezone(timedelta(hours=-7)))
    with transaction() as session:
        add(session, "a", moment)
    with transaction() as session:
        found = session.scalars(select(LoginThrottle.last_failed_at)).one()
        assert (found, found.tzinfo) == (moment, UTC)


def test_a_time_without_a_zone_never_reaches_the_database(transaction: Edge) -> None:
    with pytest.raises(StatementError, match="without a time zone"), transaction() as session:
        add(session, "a", datetime(2026, 11, 20))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_comparison_with_the_clock_uses_the_index(transaction: Edge) -> None:
    with transaction() as session:
        session.execute(text("SET enable_seqscan = off"))
        plan = session.scalars(
            text(
                "EXPLAIN SELECT 1 FROM idempotency_key "
                "WHERE created_at < (SELECT clock_timestamp() + make_interval(secs => -60))"
            )
        ).all()
        assert any("Index Cond: (created_at" in line for line in plan), plan
        compiled = str(select(clock(1)).compile(session.get_bind()))
        assert compiled.startswith("SELECT (SELECT clock_timestamp() + make_interval(secs =>")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_sqlite_is_durable_checks_foreign_keys_and_waits_for_locks(transaction: Edge) -> None:
    with transaction() as session:
        found = {
            name: session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "secure_delete")
        }
    durable = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    assert found == {**durable, "secure_delete": 1}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_postgresql_commits_synchronously_and_speaks_utc(transaction: Edge) -> None:
    with transaction() as session:
        assert session.scalar(select(func.current_setting("synchronous_commit"))) == "on"
        assert session.scalar(select(func.current_setting("timezone"))) == "UTC"


def test_any_number_of_ids_is_one_statement(app: Flask) -> None:
    ids = [new_id() for _ in range(60)]
    sent: list[str] = []
    with app.app_context():
        with write_session() as session:
            session.execute(insert(table(Person)), [
                {"id": one, "email": f"{one}@x.example", "name": "A", "password_hash": "", "role": SiteRole.MEMBER,
                 "pseudonym": one[-12:], "created_at": datetime.now(UTC)}
                for one in ids
            ])  # fmt: skip
        event.listen(db.engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
        with write_session() as session:
            query = select(table(Person).c.id).where(among(table(Person).c.id, "ids"))
            for wanted in (ids[:50], ids[:2], [], [new_id()]):
                assert set(session.execute(query, {"ids": wanted}).scalars()) == set(wanted) & set(ids)
    assert len({one for one in sent if one.startswith("SELECT")}) == 1


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_a_results_columns_are_is_looked_up_when_somebody_asks(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from reviewqueue.core.cursors import LazyCursor

    asked: list[object] = []
    described = LazyCursor.described

    def noting(cursor: LazyCursor) -> object:
        asked.append(cursor)
        return described(cursor)

    monkeypatch.setattr(LazyCursor, "described", noting)
    query = select(Person.id, Person.name)
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(query).all()
        asked.clear()
        assert list(connection.execute(query).keys()) == ["id", "name"]
        assert not asked
        cursor = connection.connection.cursor()
        cursor.execute("SELECT 1 AS one, 'b' AS two")
        assert [column.name for column in cursor.description] == ["one", "two"]
        assert cursor.description[1][0] == "two"
        cursor.execute("CREATE TEMPORARY TABLE without_columns (one int)")
        assert cursor.description is None
