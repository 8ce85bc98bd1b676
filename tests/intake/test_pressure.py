"""A full queue refuses, passes, or hands on, as its configuration says; nothing that needs people passes."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from reviewqueue.intake import imports, jobs
from reviewqueue.models import ImportChunk, Item, OutboxRow
from tests.desk_steps import decide
from tests.fixtures.people import INTENTS, item

MORE = {**INTENTS, "name": "more", "title": "More", "routing": {"otherwise": "auto_approve"}}


@pytest.fixture
def configure(client, cast):
    def configure(**changes: Any) -> Any:
        return client.put("/api/v1/queues/intents", json={**INTENTS, **changes}, headers=cast.admin.bearer)

    return configure


@pytest.fixture
def submit(client, cast):
    def submit(number: int, **changes: Any) -> Any:
        return client.post("/api/v1/items", json=item(number, **changes), headers=cast.submitter.bearer)

    return submit


def test_a_full_queue_refuses_what_is_for_people_and_takes_it_when_there_is_room(client, cast, configure, submit):
    configure(max_waiting=2)
    assert [submit(number).status_code for number in range(3)] == [201, 201, 429]
    refused = submit(3)
    assert (refused.json["code"], refused.headers["Retry-After"]) == ("queue_full", "60")
    assert submit(4, confidence=0.99).json["state"] == "auto_approved"
    decide(client, cast.alice, verdict="approve")
    assert submit(5).status_code == 201


def test_what_is_there_already_is_answered_also_when_it_is_full(configure, submit):
    configure(max_waiting=1)
    first = submit(1, external_id="one")
    again = submit(1, external_id="one")
    assert (again.status_code, again.json["id"]) == (200, first.json["id"])


def test_a_full_queue_passes_and_says_so(configure, submit):
    configure(max_waiting={"tasks": 1, "then": "pass"})
    submit(1)
    passed = submit(2).json
    assert (passed["state"], passed["routing"]["title"], passed["routing"]["rule"]) == (
        "auto_approved", "Too much waits: passed", None,
    )  # fmt: skip


@pytest.mark.parametrize("why", ["risk", "model", "stop"])
def test_what_needs_people_waits_in_a_full_queue_that_passes(client, cast, configure, submit, why):
    configure(max_waiting={"tasks": 1, "then": "pass"}, models={"approved": ["intents@7"]})
    submit(1)
    if why == "stop":
        client.put("/api/v1/queues/intents/stop", json={"why": "Odd"}, headers=cast.admin.bearer)
    changes = {"risk": {"risk": "high"}, "model": {"model_version": "8"}, "stop": {}}[why]
    assert submit(2, **changes).json["state"] == "queued"


def test_what_is_passed_is_audited_at_the_rate_of_the_queue(configure, submit):
    configure(max_waiting={"tasks": 1, "then": "pass"}, audit={"rate": 1.0})
    submit(1)
    routing = submit(2).json["routing"]
    assert (routing["audit_sample"], routing["probability"]) == (True, 1.0)


def test_a_full_queue_hands_on_to_another_and_people_see_it_there(client, cast, configure, submit):
    client.put("/api/v1/queues/more", json=MORE, headers=cast.admin.bearer)
    configure(max_waiting={"tasks": 1, "then": "overflow", "to": "more"})
    first, second = submit(1, external_id="one").json, submit(2, external_id="two").json
    assert (first["queue"], second["queue"], second["state"]) == ("intents", "more", "queued")
    assert second["routing"]["title"] == "Overflow from intents: Unsure"
    # Each is found again where it is, full or not.
    assert submit(2, external_id="two").json["id"] == second["id"]
    decide(client, cast.alice, verdict="approve")
    again = submit(2, external_id="two")
    assert (again.status_code, again.json["id"]) == (200, second["id"])
    assert submit(1, external_id="one").json["id"] == first["id"]
    found = client.get("/api/v1/items?queue=intents&external_id=two", headers=cast.submitter.bearer).json["items"]
    assert [one["queue"] for one in found] == ["more"], "whoever asks by its id finds it, too"
    batch = {"items": [item(2, external_id="two"), item(3, external_id="three"), item(4)]}
    told = client.post("/api/v1/items/batch", json=batch, headers=cast.submitter.bearer).json["results"]
    assert [result["status"] for result in told] == [200, 201, 201]
    assert [result["item"]["queue"] for result in told] == ["more", "intents", "more"]


@pytest.mark.parametrize("fault", ["full", "closed", "schema"])
def test_it_refuses_what_the_other_queue_cannot_take(client, cast, configure, submit, fault):
    other = {**MORE, "max_waiting": 1} if fault == "full" else MORE
    if fault == "schema":
        other = {**MORE, "input_schema": {"type": "object", "required": ["page"]}}
    client.put("/api/v1/queues/more", json=other, headers=cast.admin.bearer)
    configure(max_waiting={"tasks": 1, "then": "overflow", "to": "more"})
    submit(1)
    if fault == "full":
        assert submit(2).status_code == 201
    if fault == "closed":
        browser = client.application.test_client()
        browser.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
        browser.post("/admin/queues/more/intake", data={"intake": "closed"})
    refused = submit(3)
    assert (refused.status_code, refused.json["code"]) == (429, "queue_full")
    assert "more cannot take this one" in refused.json["detail"]


def test_a_batch_counts_its_own_items(client, cast, configure):
    configure(max_waiting=2)
    batch = {"items": [item(number) for number in range(4)]}
    answer = client.post("/api/v1/items/batch", json=batch, headers=cast.submitter.bearer).json
    assert [result["status"] for result in answer["results"]] == [201, 201, 429, 429]


@pytest.mark.parametrize(
    ("limit", "pointer"),
    [
        (0, "/max_waiting/tasks"),
        ({"tasks": 1, "then": "overflow"}, "/max_waiting/to"),
        ({"tasks": 1, "then": "overflow", "to": "intents"}, "/max_waiting/to"),
        ({"tasks": 1, "then": "overflow", "to": "nowhere"}, "/max_waiting/to"),
        ({"tasks": 1, "then": "pass", "to": "more"}, "/max_waiting/to"),
        ({"tasks": 1, "then": "drop"}, "/max_waiting/then"),
    ],
)
def test_a_wrong_limit_cannot_be_applied(configure, limit, pointer):
    answer = configure(max_waiting=limit)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer)


def test_an_import_waits_for_room_and_loses_nothing(client, cast, configure, transaction):
    configure(max_waiting=2)
    lines = "\n".join(json.dumps(item(number, external_id=f"line-{number}")) for number in range(5))
    run = client.post(
        "/api/v1/imports", data=lines, content_type="application/x-ndjson", headers=cast.submitter.bearer
    ).json

    def work() -> dict[str, Any]:
        with client.application.app_context():
            jobs.store_import(ref=run["id"], renew=lambda **_: None)
        return dict(client.get(f"/api/v1/imports/{run['id']}", headers=cast.submitter.bearer).json)

    first = work()
    assert (first["state"], first["stored"], first["refused"]) == ("running", 2, 0)
    with transaction() as session:
        rows = session.scalars(select(OutboxRow).where(OutboxRow.topic == imports.STORE)).all()
        assert sum(row.next_at - row.created_at > timedelta(seconds=5) for row in rows) == 1, "it is tried again"
    for _ in range(2):
        decide(client, cast.alice, verdict="approve")
    assert work()["stored"] == 4
    decide(client, cast.alice, verdict="approve")
    assert {name: work()[name] for name in ("state", "stored", "refused", "repeated")} == {
        "state": "done", "stored": 5, "refused": 0, "repeated": 0,
    }  # fmt: skip
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(Item)) == 5


def test_lines_for_a_full_queue_hold_up_no_others_and_one_job_comes_back_for_them(
    client, cast, configure, transaction, monkeypatch
):
    monkeypatch.setattr(imports, "CHUNK_LINES", 2)
    monkeypatch.setattr(imports, "FULL_SECONDS", 600.0)
    client.put("/api/v1/queues/more", json=MORE, headers=cast.admin.bearer)
    configure(max_waiting=1)
    lines = [item(number) for number in range(12)] + [item(99, queue="more")]
    run = client.post(
        "/api/v1/imports", data="\n".join(map(json.dumps, lines)), content_type="application/x-ndjson",
        headers=cast.submitter.bearer,
    ).json  # fmt: skip
    with transaction() as session:
        before = session.scalar(select(func.count()).select_from(OutboxRow).where(OutboxRow.topic == imports.STORE))
    with client.application.app_context():
        for _ in range(3):
            jobs.store_import(ref=run["id"], renew=lambda **_: None)
    with transaction() as session:
        states = session.scalars(select(Item.state).order_by(Item.id)).all()
        calls = select(func.count()).select_from(OutboxRow).where(OutboxRow.topic == imports.STORE)
        assert session.scalar(calls) == before + 1
        tries = session.scalars(select(ImportChunk.met_full).order_by(ImportChunk.number)).all()
    assert states == ["queued", "auto_approved"]
    assert tries == [2, 2, 2, 1, 1, 1, 0], "in turn"
