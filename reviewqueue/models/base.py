"""What all tables share: naming of constraints, column types, the declarative base."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, cast

from sqlalchemy import DateTime, Dialect, Enum, ForeignKeyConstraint, MetaData, String, Table, Text, Uuid
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime. SQLite keeps it as naive text, `YYYY-MM-DD HH:MM:SS.ffffff`, which sorts by time."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a datetime without a time zone reached the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        # From PostgreSQL it is in UTC already, see `db._engine_options`.
        if value is None or value.tzinfo is UTC:
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


def table(model: type[Base]) -> Table:
    """The table of a model, for Core statements on hot paths: they skip the ORM's work."""
    return cast("Table", model.__table__)


def certain_reference(column: str, target: str) -> ForeignKeyConstraint:
    """To a row that nothing ever deletes, from a table that imports fill. PostgreSQL, where to check it takes as long
    as to write a small row, does without; SQLite checks it."""
    return ForeignKeyConstraint([column], [target], info={"only": "sqlite"}).ddl_if(dialect="sqlite")


def enumerated(kind: type[StrEnum], name: str) -> Enum:
    """A text column with a CHECK that only `kind`'s values pass."""
    return Enum(
        kind,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=24,
        values_callable=lambda values: [value.value for value in values],
    )


Id = Annotated[str, mapped_column(Uuid(as_uuid=False), primary_key=True)]
"""UUIDv7 as text with dashes, from `core.ids.new_id()`."""
Ref = Annotated[str, mapped_column(Uuid(as_uuid=False))]
Moment = Annotated[datetime, mapped_column(UtcDateTime)]
Json = Annotated[str, mapped_column(Text)]
"""Validated JSON kept as the text it came as: JSONB would reorder keys, and floats would lose digits."""
Name = Annotated[str, mapped_column(String(200))]
