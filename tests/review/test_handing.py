"""Handing on: to another queue, and what its program and the people of both queues see of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from reviewqueue.accounts import memberships, people
from reviewqueue.core.db import clock, database_now
from reviewqueue.models import AuditEvent, Item, Task
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from reviewqueue.review import escalation
from tests.desk_steps import act, claim, decide, read, submit
from tests.fixtures.people import INTENTS, OPERATOR

CLOSER = {**INTENTS, "name": "refunds", "title": "Refunds", "output_schema": {
    "type": "object", "required": ["label"], "additionalProperties": False,
    "properties": {"label": {"enum": ["lost_card", "refund", "chargeback"]}},
}}  # fmt: skip


@pytest.fixture
def refunds(cast, transaction):
    """A queue that Carol alone reviews; `intents` names it, so that Alice may send there."""
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document=CLOSER)
        apply(session=session, actor=OPERATOR, document={**INTENTS, "send_to": ["refunds"]})
        memberships.add(
            session=session, actor=OPERATOR, slug="refunds", email=cast.carol.email, role=QueueRole.REVIEWER
        )


def claim_there(client, who):
    return client.post("/api/v1/queues/refunds/claims", headers=who.bearer)


def test_a_task_that_was_sent_is_judged_there_and_answered_here(client, cast, refunds):
    item = submit(client, cast)
    held = claim(client, cast.alice)["claim"]["id"]
    sent = act(client, cast.alice, held, "transfer", queue="refunds", comment="Wants the money")
    assert sent.status_code == 204
    assert claim(client, cast.alice) is None
    late = act(client, cast.alice, held, "decision", verdict="approve")
    assert late.status_code == 404, "who may not know that queue learns nothing of it"
    piece = claim_there(client, cast.carol).json
    assert piece["task"]["queue"] == "refunds"
    there_only = act(client, cast.carol, piece["claim"]["id"], "decision", output={"label": "chargeback"})
    assert (there_only.status_code, there_only.json["code"]) == (422, "invalid_decision"), "not a label of `intents`"
    done = act(client, cast.carol, piece["claim"]["id"], "decision", output={"label": "refund"})
    assert done.status_code == 200
    shown = read(client, cast, item["id"])
    assert (shown["queue"], shown["resolution"]["output"]) == ("intents", {"label": "refund"})


def test_nothing_is_sent_where_it_does_not_fit_or_nobody_could_take_it(client, cast, refunds, transaction):
    submit(client, cast, output={"label": "card_arrival"}, alternatives=[])
    held = claim(client, cast.alice)["claim"]["id"]
    misfit = act(client, cast.alice, held, "transfer", queue="refunds")
    assert (misfit.status_code, misfit.json["code"]) == (422, "invalid_item")
    assert misfit.json["errors"][0]["pointer"] == "/output/label"
    for unknown in ("intents", "nowhere"):
        assert act(client, cast.alice, held, "transfer", queue=unknown).json["code"] == "unknown_queue"
    assert act(client, cast.alice, held, "decision", verdict="approve").status_code == 200, "it stayed"
    submit(client, cast, number=2)
    held = claim(client, cast.alice)["claim"]["id"]
    with transaction() as session:
        membership = memberships.find_id(session, "refunds", cast.carol.email, QueueRole.REVIEWER)
        memberships.remove(session=session, actor=OPERATOR, slug="refunds", membership_id=membership)
    assert act(client, cast.alice, held, "transfer", queue="refunds").json["code"] == "nobody_else"


def test_what_is_put_off_comes_back_to_the_same_person_at_the_follow_up_and_not_before(client, cast, transaction):
    submit(client, cast)
    held = claim(client, cast.alice)["claim"]["id"]
    for wrong in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        assert act(client, cast.alice, held, "postponement", until=wrong).json["code"] == "bad_follow_up"
    with transaction() as session:
        until = database_now(session) + timedelta(hours=1)
    assert act(client, cast.alice, held, "postponement", until=until.isoformat()).status_code == 204
    assert claim(client, cast.alice) is None
    with transaction() as session:
        session.execute(update(Task).values(available_at=clock(-1)))
    assert claim(client, cast.carol) is None
    piece = claim(client, cast.alice)
    assert act(client, cast.alice, piece["claim"]["id"], "skip").status_code == 204
    assert claim(client, cast.carol) is not None, "who skips it leaves it to others"


def test_a_follow_up_beyond_the_end_of_the_item_is_refused(client, cast, transaction):
    submit(client, cast)
    held = claim(client, cast.alice)["claim"]["id"]
    with transaction() as session:
        session.execute(update(Item).values(expires_at=clock(1800)))
        until = database_now(session) + timedelta(hours=1)
    refused = act(client, cast.alice, held, "postponement", until=until.isoformat())
    assert "before the item expires" in refused.json["detail"]


def assign(client, who, task_id, person):
    return client.put(f"/api/v1/tasks/{task_id}/assignee", json={"person": person}, headers=who.bearer)


def test_a_lead_gives_a_held_task_to_a_person_and_to_nobody_else(client, cast):
    submit(client, cast)
    held = claim(client, cast.alice)
    task_id = held["task"]["id"]
    assert assign(client, cast.alice, task_id, cast.carol.email).status_code == 403
    assert assign(client, cast.bob, task_id, cast.olga.email).json["code"] == "cannot_take"
    assert assign(client, cast.bob, task_id, cast.carol.email).status_code == 204
    lost = act(client, cast.alice, held["claim"]["id"], "decision", output={"label": "refund"}, comment="mine")
    assert (lost.status_code, lost.json["code"]) == (409, "not_yours")
    assert claim(client, cast.alice) is None
    assert claim(client, cast.carol)["task"]["id"] == task_id
    assert assign(client, cast.bob, task_id, None).status_code == 204, "left in her hands"
    decide(client, cast.carol, verdict="approve")
    assert assign(client, cast.bob, task_id, cast.alice.id).json["code"] == "item_ended"


@pytest.mark.parametrize("leaving", ["disabled", "removed"])
def test_what_was_given_to_somebody_who_leaves_is_left_to_everybody(client, cast, transaction, leaving):
    submit(client, cast)
    held = claim(client, cast.bob)
    assign(client, cast.bob, held["task"]["id"], cast.carol.id)
    with transaction() as session:
        if leaving == "disabled":
            people.disable(session=session, actor=OPERATOR, person_id=cast.carol.id)
        else:
            membership = memberships.find_id(session, "intents", cast.carol.email, QueueRole.REVIEWER)
            memberships.remove(session=session, actor=OPERATOR, slug="intents", membership_id=membership)
    assert claim(client, cast.alice)["task"]["id"] == held["task"]["id"]


def due(transaction):
    with transaction() as session:
        assert escalation.escalate_due(session=session) == 0, "not before its time"
        session.execute(update(Task).where(Task.escalates_at.is_not(None)).values(escalates_at=clock(-1)))
    with transaction() as session:
        return escalation.escalate_due(session=session)


def test_what_the_leads_leave_goes_on_along_the_chain_at_its_time(client, cast, refunds, transaction):
    with transaction() as session:
        chain = {"to": "refunds", "after_minutes": 30}
        apply(session=session, actor=OPERATOR, document={**INTENTS, "escalation": chain})
    item = submit(client, cast)
    held = claim(client, cast.alice)["claim"]["id"]
    assert act(client, cast.alice, held, "escalation", comment="A complaint").status_code == 204
    assert due(transaction) == 1
    assert claim(client, cast.bob) is None
    piece = claim_there(client, cast.carol).json
    assert (piece["item"]["id"], piece["task"]["audience"]) == (item["id"], "reviewer")
    with transaction() as session:
        events = session.scalars(select(AuditEvent.actor).where(AuditEvent.action == "task.escalated")).all()
    assert sorted(events) == sorted([cast.alice.id, "system"])
    act(client, cast.carol, piece["claim"]["id"], "decision", verdict="approve")
    assert read(client, cast, item["id"])["state"] == "resolved"


def test_a_lead_sends_on_at_once_and_what_does_not_fit_stays_with_the_leads(client, cast, refunds, transaction):
    with transaction() as session:
        chain = {"to": "refunds", "after_minutes": 30}
        apply(session=session, actor=OPERATOR, document={**INTENTS, "escalation": chain})
    submit(client, cast, number=1)
    act(client, cast.alice, claim(client, cast.alice)["claim"]["id"], "escalation")
    assert act(client, cast.bob, claim(client, cast.bob)["claim"]["id"], "escalation").status_code == 204
    assert claim_there(client, cast.carol).status_code == 201
    submit(client, cast, number=2, output={"label": "card_arrival"}, alternatives=[])
    act(client, cast.alice, claim(client, cast.alice)["claim"]["id"], "escalation")
    assert due(transaction) == 1
    assert due(transaction) == 0, "tried once"
    held = claim(client, cast.bob)["claim"]["id"]
    assert act(client, cast.bob, held, "escalation").json["code"] == "invalid_item"
    assert act(client, cast.bob, held, "decision", verdict="approve").status_code == 200


@pytest.fixture
def checking(refunds, transaction):
    """`intents` gives gold at every claim while there is some."""
    with transaction() as session:
        apply(
            session=session, actor=OPERATOR,
            document={**INTENTS, "send_to": ["refunds"], "reviews": {"gold": 1.0}},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("who", "what", "body"),
    [
        ("alice", "transfer", {"queue": "refunds"}),
        ("alice", "escalation", {"comment": "Hard"}),
        ("alice", "skip", {}),
    ],
)
def test_a_check_that_is_handed_on_ends_there_and_reaches_nobody(client, cast, checking, transaction, who, what, body):
    new = {"input": {"text": "Known"}, "output": {"label": "lost_card"}}
    gold = {"new": new, "answer": {"label": "refund"}}
    assert client.post("/api/v1/queues/intents/gold", json=gold, headers=cast.bob.bearer).status_code == 201
    waiting = submit(client, cast)["id"]
    person = getattr(cast, who)
    check = claim(client, person)
    assert check["item"]["input"] == new["input"]
    handed = act(client, person, check["claim"]["id"], what, **body)
    assert handed.status_code == 204, handed.text
    assert claim_there(client, cast.carol).status_code == 204
    assert claim(client, cast.bob)["item"]["input"] == new["input"], "a check of his own"
    assert claim(client, person)["item"]["id"] == waiting
    assert act(client, cast.bob, claim(client, cast.bob)["claim"]["id"], "release").status_code == 204
    client.post("/login", data={"email": cast.bob.email, "password": cast.bob.password})
    assert "Nothing" in client.get("/tasks").text, "it was given to him by nobody"
    with transaction() as session:
        kinds = session.execute(select(Task.kind, Task.state).order_by(Task.kind, Task.state)).all()
    assert sorted((kind.value, state.value) for kind, state in kinds) == [
        ("gold", "cancelled"), ("gold", "open"), ("review", "claimed"),
    ]  # fmt: skip
