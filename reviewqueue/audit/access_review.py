"""The access review: everybody and every token that may do something here, what, since when it was last used, and who
looked at that last. What they may do is asked of `core.access`, which has the only table of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from reviewqueue.accounts import passwords, tokens
from reviewqueue.accounts.identity import actor_of_token, name_of
from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, Scope, may, require
from reviewqueue.errors import NotFound
from reviewqueue.models import (
    AuditEvent,
    Membership,
    Person,
    Queue,
    QueueVersion,
    SecondFactor,
    SsoIdentity,
    Token,
    WebSession,
)
from reviewqueue.models.states import ActorKind, QueueRole, SiteRole, Via
from reviewqueue.queues.configuration import restored

REVIEWED = "access.reviewed"
STATES = ("live", "ended", "unreviewed")


@dataclass(frozen=True)
class Place:
    """A role in a queue."""

    slug: str
    title: str
    team: str
    """Whose queue it is, as its configuration says."""
    role: QueueRole


@dataclass(frozen=True)
class Holder:
    """A person or a token, with what they may do."""

    id: str
    kind: str
    """`person`, or of a token `service` or `personal`."""
    name: str
    email: str
    """Of a personal token: its person's name."""
    role: SiteRole | None
    places: Sequence[Place]
    queues: Sequence[str]
    """A token's limits; none: every queue."""
    scopes: Sequence[str]
    live: bool
    created_at: datetime
    used_at: datetime | None
    """The last sign-in, or use of the token."""
    second_factor: bool
    signs_in: tuple[str, ...]
    """`password`, `provider`, or both; empty for tokens."""
    may: Mapping[str, Sequence[Action]]
    """Actions by queue, "" for the site as a whole; in queues what the site does not allow already."""
    reviewed_at: datetime | None
    reviewed_by: str | None
    changed: bool
    """What they may do is not what it was then."""

    @property
    def rights(self) -> str:
        """The digest of what they may do."""
        said = {place: sorted(actions) for place, actions in self.may.items()}
        return hashlib.sha256(trail.canonical(said).encode()).hexdigest()


@dataclass(frozen=True)
class Wanted:
    """What a reader asks for."""

    text: str = ""
    kind: str = ""
    role: str = ""
    """Of the site or in a queue."""
    state: str = ""
    """One of `STATES`."""

    def has(self, one: Holder) -> bool:
        there = (f"{place.slug}\n{place.title}\n{place.team}" for place in one.places)
        said = "\n".join((one.name, one.email, one.id, *one.queues, *there))
        roles = {one.role, *(place.role for place in one.places)}
        return (
            self.text.casefold().strip() in said.casefold()
            and self.kind in ("", one.kind)
            and (not self.role or self.role in roles)
            and (self.state not in _IN_STATE or _IN_STATE[self.state](one))
        )


_IN_STATE: dict[str, Callable[[Holder], bool]] = {
    "live": lambda one: one.live,
    "ended": lambda one: not one.live,
    "unreviewed": lambda one: one.live and (one.reviewed_at is None or one.changed),
}


def holders(*, session: Session, actor: Actor, wanted: Wanted) -> list[Holder]:
    """People by name, then tokens, as `wanted`. Raises `Forbidden`."""
    require(actor, Action.REVIEW_ACCESS)
    return [one for one in _all(session) if wanted.has(one)]


def note_reviewed(*, session: Session, actor: Actor, holder_id: str) -> None:
    """Record that `actor` has looked at what this person or token may do. Raises `NotFound`, `Forbidden`."""
    require(actor, Action.REVIEW_ACCESS)
    found = next((one for one in _all(session) if one.id == holder_id), None)
    if found is None:
        raise NotFound
    facts = {"kind": found.kind, "role": found.role, "rights": found.rights}
    trail.record(session, actor, REVIEWED, subject=found.id, facts=facts)


def _all(session: Session) -> list[Holder]:
    places, slugs = _places(session), {row.id: row.slug for row in session.execute(select(Queue.id, Queue.slug))}
    found = [*_people(session, places, slugs), *_tokens(session, slugs)]
    reviews = _reviews(session, [one.id for one in found])
    return [_with_review(session, one, reviews.get(one.id)) for one in found]


def _with_review(session: Session, one: Holder, review: Any) -> Holder:
    if review is None:
        return one
    changed = f'"rights":"{one.rights}"' not in review.facts
    by = name_of(session, f"{review.actor_kind}:{review.actor}")
    return Holder(**{**vars(one), "reviewed_at": review.at, "reviewed_by": by, "changed": changed})


def _reviews(session: Session, ids: Sequence[str]) -> dict[str, Any]:
    # Index ix_audit_event_subject.
    rows = session.execute(
        select(AuditEvent.subject, AuditEvent.at, AuditEvent.actor_kind, AuditEvent.actor, AuditEvent.facts)
        .where(AuditEvent.item_id.is_(None), AuditEvent.action == REVIEWED, AuditEvent.subject.in_(ids))
        .order_by(AuditEvent.id)
    )
    return {str(row.subject): row for row in rows}


