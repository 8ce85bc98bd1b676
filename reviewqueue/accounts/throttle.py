"""Login throttling, in the database: guessing gets slow, and nobody can lock somebody else out.

Failures are counted by key. A browser that the person signed in from before (it has a device cookie) has a key of
its own and no other, so what strangers do never stops it. Any other browser has two keys: the account from this
address, and the account from all unknown browsers together; the second allows more before it delays.

An attempt counts as failed before the password is looked at and is taken back when it was right: a hundred attempts
sent at once get no further than a hundred sent in turn.
"""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, delete, literal, select, update
from sqlalchemy.orm import Session

from reviewqueue.core.db import clock, database_now, upsert
from reviewqueue.errors import TooMany
from reviewqueue.models import LoginThrottle

FORGOTTEN_AFTER_HOURS = 24
"""Failures older than this count no more."""
LONGEST_DELAY_SECONDS = 900


@dataclass(frozen=True)
class Attempt:
    """Somebody tries to sign in as `account` (a typed e-mail, known or not)."""

    account: str
    address: str
    device: str | None = None
    """From the device cookie, where this browser signed in to this account before."""


@dataclass(frozen=True)
class Key:
    digest: str
    free: int
    """Failures before the first delay."""
    shared: bool
    """Counts strangers too: one success does not clear it."""


def keys_of(attempt: Attempt) -> list[Key]:
    """In the order of their digests, so that two attempts never wait for each other in a circle."""
    account = attempt.account.strip().casefold()
    if attempt.device is not None:
        return [Key(_digest("device", account, attempt.device), free=10, shared=False)]
    keys = [
        Key(_digest("address", account, _network(attempt.address)), free=5, shared=False),
        Key(_digest("account", account), free=50, shared=True),
    ]
    return sorted(keys, key=lambda key: key.digest)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def _network(address: str) -> str:
    # One subscriber has a whole /64 of IPv6 addresses to try from.
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def delay_seconds(failures: int, free: int) -> int:
    """How long after the last of `failures` the next attempt must wait: 0, then 5, 10, 20 … at most 900 seconds."""
    over = failures - free
    return 0 if over < 0 else min(5 * 2 ** min(over, 20), LONGEST_DELAY_SECONDS)


def admit(*, session: Session, attempt: Attempt) -> None:
    """Count the attempt as failed for now. Raises `TooMany` while one of its keys is delayed; then nothing counts."""
    for key in keys_of(attempt):
        failures = _count(session, key)
        if failures is None:
            raise TooMany(_words(wait := _remaining(session, key)), retry_after=wait)
        delay = delay_seconds(failures, key.free)
        if delay:
            session.execute(
                update(LoginThrottle).where(LoginThrottle.key == key.digest).values(blocked_until=clock(delay))
            )


def _count(session: Session, key: Key) -> int | None:
    """The failures with this one; None while the key is delayed. One guarded statement: attempts race."""
    statement = upsert(session, LoginThrottle).values(
        key=key.digest, failures=1, last_failed_at=clock(), blocked_until=None
    )
    forgotten = LoginThrottle.last_failed_at < clock(-FORGOTTEN_AFTER_HOURS * 3600)
    found: int | None = session.scalar(
        statement.on_conflict_do_update(
            index_elements=[LoginThrottle.key],
            set_={
                "failures": case((forgotten, 1), else_=LoginThrottle.failures + 1),
                "last_failed_at": clock(),
                "blocked_until": None,
            },
            where=LoginThrottle.blocked_until.is_(None) | (LoginThrottle.blocked_until <= clock()),
        ).returning(LoginThrottle.failures)
    )
    return found


def _remaining(session: Session, key: Key) -> int:
    until: datetime | None = session.scalar(select(LoginThrottle.blocked_until).where(LoginThrottle.key == key.digest))
    if until is None:
        return 1
    return max(1, round((until - database_now(session)).total_seconds() + 0.5))


def _words(seconds: int) -> str:
    wait = f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"
    return f"Too many failed attempts to sign in to this account. Wait {wait} and try again."


def take_back(*, session: Session, attempt: Attempt) -> None:
    """The attempt was right: forget this browser's failures, and this one among the strangers'."""
    for key in keys_of(attempt):
        if key.shared:
            session.execute(
                update(LoginThrottle)
                .where(LoginThrottle.key == key.digest)
                .values(failures=LoginThrottle.failures - 1, blocked_until=None)
            )
        else:
            session.execute(delete(LoginThrottle).where(LoginThrottle.key == key.digest))


_FORGOTTEN = LoginThrottle.last_failed_at < clock(-FORGOTTEN_AFTER_HOURS * 3600)
OLD = select(LoginThrottle.last_failed_at).where(_FORGOTTEN).limit(1)


def sweep(*, session: Session) -> int:
    """Delete counters that count no more; returns how many. A periodic duty."""
    rows = session.execute(delete(LoginThrottle).where(_FORGOTTEN).returning(literal(1)))
    return len(rows.all())
