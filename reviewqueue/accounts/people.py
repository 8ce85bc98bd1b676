"""Operations on people: create, change role, disable, passwords. And the queries that list them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.accounts import departures, passwords, sessions, tokens
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from reviewqueue.models import Person
from reviewqueue.models.states import ActorKind, SiteRole

PAGE = 50


@dataclass(frozen=True)
class PersonRow:
    id: str
    email: str
    name: str
    role: SiteRole
    must_change_password: bool
    created_at: datetime
    disabled_at: datetime | None


@dataclass(frozen=True)
class Created:
    """A new person; `password` is the one-time password when none was given."""

    id: str
    email: str
    password: str | None


_COLUMNS = (
    Person.id, Person.email, Person.name, Person.role, Person.must_change_password, Person.created_at,
    Person.disabled_at,
)  # fmt: skip


def ensure_admin(*, session: Session, actor: Actor, email: str, password: str | None = None) -> str | None:
    """Create the first administrator unless there is one.

    Returns the random password to be shown once; None when an administrator existed or `password` was given.
    Raises `Invalid` for an e-mail or a password that cannot be one, `Conflict` when somebody else has the e-mail.
    """
    if session.scalar(select(Person.id).where(Person.role == SiteRole.ADMIN).limit(1)) is not None:
        return None
    created = create(
        session=session, actor=actor, email=email, name="Administrator", role=SiteRole.ADMIN, password=password,
        must_change_password=password is None,
    )  # fmt: skip
    return created.password


def create(
    *,
    session: Session,
    actor: Actor,
    email: str,
    name: str = "",
    role: SiteRole = SiteRole.MEMBER,
    password: str | None = None,
    must_change_password: bool | None = None,
) -> Created:
    """Add a person; without `password` with a one-time password, to be changed at the first login.

    Raises `Invalid` with pointers `/email`, `/name`, `/password`; `Conflict` (`email_taken`); `Forbidden`.
    """
    require(actor, Action.MANAGE_PEOPLE)
    email, name = _email(email), _name(name, email)
    given = password
    if given is None:
        password = passwords.one_time()
    else:
        passwords.check(given, email=email)
        password = given
    must_change = given is None if must_change_password is None else must_change_password
    hashed = passwords.hasher().hash(password)
    person_id = _insert(session, actor, email, name, role, hashed, must_change=must_change)
    return Created(person_id, email, password if given is None else None)


def create_without_password(*, session: Session, actor: Actor, email: str, name: str) -> str:
    """Add a member who signs in with the provider alone; returns their id. Raises as `create`."""
    require(actor, Action.MANAGE_PEOPLE)
    email = _email(email)
    return _insert(session, actor, email, _name(name, email), SiteRole.MEMBER, passwords.NONE, must_change=False)


def _insert(
    session: Session, actor: Actor, email: str, name: str, role: SiteRole, password_hash: str, *, must_change: bool
) -> str:
    person_id = new_id()
    row = {
        "id": person_id,
        "email": email,
        "name": name,
        "password_hash": password_hash,
        "role": role,
        "pseudonym": f"r-{secrets.token_hex(8)}",
        "must_change_password": must_change,
    }
    try:
        with session.begin_nested():
            session.execute(insert(Person).values(**row, created_at=clock(), disabled_at=None))
    except IntegrityError:
        raise Conflict(f"Somebody has the e-mail {email} already.", code="email_taken") from None
    trail.record(
        session, actor, "person.created", subject=person_id, facts={"role": role},
        content={"email": email, "name": name},
    )  # fmt: skip
    return person_id


def _email(text: str) -> str:
    try:
        # Sites behind a firewall have domains like `corp.local`, or none.
        checked = validate_email(text.strip(), check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError as error:
        raise Invalid(f"This e-mail address cannot be one: {error}", [Fault("/email", str(error))]) from None
    return checked.normalized


def _name(text: str, email: str) -> str:
    name = " ".join(text.split()) or email.partition("@")[0]
    if len(name) > 200 or not name.isprintable():
        raise Invalid("The name is not usable.", [Fault("/name", "must be printable, at most 200 characters")])
    return name


def change_role(*, session: Session, actor: Actor, person_id: str, role: SiteRole) -> None:
    """Give the person another site role and end their sessions; the same role again changes nothing.

    Raises `Conflict` (`last_admin`), `NotFound`, `Forbidden`.
    """
    require(actor, Action.MANAGE_PEOPLE)
    person = locked(session, person_id)
    if person.role == role:
        return
    if person.role is SiteRole.ADMIN:
        _keep_an_admin(session, but=person_id)
    session.execute(update(Person).where(Person.id == person_id).values(role=role))
    sessions.end_all(session, person_id)
    trail.record(session, actor, "person.role_changed", subject=person_id, facts={"from": person.role, "to": role})


def disable(*, session: Session, actor: Actor, person_id: str) -> None:
    """Shut the person out: sessions and tokens end, what they hold or were assigned goes back, drafts go to the lead.
    Twice changes nothing.

    Raises `Conflict` (`last_admin`, `yourself`), `NotFound`, `Forbidden`.
    """
    require(actor, Action.MANAGE_PEOPLE)
    if actor.kind is ActorKind.PERSON and actor.id == person_id:
        raise Conflict("You cannot disable yourself. Ask another administrator.", code="yourself")
    person = locked(session, person_id)
    if person.disabled_at is not None:
        return
    if person.role is SiteRole.ADMIN:
        _keep_an_admin(session, but=person_id)
    session.execute(update(Person).where(Person.id == person_id).values(disabled_at=clock()))
    ended = sessions.end_all(session, person_id)
    revoked = tokens.revoke_all(session, actor, person_id)
    released = departures.release_claims(session, actor, person_id, why="person_disabled")
    freed = departures.clear_assignments(session, actor, person_id, why="person_disabled")
    handed_over = departures.hand_over_drafts(session, actor, person_id)
    facts = {"sessions": ended, "tokens": revoked, "claims": released, "assigned": freed, "drafts": handed_over}
    trail.record(session, actor, "person.disabled", subject=person_id, facts=facts)


def enable(*, session: Session, actor: Actor, person_id: str) -> None:
    """Let the person in again; their tokens stay revoked. Raises `NotFound`, `Forbidden`."""
    require(actor, Action.MANAGE_PEOPLE)
    if locked(session, person_id).disabled_at is None:
        return
    session.execute(update(Person).where(Person.id == person_id).values(disabled_at=None))
    trail.record(session, actor, "person.enabled", subject=person_id)


def reset_password(*, session: Session, actor: Actor, person_id: str) -> str:
    """Give the person a one-time password, returned, and end their sessions.

    Raises `Conflict` (`yourself`), `NotFound`, `Forbidden`.
    """
    require(actor, Action.MANAGE_PEOPLE)
    if actor.kind is ActorKind.PERSON and actor.id == person_id:
        raise Conflict("Change your own password on your account page.", code="yourself")
    locked(session, person_id)
    password = passwords.one_time()
    _set_password(session, person_id, password, must_change=True)
    ended = sessions.end_all(session, person_id)
    trail.record(session, actor, "person.password_reset", subject=person_id, facts={"sessions": ended})
    return password


def change_password(*, session: Session, actor: Actor, password: str) -> None:
    """Set `actor`'s own password and end all their sessions; the caller has checked the old one and begins a new one.

    Raises `Invalid` pointing at `/password`.
    """
    if actor.kind is not ActorKind.PERSON or actor.token_id is not None:
        raise Forbidden("A password is changed by the person, signed in.")
    person = locked(session, actor.id)
    passwords.check(password, email=person.email)
    if passwords.hasher().matches(person.password_hash, password):
        raise Invalid(
            "The new password is the old one.", [Fault("/password", "must differ from the old one")],
            code="weak_password",
        )  # fmt: skip
    _set_password(session, actor.id, password, must_change=False)
    ended = sessions.end_all(session, actor.id)
    trail.record(session, actor, "person.password_changed", subject=actor.id, facts={"sessions": ended})


def _set_password(session: Session, person_id: str, password: str, *, must_change: bool) -> None:
    session.execute(
        update(Person)
        .where(Person.id == person_id)
        .values(password_hash=passwords.hasher().hash(password), must_change_password=must_change)
    )


def locked(session: Session, person_id: str) -> Any:
    """The person's row, held until the transaction ends. Raises `NotFound`."""
    # All administrators are held with it, in one order: two who demote each other at once must not both succeed.
    rows = session.execute(
        select(*_COLUMNS, Person.password_hash)
        .where((Person.id == person_id) | (Person.role == SiteRole.ADMIN))
        .order_by(Person.id)
        .with_for_update()
    ).all()
    found = next((row for row in rows if row.id == person_id), None)
    if found is None:
        raise NotFound("Nobody is known under this address.")
    return found


