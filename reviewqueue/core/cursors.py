"""Cursors of PostgreSQL that describe the columns of a result when somebody asks.

SQLAlchemy keeps what it knows of a statement's columns beside the compiled statement; of each result it only wants to
know that there are any. psycopg would look up the type of every column all the same: a twentieth of what a decision
costs the processor.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from psycopg import Column, Cursor


class _Columns(Sequence[Column]):
    """Of a cursor's present result. Whoever reads it does so before the cursor's next statement."""

    def __init__(self, cursor: LazyCursor) -> None:
        self._cursor = cursor

    @cached_property
    def _all(self) -> list[Column]:
        return self._cursor.described() or []

    def __len__(self) -> int:
        return len(self._all)

    def __getitem__(self, place: Any) -> Any:
        return self._all[place]


class LazyCursor(Cursor[Any]):
    """As psycopg's own, but for when `description` is made."""

    @property
    def description(self) -> Sequence[Column] | None:  # type: ignore[override]
        return _Columns(self) if self.pgresult is not None and self.pgresult.nfields else None

    def described(self) -> list[Column] | None:
        return super().description
