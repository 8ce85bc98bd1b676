"""Whoever opted out is reviewed as ever, and nothing is learned from them."""

from __future__ import annotations

import base64

import pytest
from sqlalchemy import select

from reviewqueue.models import AuditEvent
from tests.desk_steps import decide
from tests.fixtures.people import INTENTS, item

SUBJECT = "customer-17 ü/?"


@pytest.fixture
def opt(client, cast):
    def opt(method: str, subject: str = SUBJECT):
        path = "/api/v1/opt-outs" + ("/withdrawal" if method == "POST" else "")
        return client.open(path, method=method, json={"subject": subject}, headers=cast.admin.bearer)

    return opt


def test_it_is_recorded_once_and_ends_once(client, cast, opt, transaction):
    first = opt("PUT")
    assert (first.status_code, first.json["subject"]) == (200, SUBJECT)
    assert opt("PUT").json == first.json
    found = client.get("/api/v1/opt-outs?limit=1", headers=cast.admin.bearer).json
    assert found == {"opt_outs": [first.json], "cursor": None}
    assert [opt("POST").status_code, opt("POST").status_code] == [204, 204]
    with transaction() as session:
        actions = session.scalars(select(AuditEvent.action).where(AuditEvent.action.like("opt_out.%"))).all()
    assert actions == ["opt_out.recorded", "opt_out.ended"]


def test_the_list_goes_on_by_cursor(client, cast, opt):
    for subject in ("b", "a", "c"):
        opt("PUT", subject)
    first = client.get("/api/v1/opt-outs?limit=2", headers=cast.admin.bearer).json
    rest = client.get(f"/api/v1/opt-outs?cursor={first['cursor']}", headers=cast.admin.bearer).json
    assert [one["subject"] for one in first["opt_outs"] + rest["opt_outs"]] == ["a", "b", "c"]


def test_a_cursor_that_no_list_gave_is_refused(client, cast):
    nul = base64.urlsafe_b64encode(b"a\0b").decode()
    answer = client.get(f"/api/v1/opt-outs?cursor={nul}", headers=cast.submitter.bearer)
    assert (answer.status_code, answer.json["code"]) == (422, "bad_cursor")


def test_their_items_answer_no_others_and_are_answered_themselves(client, cast, opt):
    client.put("/api/v1/queues/intents", json={**INTENTS, "duplicates": True}, headers=cast.admin.bearer)

    def submit(**changes):
        return client.post("/api/v1/items", json=item(1, **changes), headers=cast.submitter.bearer).json["state"]

    submit(subject=SUBJECT)
    decide(client, cast.alice, verdict="approve")
    assert submit() == "resolved"
    opt("PUT")
    assert submit() == "queued"
    decide(client, cast.alice, verdict="approve")
    assert submit(subject=SUBJECT) == "resolved"
