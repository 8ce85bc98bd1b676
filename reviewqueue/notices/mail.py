"""Notices as e-mail: the letter, and the server that takes it."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

from reviewqueue.config import SMTP_PORTS, Settings
from reviewqueue.core.language import gettext
from reviewqueue.core.vocabulary import word
from reviewqueue.models.states import NoticeKind

SECONDS = 15.0
"""Timeout of each step with the server."""
SAYS = {
    NoticeKind.MENTIONED: word("%(by)s mentioned you on %(item)s"),
    NoticeKind.REPLIED: word("%(by)s replied on %(item)s"),
    NoticeKind.ASSIGNED: word("%(by)s gave %(item)s to you"),
    NoticeKind.ESCALATED: word("%(by)s escalated %(item)s"),
    NoticeKind.FOLLOW_UP: word("Due again: %(item)s"),
    NoticeKind.REOPENING_ASKED: word("%(by)s asks to have %(item)s judged once more"),
    NoticeKind.ALERT_OPENED: word("Alert: %(item)s"),
    NoticeKind.ALERT_RESOLVED: word("Over: %(item)s"),
    NoticeKind.PAUSED: word("Your reviewing is paused"),
    NoticeKind.REVIEWER_PAUSED: word("%(by)s is paused"),
    NoticeKind.STOPPED: word("%(by)s stopped it: nothing passes without a person"),
    NoticeKind.PROPOSED: word("%(by)s proposes a configuration that may lower review: it waits for another person"),
    NoticeKind.HELD: word("%(by)s held it: nothing passes, and no answer goes out"),
}


def says(notice: Any) -> str:
    """What a notice tells, in one line without control characters: names come from programs and people."""
    item = notice.external_id or gettext("item %(id)s", id=notice.item_id)
    by_rule = notice.kind not in {NoticeKind.STOPPED, NoticeKind.HELD, NoticeKind.PROPOSED}
    nobody = gettext("The queue") if by_rule else gettext("The administration")
    text = gettext(SAYS[notice.kind], by=notice.by_name or nobody, item=item[:100])
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def letter(settings: Settings, notice: Any) -> EmailMessage:
    """Says who, what and where; never what an item or a comment holds, which stays in the application."""
    message = EmailMessage()
    message["From"] = settings.mail_from
    message["To"] = notice.email
    queue = " ".join((notice.queue or gettext("all queues")).split())
    message["Subject"] = f"{says(notice)} ({queue})"
    # The same with each attempt, so that a second arrival is known as one.
    domain = parseaddr(settings.mail_from)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{notice.id}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    if notice.queue:
        first = gettext("%(notice)s, in the queue %(queue)s.", notice=says(notice), queue=queue)
    else:
        first = gettext("%(notice)s, in all queues.", notice=says(notice))
    lines = [first, ""]
    if settings.public_url:
        lines += [f"{settings.public_url}/notices/{notice.id}", ""]
    lines.append(gettext("You can switch these letters off on the page of your notices."))
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
