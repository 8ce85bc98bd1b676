"""Calibration of newcomers, the bar under which somebody is paused, and second looks at a newcomer's work."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, insert, select

from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.models import AuditEvent, Decision, Item, Task
from reviewqueue.models.base import table
from reviewqueue.queues.applying import apply
from reviewqueue.review import standings
from reviewqueue.review.agreement import surely_below
from tests.desk_steps import act, claim, decide, read, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD

KNOWN = {"output": {"label": "refund"}}


@pytest.fixture
def ask_for(transaction, cast):
    def ask(**reviews: Any) -> None:
        with transaction() as session:
            apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": reviews})

    return ask


def add_gold(client, cast, many):
    for number in range(many):
        new = {"input": {"text": f"Known {number}"}, "output": {"label": "lost_card"}, "confidence": 0.4}
        body = {"new": new, "answer": {"label": "refund"}}
        assert client.post("/api/v1/queues/intents/gold", json=body, headers=cast.bob.bearer).status_code == 201


def refused(client, who):
    answer = client.post("/api/v1/queues/intents/claims", headers=who.bearer)
    assert answer.status_code == 403, answer.json
    return answer.json["code"]


def rule(client, cast, person, **body):
    address = f"/api/v1/queues/intents/standings/{person.id}"
    return client.put(address, json=body, headers=cast.bob.bearer)


def sign_in(client, who):
    client.post("/logout")
    client.post("/login", data={"email": who.email, "password": PASSWORD})


def test_somebody_new_judges_gold_first_and_whoever_fails_waits_for_a_lead(client, cast, ask_for, transaction):
    submit(client, cast)
    decide(client, cast.carol, **KNOWN)
    ask_for(calibration={"gold": 2, "correct": 0.8})
    waiting = submit(client, cast, number=2)["id"]
    assert refused(client, cast.alice) == "no_gold_left"
    add_gold(client, cast, 3)
    assert client.post("/api/v1/claims", headers=cast.alice.bearer).status_code == 204, "work over all queues is work"
    sign_in(client, cast.alice)
    assert "First, your calibration" in client.get("/queues/intents").text
    held = client.post("/queues/intents/claims").location
    assert "calibration, 1 of 2" in client.get(held).text
    assert decide(client, cast.alice, **KNOWN)["gold"]["standing"] is None
    told = decide(client, cast.alice, verdict="approve")
    assert told["gold"]["standing"] == "failed"
    assert refused(client, cast.alice) == "calibration_failed"
    assert "You met 1 of" not in client.get("/queues/intents").text
    assert "Of 2 items whose answer is known you met 1" in client.get("/queues/intents").text
    assert rule(client, cast, cast.alice, state="failed").status_code == 422
    assert rule(client, cast, cast.alice, state="calibrating", note="Read § 2 first.").status_code == 204
    assert "Read § 2 first." in client.get("/queues/intents").text
    assert decide(client, cast.alice, **KNOWN)["gold"]["correct"] is True
    assert refused(client, cast.alice) == "no_gold_left"
    sign_in(client, cast.bob)
    assert "calibrating, 1 of 2" in client.get("/queues/intents/quality").text
    waived = client.post(f"/queues/intents/standings/{cast.alice.id}", data={"state": "reviewing"})
    assert waived.status_code == 303
    assert claim(client, cast.alice)["item"]["id"] == waiting
    act(client, cast.alice, claim(client, cast.alice)["claim"]["id"], "release")
    assert claim(client, cast.carol)["item"]["id"] == waiting, "she had worked here before"
    with transaction() as session:
        actions = list(session.scalars(select(AuditEvent.action)))
    assert (actions.count("calibration.failed"), actions.count("reviewer.ruled")) == (1, 2)


def test_whoever_passes_gets_work(client, cast, ask_for):
    ask_for(calibration={"gold": 2, "correct": 1.0})
    add_gold(client, cast, 2)
    waiting = submit(client, cast)["id"]
    first = claim(client, cast.alice)
    assert claim(client, cast.alice)["claim"] == first["claim"], "the one that they hold"
    act(client, cast.alice, first["claim"]["id"], "release")
    again = claim(client, cast.alice)
    assert again["task"]["id"] == first["task"]["id"]
    told = act(client, cast.alice, again["claim"]["id"], "decision", next=True, **KNOWN).json
    told = act(client, cast.alice, told["next"]["claim"]["id"], "decision", next=True, **KNOWN).json
    assert (told["gold"]["standing"], told["next"]["item"]["id"]) == ("reviewing", waiting)


def have_met(transaction, cast, who, *, met, of, first=1):
    """As if `who` had met `met` of `of` checks."""
    with transaction() as session:
        item_id = session.scalars(select(Item.id).limit(1)).one()
        for number in range(of):
            task_id = new_id()
            session.execute(
                insert(table(Task)).values(
                    id=task_id, item_id=item_id, queue_id=cast.queue_id, config_version=1, round=0, kind="gold",
                    state="done", audience="reviewer", priority=0, due=clock(), available_at=clock(), fence=1,
                    created_at=clock(), lane="", excluded="[]",
                )
            )  # fmt: skip
            session.execute(
                insert(table(Decision)).values(
                    id=new_id(), task_id=task_id, item_id=item_id, queue_id=cast.queue_id, round=-number - first,
                    person_id=who.id, fence=1, config_version=1, verdict="approve", output="{}", shown="{}", via="web",
                    decided_at=clock(), releases_at=clock(), late=False, correct=number < met,
                )
            )  # fmt: skip


def test_somebody_under_the_bar_is_paused_and_told_why_and_a_lead_resumes(client, cast, ask_for, transaction):
    ask_for(bar={"correct": 0.9}, gold=1.0)
    add_gold(client, cast, 3)
    for number in range(6):
        submit(client, cast, number=number)
    held = claim(client, cast.alice)
    have_met(transaction, cast, cast.alice, met=30, of=48)
    told = act(client, cast.alice, held["claim"]["id"], "decision", verdict="approve").json
    assert told["gold"]["standing"] is None, "49 are too few to judge anybody by"
    told = decide(client, cast.alice, verdict="approve", next=True)
    assert (told["gold"]["standing"], told["next"]) == ("paused", None)
    assert refused(client, cast.alice) == "reviewer_paused"
    assert client.post("/api/v1/claims", headers=cast.alice.bearer).status_code == 204
    open_task = client.get("/api/v1/queues/intents/quality", headers=cast.bob.bearer).json["people"]
    assert [(one["name"], one["standing"]) for one in open_task if one["name"] == "Alice"] == [("Alice", "paused")]
    sign_in(client, cast.alice)
    page = client.get("/queues/intents").text
    assert "Of 50 items whose answer is known you met 30; this queue asks for 90 %." in page
    assert "See why" in client.get("/").text
    assert "Your reviewing is paused" in client.get("/notices").text
    sign_in(client, cast.bob)
    assert "Alice is paused" in client.get("/notices").text
    sign_in(client, cast.carol)
    assert "is paused" not in client.get("/notices").text
    sign_in(client, cast.bob)
    assert "1 person waits for a word from a lead" in client.get("/").text
    assert rule(client, cast, cast.olga, state="reviewing").status_code == 404, "she does not review here"
    assert rule(client, cast, cast.alice, state="reviewing").status_code == 204
    assert claim(client, cast.alice) is not None, "what was measured counts no more"
    ask_for(required=1)
    assert claim(client, cast.carol) is not None


def test_leads_are_not_measured_by_the_gold_that_they_manage(client, cast, ask_for, transaction):
    ask_for(calibration={}, bar={"correct": 0.9})
    submit(client, cast)
    have_met(transaction, cast, cast.bob, met=0, of=60)
    assert claim(client, cast.bob) is not None
    assert rule(client, cast, cast.bob, state="paused").status_code == 404


def test_work_of_a_newcomer_gets_a_second_look(client, cast, ask_for, transaction):
    submit(client, cast)
    decide(client, cast.carol, **KNOWN)
    ask_for(newcomers={"first": 1, "second_look": 1.0})
    for number in (2, 3):
        submit(client, cast, number=number)
    told = decide(client, cast.alice, **KNOWN)
    assert told["resolution"] is None
    assert decide(client, cast.alice, **KNOWN)["resolution"] is not None, "they are new no more"
    assert claim(client, cast.alice) is None
    assert decide(client, cast.carol, **KNOWN)["resolution"]["output"] == {"label": "refund"}
    submit(client, cast, number=4)
    assert decide(client, cast.carol, **KNOWN)["resolution"] is not None, "she was not new"
    with transaction() as session:
        assert session.scalars(select(Item.reviews).order_by(Item.id)).all() == [1, 2, 1, 1]
    assert read(client, cast, told["decision"]["item"])["state"] == "resolved"


def test_a_queue_that_asks_for_nothing_pays_nothing(cast, transaction, monkeypatch):
    def unexpected(*_: Any) -> None:
        raise AssertionError("a statement of the feature")

    monkeypatch.setattr(standings, "_read", unexpected)
    with transaction() as session:
        heads = {cast.queue_id: standings.queue_by_id(session, cast.queue_id)}
        assert standings.sift(session, cast.alice.actor, heads, [("x", "")], named=True) == ([("x", "")], None)
        assert session.scalar(select(func.count()).select_from(table(standings.Standing))) == 0


def test_hardly_anybody_at_the_bar_is_ever_told_that_they_are_below():
    """Exactly, by all that can happen in 300 checks of somebody who is at it; one test after each would fail 1 in 3."""
    bar, chances, told = 0.8, {0: 1.0}, 0.0
    for of in range(1, 301):
        after: dict[int, float] = {}
        for met, chance in chances.items():
            for more, share in ((1, bar), (0, 1 - bar)):
                after[met + more] = after.get(met + more, 0.0) + chance * share
        below = {met for met in after if surely_below(met, of, bar)}
        told += sum(after[met] for met in below)
        chances = {met: chance for met, chance in after.items() if met not in below}
    assert told <= 0.05
    assert surely_below(29, 50, 0.8)
    assert not surely_below(36, 50, 0.8)
    assert not surely_below(0, 0, 0.8)
