"""Webhooks are what they say: Standard Webhooks (https://www.standardwebhooks.com), signed with HMAC-SHA256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from reviewqueue_client.errors import BadSignature, Misconfigured

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"


def verify_webhook(
    body: bytes, headers: Mapping[str, str], secret: str | Sequence[str], *, tolerance: float = 300
) -> dict[str, Any]:
    """The event in `body`, which must be the request's bytes as they came. Raises `BadSignature`.

    `secret` is `whsec_<base64>`, or several while they are being exchanged: one signature under one of them is enough.
    A timestamp more than `tolerance` seconds from now is refused. An event may come twice: its `webhook-id` tells.
    Raises `Misconfigured` for a secret that is none.
    """
    if not isinstance(body, bytes | bytearray):
        raise TypeError("Give the request's bytes as they came: JSON that was read and written again has other bytes.")
    keys = [_key(each) for each in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        raise Misconfigured("Give at least one secret.")
    given = {str(name).lower(): value for name, value in headers.items()}
    identity, moment, signatures = (_header(given, name) for name in (ID, TIMESTAMP, SIGNATURE))
    _check_age(moment, tolerance)
    # Headers are anybody's: half a character in one is a wrong signature, no accident.
    signed = f"{identity}.{moment}.".encode(errors="surrogatepass") + bytes(body)
    wanted = [hmac.digest(key, signed, hashlib.sha256) for key in keys]
    # All are compared, so that the time it takes says nothing about which was right.
    matches = [hmac.compare_digest(one, other) for one in wanted for other in _signatures(signatures)]
    if not any(matches):
        raise BadSignature("No signature is that of this body under the secret.")
    return _event(bytes(body))


def _header(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise BadSignature(f"The header {name} is missing.")
    return value


def _check_age(moment: str, tolerance: float) -> None:
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 15):
        raise BadSignature(f"{TIMESTAMP} is not a number of seconds.")
    age = time.time() - int(moment)
    if abs(age) > tolerance:
        raise BadSignature(f"The webhook is {age:.0f} seconds old: only {tolerance:.0f} are accepted.")


def _signatures(text: str) -> list[bytes]:
    """Those of version 1; others are of keys of another kind."""
    found = []
    for each in text.split(" "):
        version, _, value = each.partition(",")
        if version == "v1":
            try:
                found.append(base64.b64decode(value, validate=True))
            except (binascii.Error, ValueError):
                continue
    return found


def _key(secret: str) -> bytes:
    text = secret.strip().removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise Misconfigured(f"A webhook's secret is {PREFIX} and base64.")
    return key


def _event(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise BadSignature("The body is signed, but it is not a JSON object.")
    return event
