"""Insert many rows at once: by COPY on PostgreSQL, by one prepared statement on SQLite."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice, repeat
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.core.db import on_postgresql

Rows = Sequence[Mapping[str, Any]]


def insert_rows(session: Session, target: Table, rows: Rows) -> None:
    """Insert `rows`, which all have the columns of the first; times are aware datetimes.

    Raises `IntegrityError`, also for rows that another transaction inserts just now in another order; then the
    transaction, or its savepoint, must be rolled back.
    """
    insert_tables(session, [(target, rows)])


def insert_tables(session: Session, parts: Iterable[tuple[Table, Rows]]) -> None:
    """As `insert_rows` for each table. The rows of the next are made while PostgreSQL stores those before, so that
    whoever makes them must not ask the session anything."""
    parts = ((target, rows) for target, rows in parts if rows)
    if on_postgresql(session):
        texts = ((target, *_written(rows)) for target, rows in parts)
        text = next(texts, None)
        while text is not None:
            text = _copy(session, *text, texts)
        return
    for target, rows in parts:
        session.execute(insert(target), list(rows))


def _copy(session: Session, target: Table, names: str, lines: Iterator[str], others: Iterator[Any]) -> Any:
    """Gives the next of `others`."""
    import psycopg

    driver: Any = session.connection().connection.driver_connection
    statement = f'COPY "{target.name}" ({names}) FROM STDIN'
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            while some := "".join(islice(lines, LINES)):
                copy.write(some)
            return next(others, None)
    except (psycopg.IntegrityError, psycopg.errors.DeadlockDetected) as error:
        raise IntegrityError(statement, None, error) from error


LINES = 100
"""That are handed to the driver together."""
_NULL = "\\N"
_MARKS = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
"""What stands for something else in COPY's text format."""


def _written(rows: Rows) -> tuple[str, Iterator[str]]:
    """Names of columns, and the rows in COPY's text format: a column at a time, since most hold the same throughout.

    Columns that are NULL throughout are left out, since that is what they have then.
    """
    columns = {name: _column([row[name] for row in rows]) for name in rows[0]}
    given = {name: column for name, column in columns.items() if column is not None}
    names = ", ".join(f'"{name}"' for name in given)
    *others, last = given.values()
    ended = (f"{text}\n" for text in islice(last, len(rows)))
    return names, map("\t".join, zip(*others, ended, strict=False))


def _column(values: list[Any]) -> Iterable[str] | None:
    first = values[0]
    if values.count(first) == len(values):
        return None if first is None else repeat(_text(first))
    if set(map(type, values)) == {str}:
        together = "".join(values)
        return [_text(value) for value in values] if any(mark in together for mark in _MARKS) else values
    return [_NULL if value is None else _text(value) for value in values]


def _text(value: Any) -> str:
    if isinstance(value, str):
        text = str(value)
        for mark, escaped in _MARKS.items():
            text = text.replace(mark, escaped)
        return text
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool | int | float):
        return repr(value)
    raise TypeError(f"{type(value).__name__} cannot be written for COPY")
