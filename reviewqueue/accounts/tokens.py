"""Operations on tokens: `rq_<id>.<secret>`, only the secret's SHA-256 is kept. And the queries for them."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Action, Actor, Scope, require
from reviewqueue.core.db import clock
from reviewqueue.errors import Conflict, Fault, Forbidden, Invalid, NotFound
from reviewqueue.models import Person, Queue, Token, TokenQueue
from reviewqueue.models.states import ActorKind

LONGEST_DAYS = 3650
MOST_REQUESTS = 1_000_000
_ID = re.compile(r"[0-9a-f]{16}")
_TEXT = re.compile(r"rq_([0-9a-f]{16})\.([A-Za-z0-9_-]{43})")


@dataclass(frozen=True)
class NewToken:
    """A token as it is made; `secret` is the whole text to send, and cannot be read again."""

    id: str
    name: str
    secret: str


@dataclass(frozen=True)
class TokenRow:
    id: str
    name: str
    scopes: tuple[str, ...]
    queues: tuple[str, ...]
    """Slugs; empty: not limited."""
    person: str | None
    """Name of the person it acts as."""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    expired: bool
    requests_per_second: int | None

    @property
    def live(self) -> bool:
        return self.revoked_at is None and not self.expired


def split(text: str) -> tuple[str, str] | None:
    """Id and SHA-256 of the secret of a token as sent; None for what cannot be one."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    return match[1], hashlib.sha256(match[2].encode()).hexdigest()


def create_service(
    *,
    session: Session,
    actor: Actor,
    name: str,
    scopes: Iterable[Scope | str],
    queues: Sequence[str] = (),
    expires_days: int | None = None,
    requests_per_second: int | None = None,
) -> NewToken:
    """A token for a program, limited to `queues` (slugs) if any.

    Raises `Invalid` with pointers `/name`, `/scopes`, `/queues`, `/expires_days`, `/requests_per_second`; `Forbidden`.
    """
    require(actor, Action.MANAGE_TOKENS)
    wanted = _scopes(scopes)
    if Scope.REVIEW in wanted:
        raise _fault("/scopes", "review exists on personal tokens alone: only people decide as people")
    return _create(
        session, actor, name, wanted, queues, expires_days, person_id=None, requests_per_second=requests_per_second
    )


def create_personal(
    *,
    session: Session,
    actor: Actor,
    person_id: str,
    name: str,
    scopes: Iterable[Scope | str],
    queues: Sequence[str] = (),
    expires_days: int | None = None,
    requests_per_second: int | None = None,
) -> NewToken:
    """A token that acts as the person, never with more than their rights at the time of use.

    Made by that person, signed in, or at the server's command line. Raises `Invalid` as `create_service`,
    `Conflict` (`person_disabled`), `NotFound`, `Forbidden`.
    """
    is_theirs = actor.kind is ActorKind.PERSON and actor.id == person_id and actor.token_id is None
    if not is_theirs and actor.kind is not ActorKind.OPERATOR:
        raise Forbidden("A personal token is made by the person it acts as, signed in.")
    person = session.execute(select(Person.id, Person.disabled_at).where(Person.id == person_id)).one_or_none()
    if person is None:
        raise NotFound
    if person.disabled_at is not None:
        raise Conflict("This person is disabled. Enable them first.", code="person_disabled")
    return _create(
        session, actor, name, _scopes(scopes), queues, expires_days, person_id=person_id,
        requests_per_second=requests_per_second,
    )  # fmt: skip


def _create(
    session: Session,
    actor: Actor,
    name: str,
    scopes: list[Scope],
    queues: Sequence[str],
    expires_days: int | None,
    *,
    person_id: str | None,
    requests_per_second: int | None,
) -> NewToken:
    name = " ".join(name.split())
    if not name or len(name) > 200 or not name.isprintable():
        raise _fault("/name", "must be 1 to 200 printable characters")
    if expires_days is not None and not 1 <= expires_days <= LONGEST_DAYS:
        raise _fault("/expires_days", f"must be 1 to {LONGEST_DAYS} days")
    if requests_per_second is not None and not 1 <= requests_per_second <= MOST_REQUESTS:
        raise _fault("/requests_per_second", f"must be 1 to {MOST_REQUESTS:,}")
    queue_ids = _queue_ids(session, queues)
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    session.execute(
        insert(Token).values(
            id=token_id,
            name=name,
            secret_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            person_id=person_id,
            scopes=json.dumps([scope.value for scope in scopes]),
            created_at=clock(),
            expires_at=None if expires_days is None else clock(expires_days * 86_400),
            requests_per_second=requests_per_second,
        )
    )
    for queue_id in queue_ids:
        session.execute(insert(TokenQueue).values(token_id=token_id, queue_id=queue_id))
    trail.record(
        session, actor, "token.created", subject=token_id, content={"name": name},
        facts={"scopes": scopes, "queues": queue_ids, "person": person_id, "expires_days": expires_days,
               "requests_per_second": requests_per_second},
    )  # fmt: skip
    return NewToken(token_id, name, f"rq_{token_id}.{secret}")


