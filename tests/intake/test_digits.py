"""Numbers are kept as they are written, and two that a float cannot tell apart are two."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fixtures.people import INTENTS

MONEY = {
    **INTENTS, "name": "money", "input_schema": True, "output_schema": {"type": "object", "required": ["amount"]},
    "view": {"type": "json"}, "on_invalid_output": "review", "routing": {"otherwise": "review"},
}  # fmt: skip


@pytest.fixture
def send(client, cast):
    assert client.put("/api/v1/queues/money", json=MONEY, headers=cast.admin.bearer).status_code == 201

    def send(**members: str) -> Any:
        body = ",".join(f'"{name}":{text}' for name, text in {"queue": '"money"', "input": "{}", **members}.items())
        return client.post(
            "/api/v1/items", data="{" + body + "}", content_type="application/json", headers=cast.submitter.bearer
        )

    return send


def test_another_number_is_another_body_also_beyond_what_a_float_holds(send):
    first = send(output='{"amount":12345678901234567.89}', external_id='"m"')
    assert first.status_code == 201
    assert send(output='{"amount": 12345678901234567.89 }', external_id='"m"').status_code == 200
    assert send(output='{"amount":12345678901234567.12}', external_id='"m"').status_code == 409


@pytest.mark.parametrize(
    "members",
    [
        {"output": "null", "failure": '{"code":"x","raw":{"a":12345678901234567.89,"b":1.10}}'},
        {"output": '{"a":12345678901234567.89,"b":1.10}'},
    ],
    ids=["sent as failed", "not accepted"],
)
def test_a_failed_output_is_kept_as_it_was_sent(client, cast, send, members):
    item_id = send(**members).json["id"]
    text = client.get(f"/api/v1/items/{item_id}", headers=cast.submitter.bearer).text
    assert '"raw":{"a":12345678901234567.89,"b":1.10}' in text
    assert json.loads(text)["output"] is None
