"""Engines, the two sessions, and the database's clock.

Every change goes through `write_session()`, opened and committed once at the edge. On SQLite it begins IMMEDIATE, so
that two writers queue up instead of failing half way; reading goes through an engine of its own there, because a
reader on the writing engine would hold the write lock.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from flask import Flask, current_app
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    BindParameter,
    Boolean,
    ColumnDefault,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Executable,
    Float,
    Insert,
    Result,
    Select,
    Table,
    Text,
    TypeDecorator,
    Update,
    bindparam,
    event,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from reviewqueue.config import Settings
from reviewqueue.core.places import migrations_dir
from reviewqueue.models.base import Base, UtcDateTime, table

db = SQLAlchemy(metadata=Base.metadata)
migrate = Migrate()


def init_app(app: Flask, settings: Settings) -> None:
    """Give `app` its engines. They connect on first use, so a process may fork before it."""
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(settings)
    if settings.is_sqlite:
        app.config["SQLALCHEMY_BINDS"] = {"read": {"url": settings.database_url, **_engine_options(settings)}}
    db.init_app(app)
    migrate.init_app(app, db, directory=str(migrations_dir()), compare_type=True)
    with app.app_context():
        if settings.is_sqlite:
            _prepare_sqlite(db.engine, write=True)
            _prepare_sqlite(db.engines["read"], write=False)
        else:
            _prepare_postgresql(db.engine)


@contextmanager
def opened(app: Flask) -> Iterator[None]:
    """The context of an application that lives no longer than it: its connections are closed at the end."""
    with app.app_context():
        try:
            yield
        finally:
            for engine in db.engines.values():
                engine.dispose()


def _engine_options(settings: Settings) -> dict[str, Any]:
    if settings.is_sqlite:
        return {
            "connect_args": {"check_same_thread": False, "timeout": 30}, "pool_size": 8, "max_overflow": 40,
            # What a statement was given may be what an item holds: it is no part of an error's words, nor of a log.
            "hide_parameters": True,
        }  # fmt: skip
    # The driver is an extra.
    from reviewqueue.core.cursors import LazyCursor

    return {
        "pool_size": max(4, settings.web_threads),
        "max_overflow": 8,
        "pool_pre_ping": False,
        "pool_recycle": 1800,
        # A connection that a restarted server closed is replaced at once instead of failing the next request.
        "pool_use_lifo": True,
        "hide_parameters": True,
        "connect_args": {
            "connect_timeout": 5, "options": "-c synchronous_commit=on -c timezone=UTC", "cursor_factory": LazyCursor,
        },
    }  # fmt: skip


def _prepare_sqlite(engine: Engine, *, write: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        # sqlite3's own transaction handling begins DEFERRED and at the wrong moments.
        connection.isolation_level = None
        # What is erased is overwritten: else it stood in free space of the file for years.
        for pragma in (
            "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000", "secure_delete=ON",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        if not write:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _prepare_postgresql(engine: Engine) -> None:
    from psycopg.types.string import TextLoader

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        # Ids are text here: an object for each, made only to be written out again, is a twentieth of an export.
        connection.adapters.register_loader("uuid", TextLoader)


def hold(session: Session, number: int, *, shared: bool) -> None:
    """Hold one of PostgreSQL's advisory locks until the transaction ends: any number `shared`, or one alone. Writers of
    SQLite take turns anyway."""
    if on_postgresql(session):
        take = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        session.execute(select(take(number)))


class clock(FunctionElement[datetime]):  # noqa: N801 - reads as SQL
    """The database's time, `seconds` from now. Never the app's clock: two machines' clocks differ.

    On PostgreSQL a subquery, or a comparison with it would not use an index (measured: 93 ms against 0.02 at
    500,000 rows); `clock_timestamp()`, because `now()` stands still within a transaction.
    """

    name = "clock"
    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float | BindParameter[Any] = 0.0) -> None:
        if isinstance(seconds, BindParameter):
            super().__init__(seconds)
        elif seconds:
            super().__init__(literal(float(seconds), Float))
        else:
            super().__init__()


def clock_in(name: str) -> clock:
    """The time as many seconds from now as the parameter `name` says; NULL for NULL. For statements built once."""
    return clock(bindparam(name, type_=Float))


@compiles(clock, "postgresql")
def _clock_postgresql(element: clock, compiler: SQLCompiler, **kw: Any) -> str:
    if not len(element.clauses):
        return "(SELECT clock_timestamp())"
    return f"(SELECT clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **kw)}))"


@compiles(clock, "sqlite")
def _clock_sqlite(element: clock, compiler: SQLCompiler, **kw: Any) -> str:
    if not len(element.clauses):
        return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', {compiler.process(element.clauses, **kw)} || ' seconds')"


class _Ids(TypeDecorator[Sequence[str]]):
    """A list of ids as one parameter: a text, for the driver would look at each of them."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return f"{{{','.join(value)}}}"
        return json.dumps([one.replace("-", "") for one in value])


class among(FunctionElement[bool]):  # noqa: N801 - reads as SQL
    """Whether a column of ids is among those that parameter `name` has: one statement for any number of them."""

    name = "among"
    type = Boolean()
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any], name: str) -> None:
        super().__init__(column, bindparam(name, type_=_Ids()))


