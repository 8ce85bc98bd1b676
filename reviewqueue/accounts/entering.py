"""What the pages of signing in share: where one lands, and the proof that it is still the same person."""

from __future__ import annotations

from flask import current_app, redirect, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from reviewqueue.accounts import devices, identity, logins, people, sessions
from reviewqueue.accounts.throttle import Attempt
from reviewqueue.core import http
from reviewqueue.core.db import read_session, write_session

FRESH_SECONDS = 600


def home() -> str:
    return f"{request.script_root}/"


def hours() -> int:
    found: int = current_app.config["SETTINGS"].session_hours
    return found


def let_in(session_id: str, email: str, target: str | None) -> Response:
    """This browser is signed in, is known to the account from now on, and goes where it wanted."""
    identity.enter(session_id)
    answer = redirect(http.safe_next(target) or home(), 303)
    devices.remember(answer, email)
    return answer


def renewed_session(writer: Session, origin: sessions.Origin) -> str:
    """The id of a session that takes the place of this one, which was begun as `origin` says."""
    return sessions.begin(
        session=writer, person_id=identity.signed_in_person().actor.id, user_agent=request.user_agent.string,
        hours=hours(), origin=origin,
    )  # fmt: skip


def origin(writer: Session) -> sessions.Origin:
    """How this session was begun; to be asked before it ends."""
    return sessions.origin_of(writer, identity.signed_in_person().session_id)


def counted_attempt() -> Attempt:
    """Somebody signed in shows their password once more; what they get wrong delays nobody else. Raises `TooMany`."""
    user = identity.signed_in_person()
    attempt = Attempt(user.email, request.remote_addr or "", f"session {user.actor.id}")
    with write_session() as writer:
        logins.admit(session=writer, attempt=attempt)
    return attempt


def is_own_password(password: str) -> bool:
    """Whether that is the password of whoever is signed in; the caller has counted the attempt."""
    with read_session() as reader:
        account = logins.look_up(session=reader, email=identity.signed_in_person().email)
    return logins.judge(account, password).right


def has_password() -> bool:
    """Whether whoever is signed in has one at all."""
    with read_session() as reader:
        return people.has_password(reader, identity.signed_in_person().actor.id)


def came_just_now() -> bool:
    """Whether whoever is signed in showed the provider who they are a few minutes ago: what they can show who have no
    password."""
    with read_session() as reader:
        session_id = identity.signed_in_person().session_id
        return sessions.is_fresh_from_provider(reader, session_id, seconds=FRESH_SECONDS)
