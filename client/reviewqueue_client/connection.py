"""What both clients share: where the server is, who asks, and what a request becomes on the wire."""

from __future__ import annotations

import os
from typing import Any

import httpx2

from reviewqueue_client.errors import Misconfigured
from reviewqueue_client.exchange import Answer, Call, Lost

API = "/api/v1"
URL_VARIABLE, TOKEN_VARIABLE = "REVIEWQUEUE_URL", "REVIEWQUEUE_TOKEN"

_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_HOPELESS = (httpx2.UnsupportedProtocol, httpx2.LocalProtocolError)


def address(base_url: str | None) -> str:
    """The server's address without a slash at the end. Raises `Misconfigured` where none is given, or no good one."""
    found = (base_url or os.environ.get(URL_VARIABLE) or "").strip().rstrip("/").removesuffix(API).rstrip("/")
    if not found.startswith(("http://", "https://")):
        raise Misconfigured(f"Where is the server? Give base_url, or set {URL_VARIABLE}: https://review.example.com")
    try:
        httpx2.URL(found)
    except httpx2.InvalidURL as error:
        raise Misconfigured(f"{found!r} is no address: {error}") from None
    return found


def bearer(token: str | None) -> str:
    """The token. Raises `Misconfigured` where none is given."""
    found = (token or os.environ.get(TOKEN_VARIABLE) or "").strip()
    if not found:
        raise Misconfigured(f"Who asks? Give token, or set {TOKEN_VARIABLE}: `reviewqueue tokens create` makes one.")
    return found


def options(token: str | None, timeout: float, version: str) -> dict[str, Any]:
    """Arguments for httpx2's clients. As many connections as there are callers: one that waits holds one for long.

    Raises `Misconfigured`.
    """
    if not isinstance(timeout, int | float) or timeout <= 0:
        raise Misconfigured(f"timeout is a number of seconds, for one attempt, not {timeout!r}.")
    return {
        "headers": {"Authorization": f"Bearer {bearer(token)}", "User-Agent": f"reviewqueue-client/{version}"},
        "timeout": httpx2.Timeout(timeout),
        "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        "follow_redirects": False,
    }


def arguments(call: Call, base: str, timeout: float) -> dict[str, Any]:
    """Arguments for a request."""
    return {
        "method": call.method, "url": f"{base}{API}{call.path}", "params": dict(call.query) or None,
        "content": call.content, "headers": dict(call.headers),
        "timeout": httpx2.Timeout(timeout, read=timeout + call.wait_seconds),
    }  # fmt: skip


def answer(response: httpx2.Response) -> Answer:
    return Answer(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.content
    )


def lost(error: httpx2.RequestError) -> Lost:
    return Lost(error, unsent=isinstance(error, _UNSENT), hopeless=isinstance(error, _HOPELESS))
