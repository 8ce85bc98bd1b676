"""Many items in one request: each has a result of its own, and is stored as if it had come alone."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from reviewqueue.core.db import read_session, write_session
from reviewqueue.intake import batches
from reviewqueue.models import AuditEvent, Item, OutboxRow, Resolution, Task
from reviewqueue.models.states import Intake
from reviewqueue.queues.applying import apply, set_intake
from tests.desk_steps import decide
from tests.fixtures.people import INTENTS, OPERATOR, item


def send(client: Any, cast: Any, items: Any, **headers: str) -> Any:
    body = items if isinstance(items, str) else json.dumps({"items": items})
    return client.post(
        "/api/v1/items/batch", data=body, content_type="application/json", headers={**cast.submitter.bearer, **headers}
    )


def count(app: Any, model: Any) -> int:
    with app.app_context(), read_session() as session:
        return int(session.scalar(select(func.count()).select_from(model)))


def test_each_item_has_its_result_in_order_and_a_bad_one_hinders_no_other(client, cast, app):
    first = item(number=1, external_id="a")
    sent = [
        first, item(number=2, confidence=0.99), {"queue": "intents"}, item(number=3, output={"label": "nonsense"}),
        item(number=4, queue="nowhere"), first, {**first, "confidence": 0.1},
    ]  # fmt: skip
    answer = send(client, cast, sent)
    assert answer.status_code == 200, answer.text
    results = answer.json["results"]
    assert [result["status"] for result in results] == [201, 201, 422, 422, 422, 200, 409]
    assert results[0]["item"]["state"] == "queued"
    assert results[1]["item"]["resolution"]["by"] == "routing"
    assert [fault["pointer"] for fault in results[2]["error"]["errors"]] == ["/input", "/output"]
    assert results[3]["error"]["errors"][0]["pointer"] == "/output/label"
    assert results[5]["item"]["id"] == results[0]["item"]["id"]
    assert results[6]["error"]["code"] == "external_id_taken"
    assert count(app, Item) == 2
    assert decide(client, cast.alice, verdict="approve")["decision"]["item"] == results[0]["item"]["id"]


def rows(app: Any, model: Any, *ignored: str) -> list[dict[str, Any]]:
    names = [column.key for column in model.__mapper__.column_attrs if column.key not in ignored]
    with app.app_context(), read_session() as session:
        found = session.scalars(select(model).order_by(model.id)).all()
        return [{name: getattr(row, name) for name in names} for row in found]


def test_a_batch_stores_the_rows_that_single_requests_store(client, cast, app):
    ids = "id", "item_id", "ref", "subject"
    times = *ids, "at", "created_at", "due_at", "due", "available_at", "next_at", "expires_at", "content_sha256"
    sent = [item(number=1), item(number=2, confidence=0.99), item(number=3, risk="high", metadata={"a": 1.50})]
    for each in sent:
        # Not json=: that would put the keys into another order.
        data = {"data": json.dumps(each), "content_type": "application/json"}
        assert client.post("/api/v1/items", **data, headers=cast.submitter.bearer).status_code == 201
    models = Item, Task, Resolution, AuditEvent
    single = {model: rows(app, model, *times) for model in models}
    assert send(client, cast, sent).status_code == 200
    for model in models:
        both = rows(app, model, *times)
        started = [row for row in single[model] if model is not AuditEvent or row["action"] == "item.submitted"]
        assert both[len(single[model]) :] == started, model
    with app.app_context(), read_session() as session:
        *alone, together = session.scalars(select(OutboxRow).order_by(OutboxRow.id))
    assert {(row.topic, row.rq_queue) for row in [*alone, together]} == {("item.queued", "review.intents")}
    assert [row.refs for row in alone] == [None, None]
    assert len(json.loads(together.refs)) == 2, "one row for the queue's items"


def test_the_answers_are_those_of_single_requests(client, cast):
    sent = [item(number=1), item(number=2, confidence=0.99)]
    single = [client.post("/api/v1/items", json=each, headers=cast.submitter.bearer).json for each in sent]
    batch = [result["item"] for result in send(client, cast, sent).json["results"]]
    for one, other in zip(single, batch, strict=True):
        assert one.keys() == other.keys()
        same = "state", "routing"
        assert {name: one[name] for name in same} == {name: other[name] for name in same}
        assert (one["resolution"] is None) == (other["resolution"] is None)


def test_the_same_key_gives_the_same_answer_and_stores_nothing_again(client, cast, app):
    sent = [item(number=number) for number in range(3)]
    first = send(client, cast, sent, **{"Idempotency-Key": "k"})
    again = send(client, cast, sent, **{"Idempotency-Key": "k"})
    assert (first.status_code, first.data) == (200, again.data)
    assert count(app, Item) == 3
    assert send(client, cast, sent[:1], **{"Idempotency-Key": "k"}).json["code"] == "idempotency_key_reused"


@pytest.mark.parametrize(
    "body",
    [
        "[]", "{}", '{"items": []}', '{"items": {}}', '{"items": [1]}', '{"items": [{}], "more": 1}',
        '{"items": [{},]}',
        '{"items": [{}]', '{"things": [{}]}', '{"items": [{"a": NaN}]}', '{"items": [{"a": 1, "a": 2}]}',
        '{"items": [' + ",".join(["{}"] * 1001) + "]}", "", '{"items": [',
        '{"items": [' + "[" * 70 + "]" * 70 + "]}", '{"items"',
    ],
)  # fmt: skip
def test_what_is_no_list_of_items_is_refused_whole(client, cast, app, body):
    answer = send(client, cast, body)
    assert answer.status_code == 422, answer.text
    assert answer.mimetype == "application/problem+json"
    assert count(app, Item) == 0


def test_a_batch_may_be_larger_than_any_other_request_and_each_item_may_not(client, cast):
    large = item(number=1, input={"text": "x" * 900_000})
    answer = send(client, cast, [large] * 4 + [item(number=2, input={"text": "x" * 1_100_000})])
    assert [result["status"] for result in answer.json["results"]] == [201, 201, 201, 201, 413]
    assert send(client, cast, " " * 40_000_000).status_code == 413


def test_items_that_a_rule_refuses_are_on_record_and_not_stored(client, cast, app):
    with app.app_context(), write_session() as session:
        rules = [{"when": "confidence < 0.1", "action": "refuse", "title": "Useless"}]
        apply(session=session, actor=OPERATOR, document={**INTENTS, "routing": {"rules": rules, "otherwise": "review"}})
    results = send(client, cast, [item(number=1, confidence=0.01), item(number=2)]).json["results"]
    assert [result["status"] for result in results] == [422, 201]
    assert results[0]["error"]["code"] == "refused_by_rule"
    with app.app_context(), read_session() as session:
        actions = session.scalars(select(AuditEvent.action).where(AuditEvent.action.like("item.%"))).all()
        assert sorted(actions) == ["item.refused", "item.submitted"]


def test_equal_batches_at_the_same_moment_store_each_item_once(client, cast, app, monkeypatch):
    """Both look before either has stored: the second is refused by the database, looks again, and finds the first's."""
    sent = [item(number=number, external_id=f"e{number}") for number in range(20)]
    barrier = threading.Barrier(2, timeout=5)
    looked: set[int] = set()
    known = batches._known

    def wait_for_the_other(session, items):
        found = known(session, items)
        if threading.get_ident() not in looked and app.config["SQLALCHEMY_DATABASE_URI"].startswith("postgresql"):
            looked.add(threading.get_ident())
            barrier.wait()
        return found

    monkeypatch.setattr(batches, "_known", wait_for_the_other)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(send(app.test_client(), cast, sent))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    statuses = sorted(answer.json["results"][0]["status"] for answer in answers)
    assert statuses == [200, 201]
    assert count(app, Item) == 20
    ids = [[result["item"]["id"] for result in answer.json["results"]] for answer in answers]
    assert ids[0] == ids[1]


