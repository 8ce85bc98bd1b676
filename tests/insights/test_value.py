"""Value: what reviewing costs and averts by the figures that the admin sets, and outcomes reported later."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, insert, select

from reviewqueue.core.db import database_now
from reviewqueue.insights.rates import plain
from reviewqueue.insights.worth import Effort, worth
from reviewqueue.models import AuditEvent, ItemDay, Outcome
from reviewqueue.models.base import table
from reviewqueue.queues.applying import apply
from tests.desk_steps import decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD
from tests.insights.populating import judged


def test_what_it_is_worth():
    effort = Effort(came=1000, passed=800, judged=200, averted=50, minutes=40.0, passed_wrong=plain(2, 100))
    found = worth(effort, per_minute=0.5, per_error=10.0, before_minutes=2.0, before_error_rate=0.06)
    assert (found.cost, found.cost_per_averted, found.saved) == (20.0, 0.4, 480.0)
    assert (found.before_minutes, found.before_errors) == (2000.0, 60.0)
    assert found.slipped.value == pytest.approx(16.0)
    assert found.slipped.low == pytest.approx(800 * plain(2, 100).low)
    assert found.slipped_cost.high == pytest.approx(8000 * plain(2, 100).high)
    nothing = worth(Effort(0, 0, 0, 0, 0.0, plain(0, 0)), per_minute=0.5)
    assert (nothing.cost, nothing.cost_per_averted, nothing.saved, nothing.slipped) == (0.0, None, None, None)


def test_the_page_says_what_the_configuration_makes_of_it(client, cast, transaction):
    document = {
        **INTENTS, "baseline": {"minutes_per_item": 4, "error_rate": 0.06, "source": "Time study"},
        "value": {"currency": "CHF", "per_minute": 2, "per_error": 35},
    }  # fmt: skip
    made = [submit(client, cast, number=number) for number in range(2)]
    for _ in made:
        decide(client, cast.alice, output={"label": "refund"}, spent_seconds=90)
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document=document)
        judged(session, cast.queue_id, count=8)
        judged(session, cast.queue_id, count=2, answer="refund")
        day = {"queue_id": cast.queue_id, "day": database_now(session).date(), "model_version": "7"}
        rows = [{**day, "measure": "action", "value": value, "items": 50} for value in ("review", "auto_approve")]
        session.execute(insert(table(ItemDay)), rows)
    client.post("/login", data={"email": cast.analyst.email, "password": PASSWORD})
    page = " ".join(client.get("/queues/intents/value").text.split())
    for words in (
        "<b>3 min</b>",
        "<b>6 CHF</b>",
        "3.00 CHF",
        "<b>64 CHF</b>",
        "50.0 %",
        "Time study",
        "<b>6 h 40 min</b>",
    ):
        assert words in page, words
    weeks = client.get("/queues/intents/value?csv=weeks").text.splitlines()
    assert weeks[1].endswith(",100,0.5,10,2")


def report(client: Any, who: Any, item_id: str, **body: Any) -> Any:
    return client.post(f"/api/v1/items/{item_id}/outcomes", json=body, headers=who.bearer)


def test_an_outcome_is_noted_once_a_name_and_told_by_who_answered(client, cast, transaction):
    waiting, passed = submit(client, cast), submit(client, cast, number=2, confidence=0.9)
    refused = report(client, cast.submitter, waiting["id"], correct=True)
    assert (refused.status_code, refused.json["code"]) == (409, "not_ended")
    decide(client, cast.alice, verdict="approve")
    assert report(client, cast.submitter, waiting["id"], correct=True).status_code == 201
    first = report(client, cast.submitter, passed["id"], name="chargeback", correct=True, note="Nothing so far")
    again = report(client, cast.submitter, passed["id"], name="chargeback", correct=False, cost=35.5)
    assert first.json["id"] == again.json["id"]
    assert (again.json["correct"], again.json["note"]) == (False, None)
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(Outcome)) == 2
        assert session.scalar(select(func.count()).where(AuditEvent.action == "outcome.reported")) == 3
    client.post("/login", data={"email": cast.bob.email, "password": PASSWORD})
    rows = [row.split(",") for row in client.get("/queues/intents/value?csv=outcomes").text.splitlines()[1:]]
    assert [(row[0], row[4], row[5], row[6]) for row in rows] == [
        ("people", "1", "1", "0.0"),
        ("routing", "0", "1", "35.5"),
    ]
    for wrong in ({}, {"correct": 1}, {"correct": True, "cost": -1}, {"correct": True, "observed_at": "yesterday"}):
        assert report(client, cast.submitter, passed["id"], **wrong).status_code == 422
    assert report(client, cast.alice, passed["id"], correct=True).status_code == 403
