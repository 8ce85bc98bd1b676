"""Alembic's environment, run by Flask-Migrate inside the application context."""

from __future__ import annotations

from typing import Any

from alembic import context
from flask import current_app
from sqlalchemy import Connection, types

from reviewqueue import models
from reviewqueue.core.db import db

# Any number will do, as long as no other program on this server takes it.
UPGRADE_LOCK = 7_351_260_021


def plain_type(kind: str, value: Any, _context: Any) -> str | bool:
    """Write column types as SQLAlchemy's own, so that a migration stands when the models' helpers change."""
    if kind == "type" and isinstance(value, types.TypeDecorator):
        return f"sa.{value.impl!r}"
    return False


def is_compared(thing: Any, _name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Whether a new migration may be about it: not a reference that this kind of database does without."""
    return kind != "foreign_key_constraint" or thing.info.get("only", db.engine.dialect.name) == db.engine.dialect.name


def upgrade(connection: Connection) -> None:
    """All pending migrations in one transaction: a failure leaves the schema as it was."""
    if connection.dialect.name == "postgresql":
        # Two machines that start together must not both create the tables. On SQLite BEGIN IMMEDIATE sees to it.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
    context.configure(
        connection=connection,
        target_metadata=models.Base.metadata,
        transactional_ddl=True,
        render_item=plain_type,
        include_object=is_compared,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction():
        context.run_migrations()


with db.engine.begin() as connection:
    upgrade(connection)
