"""Steps that tests of the loop share: a program submits, a person claims and decides, over the public API."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient

from tests.fixtures.people import Cast, Member, item


def submit(client: FlaskClient, cast: Cast, **changes: Any) -> dict[str, Any]:
    answer = client.post("/api/v1/items", json=item(**changes), headers=cast.submitter.bearer)
    assert answer.status_code in {200, 201}, answer.json
    return dict(answer.json)


def claim(client: FlaskClient, who: Member, queue: str = "intents") -> Any:
    """The claim's answer, None when nothing waits."""
    answer = client.post(f"/api/v1/queues/{queue}/claims", headers=who.bearer)
    assert answer.status_code in {201, 204}, answer.json
    return answer.json if answer.status_code == 201 else None


def act(client: FlaskClient, who: Member, claim_id: str, what: str, **body: Any) -> Any:
    return client.post(f"/api/v1/claims/{claim_id}/{what}", json=body, headers=who.bearer)


def decide(client: FlaskClient, who: Member, **body: Any) -> dict[str, Any]:
    """Claim the next task and decide it."""
    piece = claim(client, who)
    answer = act(client, who, piece["claim"]["id"], "decision", **body)
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def read(client: FlaskClient, cast: Cast, item_id: str) -> dict[str, Any]:
    return dict(client.get(f"/api/v1/items/{item_id}", headers=cast.submitter.bearer).json)
