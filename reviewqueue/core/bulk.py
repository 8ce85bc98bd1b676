"""Insert many rows at once: by COPY on PostgreSQL, by one prepared statement on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core.db import on_postgresql


def insert_rows(session: Session, target: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows`, which all have the columns of the first; times are aware datetimes.

    Raises `IntegrityError`, also for rows that another transaction inserts just now in another order; then the
    transaction, or its savepoint, must be rolled back.
    """
    if not rows:
        return
    if not on_postgresql(session):
        session.execute(insert(target), list(rows))
        return
    import psycopg

    columns = _columns(rows)
    names = ", ".join(f'"{name}"' for name in columns)
    driver: Any = session.connection().connection.driver_connection
    statement = f'COPY "{target.name}" ({names}) FROM STDIN'
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in zip(*columns.values(), strict=True):
                copy.write_row(row)
    except (psycopg.IntegrityError, psycopg.errors.DeadlockDetected) as error:
        raise IntegrityError(statement, None, error) from error


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Values by column, of types that psycopg writes in C: an enum or a time takes it longer than the rest of a row.
    Columns that are NULL throughout are left out: our tables have no defaults on the server."""
    found: dict[str, list[Any]] = {}
    for name in rows[0]:
        values = [row[name] for row in rows]
        kinds = set(map(type, values))
        if kinds == {type(None)}:
            continue
        if any(issubclass(kind, Enum) for kind in kinds):
            values = [value.value if isinstance(value, Enum) else value for value in values]
        elif datetime in kinds:
            # Rows of one operation share their times.
            written = {value: value.isoformat() if value else None for value in set(values)}
            values = [written[value] for value in values]
        found[name] = values
    return found