def _keep_an_admin(session: Session, *, but: str) -> None:
    others = select(Person.id).where(Person.role == SiteRole.ADMIN, Person.disabled_at.is_(None), Person.id != but)
    if session.scalar(others.limit(1)) is None:
        raise Conflict("This is the last administrator. Make somebody else one first.", code="last_admin")


# -- queries ----------------------------------------------------------------------------------------------------------


def find(*, session: Session, actor: Actor, person_id: str) -> PersonRow:
    """One person. Raises `NotFound`, `Forbidden`."""
    require(actor, Action.READ_PEOPLE)
    row = session.execute(select(*_COLUMNS).where(Person.id == person_id)).one_or_none()
    if row is None:
        raise NotFound
    return PersonRow(*row)


def has_password(session: Session, person_id: str) -> bool:
    """Whether a password opens the account at all."""
    return session.scalar(select(Person.password_hash).where(Person.id == person_id)) != passwords.NONE


def by_email(session: Session, email: str) -> PersonRow:
    """The person with that e-mail, in any case of letters. Raises `NotFound`. Uses `uq_person_email_lower`."""
    if "\x00" in email:
        raise NotFound
    row = session.execute(select(*_COLUMNS).where(func.lower(Person.email) == func.lower(email.strip()))).one_or_none()
    if row is None:
        raise NotFound(f"Nobody has the e-mail {email}.")
    return PersonRow(*row)


def search(
    *, session: Session, actor: Actor, text: str = "", after: tuple[str, str] | None = None, limit: int = PAGE
) -> list[PersonRow]:
    """People whose name or e-mail contains `text`, by name; those after (name, id). Raises `Forbidden`."""
    require(actor, Action.READ_PEOPLE)
    statement = select(*_COLUMNS).order_by(func.lower(Person.name), Person.id).limit(limit)
    if words := " ".join(text.replace("\x00", " ").split()):
        matches = Person.name.icontains(words, autoescape=True) | Person.email.icontains(words, autoescape=True)
        statement = statement.where(matches)
    if after is not None:
        name, person_id = after
        statement = statement.where(
            (func.lower(Person.name) > func.lower(name))
            | ((func.lower(Person.name) == func.lower(name)) & (Person.id > person_id))
        )
    return [PersonRow(*row) for row in session.execute(statement)]