def test_an_item_that_was_stored_is_answered_though_the_queue_would_not_take_it_now(client, cast, app):
    sent = item(number=1, external_id="a")
    first = client.post("/api/v1/items", json=sent, headers=cast.submitter.bearer).json
    with app.app_context(), write_session() as session:
        set_intake(session=session, actor=OPERATOR, slug="intents", intake=Intake.CLOSED)
    for _ in range(2):
        again = client.post("/api/v1/items", json=sent, headers=cast.submitter.bearer)
        assert (again.status_code, again.json["id"]) == (200, first["id"])
        results = send(client, cast, [sent, {**sent, "confidence": 0.1}]).json["results"]
        assert [result["status"] for result in results] in ([200, 409], [200, 422])
        with app.app_context(), write_session() as session:
            set_intake(session=session, actor=OPERATOR, slug="intents", intake=Intake.OPEN)
            rules = [{"when": "true", "action": "refuse", "title": "Nothing"}]
            routing = {"rules": rules, "otherwise": "review"}
            apply(session=session, actor=OPERATOR, document={**INTENTS, "routing": routing})


def test_characters_that_cannot_be_stored_spoil_their_own_item_alone(client, cast):
    bad = json.dumps(item(number=1, input={"text": "a\x00b"}))
    half = json.dumps(item(number=2, input={"text": "\ud800"}))
    answer = send(client, cast, f'{{"items": [{bad}, {half}, {json.dumps(item(number=3))}]}}')
    assert [result["status"] for result in answer.json["results"]] == [422, 422, 201]
    assert answer.json["results"][0]["error"]["errors"][0]["pointer"] == "/input/text"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_two_batches_of_the_same_items_in_another_order_do_not_stand_in_each_others_way(client, cast, app):
    for attempt in range(3):
        one = [item(number, external_id=f"{attempt}-{number}") for number in range(400)]

        def send(items):
            body = {"items": items}
            return app.test_client().post("/api/v1/items/batch", json=body, headers=cast.submitter.bearer)

        with ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(send, [one, one[::-1]]))
        assert [answer.status_code for answer in answers] == [200, 200]
        statuses = sorted(result["status"] for answer in answers for result in answer.json["results"])
        assert statuses == [200] * 400 + [201] * 400


def test_an_item_that_is_nested_too_deep_spoils_no_other(client, cast):
    deep = json.dumps(item(2))[:-1] + ',"metadata":{"a":' + "[" * 70 + "]" * 70 + "}}"
    body = '{"items":[' + json.dumps(item(1)) + "," + deep + "]}"
    answer = client.post(
        "/api/v1/items/batch", data=body, content_type="application/json", headers=cast.submitter.bearer
    ).json
    assert [result["status"] for result in answer["results"]] == [201, 422]
    assert answer["results"][1]["error"]["code"] == "too_deep"
    fits = json.dumps(item(3))[:-1] + ',"metadata":{"a":' + "[" * 62 + "]" * 62 + "}}"
    body = '{"items":[' + fits + "]}"
    answer = client.post(
        "/api/v1/items/batch", data=body, content_type="application/json", headers=cast.submitter.bearer
    ).json
    assert answer["results"][0]["status"] == 201, "as deep as one alone may be"
