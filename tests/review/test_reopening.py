"""An item that has ended is judged once more, by somebody else; its answer stands until then."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.models import AuditEvent, Item, PendingRelease
from reviewqueue.models.states import Verdict
from reviewqueue.resolution import endings
from reviewqueue.review import settling
from reviewqueue.review.decisions import deciding, recording
from tests.desk_steps import act, claim, decide, read, submit
from tests.fixtures.people import INTENTS


def reopen(client: Any, who: Any, item_id: str, reason: str = "Wrong label") -> Any:
    return client.post(f"/api/v1/items/{item_id}/reopenings", json={"reason": reason}, headers=who.bearer)


def test_it_is_decided_anew_by_another_person_and_revised(client, cast, app):
    item_id = submit(client, cast)["id"]
    decide(client, cast.alice, output={"label": "refund"})
    assert reopen(client, cast.bob, item_id).status_code == 201
    waiting = read(client, cast, item_id)
    assert (waiting["state"], waiting["resolution"]["output"]) == ("queued", {"label": "refund"})
    assert claim(client, cast.alice) is None, "who has decided it does not decide it again"
    answer = decide(client, cast.carol, verdict="approve")
    assert answer["resolution"]["revision"] == 2
    found = read(client, cast, item_id)
    assert (found["state"], found["resolution"]["output"]) == ("resolved", {"label": "lost_card"})
    with app.app_context(), read_session() as session:
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.item_id == item_id)))
    assert actions.count("item.reopened") == actions.count("item.revised") == 1


@pytest.mark.parametrize("who", ["bob", "analyst", "admin"])
def test_leads_analysts_and_administrators_may(client, cast, who):
    item_id = submit(client, cast, confidence=0.99)["id"]
    assert reopen(client, getattr(cast, who), item_id).status_code == 201


def test_others_may_not(client, cast):
    item_id = submit(client, cast, confidence=0.99)["id"]
    statuses = [reopen(client, who, item_id).status_code for who in (cast.alice, cast.submitter, cast.olga)]
    assert statuses == [403, 403, 404]


def test_what_is_open_withdrawn_or_without_a_reason_is_not_reopened(client, cast):
    item_id = submit(client, cast, number=1)["id"]
    assert reopen(client, cast.bob, item_id).json["code"] == "item_open"
    client.post(f"/api/v1/items/{item_id}/cancellation", headers=cast.submitter.bearer)
    assert reopen(client, cast.bob, item_id).json["code"] == "item_cancelled"
    passed = submit(client, cast, number=2, confidence=0.99)["id"]
    assert reopen(client, cast.bob, passed, reason="  ").status_code == 422
    assert reopen(client, cast.bob, passed).status_code == 201
    assert reopen(client, cast.bob, passed).json["code"] == "item_open"


def test_where_everybody_has_decided_nobody_can(client, cast):
    item_id = submit(client, cast)["id"]
    decide(client, cast.alice, output={"label": "refund"})
    for who, output in ((cast.carol, "lost_card"), (cast.bob, "refund")):
        assert reopen(client, cast.admin, item_id).status_code == 201
        decide(client, who, output={"label": output})
    assert reopen(client, cast.admin, item_id).json["code"] == "nobody_else"


def test_a_reopened_item_does_not_time_out_of_its_answer(client, cast, app):
    item_id = submit(client, cast)["id"]
    with app.app_context(), write_session() as session:
        session.execute(update(Item).values(expires_at=clock(-1)))
        assert endings.expire_items(session=session) == 1
    assert read(client, cast, item_id)["state"] == "expired"
    assert reopen(client, cast.bob, item_id).status_code == 201
    with app.app_context(), write_session() as session:
        assert endings.expire_items(session=session) == 0


def test_its_reason_is_shown_to_whoever_decides_it(client, cast, app):
    submit(client, cast, confidence=0.99)
    item_id = client.get("/api/v1/items", headers=cast.submitter.bearer).json["items"][0]["id"]
    browser = app.test_client()
    browser.post("/login", data={"email": cast.bob.email, "password": cast.bob.password})
    assert "Reopen" in browser.get(f"/items/{item_id}").text
    answer = browser.post(f"/items/{item_id}/reopenings", data={"reason": "The customer says <b>no</b>"})
    assert answer.status_code == 303
    desk = app.test_client()
    desk.post("/login", data={"email": cast.alice.email, "password": cast.alice.password})
    page = desk.post("/queues/intents/claims", follow_redirects=True).text
    assert "Reopened by Bob" in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page


def test_cancellation_beats_a_claim_but_no_decision(client, cast):
    first = submit(client, cast, number=1)["id"]
    claim_id = claim(client, cast.alice)["claim"]["id"]
    path = f"/api/v1/items/{first}/cancellation"
    for _ in range(2):
        answer = client.post(path, json={"reason": "Bought elsewhere"}, headers=cast.submitter.bearer)
        assert (answer.status_code, answer.json["state"]) == (200, "cancelled")
    assert answer.json["resolution"] == {
        **answer.json["resolution"], "by": "cancelled", "verdict": None, "output": None, "message": "Bought elsewhere",
    }  # fmt: skip
    late = act(client, cast.alice, claim_id, "decision", verdict="approve")
    assert (late.status_code, late.json["code"]) == (409, "item_cancelled")
    second = submit(client, cast, number=2)["id"]
    decide(client, cast.alice, verdict="approve")
    refused = client.post(f"/api/v1/items/{second}/cancellation", headers=cast.submitter.bearer)
    assert (refused.status_code, refused.json["code"]) == (409, "item_ended")
    assert client.post(path, headers=cast.alice.bearer).status_code == 403
    assert client.post(path, headers=cast.olga.bearer).status_code == 404


def test_an_audit_that_can_still_be_undone_does_not_answer_a_reopening(client, cast, app):
    client.put("/api/v1/queues/intents", json={**INTENTS, "audit": {"rate": 1.0}}, headers=cast.admin.bearer)
    item_id = submit(client, cast, confidence=0.99)["id"]
    held = claim(client, cast.alice)["claim"]["id"]
    with app.app_context(), write_session() as session:
        given = recording.Submission(verdict=Verdict.APPROVE, grace=True)
        deciding.decide(session=session, actor=cast.alice.actor, claim_id=held, submission=given)
    refused = reopen(client, cast.bob, item_id)
    assert (refused.status_code, refused.json["code"]) == (409, "item_open")
    with app.app_context(), write_session() as session:
        session.execute(update(PendingRelease).values(releases_at=clock(-1)))
        settling.settle_due(session=session)
    assert reopen(client, cast.bob, item_id).status_code == 201
    assert read(client, cast, item_id)["state"] == "queued"
