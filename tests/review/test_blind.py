"""Blind tasks: what the AI said is hidden, nothing is chosen, and the decision says that it was so."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from reviewqueue.core.db import read_session, write_session
from reviewqueue.models import Decision
from reviewqueue.queues.applying import apply
from tests.desk_steps import act, claim, decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD


@pytest.fixture
def blind(app, cast):
    reasons = [{"code": "two_intents", "title": "Two intents", "required_for": ["override"]}]
    document = {**INTENTS, "reviews": {"blind": 1.0}, "reasons": reasons}
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=document)


def test_over_the_api_what_the_ai_said_is_null_and_the_verdict_follows_from_the_answer(client, cast, app, blind):
    submit(client, cast, number=1)
    submit(client, cast, number=2)
    held = claim(client, cast.alice)
    assert held["task"]["blind"] is True
    hidden = ("output", "confidence", "parts", "alternatives", "explanation", "trace_url")
    assert [held["item"][name] for name in hidden] == [None] * 6
    refused = act(client, cast.alice, held["claim"]["id"], "decision", verdict="approve")
    assert [fault["pointer"] for fault in refused.json["errors"]] == ["/output"]
    body = {"verdict": "override", "output": {"label": "lost_card"}}
    told = act(client, cast.alice, held["claim"]["id"], "decision", **body).json
    assert told["decision"]["verdict"] == "approve", "it is what the AI had said"
    assert act(client, cast.alice, held["claim"]["id"], "decision", **body).json["decision"] == told["decision"]
    assert decide(client, cast.alice, output={"label": "refund"})["decision"]["verdict"] == "override", "no reason due"
    with app.app_context(), read_session() as session:
        assert [json.loads(shown)["blind"] for shown in session.scalars(select(Decision.shown))] == [True, True]


def test_the_desk_shows_nothing_of_it_and_an_empty_answer_is_refused(client, cast, app, blind):
    submit(client, cast, explanation="Because it says so.")
    client.post("/login", data={"email": cast.alice.email, "password": PASSWORD})
    page = client.post("/queues/intents/claims", follow_redirects=True)
    assert "Judge it blind" in page.text
    for told in ("Because it says so", "proposed", "0.41", "confidence", "checked data-proposed"):
        assert told not in page.text, told
    assert 'name="choice" value="&#34;lost_card&#34;" checked' not in page.text
    address = page.request.path
    empty = client.post(f"{address}/decision", data={})
    assert empty.status_code == 422
    assert client.post(f"{address}/decision", data={"choice": json.dumps("refund")}).status_code == 303


def test_without_a_share_nothing_is_hidden_and_an_adjudicator_sees_all(client, cast, app, blind):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"required": 2, "blind": 1.0}})
    submit(client, cast)
    decide(client, cast.alice, output={"label": "refund"}, comment="It is about money.")
    decide(client, cast.carol, output={"label": "lost_card"})
    held = claim(client, cast.bob)
    assert (held["task"]["kind"], held["task"]["blind"]) == ("adjudication", False)
    assert held["item"]["output"] == {"label": "lost_card"}
    assert [(answer["output"], answer["comment"]) for answer in held["answers"]] == [
        ({"label": "refund"}, "It is about money."), ({"label": "lost_card"}, None),
    ]  # fmt: skip
