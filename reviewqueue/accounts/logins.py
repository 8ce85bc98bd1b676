"""Signing in, step by step. The slow step, the password's hash, runs outside of any transaction:
on SQLite it would hold up every writer.

    admit (counts the attempt) → look_up → judge (no database) → sign_in or note_failure
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts import passwords, sessions, throttle
from reviewqueue.accounts.throttle import Attempt
from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.errors import Unauthenticated
from reviewqueue.models import Person
from reviewqueue.models.states import ActorKind, Via

VISITOR = Actor(kind=ActorKind.SYSTEM, id="visitor", name="somebody not signed in", via=Via.WEB)
"""In whose name failed logins are recorded; no operation is called as it."""

admit = throttle.admit
take_back = throttle.take_back


@dataclass(frozen=True)
class Account:
    """Who an attempt is about, before it is known whether it is them."""

    id: str
    name: str
    password_hash: str
    disabled: bool


@dataclass(frozen=True)
class Judgement:
    right: bool
    new_hash: str | None = None
    """To be kept instead, where the old one was made at another cost."""


def look_up(*, session: Session, email: str) -> Account | None:
    """The account with that e-mail, in any case of letters. Uses `uq_person_email_lower`."""
    if "\x00" in email:
        return None
    row = session.execute(
        select(Person.id, Person.name, Person.password_hash, Person.disabled_at.is_not(None)).where(
            func.lower(Person.email) == func.lower(email.strip())
        )
    ).one_or_none()
    return None if row is None else Account(*row)


def judge(account: Account | None, password: str) -> Judgement:
    """Whether `password` opens `account`. Takes as long for no account, and for a disabled one."""
    hasher = passwords.hasher()
    right = hasher.matches(account.password_hash if account else None, password)
    if account is None or account.disabled or not right:
        return Judgement(right=False)
    return Judgement(right=True, new_hash=hasher.hash(password) if hasher.outdated(account.password_hash) else None)


def sign_in(
    *, session: Session, account: Account, judgement: Judgement, attempt: Attempt, user_agent: str, hours: int
) -> str:
    """Open a session; returns its id. Raises `Unauthenticated` if the account was changed since it was looked up."""
    actor = Actor(kind=ActorKind.PERSON, id=account.id, name=account.name, via=Via.WEB)
    values = {"password_hash": judgement.new_hash or account.password_hash}
    unchanged = session.execute(
        update(Person)
        .where(Person.id == account.id, Person.password_hash == account.password_hash, Person.disabled_at.is_(None))
        .values(values)
        .returning(Person.id)
    ).one_or_none()
    if unchanged is None:
        raise Unauthenticated("The account was changed just now. Sign in again.")
    throttle.take_back(session=session, attempt=attempt)
    session_id = sessions.begin(session=session, person_id=account.id, user_agent=user_agent, hours=hours)
    trail.record(
        session, actor, "login", subject=account.id,
        facts={"known_device": attempt.device is not None}, content={"address": attempt.address},
    )  # fmt: skip
    return session_id


def note_failure(*, session: Session, attempt: Attempt, account: Account | None) -> None:
    """Record that an attempt failed."""
    trail.record(
        session, VISITOR, "login.failed", subject=account.id if account else None,
        facts={"known_account": account is not None, "disabled": bool(account and account.disabled)},
        content={"email": attempt.account[:254], "address": attempt.address},
    )  # fmt: skip