def _fault(pointer: str, detail: str) -> Invalid:
    return Invalid("The token cannot be made like this.", [Fault(pointer, detail)])


def _scopes(given: Iterable[Scope | str]) -> list[Scope]:
    known = {scope.value for scope in Scope}
    wanted = list(dict.fromkeys(given))
    unknown = [scope for scope in wanted if scope not in known]
    if unknown:
        raise _fault("/scopes", f"has {unknown[0]!r}, which is none of {', '.join(sorted(known))}")
    if not wanted:
        raise _fault("/scopes", "must name at least one")
    return [Scope(scope) for scope in wanted]


def _queue_ids(session: Session, slugs: Sequence[str]) -> list[str]:
    found = {}
    for slug in dict.fromkeys(slugs):
        queue_id = None if "\x00" in slug else session.scalar(select(Queue.id).where(Queue.slug == slug))
        if queue_id is None:
            raise _fault("/queues", f"has {slug!r}, which is not a queue")
        found[slug] = queue_id
    return list(found.values())


def revoke(*, session: Session, actor: Actor, token_id: str) -> None:
    """End the token, one's own or anybody's; twice changes nothing. Raises `NotFound`, `Forbidden`."""
    found = None
    if _ID.fullmatch(token_id):
        found = session.execute(select(Token.id, Token.person_id).where(Token.id == token_id)).one_or_none()
    own = found is not None and actor.kind is ActorKind.PERSON and found.person_id == actor.id
    if not own:
        require(actor, Action.MANAGE_TOKENS)
    if found is None:
        raise NotFound
    _revoke(session, actor, [token_id])


def revoke_own(*, session: Session, actor: Actor, token_id: str) -> None:
    """End one of `actor`'s own tokens. Raises `NotFound` for any other."""
    found = None
    if _ID.fullmatch(token_id) and actor.kind is ActorKind.PERSON:
        found = session.scalar(select(Token.id).where(Token.id == token_id, Token.person_id == actor.id))
    if found is None:
        raise NotFound
    _revoke(session, actor, [token_id])


def revoke_all(session: Session, actor: Actor, person_id: str) -> int:
    """End all tokens that act as the person; returns how many."""
    mine = session.scalars(select(Token.id).where(Token.person_id == person_id, Token.revoked_at.is_(None)))
    return _revoke(session, actor, list(mine))


def _revoke(session: Session, actor: Actor, token_ids: list[str]) -> int:
    revoked = session.scalars(
        update(Token)
        .where(Token.id.in_(token_ids), Token.revoked_at.is_(None))
        .values(revoked_at=clock())
        .returning(Token.id)
    ).all()
    for token_id in revoked:
        trail.record(session, actor, "token.revoked", subject=token_id)
    return len(revoked)


# -- queries ----------------------------------------------------------------------------------------------------------


def listed(*, session: Session, actor: Actor, text: str = "") -> list[TokenRow]:
    """All tokens, or those of which the name, the id, a queue or the person contains `text`, the newest first. Raises
    `Forbidden`."""
    require(actor, Action.READ_TOKENS)
    words = text.casefold().strip()
    return [row for row in _rows(session, None) if words in "\n".join(_said_of(row)).casefold()]


def every(session: Session) -> list[TokenRow]:
    """All of them, the newest first. Asks no permission."""
    return _rows(session, None)


def _said_of(row: TokenRow) -> list[str]:
    return [row.name, row.id, row.person or "", *row.queues]


def of_person(session: Session, person_id: str) -> list[TokenRow]:
    """The tokens that act as the person, the newest first."""
    return _rows(session, person_id)


def _rows(session: Session, person_id: str | None) -> list[TokenRow]:
    statement = (
        select(Token, Person.name.label("person"), (Token.expires_at <= clock()).label("expired"))
        .outerjoin(Person, Person.id == Token.person_id)
        .order_by(Token.revoked_at.is_not(None), Token.created_at.desc(), Token.id)
    )
    limits = select(TokenQueue.token_id, Queue.slug).join(Queue, Queue.id == TokenQueue.queue_id).order_by(Queue.slug)
    if person_id is not None:
        statement = statement.where(Token.person_id == person_id)
        limits = limits.join(Token, Token.id == TokenQueue.token_id).where(Token.person_id == person_id)
    slugs: dict[str, list[str]] = {}
    for token_id, slug in session.execute(limits):
        slugs.setdefault(token_id, []).append(slug)
    return [
        TokenRow(
            id=token.id,
            name=token.name,
            scopes=tuple(json.loads(token.scopes)),
            queues=tuple(slugs.get(token.id, ())),
            person=person,
            created_at=token.created_at,
            expires_at=token.expires_at,
            revoked_at=token.revoked_at,
            last_used_at=token.last_used_at,
            expired=bool(expired),
            requests_per_second=token.requests_per_second,
        )
        for token, person, expired in session.execute(statement)
    ]
