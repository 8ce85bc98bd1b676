"""Operations of single sign-on: whom the provider means, what their groups make of them, and their session.

What the provider says was believed before, outside of any transaction (`provider.py`).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reviewqueue.accounts import logins, memberships, people, second_factor, sessions
from reviewqueue.accounts.provider import NotLetIn, Said
from reviewqueue.config import SingleSignOn
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, require
from reviewqueue.core.db import clock
from reviewqueue.errors import Conflict, Invalid, NotFound
from reviewqueue.models import Membership, Person, Queue, SpentState, SsoIdentity
from reviewqueue.models.states import ActorKind, QueueRole, SiteRole, Via

JOURNEY_SECONDS = 600
"""How long somebody may take at the provider."""
PROVIDER = Actor(kind=ActorKind.SYSTEM, id="sso", name="single sign-on", via=Via.WEB)
"""In whose name people are made and given roles at their login."""
_HIGHEST = (SiteRole.ADMIN, SiteRole.AUDITOR, SiteRole.MEMBER)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mapped:
    """What somebody's groups make of them; `site` is None where roles are given here."""

    site: SiteRole | None
    queues: frozenset[tuple[str, QueueRole]]
    """Slug and role."""


def mapped(sso: SingleSignOn, groups: Iterable[str]) -> Mapped | None:
    """What `groups` make of a person: the highest of their site roles, and every role in a queue. None: nothing, so
    that they are not let in. Pure."""
    if not sso.roles:
        return Mapped(None, frozenset())
    found = [role.rpartition(":") for group in groups for role in sso.roles.get(group, ())]
    if not found:
        return None
    site = {role for queue, _, role in found if not queue}
    return Mapped(
        next((role for role in _HIGHEST if role.value in site), SiteRole.MEMBER),
        frozenset((queue, QueueRole(role)) for queue, _, role in found if queue),
    )


def spend_state(*, session: Session, state: str) -> None:
    """Take the `state` of a journey that came back, once and for all. Raises `NotLetIn` the second time."""
    digest = hashlib.sha256(state.encode()).hexdigest()
    try:
        with session.begin_nested():
            session.execute(insert(SpentState).values(digest=digest, expires_at=clock(2 * JOURNEY_SECONDS)))
    except IntegrityError:
        raise NotLetIn("state_used", "This sign-in was finished before. Begin again.") from None


def sign_in(
    *, session: Session, sso: SingleSignOn, said: Said, address: str, user_agent: str, hours: int
) -> logins.Entry:
    """Open the session of whom the provider speaks of, made or found and given their roles; or a half-done login, where
    a second factor is on here and theirs there does not count.

    Raises `NotLetIn`; then nothing was changed.
    """
    wanted = mapped(sso, said.groups)
    if wanted is None:
        raise NotLetIn("no_role", "None of your groups has a role here. Ask an administrator.")
    email = _email(sso, said)
    person_id = _known(session, sso, said.subject) or _matched(session, sso, said, email)
    # Held until the end, as in `logins.finish`.
    person = people.locked(session, person_id)
    if person.disabled_at is not None:
        raise NotLetIn("disabled", "Your account here is disabled. Ask an administrator.")
    _give_roles(session, sso, person, wanted)
    if not said.factor and second_factor.is_on(session, person_id):
        half_id = logins.begin_half(session=session, person_id=person_id, id_token=said.id_token)
        return logins.Entry(person.email, half_id=half_id)
    session_id = logins.open_session(
        session, person_id, person.name, address=address, user_agent=user_agent, hours=hours,
        facts={"sso": True, "factor_elsewhere": said.factor}, origin=sessions.Origin(said.id_token, said.factor),
    )  # fmt: skip
    return logins.Entry(person.email, session_id=session_id)


def _email(sso: SingleSignOn, said: Said) -> str | None:
    """The e-mail that the provider vouches for. Raises `NotLetIn` for one of a domain that is not let in."""
    if said.email is None or not said.email_verified:
        if sso.domains:
            raise NotLetIn("email_unverified", "The provider has not verified your e-mail.")
        return None
    domain = said.email.rpartition("@")[2].lower()
    if sso.domains and domain not in sso.domains:
        raise NotLetIn("domain", f"E-mail addresses at {domain} are not let in.")
    return said.email


def _known(session: Session, sso: SingleSignOn, subject: str) -> str | None:
    return session.scalar(
        update(SsoIdentity)
        .where(SsoIdentity.issuer == sso.issuer, SsoIdentity.subject == subject)
        .values(used_at=clock())
        .returning(SsoIdentity.person_id)
    )


