"""Notices by e-mail: a real server on a real socket."""

from __future__ import annotations

import dataclasses
import re
import smtplib

import pytest
from sqlalchemy import select

from reviewqueue import config
from reviewqueue.config import BadSetting
from reviewqueue.core.background import run
from reviewqueue.models import Notice, OutboxRow
from reviewqueue.notices import inbox
from reviewqueue.notices.jobs import mail
from reviewqueue.notices.mail import send
from tests.desk_steps import submit
from tests.fixtures import installation
from tests.fixtures.letters import postbox
from tests.fixtures.people import PASSWORD


@pytest.fixture
def box(app):
    """The application sends its letters there."""
    with postbox() as opened:
        app.config["SETTINGS"] = dataclasses.replace(
            app.config["SETTINGS"], smtp_url=f"smtp://re%40views:secret@127.0.0.1:{opened.port}",
            mail_from="Reviews <reviews@example.com>", public_url="https://review.example.com",
        )  # fmt: skip
        yield opened


def mention(client, cast, **changes):
    item = submit(client, cast, **changes)
    path = f"/api/v1/items/{item['id']}/comments"
    client.post(path, json={"body": "@bob: secret words"}, headers=cast.alice.bearer)


def work_off(app, transaction):
    with transaction() as session:
        ids = list(session.scalars(select(OutboxRow.id).where(OutboxRow.topic == inbox.MAIL)))
    with app.app_context():
        return run("reviewqueue.notices.jobs.mail", ids, long=True)


def test_what_is_not_read_is_mailed_once_and_without_what_was_written(app, client, cast, transaction, box):
    mention(client, cast, external_id="chat-1")
    box.refuses = True
    assert work_off(app, transaction) == 0, "the server takes nothing: it is tried again"
    box.refuses = False
    assert work_off(app, transaction) == 1
    (letter,) = box.letters
    with transaction() as session:
        notice = session.scalars(select(Notice)).one()
        assert notice.mailed_at is not None
    assert (letter["to"], letter["from"]) == (cast.bob.email, "Reviews <reviews@example.com>")
    assert letter["subject"] == "Alice mentioned you on chat-1 (Intents)"
    assert letter["message-id"] == f"<{notice.id}@example.com>"
    assert f"https://review.example.com/notices/{notice.id}" in letter.get_content()
    assert "secret words" not in letter.as_string()
    assert box.logins[-1] == "\0re@views\0secret"
    with app.app_context():
        mail(ref=notice.id, renew=lambda: None)
    assert len(box.letters) == 1


def test_what_was_read_or_is_not_wanted_is_not_mailed(app, client, cast, transaction, box):
    mention(client, cast, number=1)
    with transaction() as session:
        inbox.read_all(session=session, actor=cast.bob.actor)
    mention(client, cast, number=2)
    with transaction() as session:
        inbox.set_mailed(session=session, actor=cast.bob.actor, wanted=False)
    assert work_off(app, transaction) == 2
    assert box.letters == []


def test_names_from_programs_cannot_write_headers(app, client, cast, transaction, box):
    mention(client, cast, external_id="chat-1\n\u202eBcc: everybody@example.com")
    work_off(app, transaction)
    assert box.letters[0]["bcc"] is None
    assert box.letters[0]["subject"] == "Alice mentioned you on chat-1 Bcc: everybody@example.com (Intents)"


@pytest.mark.parametrize("url", ["mail.example.com", "http://mail.example.com", "smtp://", "smtp://host:port"])
def test_a_server_that_cannot_be_one_stops_the_process(url, tmp_path):
    environ = {**installation.environment(tmp_path), "REVIEWQUEUE_SMTP_URL": url, "REVIEWQUEUE_MAIL_FROM": "a@b.c"}
    with pytest.raises(BadSetting, match="REVIEWQUEUE_SMTP_URL"):
        config.load(environ)


def test_a_server_that_offers_no_tls_where_it_is_asked_for_gets_no_password(app, box):
    settings = app.config["SETTINGS"]
    with pytest.raises(smtplib.SMTPNotSupportedError):
        send(dataclasses.replace(settings, smtp_url=settings.smtp_url.replace("smtp:", "smtp+starttls:")), None)
    assert box.logins == []


def test_a_stop_and_a_hold_are_told_to_the_leads_and_nobody_else(app, client, cast, transaction, box):
    for path in ("queues/intents/stop", "hold"):
        body = {"why": "Wrong labels since noon"}
        assert client.put(f"/api/v1/{path}", json=body, headers=cast.admin.bearer).status_code < 300
        assert client.put(f"/api/v1/{path}", json=body, headers=cast.admin.bearer).status_code < 300
    with transaction() as session:
        assert {notice.person_id for notice in session.scalars(select(Notice))} == {cast.bob.actor.id}
    assert work_off(app, transaction) == 2
    assert sorted(letter["subject"] for letter in box.letters) == [
        "Ada held it: nothing passes, and no answer goes out (all queues)",
        "Ada stopped it: nothing passes without a person (Intents)",
    ]
    assert not [letter for letter in box.letters if "noon" in letter.as_string()]
    bob = app.test_client()
    bob.post("/login", data={"email": cast.bob.email, "password": PASSWORD})
    page = bob.get("/notices").text
    assert "Wrong labels since noon" in page
    assert "All queues" in page
    for address in re.findall(r'href="(/notices/[^"]+)"', page):
        assert bob.get(address, follow_redirects=True).status_code == 200
    assert "bell-count" not in bob.get("/notices").text
