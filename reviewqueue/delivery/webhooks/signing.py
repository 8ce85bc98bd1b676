"""Signatures of Standard Webhooks (https://www.standardwebhooks.com). Pure.

The secret of an endpoint is not kept: it is HMAC-SHA256, under the site's key, of the endpoint's id and the number of
the secret. So a copy of the database signs nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable


def secret_of(site_key: str, endpoint_id: str, number: int) -> str:
    """`whsec_…`, which the receiver is given."""
    key = hmac.new(site_key.encode(), f"webhook:{endpoint_id}:{number}".encode(), hashlib.sha256).digest()
    return f"whsec_{base64.b64encode(key).decode()}"


def headers(event_id: str, seconds: int, body: bytes, secrets: Iterable[str]) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` (Unix seconds) and a signature for each secret."""
    signed = f"{event_id}.{seconds}.".encode() + body
    signatures = [f"v1,{base64.b64encode(_signature(secret, signed)).decode()}" for secret in secrets]
    return {"webhook-id": event_id, "webhook-timestamp": str(seconds), "webhook-signature": " ".join(signatures)}


def _signature(secret: str, signed: bytes) -> bytes:
    return hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
