"""What insight is told from: each item counted once, and what people said of it in a narrow row."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from reviewqueue.insights.gathering import DUE, gather, half, hundredth
from reviewqueue.models import ItemDay
from reviewqueue.models.base import table
from reviewqueue.queues.applying import apply
from tests.desk_steps import act, claim, decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, item
from tests.insights.populating import facts


def counted(session: Any) -> dict[tuple[str, str], int]:
    return {(row.measure, row.value): row.items for row in session.execute(select(table(ItemDay)))}


@pytest.fixture
def audited(transaction, cast):
    """Whatever passes is audited."""
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "audit": {"rate": 1.0}})


def test_it_counts_what_came_and_keeps_what_people_said(client, cast, transaction, audited):
    changed, approved = submit(client, cast, number=1), submit(client, cast, number=2, confidence=0.6)
    confirmed, wrong = (submit(client, cast, number=number, confidence=0.95) for number in (3, 4))
    submit(client, cast, number=5, test=True)
    waiting = submit(client, cast, number=6)
    decide(client, cast.alice, output={"label": "refund"})
    decide(client, cast.alice, verdict="approve")
    for _ in range(4):
        piece = claim(client, cast.alice)
        known = {confirmed["id"]: {"verdict": "approve"}, wrong["id"]: {"output": {"label": "refund"}}}
        body = known.get(piece["item"]["id"])
        act(client, cast.alice, piece["claim"]["id"], "decision" if body else "skip", **(body or {}))
    with transaction() as session:
        assert gather(session=session, lag_seconds=0) == 6
        found, counts = facts(session), counted(session)
    assert {key: (row.verdict, row.label, row.answer) for key, row in found.items()} == {
        changed["id"]: ("override", "lost_card", "refund"),
        approved["id"]: ("approve", "lost_card", "lost_card"),
        confirmed["id"]: ("approve", "lost_card", "lost_card"),
        wrong["id"]: ("override", "lost_card", "refund"),
    }, "neither the test item nor the one that waits"
    assert waiting["id"] not in found
    assert found[confirmed["id"]].audit_sample
    assert not found[changed["id"]].audit_sample
    assert counts["action", "review"] == 3
    assert counts["action", "auto_approve"] == 2
    assert (counts["confidence", "41"], counts["confidence", "60"], counts["confidence", "95"]) == (2, 1, 2)
    assert counts["label", "lost_card"] == 5


def test_what_was_gathered_is_not_counted_again_and_a_revision_replaces_what_was_said(client, cast, transaction):
    made = submit(client, cast)
    decide(client, cast.alice, verdict="approve")
    with transaction() as session:
        gather(session=session, lag_seconds=0)
        before = counted(session)
        assert gather(session=session, lag_seconds=0) == 0
    reopened = client.post(f"/api/v1/items/{made['id']}/reopenings", json={"reason": "Wrong"}, headers=cast.bob.bearer)
    assert reopened.status_code < 300, reopened.json
    decide(client, cast.carol, output={"label": "refund"})
    with transaction() as session:
        gather(session=session, lag_seconds=0)
        assert counted(session) == before
        assert [(row.revision, row.answer) for row in facts(session).values()] == [(2, "refund")]


def test_the_latest_rows_are_left_for_the_next_time(client, cast, transaction):
    submit(client, cast)
    with transaction() as session:
        assert session.execute(DUE).first() is None, "too young"
        assert gather(session=session) == 0
        assert counted(session) == {}
        assert gather(session=session, lag_seconds=0) == 1


def test_gold_that_nobody_submitted_is_in_no_figure(client, cast, transaction):
    new = {key: value for key, value in item(9).items() if key != "queue"}
    known = {"new": new, "answer": {"label": "refund"}}
    assert client.post("/api/v1/queues/intents/gold", json=known, headers=cast.bob.bearer).status_code == 201
    with transaction() as session:
        gather(session=session, lag_seconds=0)
        assert (counted(session), facts(session)) == ({}, {})


def test_bins_of_confidence_and_length():
    assert [hundredth(value) for value in (None, 0.0, 0.419, 0.99, 1.0)] == ["", "00", "41", "99", "99"]
    assert [half(length) for length in (0, 1, 2, 3, 1000)] == ["00", "00", "02", "03", "20"]
