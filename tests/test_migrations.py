"""The migrations give the schema of the models, up and down, and the audit log cannot be edited."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_migrate import downgrade
from sqlalchemy import Engine, create_engine, insert, inspect, select, text
from sqlalchemy.exc import DBAPIError

from reviewqueue import config, models
from reviewqueue.core import trail
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.db import db, write_session
from reviewqueue.core.migrations import is_current, migrate_to_newest
from tests.fixtures import installation, postgres
from tests.fixtures.processes import until


@pytest.fixture
def empty(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Flask]:
    """An application on a database without any table."""
    if database == "sqlite":
        yield installation.bare_app(config.load(installation.environment(tmp_path)))
        return
    with postgres.fresh_database(request.getfixturevalue("postgres_server"), template=None) as url:
        app = installation.bare_app(config.load(installation.environment(tmp_path, database_url=url)))
        yield app
        with app.app_context():
            installation.dispose()


@pytest.fixture
def from_models(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database with the tables that the models describe."""
    if database == "sqlite":
        engine = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
        models.Base.metadata.create_all(engine)
        yield engine
        engine.dispose()
        return
    with postgres.fresh_database(request.getfixturevalue("postgres_server"), template=None) as url:
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
        models.Base.metadata.create_all(engine)
        yield engine
        engine.dispose()


def described(engine: Engine) -> dict[str, Any]:
    """Everything that the database says about its tables, in its own words."""
    return _sqlite(engine) if engine.dialect.name == "sqlite" else _postgresql(engine)


def _sqlite(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL")
        ).all()
    lines = {f"{row.type} {row.name}": _definitions(row.sql) for row in rows}
    return {name: value for name, value in lines.items() if not re.search("alembic|sqlite_", name)}


def _definitions(sql: str) -> list[str]:
    """What a statement lists between its brackets, in any order: a column that was added stands behind the others."""
    head, _, rest = sql.partition("(")
    inside, _, tail = rest.rpartition(")")
    found, depth = [""], 0
    for character in inside:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            found.append("")
        else:
            found[-1] += character
    return [" ".join(head.split()), *sorted(" ".join(part.split()) for part in found), tail.strip()]


_QUESTIONS = {
    "columns": "SELECT table_name || '.' || column_name, data_type, character_maximum_length, is_nullable, "
    "column_default, udt_name FROM information_schema.columns WHERE table_schema = 'public'",
    "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": "SELECT conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
}


def _postgresql(engine: Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        found = {name: connection.execute(text(question)).all() for name, question in _QUESTIONS.items()}
    return {name: sorted(map(str, (row for row in rows if "alembic" not in row[0]))) for name, rows in found.items()}


def test_the_migrations_give_the_schema_of_the_models(empty: Flask, from_models: Engine) -> None:
    with empty.app_context():
        migrate_to_newest()
        assert described(db.engine) == described(from_models)


def test_a_database_is_current_after_the_upgrade_and_a_second_upgrade_changes_nothing(empty: Flask) -> None:
    with empty.app_context():
        assert not is_current()
        migrate_to_newest()
        before = described(db.engine)
        migrate_to_newest()
        assert is_current()
        assert described(db.engine) == before


def test_every_migration_runs_down_and_up_again_with_data_in_the_tables(empty: Flask) -> None:
    with empty.app_context():
        migrate_to_newest()
        with write_session() as session:
            trail.record(session, SYSTEM, "test.happened", content={"name": "Alice"})
        downgrade(revision="base")
        assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
        migrate_to_newest()
        assert is_current()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_upgrade_lets_requests_end_that_have_begun(empty: Flask) -> None:
    """A request reads its queue and then writes an item: an upgrade that came between must not make both fail."""
    with empty.app_context():
        migrate_to_newest()
        downgrade(revision="0027")

        def upgraded() -> None:
            with empty.app_context():
                migrate_to_newest()

        with ThreadPoolExecutor(1) as pool, db.engine.connect() as request:
            request.execute(text("SELECT 1 FROM queue"))
            done = pool.submit(upgraded)
            until(lambda: done.done() or postgres.waiting_for_a_lock())
            request.execute(text("LOCK TABLE item IN ROW EXCLUSIVE MODE"))
            request.commit()
            done.result()
        assert is_current()


@pytest.fixture
def sealed(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """A migrated database with one event in the log, sealed."""
    app = installation.bare_app(config.load(installation.environment(tmp_path, database_url=database_url)))
    with app.app_context():
        with write_session() as session:
            event = trail.record(session, SYSTEM, "test.happened", content={"name": "Alice"})
            session.execute(insert(models.AuditSeal).values(sequence=1, event_id=event, hash="00"))
        yield app
        installation.dispose()


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_event SET action = 'nothing.happened'",
        "DELETE FROM audit_event",
        "UPDATE audit_seal SET hash = '11'",
        "DELETE FROM audit_seal",
    ],
)
def test_the_audit_log_refuses_to_be_changed(statement: str) -> None:
    with pytest.raises(DBAPIError, match="append-only"), write_session() as session:
        session.execute(text(statement))
    with write_session() as session:
        assert session.scalar(select(models.AuditEvent.action)) == "test.happened"
        assert session.scalar(select(models.AuditSeal.hash)) == "00"


@pytest.mark.usefixtures("sealed")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_the_audit_log_refuses_to_be_emptied() -> None:
    with pytest.raises(DBAPIError, match="append-only"), write_session() as session:
        session.execute(text("TRUNCATE audit_event CASCADE"))


@pytest.mark.usefixtures("sealed")
def test_the_content_of_an_event_goes_only_where_another_event_says_so() -> None:
    for statement in ("DELETE FROM audit_content", "UPDATE audit_content SET payload = '{}'"):
        with pytest.raises(DBAPIError, match="append-only"), write_session() as session:
            session.execute(text(statement))
    with write_session() as session:
        event = session.scalars(select(models.AuditEvent.id)).one()
        trail.record(session, SYSTEM, "content.erased", subject=event)
        session.execute(text("DELETE FROM audit_content"))
    with write_session() as session:
        assert session.scalar(select(models.AuditContent.event_id)) is None
        assert session.get_one(models.AuditEvent, event).content_sha256 is not None
