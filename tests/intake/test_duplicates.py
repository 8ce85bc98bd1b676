"""The same input again is answered as people answered it before, where the queue says so."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from reviewqueue.core.db import clock
from reviewqueue.models import Item, Resolution, Task
from reviewqueue.models.base import table
from tests.desk_steps import act, claim, decide, read
from tests.fixtures.people import INTENTS, item


@pytest.fixture
def ask(client, cast):
    """Submit an item about one question; the queue answers duplicates."""
    document = {**INTENTS, "duplicates": True}
    assert client.put("/api/v1/queues/intents", json=document, headers=cast.admin.bearer).status_code == 200

    def ask(label: str = "lost_card", **changes: Any) -> Any:
        body = item(1, output={"label": label}, **changes)
        return client.post("/api/v1/items", json=body, headers=cast.submitter.bearer).json

    return ask


def test_it_waits_while_nobody_has_answered_and_is_answered_after(client, cast, ask, transaction):
    first, twin = ask(), ask()
    assert (first["state"], twin["state"]) == ("queued", "queued")
    decide(client, cast.alice, verdict="override", output={"label": "refund"})
    again = ask()
    assert (again["state"], again["duplicate_of"]) == ("resolved", first["id"])
    assert {name: again["resolution"][name] for name in ("by", "verdict", "output", "revision")} == {
        "by": "duplicate", "verdict": "override", "output": {"label": "refund"}, "revision": 1,
    }  # fmt: skip
    assert again["routing"]["probability"] == 0.0
    assert read(client, cast, again["id"])["duplicate_of"] == first["id"]
    with transaction() as session:
        assert session.execute(select(Task).where(Task.item_id == again["id"])).first() is None


def test_the_latest_answer_counts_whichever_item_came_first(client, cast, ask):
    ask(), ask()
    older, newer = (claim(client, who)["claim"]["id"] for who in (cast.alice, cast.carol))
    act(client, cast.carol, newer, "decision", output={"label": "refund"})
    act(client, cast.alice, older, "decision", output={"label": "card_arrival"})
    assert ask()["resolution"]["output"] == {"label": "card_arrival"}


def test_the_verdict_is_that_for_what_the_ai_says_now(client, cast, ask):
    ask()
    decide(client, cast.alice, verdict="override", output={"label": "refund"})
    assert ask("refund")["resolution"]["verdict"] == "approve"
    assert ask("card_arrival")["resolution"]["verdict"] == "override"


def test_a_rejection_answers_the_rejected_output_alone(client, cast, ask):
    ask()
    decide(client, cast.alice, verdict="reject", reason="unusable")
    assert ask()["resolution"] | {"resolved_at": None, "message": None} == {
        "verdict": "reject", "output": None, "by": "duplicate", "revision": 1, "reason": "unusable", "message": None,
        "resolved_at": None,
    }  # fmt: skip
    assert ask("refund")["state"] == "queued"


@pytest.mark.parametrize("changes", [{"risk": "high"}, {"test": True}, {"input": {"text": "Where is my card? (2)"}}])
def test_high_risk_tests_and_other_inputs_go_to_people(client, cast, ask, changes):
    ask()
    decide(client, cast.alice, verdict="approve")
    assert ask(**changes)["state"] == "queued"
    assert ask()["state"] == "resolved"


def test_how_the_input_is_written_does_not_matter(client, cast, ask):
    ask(input={"text": "Where?", "more": [1.0, 2]})
    decide(client, cast.alice, verdict="approve")
    assert ask(input={"more": [1.0, 2], "text": "Where?"})["state"] == "resolved"


def test_neither_a_test_nor_an_old_answer_nor_one_under_review_again_answers_others(client, cast, ask, transaction):
    ask(test=True)
    decide(client, cast.alice, verdict="approve")
    first = ask()
    assert first["state"] == "queued"
    decide(client, cast.alice, verdict="approve")
    assert ask()["state"] == "resolved"
    answer = client.post(f"/api/v1/items/{first['id']}/reopenings", json={"reason": "Wrong"}, headers=cast.lead.bearer)
    assert answer.status_code == 201
    assert ask()["state"] == "queued", "while somebody looks at it again"
    decide(client, cast.carol, verdict="approve")
    decide(client, cast.carol, verdict="approve")
    assert ask()["state"] == "resolved"
    with transaction() as session:
        session.execute(update(table(Resolution)).values(created_at=clock(-31 * 86_400)))
    assert ask()["state"] == "queued"


def test_no_duplicate_is_answered_while_the_queue_is_stopped_and_none_where_the_queue_does_not_say_so(
    client, cast, ask
):
    ask()
    decide(client, cast.alice, verdict="approve")
    client.put("/api/v1/queues/intents/stop", json={"why": "Odd"}, headers=cast.admin.bearer)
    assert ask()["state"] == "queued"
    client.delete("/api/v1/queues/intents/stop", headers=cast.admin.bearer)
    client.put("/api/v1/queues/intents", json=INTENTS, headers=cast.admin.bearer)
    assert ask()["state"] == "queued"


def test_an_answer_that_the_schema_no_longer_knows_is_not_given(client, cast, ask):
    ask()
    decide(client, cast.alice, verdict="override", output={"label": "refund"})
    schema = {"type": "object", "properties": {"label": {"enum": ["lost_card", "card_arrival"]}}}
    document = {**INTENTS, "duplicates": {"within_days": 3}, "output_schema": schema}
    assert client.put("/api/v1/queues/intents", json=document, headers=cast.admin.bearer).status_code == 200
    body = item(1, alternatives=None)
    assert client.post("/api/v1/items", json=body, headers=cast.submitter.bearer).json["state"] == "queued"


def test_a_batch_answers_duplicates(client, cast, ask, transaction):
    ask()
    decide(client, cast.alice, verdict="approve")
    batch = {"items": [item(1), item(2), item(1)]}
    answer = client.post("/api/v1/items/batch", json=batch, headers=cast.submitter.bearer).json
    states = [result["item"]["state"] for result in answer["results"]]
    assert states == ["resolved", "queued", "resolved"]
    with transaction() as session:
        assert session.scalars(select(Resolution.by).where(Resolution.revision == 1)).all().count("duplicate") == 2
        assert session.scalars(select(Item.duplicate_of).where(Item.duplicate_of.is_not(None))).all()


def test_the_page_of_a_duplicate_leads_to_the_item_that_answered_it(app, client, cast, ask):
    first = ask()
    decide(client, cast.alice, verdict="approve")
    browser = app.test_client()
    browser.post("/login", data={"email": cast.lead.email, "password": cast.lead.password})
    page = browser.get(f"/items/{ask()['id']}").text
    assert f'href="/items/{first["id"]}"' in page
