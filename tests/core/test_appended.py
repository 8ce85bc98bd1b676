"""Rows that are inserted together: all or none, in any number, and visible to whoever looks next."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.db import (
    NOW,
    TOGETHER,
    along,
    append,
    beside,
    change,
    db,
    on_postgresql,
    read_session,
    write_session,
)
from reviewqueue.core.ids import new_id
from reviewqueue.models import AuditContent, AuditEvent, OutboxRow, Queue
from reviewqueue.models.base import table
from reviewqueue.models.states import Intake

_COUNT = select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "test.appended")


def _events() -> int:
    with read_session() as session:
        return session.scalars(_COUNT).one()


@pytest.mark.parametrize("number", [1, 3, TOGETHER, TOGETHER + 1, 40])
def test_all_are_there_after_the_commit(app: Flask, number: int) -> None:
    with app.app_context():
        with write_session() as session:
            for place in range(number):
                trail.record(session, SYSTEM, "test.appended", facts={"place": place}, content={"text": "typed"})
        assert _events() == number
        with read_session() as session:
            assert session.scalars(select(func.count()).select_from(AuditContent)).one() >= number


def test_whoever_reads_next_finds_them(app: Flask) -> None:
    with app.app_context(), write_session() as session:
        trail.record(session, SYSTEM, "test.appended")
        assert session.scalars(_COUNT).one() == 1
        trail.record(session, SYSTEM, "test.appended")
        assert session.scalar(_COUNT) == 2
        trail.record(session, SYSTEM, "test.appended")
        assert session.execute(_COUNT).scalar_one() == 3
        trail.record(session, SYSTEM, "test.appended")
        assert session.connection().execute(_COUNT).scalar_one() == 4


def test_a_statement_beside_them_does_not_send_them_and_one_along_does(app: Flask) -> None:
    sent: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
        with write_session() as session:
            trail.record(session, SYSTEM, "test.appended")
            append(session, OutboxRow, _outbox_row())
            beside(session, select(1))
            assert not any("INSERT" in statement for statement in sent)
            assert along(session, select(7), {}).scalar_one() == 7
            assert sum(statement.count("INSERT INTO") for statement in sent) == 2
            before = len(sent)
            session.execute(select(1))
            assert len(sent) == before + 1
        assert _events() == 1


def test_rolling_back_forgets_them(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(ZeroDivisionError), write_session() as session:
            _append_and_fail(session, "lost")
        assert _events() == 0


def test_a_savepoint_takes_back_what_was_appended_in_it_and_no_more(app: Flask) -> None:
    with app.app_context():
        with write_session() as session:
            trail.record(session, SYSTEM, "test.appended", facts={"place": "before"})
            with pytest.raises(ZeroDivisionError), session.begin_nested():
                _append_and_fail(session, "inside")
            with session.begin_nested():
                trail.record(session, SYSTEM, "test.appended", facts={"place": "kept"})
            trail.record(session, SYSTEM, "test.appended", facts={"place": "after"})
        with read_session() as session:
            facts = session.scalars(
                select(AuditEvent.facts).where(AuditEvent.action == "test.appended").order_by(AuditEvent.id)
            ).all()
        assert facts == ['{"place":"before"}', '{"place":"kept"}', '{"place":"after"}']


def test_one_that_the_database_refuses_takes_the_others_with_it(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(IntegrityError), write_session() as session:
            _append_what_is_refused(session)
        assert _events() == 0


def test_only_a_writing_session_takes_them(app: Flask) -> None:
    with app.app_context(), read_session() as session, pytest.raises(TypeError, match="write_session"):
        append(session, OutboxRow, _outbox_row())


def _append_and_fail(session: Session, place: str) -> None:
    trail.record(session, SYSTEM, "test.appended", facts={"place": place})
    raise ZeroDivisionError


def _append_what_is_refused(session: Session) -> None:
    event_id = trail.record(session, SYSTEM, "test.appended", content={"what": "this"})
    append(session, AuditContent, {"event_id": event_id, "salt": "s", "payload": "{}"})


def _outbox_row() -> dict[str, object]:
    row = {"topic": "test.appended", "rq_queue": "maintenance", "ref": "0" * 32, "refs": None, "attempts": 0}
    return {**row, "created_at": NOW, "next_at": NOW}


def test_what_is_null_or_now_is_no_parameter_of_a_statement(app: Flask) -> None:
    """psycopg reads statements of more than 50 parameters anew each time they run."""
    sent: list[str] = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
        with write_session() as session:
            append(session, OutboxRow, {**_outbox_row(), "failed_at": NOW, "error": None, "trace": "t"})
        with read_session() as session:
            row = session.execute(select(OutboxRow.failed_at, OutboxRow.error, OutboxRow.trace)).one()
    assert (row.failed_at is None, row.error, row.trace) == (False, None, "t")
    [statement] = [one for one in sent if "INSERT INTO outbox" in one]
    if "%(" in statement:
        assert "%(trace_0)s" in statement
        assert "%(failed_at" not in statement
        assert "%(error" not in statement


@pytest.mark.parametrize("beside_it", [0, TOGETHER])
def test_rows_are_changed_with_those_that_are_inserted(app: Flask, beside_it: int) -> None:
    with app.app_context():
        first, second = _queue("first"), _queue("second")
        sent: list[str] = []
        event.listen(db.engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
        with write_session() as session:
            change(session, Queue, first, {"title": "Changed", "archived_at": NOW})
            for _ in range(1 + beside_it):
                trail.record(session, SYSTEM, "test.appended")
            assert not sent
            together = on_postgresql(session) and not beside_it
        assert len(sent) == 1 if together else len(sent) > 1
        with read_session() as session:
            rows = {row.id: row for row in session.execute(select(table(Queue)))}
        assert (rows[first].title, rows[first].archived_at is None) == ("Changed", False)
        assert (rows[second].title, rows[second].archived_at) == ("second", None)
        assert _events() == 1 + beside_it


def test_a_row_that_is_changed_twice_has_both_changes(app: Flask) -> None:
    with app.app_context():
        queue_id = _queue("twice")
        with write_session() as session:
            change(session, Queue, queue_id, {"title": "Once", "version": 7})
            change(session, Queue, queue_id, {"title": "Twice"})
        with read_session() as session:
            row = session.execute(select(table(Queue).c.title, table(Queue).c.version)).one()
        assert tuple(row) == ("Twice", 7)


def _queue(slug: str) -> str:
    queue_id = new_id()
    with write_session() as session:
        append(
            session,
            Queue,
            {"id": queue_id, "slug": slug, "title": slug, "version": 1, "intake": Intake.OPEN, "created_at": NOW},
        )
    return queue_id
