"""The device cookie: this browser signed in to these accounts before, so that strangers' failures do not delay it."""

from __future__ import annotations

import hashlib
import secrets

from flask import current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from reviewqueue.core.http import cookie_name

COOKIE = "reviewqueue_device"
PATH = "/login"
_AGE_SECONDS = 180 * 86_400
_MOST_ACCOUNTS = 8


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(current_app.secret_key or "", salt="reviewqueue-device")


def _name() -> str:
    return cookie_name(COOKIE, secure=current_app.config["SESSION_COOKIE_SECURE"], everywhere=False)


def _mark(email: str) -> str:
    return hashlib.sha256(email.strip().casefold().encode("utf-8", "replace")).hexdigest()[:32]


def _read() -> tuple[str, list[str]]:
    """The device's number and the accounts it knows; a fresh number and none for a missing or forged cookie."""
    try:
        value = _serializer().loads(request.cookies.get(_name(), ""), max_age=_AGE_SECONDS)
        return str(value["id"]), [str(mark) for mark in value["accounts"]]
    except (BadData, KeyError, TypeError):
        return secrets.token_hex(16), []


def device_for(email: str) -> str | None:
    """The device's number, if somebody signed in to this account from it."""
    number, accounts = _read()
    return number if _mark(email) in accounts else None


def remember(response: Response, email: str) -> None:
    """From now on this browser is known to the account."""
    number, accounts = _read()
    mark = _mark(email)
    kept = [mark, *(known for known in accounts if known != mark)][:_MOST_ACCOUNTS]
    response.set_cookie(
        _name(),
        _serializer().dumps({"id": number, "accounts": kept}),
        max_age=_AGE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
        path=PATH,
    )
