"""What the pages of signing in share: where one lands, and the proof that it is still the same person."""

from __future__ import annotations

from flask import current_app, redirect, request
from werkzeug.wrappers import Response

from reviewqueue.accounts import devices, identity, logins
from reviewqueue.accounts.throttle import Attempt
from reviewqueue.core import http
from reviewqueue.core.db import read_session, write_session


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
