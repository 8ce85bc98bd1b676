"""Reading items over REST: one, waiting for it, and lists of them."""

from __future__ import annotations

import json

from sqlalchemy import select

from reviewqueue.core.db import read_session, write_session
from reviewqueue.models import AuditEvent
from reviewqueue.queues.applying import apply
from tests.desk_steps import decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, item


def _all(client, cast, query=""):
    found, address = [], f"/api/v1/items?limit=2{query}"
    while address:
        answer = client.get(address, headers=cast.submitter.bearer)
        assert answer.status_code == 200, answer.json
        found += answer.json["items"]
        cursor = answer.json["cursor"]
        assert cursor is None or f"&cursor={cursor}>; rel=" in answer.headers["Link"]
        assert (cursor is None) == ("Link" not in answer.headers)
        address = f"/api/v1/items?limit=2{query}&cursor={cursor}" if cursor else None
    return found


def test_a_list_has_the_items_as_each_reads_alone_newest_first(client, cast):
    for number in range(5):
        submit(client, cast, number=number, external_id=f"x{number}")
    decide(client, cast.alice, output={"label": "refund"})
    found = _all(client, cast)
    assert [one["external_id"] for one in found] == ["x4", "x3", "x2", "x1", "x0"]
    for one in found:
        assert client.get(f"/api/v1/items/{one['id']}", headers=cast.submitter.bearer).json == one


def test_a_list_is_narrowed_by_state_and_external_id(client, cast):
    submit(client, cast, number=1, external_id="one")
    submit(client, cast, number=2, external_id="two")
    decide(client, cast.alice, output={"label": "refund"})
    assert [one["external_id"] for one in _all(client, cast, "&state=resolved")] == ["one"]
    assert [one["external_id"] for one in _all(client, cast, "&external_id=two")] == ["two"]


def test_content_in_a_list_keeps_its_digits(client, cast):
    text = json.dumps(item())[:-1] + ', "metadata": {"z": 12345678901234567890, "a": 1.10}}'
    sent = client.post("/api/v1/items", data=text, content_type="application/json", headers=cast.submitter.bearer)
    assert sent.status_code == 201
    answer = client.get("/api/v1/items", headers=cast.submitter.bearer)
    assert '"metadata":{"z": 12345678901234567890, "a": 1.10}' in answer.text


def test_a_list_takes_parameters_that_it_does_not_know(client, cast):
    for number in range(2):
        submit(client, cast, number=number)
    answer = client.get("/api/v1/items?limit=1&endpoint=x&_method=POST&_external=1", headers=cast.submitter.bearer)
    assert answer.status_code == 200
    assert answer.headers["Link"].startswith("</api/v1/items?limit=1&")


def test_a_page_is_no_larger_for_leading_zeros(client, cast):
    answer = client.get("/api/v1/items?limit=0000019999", headers=cast.submitter.bearer)
    assert (answer.status_code, answer.json["code"]) == (422, "bad_parameter")


def test_a_model_with_a_long_name_is_no_fault(client, cast, app):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "models": {"approved": ["m"]}})
    sent = submit(client, cast, confidence=0.99, model="m" * 200, model_version="v" * 200)
    assert sent["state"] == "queued"


def test_what_a_person_reads_in_a_list_is_on_record_and_what_a_program_reads_is_not(client, cast, app):
    sent = [submit(client, cast, number=number)["id"] for number in range(3)]
    for who in (cast.submitter, cast.bob):
        assert len(client.get("/api/v1/items?limit=2", headers=who.bearer).json["items"]) == 2
    with app.app_context(), read_session() as session:
        seen = session.execute(
            select(AuditEvent.actor, AuditEvent.item_id).where(AuditEvent.action == "item.viewed")
        ).all()
    assert sorted(map(tuple, seen)) == sorted((cast.bob.id, item_id) for item_id in sent[1:])
