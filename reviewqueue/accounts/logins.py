"""Signing in, step by step. The slow step, the password's hash, runs outside of any transaction:
on SQLite it would hold up every writer.

    admit (counts the attempt) → look_up → judge (no database) → sign_in or note_failure

Where the account has a second factor, `sign_in` opens no session but a half-done login, which `finish` takes:

    half_of → admit → finish

Whoever comes from the provider of single sign-on begins in `sso.sign_in`, and ends in the same two places.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from reviewqueue.accounts import passwords, second_factor, sessions, throttle
from reviewqueue.accounts.throttle import Attempt
from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.core.db import clock
from reviewqueue.errors import Unauthenticated
from reviewqueue.models import HalfLogin, Person
from reviewqueue.models.states import ActorKind, SiteRole, Via

VISITOR = Actor(kind=ActorKind.SYSTEM, id="visitor", name="somebody not signed in", via=Via.WEB)
"""In whose name failed logins are recorded; no operation is called as it."""

HALF_SECONDS = 600
"""How long the second factor can be typed after the password."""

admit = throttle.admit
take_back = throttle.take_back


@dataclass(frozen=True)
class Account:
    """Who an attempt is about, before it is known whether it is them."""

    id: str
    name: str
    email: str
    role: SiteRole
    password_hash: str
    disabled: bool


@dataclass(frozen=True)
class Judgement:
    right: bool
    new_hash: str | None = None
    """To be kept instead, where the old one was made at another cost."""


@dataclass(frozen=True)
class Entry:
    """Where a right password, or the provider's word, leads: into a session, or to the question for the second factor;
    nowhere for a password that its owner must not use."""

    email: str
    session_id: str | None = None
    half_id: str | None = None


@dataclass(frozen=True)
class Half:
    """Whose login is half done."""

    id: str
    person_id: str
    name: str
    email: str
    id_token: str | None
    """Of whoever came from the provider."""


def look_up(*, session: Session, email: str) -> Account | None:
    """The account with that e-mail, in any case of letters. Uses `uq_person_email_lower`."""
    if "\x00" in email:
        return None
    row = session.execute(
        select(
            Person.id, Person.name, Person.email, Person.role, Person.password_hash, Person.disabled_at.is_not(None)
        ).where(func.lower(Person.email) == func.lower(email.strip()))
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
) -> Entry:
    """Open a session, or a half-done login where the account has a second factor; neither where its owner must sign in
    with the provider. Raises `Unauthenticated` if the account was changed since it was looked up."""
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
    if not passwords.may_be_used(account.role):
        trail.record(
            session, VISITOR, "login.password_refused", subject=account.id, content={"address": attempt.address}
        )
        return Entry(account.email)
    if second_factor.is_on(session, account.id):
        return Entry(account.email, half_id=begin_half(session=session, person_id=account.id))
    opened = open_session(
        session, account.id, account.name, address=attempt.address, user_agent=user_agent, hours=hours,
        facts={"known_device": attempt.device is not None},
    )  # fmt: skip
    return Entry(account.email, session_id=opened)


def begin_half(*, session: Session, person_id: str, id_token: str | None = None) -> str:
    """Begin a login that waits for the second factor; returns its id. With what the provider said, where it did."""
    half_id = secrets.token_urlsafe(32)
    values = {"person_id": person_id, "id_token": id_token, "expires_at": clock(HALF_SECONDS)}
    session.execute(insert(HalfLogin).values(id=half_id, **values))
    return half_id


def open_session(
    session: Session, person_id: str, name: str, *, address: str, user_agent: str, hours: int, facts: dict[str, Any],
    origin: sessions.Origin = sessions.BY_PASSWORD,
) -> str:  # fmt: skip
    """Begin a session, and record the login; returns its id."""
    session_id = sessions.begin(session=session, person_id=person_id, user_agent=user_agent, hours=hours, origin=origin)
    actor = Actor(kind=ActorKind.PERSON, id=person_id, name=name, via=Via.WEB)
    trail.record(session, actor, "login", subject=person_id, facts=facts, content={"address": address})
    return session_id


def note_failure(*, session: Session, attempt: Attempt, account: Account | None) -> None:
    """Record that an attempt failed."""
    trail.record(
        session, VISITOR, "login.failed", subject=account.id if account else None,
        facts={"known_account": account is not None, "disabled": bool(account and account.disabled)},
        content={"email": attempt.account[:254], "address": attempt.address},
    )  # fmt: skip


# -- the second step --------------------------------------------------------------------------------------------------

_HALF = (
    select(HalfLogin.id, Person.id, Person.name, Person.email, HalfLogin.id_token)
    .join(Person, Person.id == HalfLogin.person_id)
    .where(HalfLogin.expires_at > clock(), Person.disabled_at.is_(None))
)


def half_of(*, session: Session, half_id: str) -> Half | None:
    """Whose login is half done under that id; None once it is over."""
    row = session.execute(_HALF.where(HalfLogin.id == half_id)).one_or_none()
    return None if row is None else Half(*row)


def second_attempt(half: Half, address: str, device: str | None) -> Attempt:
    """What failures of the second step are counted by: not with those of the password, which anybody can cause."""
    return Attempt(f"second factor {half.person_id}", address, device)


def finish(
    *, session: Session, half: Half, typed: str, attempt: Attempt, user_agent: str, hours: int
) -> str | None:  # fmt: skip
    """Open the session of a half-done login; returns its id, or None for a wrong code, which is recorded.

    Raises `Unauthenticated` if the login ended or the account was changed meanwhile.
    """
    # Held until the end: a password reset, or the account's end, comes before all of this or after it.
    session.execute(select(Person.id).where(Person.id == half.person_id).with_for_update())
    if half_of(session=session, half_id=half.id) is None:
        raise Unauthenticated("The account was changed just now. Sign in again.")
    means = second_factor.spend(session=session, person_id=half.person_id, typed=typed)
    if means is None:
        trail.record(
            session, VISITOR, "login.second_factor_failed", subject=half.person_id,
            facts={"known_device": attempt.device is not None}, content={"address": attempt.address},
        )  # fmt: skip
        return None
    session.execute(delete(HalfLogin).where(HalfLogin.person_id == half.person_id))
    throttle.take_back(session=session, attempt=attempt)
    facts = {"known_device": attempt.device is not None, "second_factor": means}
    return open_session(
        session, half.person_id, half.name, address=attempt.address, user_agent=user_agent, hours=hours,
        facts={**facts, "sso": True} if half.id_token else facts, origin=sessions.Origin(half.id_token),
    )  # fmt: skip


_OVER = HalfLogin.expires_at <= clock()
LEFT = select(HalfLogin.id).where(_OVER).limit(1)


def sweep(*, session: Session) -> int:
    """Delete half-done logins that nobody finished; returns how many. A periodic duty."""
    return len(session.execute(delete(HalfLogin).where(_OVER).returning(literal(1))).all())
