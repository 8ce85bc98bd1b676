"""RQ entry points of the audit log. Each may run twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app
from sqlalchemy import select

from reviewqueue.core.addresses import allowed, target_of
from reviewqueue.core.db import read_session
from reviewqueue.core.guarded import exchange
from reviewqueue.errors import Unavailable
from reviewqueue.models import AuditCheckpoint

SECONDS = 15.0


def post_checkpoint(*, ref: str, renew: Callable[[], Any]) -> None:  # noqa: ARG001 - one request, shorter than a lease
    """Send a checkpoint to `REVIEWQUEUE_CHECKPOINT_URL`. Raises what goes wrong, and is tried again."""
    settings = current_app.config["SETTINGS"]
    if not settings.checkpoint_url:
        return
    lets = allowed(settings.webhook_allow)
    with read_session() as session:
        document = session.scalar(select(AuditCheckpoint.document).where(AuditCheckpoint.id == ref))
    if document is None:
        return
    headers = {"Content-Type": "application/json", "User-Agent": "reviewqueue"}
    target = target_of(settings.checkpoint_url, lets)
    reply = exchange("POST", target, lets, headers=headers, body=document.encode(), seconds=SECONDS, most=1)
    if not 200 <= reply.status < 300:
        raise Unavailable(f"REVIEWQUEUE_CHECKPOINT_URL answered {reply.status}.")