def _places(session: Session) -> dict[str, list[tuple[str, Place]]]:
    """By person: queue id and place."""
    rows = session.execute(
        select(
            Membership.person_id, Membership.queue_id, Membership.role, Queue.slug, Queue.title, QueueVersion.document
        )
        .join(Queue, Queue.id == Membership.queue_id)
        .join(QueueVersion, and_(QueueVersion.queue_id == Queue.id, QueueVersion.version == Queue.version))
        .order_by(Queue.title, Membership.role)
    )
    teams: dict[str, str] = {}
    found: dict[str, list[tuple[str, Place]]] = {}
    for row in rows:
        if row.queue_id not in teams:
            teams[row.queue_id] = restored(row.document).owner_team
        place = Place(row.slug, row.title, teams[row.queue_id], row.role)
        found.setdefault(row.person_id, []).append((row.queue_id, place))
    return found


def _people(
    session: Session, places: Mapping[str, list[tuple[str, Place]]], slugs: Mapping[str, str]
) -> Iterable[Holder]:  # fmt: skip
    rows = session.execute(
        select(
            Person.id, Person.name, Person.email, Person.role, Person.password_hash, Person.created_at,
            Person.disabled_at, SecondFactor.confirmed_at, SsoIdentity.issuer,
        )
        .outerjoin(SecondFactor, SecondFactor.person_id == Person.id)
        .outerjoin(SsoIdentity, SsoIdentity.person_id == Person.id)
        .order_by(func.lower(Person.name), Person.id)
    ).all()  # fmt: skip
    used = _last_logins(session, [row.id for row in rows])
    seen: set[str] = set()
    for row in rows:
        # Somebody known to two providers is one person.
        if row.id in seen:
            continue
        seen.add(row.id)
        mine = places.get(row.id, [])
        who = Actor(
            kind=ActorKind.PERSON, id=row.id, name=row.name, via=Via.WEB, site_role=row.role,
            memberships=_roles(mine),
        )  # fmt: skip
        known = (("password", row.password_hash != passwords.NONE), ("provider", row.issuer))
        ways = [way for way, there in known if there]
        yield Holder(
            id=row.id, kind="person", name=row.name, email=row.email, role=row.role,
            places=[place for _, place in mine], queues=(), scopes=(), live=row.disabled_at is None,
            created_at=row.created_at, used_at=used.get(row.id), second_factor=row.confirmed_at is not None,
            signs_in=tuple(ways), may=_allowed(who, slugs) if row.disabled_at is None else {},
            reviewed_at=None, reviewed_by=None, changed=False,
        )  # fmt: skip


def _last_logins(session: Session, ids: Sequence[str]) -> dict[str, datetime]:
    """The last sign-in of each; a session that was seen later counts, too. Index ix_audit_event_subject."""
    logged = session.execute(
        select(AuditEvent.subject, func.max(AuditEvent.at).label("at"))
        .where(AuditEvent.item_id.is_(None), AuditEvent.action == "login", AuditEvent.subject.in_(ids))
        .group_by(AuditEvent.subject)
    )
    found = {str(row.subject): row.at for row in logged}
    query = select(WebSession.person_id, func.max(WebSession.seen_at).label("at")).group_by(WebSession.person_id)
    for row in session.execute(query):
        found[row.person_id] = max(row.at, found.get(row.person_id, row.at))
    return found


def _roles(mine: Sequence[tuple[str, Place]]) -> dict[str, frozenset[QueueRole]]:
    found: dict[str, frozenset[QueueRole]] = {}
    for queue_id, place in mine:
        found[queue_id] = found.get(queue_id, frozenset()) | {place.role}
    return found


def _allowed(who: Actor, slugs: Mapping[str, str]) -> dict[str, list[Action]]:
    """What `may` says of every action: on the site, and in each queue what that adds."""
    site = [action for action in Action if may(who, action)]
    found = {"": site} if site else {}
    limited = who.memberships.keys() | (who.queue_ids or frozenset())
    for queue_id in sorted(limited, key=lambda each: slugs.get(each, each)):
        there = [action for action in Action if action not in site and may(who, action, queue_id)]
        if there:
            found[slugs.get(queue_id, queue_id)] = there
    return found


def _tokens(session: Session, slugs: Mapping[str, str]) -> Iterable[Holder]:
    people = {row.id: row.person_id for row in session.execute(select(Token.id, Token.person_id))}
    for row in tokens.every(session):
        who = actor_of_token(session, row.id) if row.live else None
        yield Holder(
            id=row.id, kind="personal" if people[row.id] else "service", name=row.name,
            email=row.person or "", role=who.site_role if who else None, places=(), queues=row.queues,
            scopes=[scope for scope in row.scopes if scope in set(Scope)], live=who is not None,
            created_at=row.created_at, used_at=row.last_used_at, second_factor=False, signs_in=(),
            may=_allowed(who, slugs) if who else {}, reviewed_at=None, reviewed_by=None, changed=False,
        )  # fmt: skip
