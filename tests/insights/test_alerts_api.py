"""Alerts over REST: what is open and was, having one in hand, and what a queue asks for."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from reviewqueue.core.db import read_session
from reviewqueue.models import QueueVersion
from tests.desk_steps import decide, submit

CONDITIONS = "/api/v1/queues/intents/alert-conditions"


@pytest.fixture
def put(client, cast):
    """`put(name, {…})`: Ada asks for an alert."""

    def ask(name, wanted):
        return client.put(f"{CONDITIONS}/{name}", json=wanted, headers=cast.admin.bearer)

    return ask


def versions(app, cast):
    with app.app_context(), read_session() as session:
        return session.scalars(select(QueueVersion.note).where(QueueVersion.queue_id == cast.queue_id)).all()


def test_a_condition_is_made_changed_and_taken_away(app, client, cast, put):
    made = put("waiting", {"on": "waiting", "above": 10})
    assert (made.status_code, made.json["until"], made.json["hours"]) == (201, 9.0, 24)
    assert put("too_many", {"on": "waiting", "name": "too_many", "above": 100, "stop": True}).status_code == 201
    changed = put("waiting", {"on": "waiting", "above": 20, "until": 5})
    assert (changed.status_code, changed.json["until"]) == (200, 5.0)
    found = client.get(CONDITIONS, headers=cast.bob.bearer).json
    assert [(one["name"], one["above"]) for one in found["conditions"]] == [("waiting", 20.0), ("too_many", 100.0)]
    again = put("waiting", {"on": "waiting", "above": 20, "until": 5})
    assert again.status_code == 200
    assert client.delete(f"{CONDITIONS}/waiting", headers=cast.admin.bearer).status_code == 204
    assert client.delete(f"{CONDITIONS}/waiting", headers=cast.admin.bearer).status_code == 404
    found = client.get(CONDITIONS, headers=cast.bob.bearer).json
    assert [one["name"] for one in found["conditions"]] == ["too_many"]
    assert versions(app, cast)[1:] == ["One of its alerts"] * 4, "a version each; the same again makes none"


@pytest.mark.parametrize(
    ("name", "wanted", "pointer"),
    [
        ("waiting", {"on": "waiting"}, "/above"),
        ("waiting", {"on": "waiting", "above": 1, "name": "another"}, "/name"),
        ("agreement", {"on": "agreement", "above": 0.5}, "/below"),
        ("moon", {"on": "moon", "above": 1}, "/on"),
        ("No-Name", {"on": "waiting", "above": 1}, "/name"),
        ("waiting", {"above": 1}, "/on"),
    ],
)
def test_a_slip_is_pointed_at_in_the_body(client, cast, put, name, wanted, pointer):
    answer = put(name, wanted)
    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json["errors"]]


def test_alerts_are_listed_read_and_had_in_hand(client, cast, put, look):
    put("waiting", {"on": "waiting", "above": 1, "until": 0})
    put("some", {"on": "waiting", "above": 0})
    for number in range(2):
        submit(client, cast, number=number)
    look()
    first = client.get("/api/v1/alerts?limit=1", headers=cast.analyst.bearer)
    rest = client.get(f"/api/v1/alerts?limit=1&cursor={first.json['cursor']}", headers=cast.analyst.bearer).json
    assert {first.json["alerts"][0]["name"], rest["alerts"][0]["name"]} == {"waiting", "some"}
    assert rest["cursor"] is None
    [alert] = [one for one in (*first.json["alerts"], *rest["alerts"]) if one["name"] == "waiting"]
    assert (alert["value"], alert["beyond"], alert["state"], alert["in_hand"]) == (2.0, "above", "open", None)
    path = f"/api/v1/alerts/{alert['id']}"
    taken = client.post(f"{path}/acknowledgement", json={"note": "On it"}, headers=cast.bob.bearer)
    assert (taken.status_code, taken.json["in_hand"]["note"], taken.json["state"]) == (200, "On it", "open")
    settled = client.post(f"{path}/acknowledgement", headers=cast.admin.bearer)
    assert (settled.status_code, settled.json["code"]) == (409, "alert_settled")
    for _ in range(2):
        decide(client, cast.alice, verdict="approve")
    look()
    assert client.get("/api/v1/alerts?state=open", headers=cast.bob.bearer).json["alerts"] == []
    over = client.get("/api/v1/alerts?state=over&queue=intents", headers=cast.bob.bearer).json["alerts"]
    assert {one["resolved_value"] for one in over} == {0.0}
    assert client.get(path, headers=cast.bob.bearer).json["in_hand"]["by"] == "Bob"
    for query in ("state=ajar", "status=open", "cursor=x", "limit=0"):
        assert client.get(f"/api/v1/alerts?{query}", headers=cast.bob.bearer).status_code == 422
    for unknown in ("/api/v1/alerts/none", "/api/v1/alerts?queue=nowhere"):
        assert client.get(unknown, headers=cast.bob.bearer).status_code == 404
