"""A task that is handed on always has somebody who may take it, and never somebody who has judged the item before."""

from __future__ import annotations

from sqlalchemy import text

from reviewqueue.core.db import write_session
from tests.desk_steps import act, claim, decide, read, submit


def minutes_pass(app):
    with app.app_context(), write_session() as session:
        session.execute(text("UPDATE task SET available_at = created_at"))


def test_what_is_escalated_to_the_only_lead_comes_to_them_although_they_have_skipped_it(client, cast):
    item_id = submit(client, cast)["id"]
    act(client, cast.bob, claim(client, cast.bob)["claim"]["id"], "skip")
    assert claim(client, cast.bob) is None
    answer = act(client, cast.alice, claim(client, cast.alice)["claim"]["id"], "escalation", comment="Not for me")
    assert answer.status_code == 204
    assert claim(client, cast.bob)["item"]["id"] == item_id
    decide(client, cast.bob, verdict="approve")
    assert read(client, cast, item_id)["state"] == "resolved"


def test_an_appeal_comes_to_nobody_who_has_judged_the_item_however_many_skip_it(app, client, cast):
    item_id = submit(client, cast)["id"]
    decide(client, cast.bob, verdict="approve")
    path = f"/api/v1/items/{item_id}/reopenings"
    assert client.post(path, json={"reason": "Look again"}, headers=cast.bob.bearer).status_code == 201
    for member in (cast.alice, cast.carol):
        act(client, member, claim(client, member)["claim"]["id"], "skip")
    minutes_pass(app)
    assert claim(client, cast.bob) is None, "it was his own decision"
    assert claim(client, cast.alice)["item"]["id"] == item_id, "somebody must decide"


def test_an_appeal_is_not_escalated_to_the_lead_whose_decision_it_is_about(client, cast):
    item_id = submit(client, cast)["id"]
    decide(client, cast.bob, verdict="approve")
    path = f"/api/v1/items/{item_id}/reopenings"
    client.post(path, json={"reason": "Look again"}, headers=cast.bob.bearer)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    answer = act(client, cast.alice, claim_id, "escalation")
    assert (answer.status_code, answer.json["code"]) == (409, "no_lead")
    assert act(client, cast.alice, claim_id, "decision", verdict="approve").status_code == 200
