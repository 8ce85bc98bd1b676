"""Append to the audit log. Operations call this in their own transaction, so that an act and its event are one."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from typing import Any

import orjson
from sqlalchemy.orm import Session

from reviewqueue.core.access import Actor
from reviewqueue.core.db import NOW, append
from reviewqueue.core.ids import new_id
from reviewqueue.models import AuditContent, AuditEvent


def record(
    session: Session,
    actor: Actor,
    action: str,
    *,
    queue_id: str | None = None,
    item_id: str | None = None,
    subject: str | None = None,
    facts: dict[str, Any] | None = None,
    content: dict[str, Any] | None = None,
) -> str:
    """Append one event and return its id.

    `facts` stay for ever and hold nothing personal; `content` (names, addresses, typed text) goes into the erasable
    table under a fresh salt, and only its digest into the event.
    """
    event = columns(actor, new_id(), action, queue_id=queue_id, item_id=item_id, subject=subject, facts=facts)
    event["at"] = NOW
    row = add_content(event, content) if content else None
    append(session, AuditEvent, event)
    if row is not None:
        append(session, AuditContent, row)
    event_id: str = event["id"]
    return event_id


def add_content(event: dict[str, Any], content: dict[str, Any]) -> dict[str, Any]:
    """Put the digest of its content, under a fresh salt, into an event; returns the row that holds both."""
    salt, payload = secrets.token_hex(16), canonical(content)
    event["content_sha256"] = hashlib.sha256((salt + payload).encode()).hexdigest()
    return {"event_id": event["id"], "salt": salt, "payload": payload}


def columns(
    actor: Actor,
    event_id: str,
    action: str,
    *,
    queue_id: str | None = None,
    item_id: str | None = None,
    subject: str | None = None,
    facts: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Of an event without content, but for its time: for those who insert many."""
    return {
        "id": event_id,
        "action": action,
        "actor_kind": actor.kind,
        "actor": actor.id,
        "via": actor.via,
        "queue_id": queue_id,
        "item_id": item_id,
        "subject": subject,
        "facts": canonical(facts or {}),
        "content_sha256": None,
    }


def canonical(value: Any) -> str:
    """JSON with sorted keys and no white space: equal values give equal text."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        # An integer of more than 64 bits.
        return _CANONICAL.encode(value)


def digest_of(value: Any, text: str | bytes) -> str:
    """SHA-256 of a JSON value, however its `text` orders and spaces it.

    Numbers that a float cannot tell from others count as they are written.
    """
    found = hashlib.sha256(canonical(value).encode())
    text = text if isinstance(text, bytes) else text.encode()
    # Looking first whether there is one takes a tenth of the time.
    if b"0" * 16 in text.translate(_DIGITS):
        for number in sorted(_LONG.findall(text)):
            found.update(number)
    return found.hexdigest()


_LONG = re.compile(rb"[0-9][0-9.]{15,}(?:[eE][-+]?[0-9]+)?")
_DIGITS = bytes(ord("0") if chr(byte) in "0123456789." else byte for byte in range(256))


# json.dumps makes an encoder a call, which takes as long as the encoding.
_CANONICAL = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))
