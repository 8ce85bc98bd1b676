"""The order by value: the doubtful first, in turn over labels; audits, urgent rules and what is known apart."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from reviewqueue.core.db import write_session
from reviewqueue.intake.jobs import find_similar, order_by_value, queued
from reviewqueue.intake.ordering import doubt_of, group_of, priority_of
from reviewqueue.models import Task
from reviewqueue.queues.applying import apply
from tests.desk_steps import claim
from tests.fixtures.people import INTENTS, OPERATOR, item


def test_doubt_is_the_distance_of_the_two_best_answers():
    others = json.dumps([{"output": 1, "confidence": 0.3}, {"output": 2, "confidence": 0.38}, {"output": 3}])
    assert doubt_of(0.41, others) == pytest.approx(0.03)
    assert (doubt_of(0.41, None), doubt_of(None, others)) == (0.41, 0.0)


def test_labels_are_ordered_by_themselves_and_so_are_model_versions():
    def group(output, view="choice", version="7"):
        return group_of(view, "intents", version, output)

    assert group('{"label": "a"}') == group('{"label":"a"}') != group('{"label":"b"}')
    assert group('{"label":"a"}', version="8") != group('{"label":"a"}')
    assert group('{"label":"a"}', view="json") == group('{"label":"b"}', view="json")


def test_groups_take_turns_whatever_their_size():
    rare, common = priority_of(0, 100, 2, known=False), priority_of(0, 100, 2, known=False)
    assert rare == common > priority_of(5, 100, 2, known=False) > priority_of(60, 100, 2, known=False)
    assert priority_of(99, 100, 9, known=False) == -999
    assert priority_of(0, 100, 2, known=True) == -1000
    assert -1000 <= priority_of(10**6, 1, 1, known=False) < 0


def test_what_teaches_most_is_claimed_first(app, client, cast):
    document = {**INTENTS, "order": "value", "audit": {"rate": 1.0}}
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=document)
    alike = {"input": {"text": "Where is it?"}}
    sent = {
        "sure": item(1, confidence=0.79, alternatives=[]),
        "doubtful": item(2, confidence=0.4),
        "known": item(3, confidence=0.39, **alike),
        "other label": item(4, confidence=0.6, output={"label": "refund"}, alternatives=[]),
        "audit": item(5, confidence=0.9),
        "urgent": item(6, confidence=0.79, risk="high"),
    }
    earlier = client.post("/api/v1/items", json=item(0, confidence=0.5, **alike), headers=cast.submitter.bearer).json
    with app.app_context(), write_session() as session:
        items = queued(session, [earlier["id"]])
        order_by_value(session=session, items=items)
        find_similar(session=session, items=items)
    ids = {
        name: client.post("/api/v1/items", json=body, headers=cast.submitter.bearer).json["id"]
        for name, body in sent.items()
    }
    with app.app_context():
        for _ in range(2):
            with write_session() as session:
                order_by_value(session=session, items=queued(session, list(ids.values())))
        with write_session() as session:
            given = dict(session.execute(select(Task.item_id, Task.priority)).all())
    assert (given[ids["urgent"]], given[ids["audit"]], given[ids["known"]]) == (10, 0, -1000)
    assert 0 > given[ids["other label"]] > given[ids["doubtful"]] > given[ids["sure"]] > -1000
    answer = client.get(f"/api/v1/items/{ids['doubtful']}", headers=cast.submitter.bearer).json
    assert answer["routing"]["priority"] == 0
    assert claim(client, cast.alice)["item"]["id"] == ids["urgent"]
    assert claim(client, cast.carol)["item"]["id"] == ids["audit"]


def test_other_queues_keep_the_order_in_which_items_came(app, client, cast):
    sent = client.post("/api/v1/items", json=item(1), headers=cast.submitter.bearer).json["id"]
    with app.app_context(), write_session() as session:
        order_by_value(session=session, items=queued(session, [sent]))
        assert session.scalars(select(Task.priority)).all() == [0]
