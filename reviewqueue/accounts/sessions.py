"""Operations on browser sessions: rows, so that one can be ended for certain. The cookie carries the row's id."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, literal, select, update
from sqlalchemy.orm import Session

from reviewqueue.core import trail
from reviewqueue.core.access import Actor
from reviewqueue.core.db import clock
from reviewqueue.core.language import gettext
from reviewqueue.errors import NotFound
from reviewqueue.models import HalfLogin, WebSession

LONGEST_SECONDS = 7 * 86_400.0
"""After which a session is prolonged no more: then it ends as if nobody were there."""
OVERLAP_SECONDS = 30
"""How long a replaced id still works, for requests that were on their way with it."""


@dataclass(frozen=True)
class Origin:
    """How a session was begun: by password, unless the provider said who it is."""

    id_token: str | None = None
    factor_elsewhere: bool = False


BY_PASSWORD = Origin()


@dataclass(frozen=True)
class OpenSession:
    """A session as its owner sees it; `handle` names it without giving its id away."""

    handle: str
    user_agent: str
    created_at: datetime
    seen_at: datetime
    current: bool

    @property
    def browser(self) -> str:
        """Browser and system in words, as far as the user agent tells."""
        browser = next((name for sign, name in _BROWSERS if sign in self.user_agent), gettext("A browser"))
        system = next((name for sign, name in _SYSTEMS if sign in self.user_agent), None)
        return gettext("%(browser)s on %(system)s", browser=browser, system=system) if system else browser


# In this order: each browser also claims to be those after it.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def handle_of(session_id: str) -> str:
    return hashlib.sha256(session_id.encode()).hexdigest()[:24]


def begin(
    *,
    session: Session,
    person_id: str,
    user_agent: str,
    hours: int,
    origin: Origin = BY_PASSWORD,
    created_at: datetime | None = None,
) -> str:
    """Open a session that ends after `hours` without a request; returns its id, the cookie's content. `created_at`: of
    the session that it goes on with."""
    session_id = secrets.token_urlsafe(32)
    session.execute(
        insert(WebSession).values(
            id=session_id,
            person_id=person_id,
            user_agent=_printable(user_agent)[:300],
            created_at=created_at or clock(),
            seen_at=clock(),
            expires_at=clock(hours * 3600),
            rotate=False,
            id_token=origin.id_token,
            factor_elsewhere=origin.factor_elsewhere,
        )
    )
    return session_id


def origin_of(session: Session, session_id: str) -> Origin:
    """How a session was begun; for one that takes its place."""
    query = select(WebSession.id_token, WebSession.factor_elsewhere).where(WebSession.id == session_id)
    row = session.execute(query).one_or_none()
    return BY_PASSWORD if row is None else Origin(*row)


def is_fresh_from_provider(session: Session, session_id: str, *, seconds: int) -> bool:
    """Whether the provider said who it is at most so long ago."""
    query = select(literal(1)).where(
        WebSession.id == session_id, WebSession.id_token.is_not(None), WebSession.created_at > clock(-seconds)
    )
    return session.scalar(query) is not None


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


def touch(*, session: Session, session_id: str, hours: int) -> None:
    """Somebody is there: the session lives `hours` from now, unless it is `LONGEST_SECONDS` old."""
    session.execute(
        update(WebSession)
        # Not one that was replaced by another id and lives on for `OVERLAP_SECONDS`.
        .where(
            WebSession.id == session_id,
            WebSession.expires_at > clock(OVERLAP_SECONDS),
            WebSession.created_at > clock(-LONGEST_SECONDS),
        )
        .values(seen_at=clock(), expires_at=clock(hours * 3600))
    )


def rotate(*, session: Session, session_id: str, hours: int) -> str | None:
    """Give the session a new id; returns it, or None when another request just did.

    The old id works on for `OVERLAP_SECONDS`: a browser sends several requests at once.
    """
    row = session.execute(
        update(WebSession)
        .where(WebSession.id == session_id, WebSession.rotate, WebSession.expires_at > clock())
        .values(rotate=False, expires_at=clock(OVERLAP_SECONDS))
        .returning(
            WebSession.person_id, WebSession.user_agent, WebSession.created_at, WebSession.id_token,
            WebSession.factor_elsewhere,
        )
    ).one_or_none()  # fmt: skip
    if row is None:
        return None
    return begin(
        session=session, person_id=row.person_id, user_agent=row.user_agent, hours=hours,
        origin=Origin(row.id_token, row.factor_elsewhere), created_at=row.created_at,
    )  # fmt: skip


def rotate_all(session: Session, person_id: str) -> None:
    """The person's privileges changed: each of their sessions gets a new id with its next request."""
    session.execute(update(WebSession).where(WebSession.person_id == person_id).values(rotate=True))


def end_all(session: Session, person_id: str, *, but: str | None = None) -> int:
    """End the person's sessions, except `but`, and their half-done logins; returns how many sessions."""
    session.execute(delete(HalfLogin).where(HalfLogin.person_id == person_id))
    return len(
        session.execute(
            delete(WebSession)
            .where(WebSession.person_id == person_id, WebSession.id != (but or ""))
            .returning(literal(1))
        ).all()
    )


def sign_out(*, session: Session, actor: Actor, session_id: str) -> None:
    """End this session, and what a rotation left of it."""
    session.execute(
        delete(WebSession).where(
            WebSession.person_id == actor.id,
            (WebSession.id == session_id) | (WebSession.expires_at <= clock(OVERLAP_SECONDS)),
        )
    )
    trail.record(session, actor, "logout", subject=actor.id)


def end_one(*, session: Session, actor: Actor, handle: str) -> None:
    """End one of `actor`'s own sessions. Raises `NotFound`."""
    mine = session.scalars(select(WebSession.id).where(WebSession.person_id == actor.id))
    found = next((session_id for session_id in mine if handle_of(session_id) == handle), None)
    if found is None:
        raise NotFound
    session.execute(delete(WebSession).where(WebSession.id == found))
    trail.record(session, actor, "sessions.ended", subject=actor.id, facts={"count": 1})


def end_others(*, session: Session, actor: Actor, current: str) -> int:
    """End all of `actor`'s own sessions but the current one; returns how many."""
    count = end_all(session, actor.id, but=current)
    if count:
        trail.record(session, actor, "sessions.ended", subject=actor.id, facts={"count": count})
    return count


def open_sessions(session: Session, person_id: str, *, current: str | None = None) -> list[OpenSession]:
    """The person's live sessions, the one used last first."""
    rows = session.execute(
        select(WebSession.id, WebSession.user_agent, WebSession.created_at, WebSession.seen_at)
        .where(WebSession.person_id == person_id, WebSession.expires_at > clock(OVERLAP_SECONDS))
        .order_by(WebSession.seen_at.desc(), WebSession.id)
    )
    return [
        OpenSession(handle_of(row.id), row.user_agent, row.created_at, row.seen_at, row.id == current) for row in rows
    ]


ENDED = select(WebSession.id).where(WebSession.expires_at <= clock()).limit(1)


def sweep(*, session: Session) -> int:
    """Delete sessions that have ended by themselves; returns how many. A periodic duty."""
    ended = session.execute(delete(WebSession).where(WebSession.expires_at <= clock()).returning(literal(1))).all()
    return len(ended)
