"""RQ entry points of notices. Each may run twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import current_app

from reviewqueue.core.db import read_session, write_session
from reviewqueue.notices import inbox
from reviewqueue.notices.mail import letter, send


def mail(*, ref: str, renew: Callable[[], Any]) -> None:
    """Send a notice by e-mail, unless it was read meanwhile. No transaction is open while the server is spoken to."""
    settings = current_app.config["SETTINGS"]
    with read_session() as session:
        notice = inbox.to_be_mailed(session=session, notice_id=ref)
    if notice is None or not settings.smtp_url:
        return
    renew()
    send(settings, letter(settings, notice))
    with write_session() as session:
        inbox.note_mailed(session=session, notice_id=ref)
