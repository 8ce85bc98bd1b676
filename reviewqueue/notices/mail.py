"""Notices as e-mail: the letter, and the server that takes it."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

from reviewqueue.config import SMTP_PORTS, Settings
from reviewqueue.models.states import NoticeKind

SECONDS = 15.0
"""Timeout of each step with the server."""
SAYS = {
    NoticeKind.MENTIONED: "{by} mentioned you on {item}",
    NoticeKind.REPLIED: "{by} replied on {item}",
    NoticeKind.ASSIGNED: "{by} gave {item} to you",
    NoticeKind.ESCALATED: "{by} escalated {item}",
    NoticeKind.FOLLOW_UP: "Due again: {item}",
    NoticeKind.REOPENING_ASKED: "{by} asks to have {item} judged once more",
    NoticeKind.PAUSED: "Your reviewing is paused",
    NoticeKind.REVIEWER_PAUSED: "{by} is paused",
    NoticeKind.STOPPED: "{by} stopped it: nothing passes without a person",
    NoticeKind.HELD: "{by} held it: nothing passes, and no answer goes out",
}


def says(notice: Any) -> str:
    """What a notice tells, in one line without control characters: names come from programs and people."""
    item = notice.external_id or f"item {notice.item_id}"
    nobody = "The administration" if notice.kind in {NoticeKind.STOPPED, NoticeKind.HELD} else "The queue"
    text = SAYS[notice.kind].format(by=notice.by_name or nobody, item=item[:100])
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def letter(settings: Settings, notice: Any) -> EmailMessage:
    """Says who, what and where; never what an item or a comment holds, which stays in the application."""
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = notice.email
    queue = " ".join((notice.queue or "all queues").split())
    message["Subject"] = f"{says(notice)} ({queue})"
    # The same with each attempt, so that a second arrival is known as one.
    domain = parseaddr(settings.mail_from)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{notice.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [f"{says(notice)}, in {'the queue ' if notice.queue else ''}{queue}.", ""]
    if settings.public_url:
        lines += [f"{settings.public_url}/notices/{notice.id}", ""]
    lines.append("You can switch these letters off on the page of your notices.")
    message.set_content("\n".join(lines))
    return message


def send(settings: Settings, message: EmailMessage) -> None:
    """Hand it to the server. Raises `OSError` or `smtplib.SMTPException` when that does not take it."""
    where = urlsplit(settings.smtp_url)
    host, port = where.hostname or "", where.port or SMTP_PORTS[where.scheme]
    checked = ssl.create_default_context()
    with (
        smtplib.SMTP_SSL(host, port, timeout=SECONDS, context=checked)
        if where.scheme == "smtps"
        else smtplib.SMTP(host, port, timeout=SECONDS)
    ) as server:
        if where.scheme == "smtp+starttls":
            server.starttls(context=checked)
        if where.username:
            server.login(unquote(where.username), unquote(where.password or ""))
        server.send_message(message)