def _matched(session: Session, sso: SingleSignOn, said: Said, email: str | None) -> str:
    """Tie the subject to whoever has the e-mail, or to somebody new."""
    if email is None:
        raise NotLetIn("email_unverified", "The provider has not verified your e-mail.")
    try:
        person_id = people.by_email(session, email).id
    except NotFound:
        person_id = _made(session, email, said.name)
    values = {"issuer": sso.issuer, "subject": said.subject, "person_id": person_id}
    try:
        with session.begin_nested():
            session.execute(insert(SsoIdentity).values(**values, created_at=clock(), used_at=clock()))
    except IntegrityError:
        # The e-mail was given to somebody else there, or the account was made anew: a person here decides.
        raise NotLetIn("other_identity", "Your e-mail belongs to another account here. Ask an administrator.") from None
    trail.record(session, PROVIDER, "sso.linked", subject=person_id, content={"subject": said.subject})
    return person_id


def _made(session: Session, email: str, name: str) -> str:
    try:
        shown = name if name.isprintable() else ""
        return people.create_without_password(session=session, actor=PROVIDER, email=email, name=shown)
    except (Invalid, Conflict):
        raise NotLetIn("email_unusable", "Your e-mail cannot be one of an account here.") from None


def _give_roles(session: Session, sso: SingleSignOn, person: Any, wanted: Mapped) -> None:
    """Follow the groups. Of queues, only those roles are taken away that the settings give to a group."""
    if wanted.site is None:
        return
    try:
        people.change_role(session=session, actor=PROVIDER, person_id=person.id, role=wanted.site)
    except Conflict:
        _log.warning("Person %s is the last administrator and stays one, whatever their groups", person.id)
    governed = {
        (queue, QueueRole(role))
        for roles in sso.roles.values()
        for queue, _, role in (each.rpartition(":") for each in roles)
        if queue
    }
    known = set(session.scalars(select(Queue.slug).where(Queue.slug.in_({slug for slug, _ in governed}))))
    rows = session.execute(
        select(Queue.slug, Membership.role, Membership.id)
        .join(Queue, Queue.id == Membership.queue_id)
        .where(Membership.person_id == person.id)
    )
    held = {(row.slug, row.role): row.id for row in rows}
    added = {pair for pair in wanted.queues if pair[0] in known} - held.keys()
    gone = (governed & held.keys()) - wanted.queues
    for slug, role in sorted(added):
        memberships.add(session=session, actor=PROVIDER, slug=slug, email=person.email, role=role)
    for pair in sorted(gone):
        memberships.remove(session=session, actor=PROVIDER, slug=pair[0], membership_id=held[pair])
    if added or gone:
        # Not only new ids, as when an administrator does it: what somebody no longer may, ends with the login.
        sessions.end_all(session, person.id)


def note_refusal(*, session: Session, why: str, address: str) -> None:
    """Record that whoever came from the provider was not let in."""
    trail.record(session, logins.VISITOR, "login.sso_refused", facts={"why": why}, content={"address": address})


# -- administrators ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """That a provider knows a person."""

    issuer: str
    created_at: datetime
    used_at: datetime


def links_of(session: Session, person_id: str) -> list[Link]:
    rows = session.execute(
        select(SsoIdentity.issuer, SsoIdentity.created_at, SsoIdentity.used_at)
        .where(SsoIdentity.person_id == person_id)
        .order_by(SsoIdentity.issuer)
    )
    return [Link(*row) for row in rows]


def unlink(*, session: Session, actor: Actor, person_id: str) -> None:
    """Forget whom the provider knows the person as, and end their sessions: their next login is matched by e-mail anew.

    Raises `Conflict` where nothing is linked, `NotFound`, `Forbidden`.
    """
    require(actor, Action.MANAGE_PEOPLE)
    if session.scalar(select(Person.id).where(Person.id == person_id)) is None:
        raise NotFound("Nobody is known under this address.")
    gone = session.execute(delete(SsoIdentity).where(SsoIdentity.person_id == person_id).returning(literal(1))).all()
    if not gone:
        raise Conflict("No provider knows them.")
    ended = sessions.end_all(session, person_id)
    trail.record(session, actor, "sso.unlinked", subject=person_id, facts={"sessions": ended})


_OVER = SpentState.expires_at <= clock()
LEFT = select(SpentState.digest).where(_OVER).limit(1)


def sweep(*, session: Session) -> int:
    """Forget states that are too old to come back; returns how many. A periodic duty."""
    return len(session.execute(delete(SpentState).where(_OVER).returning(literal(1))).all())