@compiles(among, "postgresql")
def _among_postgresql(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column, ids = (compiler.process(clause, **kw) for clause in element.clauses)
    # Not `= ANY`: on a table that nobody has analysed yet that would compare every row with every id.
    return f"{column} IN (SELECT unnest(CAST({ids} AS UUID[])))"


@compiles(among, "sqlite")
def _among_sqlite(element: among, compiler: SQLCompiler, **kw: Any) -> str:
    column, ids = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 - a column and a parameter's name


# -- rows that are written together -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class In:
    """In an appended row: the database's time, so many seconds from when it is sent."""

    seconds: float = 0.0


NOW = In()
TOGETHER = 8
"""Rows of several tables that one statement inserts at most; more of them are inserted table by table."""
Row = dict[str, Any]


class _Kind(Enum):
    """How a value of an appended row stands in a statement. What needs no parameter has none: psycopg reads a statement
    of more than 50 anew each time."""

    NULL = auto()
    NOW = auto()
    TIME = auto()
    GIVEN = auto()


_WITH_PARAMETER = (_Kind.TIME, _Kind.GIVEN)


@dataclass(frozen=True)
class _Kept:
    """A row to insert, or what to change of the row that has the id `of`."""

    table: Table
    values: Row
    of: str | None = None


_Shape = tuple[tuple[Table, bool, tuple[tuple[str, _Kind], ...]], ...]
"""Of each: the table, whether a row of it is changed, the columns."""


class WriteSession(Session):
    """Keeps the rows that `append` and `change` give it, and sends them before the next statement or before it commits.

    A decision writes four rows that nothing in its transaction reads, and changes two; on PostgreSQL they are one
    statement and one round trip.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.kept: list[_Kept] = []

    def send(self) -> None:
        """Write what was kept. Raises what the database says of it, as `IntegrityError`."""
        if not self.kept:
            return
        if self._fit_one_statement():
            rows = self._take()
            shape = _shape(rows)
            self.run(_statement_of(shape), _parameters(rows, shape))
            return
        groups: dict[_Shape, list[Row]] = {}
        for row in self._take():
            shape = _shape([row], alike=True)
            groups.setdefault(shape, []).append(_parameters([row], shape))
        for shape, parameters in groups.items():
            self.run(_statement_of(shape), parameters)

    def send_with(self, query: Select[Any], parameters: Row) -> Result[Any]:
        """Run `query`, which does not read what was kept, in one round trip with that."""
        if self.kept and self._fit_one_statement():
            rows = self._take()
            shape = _shape(rows)
            return self.run(_query_with(query, shape), {**parameters, **_parameters(rows, shape)})
        self.send()
        return self.run(query, parameters)

    def run(self, statement: Executable, parameters: Row | list[Row] | None = None) -> Result[Any]:
        """Execute a Core statement on the connection itself: what a session does for the ORM takes a tenth as long."""
        return super().connection().execute(statement, parameters)

    def _fit_one_statement(self) -> bool:
        if len(self.kept) > TOGETHER or not on_postgresql(self):
            return False
        # Parts of one statement run in any order: rows that the table numbers must not be parts.
        numbered = [row.table for row in self.kept if row.of is None and row.table.autoincrement_column is not None]
        return len(numbered) == len(set(numbered))

    def _take(self) -> list[_Kept]:
        rows, self.kept = self.kept, []
        return rows

    # Whatever may read or refer to the rows finds them.
    def execute(self, *arguments: Any, **options: Any) -> Any:
        self.send()
        return super().execute(*arguments, **options)

    def scalar(self, *arguments: Any, **options: Any) -> Any:
        self.send()
        return super().scalar(*arguments, **options)

    def scalars(self, *arguments: Any, **options: Any) -> Any:
        self.send()
        return super().scalars(*arguments, **options)

    def connection(self, *arguments: Any, **options: Any) -> Connection:
        self.send()
        return super().connection(*arguments, **options)

    def begin_nested(self) -> SessionTransaction:
        self.send()
        return super().begin_nested()


@event.listens_for(WriteSession, "before_commit")
def _send_last(session: WriteSession) -> None:
    session.send()


@event.listens_for(WriteSession, "after_soft_rollback")
def _forget(session: WriteSession, _transaction: SessionTransaction) -> None:
    # Also of a savepoint: what was appended before it is sent by then.
    session.kept.clear()


def append(session: Session, model: type[Base], row: Row) -> None:
    """Insert `row` with the transaction: together with others, before the next statement at the latest.

    For rows that the program needs no answer about. `row` says all columns that have no default, times from the
    database's clock as `In`.
    """
    _writing(session).kept.append(_Kept(table(model), row))


def change(session: Session, model: type[Base], row_id: str, values: Row) -> None:
    """Change the row of that id with the transaction: as `append` inserts one, together with those.

    The caller has locked the row and read it since, so that it is there and `values` are right, whoever else writes.
    """
    writing = _writing(session)
    if any(row.of == row_id for row in writing.kept):
        # A statement changes a row once.
        writing.send()
    writing.kept.append(_Kept(table(model), values, row_id))


def _writing(session: Session) -> WriteSession:
    if not isinstance(session, WriteSession):
        raise TypeError("rows are appended and changed in a write_session()")
    return session


def beside(session: Session, statement: Executable, parameters: Row | None = None) -> Result[Any]:
    """Execute `statement`, which neither reads nor refers to what was kept, without sending that first."""
    return _writing(session).run(statement, parameters)


def along(session: Session, query: Select[Any], parameters: Row) -> Result[Any]:
    """Run `query`, which does not read what was kept, in one round trip with that where there is such."""
    if isinstance(session, WriteSession):
        return session.send_with(query, parameters)
    return session.execute(query, parameters)


def _kind(value: Any, alike: bool) -> _Kind:
    if type(value) is In:
        return _Kind.TIME if alike or value.seconds else _Kind.NOW
    return _Kind.NULL if value is None and not alike else _Kind.GIVEN


def _shape(rows: Sequence[_Kept], *, alike: bool = False) -> _Shape:
    """`alike`: rows of the same columns have the same shape, whatever is in them."""
    return tuple(
        (row.table, row.of is not None, tuple((name, _kind(value, alike)) for name, value in row.values.items()))
        for row in rows
    )


def _parameters(rows: Sequence[_Kept], shape: _Shape) -> Row:
    given = {
        f"{name}_{place}": row.values[name].seconds if kind is _Kind.TIME else row.values[name]
        for place, (row, (_, _, columns)) in enumerate(zip(rows, shape, strict=True))
        for name, kind in columns
        if kind in _WITH_PARAMETER
    }
    return given | {f"of_{place}": row.of for place, row in enumerate(rows) if row.of is not None}


@lru_cache(maxsize=1024)
def _statement_of(shape: _Shape) -> Insert | Update:
    """One statement for rows of these tables and columns; built once, as that costs more than running it.

    The parameters of row n end in `_n`. Foreign keys among the rows hold: PostgreSQL looks at them when the statement
    is over.
    """
    *others, last = _statements(shape)
    return last.add_cte(*(other.cte(f"rows_{place}") for place, other in enumerate(others)))


@lru_cache(maxsize=1024)
def _query_with(query: Select[Any], shape: _Shape) -> Select[Any]:
    return query.add_cte(*(each.cte(f"rows_{place}") for place, each in enumerate(_statements(shape))))


def _statements(shape: _Shape) -> list[Insert | Update]:
    # One a row: SQLAlchemy compiles an INSERT of several VALUES anew each time.
    return [
        _update(target, columns, place) if changed else _insert(target, columns, place)
        for place, (target, changed, columns) in enumerate(shape)
    ]


def _update(target: Table, columns: tuple[tuple[str, _Kind], ...], place: int) -> Update:
    row_id = bindparam(f"of_{place}", type_=target.c.id.type)
    return update(target).where(target.c.id == row_id).values(_values(target, columns, place))


def _insert(target: Table, columns: tuple[tuple[str, _Kind], ...], place: int) -> Insert:
    values: Row = {
        column.name: column.default.arg
        for column in target.columns
        if isinstance(column.default, ColumnDefault) and column.default.is_scalar
    }
    return insert(target).values(values | _values(target, columns, place)).inline()


def _values(target: Table, columns: tuple[tuple[str, _Kind], ...], place: int) -> Row:
    values: Row = {}
    for name, kind in columns:
        bound = f"{name}_{place}"
        if kind is _Kind.GIVEN:
            values[name] = bindparam(bound, type_=target.c[name].type)
        elif kind is _Kind.TIME:
            values[name] = clock_in(bound)
        else:
            values[name] = clock() if kind is _Kind.NOW else null()
    return values


def _read_engine() -> Engine:
    if "read" in db.engines:
        return db.engines["read"]
    # One statement, one round trip: readers here need no snapshot across statements.
    engines: dict[str, Engine] = current_app.extensions.setdefault("reviewqueue_read_engine", {})
    if "autocommit" not in engines:
        engines["autocommit"] = db.engine.execution_options(isolation_level="AUTOCOMMIT")
    return engines["autocommit"]


@contextmanager
def write_session() -> Iterator[Session]:
    """One transaction: committed when the block ends, rolled back when it raises."""
    with WriteSession(db.engine, expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def read_session() -> Iterator[Session]:
    """For reading only: never waits for writers and never holds them up."""
    with Session(_read_engine(), expire_on_commit=False, autoflush=False) as session:
        yield session


@contextmanager
def read_connection() -> Iterator[Connection]:
    """For one Core statement, read: a session would take as long as the statement."""
    with _read_engine().connect() as connection:
        yield connection


def upsert(session: Session, model: type[Base]) -> Any:
    """An INSERT into the model's table that knows `on_conflict_do_update`, as this database writes it."""
    make: Any = postgresql.insert if on_postgresql(session) else sqlite.insert
    return make(table(model))


def database_now(session: Session) -> datetime:
    """The database's time now, aware UTC."""
    return session.execute(select(clock())).scalar_one()


def on_postgresql(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"
