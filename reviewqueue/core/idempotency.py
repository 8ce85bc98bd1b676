"""`Idempotency-Key`: one key, one answer. Written in the same transaction as what it protects."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Select, Text, bindparam, delete, func, select, true, tuple_
from sqlalchemy.orm import Session

from reviewqueue.core.access import Actor
from reviewqueue.core.db import NOW, append, clock, on_postgresql
from reviewqueue.errors import InFlight, Invalid
from reviewqueue.models import IdempotencyKey
from reviewqueue.models.base import table

KEPT_SECONDS = 30 * 24 * 3600


_COLUMNS = table(IdempotencyKey).c
_LOCKED = func.begin_idempotent(
    bindparam("number", type_=BigInteger), bindparam("token_id", type_=Text), bindparam("route", type_=Text),
    bindparam("key", type_=Text),
).table_valued("locked", "body_sha256", "status", "answer")  # fmt: skip
# Migration 0027: one round trip, whose look comes after the lock.
_LOCKED_AND_SAVED = select(_LOCKED)
_SAVED = select(_COLUMNS.body_sha256, _COLUMNS.status, _COLUMNS.answer).where(
    _COLUMNS.token_id == bindparam("token_id"), _COLUMNS.route == bindparam("route"), _COLUMNS.key == bindparam("key")
)


@dataclass(frozen=True)
class Saved:
    """The answer that the key got the first time."""

    status: int
    answer: str


@dataclass(frozen=True)
class Key:
    """A key in its scope, and the digest of the body that came with it."""

    token_id: str
    route: str
    key: str
    body_sha256: str


def key_for(actor: Actor, *, route: str, key: str, body: bytes) -> Key:
    """Of a request of `actor`. Raises `Invalid` for a key that is empty, longer than 255, or not printable ASCII."""
    if not 1 <= len(key) <= 255 or not key.isascii() or not key.isprintable():
        raise Invalid("Idempotency-Key must be 1 to 255 printable ASCII characters.", code="bad_idempotency_key")
    return Key(actor.token_id or actor.id[:16], route, key, hashlib.sha256(body).hexdigest())


def begin(session: Session, key: Key) -> Saved | None:
    """The saved answer, or None: go on and `save` one.

    Raises `InFlight` while a twin is being answered (PostgreSQL; on SQLite it simply waits for the twin), `Invalid`
    when the key came with another body before.
    """
    return _saved(_looked_up(session, key), key)


def begin_with(session: Session, key: Key, query: Select[Any], parameters: dict[str, Any]) -> tuple[Saved | None, Any]:
    """As `begin`, and the row of `query`, which has one at most, in the same round trip: None where there is none. No
    column of it is called `locked`, `body_sha256`, `status` or `answer`."""
    if not on_postgresql(session):
        return begin(session, key), session.execute(query, parameters).one_or_none()
    row = _locked(session, key, _together_with(query), parameters)
    return _saved(row, key), row if row.found else None


@lru_cache(maxsize=8)
def _together_with(query: Select[Any]) -> Select[Any]:
    found = query.add_columns(true().label("found")).subquery()
    return select(_LOCKED, found).select_from(_LOCKED.outerjoin(found, true()))


def _saved(row: Any, key: Key) -> Saved | None:
    if row is None or row.status is None:
        return None
    # Empty where an item of that body was erased: of a short text its digest would tell.
    if row.body_sha256 and row.body_sha256 != key.body_sha256:
        raise Invalid(
            "This Idempotency-Key came with another body before. Use a new key for a new request.",
            code="idempotency_key_reused",
        )
    return Saved(row.status, row.answer)


def _looked_up(session: Session, key: Key) -> Any:
    if not on_postgresql(session):
        return session.execute(_SAVED, _named(key)).one_or_none()
    return _locked(session, key, _LOCKED_AND_SAVED, {})


def _locked(session: Session, key: Key, query: Select[Any], parameters: dict[str, Any]) -> Any:
    scope = f"{key.token_id}\x1f{key.route}\x1f{key.key}"
    number = int.from_bytes(hashlib.blake2b(scope.encode(), digest_size=8).digest(), "big", signed=True)
    row = session.execute(query, {**parameters, **_named(key), "number": number}).one()
    if not row.locked:
        raise InFlight("A request with this Idempotency-Key is being answered. Try again in a moment.")
    return row


def _named(key: Key) -> dict[str, Any]:
    return {"token_id": key.token_id, "route": key.route, "key": key.key}


def save(session: Session, key: Key, status: int, answer: str) -> None:
    """Keep the answer for 30 days."""
    append(session, IdempotencyKey, {**asdict(key), "status": status, "answer": answer, "created_at": NOW})


PURGED_AT_ONCE = 1_000
# Index ix_idempotency_key_created_at.
OLD = (
    select(_COLUMNS.token_id, _COLUMNS.route, _COLUMNS.key)
    .where(_COLUMNS.created_at < clock(-KEPT_SECONDS))
    .limit(PURGED_AT_ONCE)
)


def purge(*, session: Session) -> int:
    """Forget keys older than 30 days; returns how many, at most 1,000. A duty of the relay."""
    rows = session.execute(OLD).all()
    whole = tuple_(_COLUMNS.token_id, _COLUMNS.route, _COLUMNS.key)
    session.execute(delete(table(IdempotencyKey)).where(whole.in_([tuple(row) for row in rows])))
    return len(rows)
