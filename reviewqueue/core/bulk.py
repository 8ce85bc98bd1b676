"""Insert many rows at once: by COPY on PostgreSQL, by one prepared statement on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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

    names = list(rows[0])
    columns = ", ".join(f'"{name}"' for name in names)
    driver: Any = session.connection().connection.driver_connection
    statement = f'COPY "{target.name}" ({columns}) FROM STDIN'
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([row[name] for name in names])
    except (psycopg.IntegrityError, psycopg.errors.DeadlockDetected) as error:
        raise IntegrityError(statement, None, error) from error
