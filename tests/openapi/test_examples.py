"""What the description gives as examples, the product takes."""

from __future__ import annotations

from typing import Any

from reviewqueue.openapi.document import document


def example(path: str, method: str, number: int = 1) -> Any:
    operation = document()["paths"][path][method]
    return operation["requestBody"]["content"]["application/json"]["examples"][f"example{number}"]["value"]


def test_the_examples_tell_one_story_from_the_queue_to_the_export(client, cast):
    def send(method: str, path: str, body: Any, status: int) -> Any:
        answer = client.open(f"/api/v1{path}", method=method, json=body, headers=cast.admin.bearer)
        assert answer.status_code == status, answer.text
        return answer.json

    queue = example("/queues/{slug}", "put")
    send("PUT", f"/queues/{queue['name']}", queue, 201)
    stored = send("POST", "/items", example("/items", "post"), 201)
    assert stored["routing"]["title"] == "Unsure"
    results = send("POST", "/items/batch", example("/items/batch", "post"), 200)["results"]
    assert [one["status"] for one in results] == [200, 201]
    withdrawn = example("/items/{item_id}/cancellation", "post")
    send("POST", f"/items/{stored['id']}/cancellation", withdrawn, 200)
    send("POST", "/exports", example("/exports", "post"), 202)
    hook = send("POST", f"/queues/{queue['name']}/webhooks", example("/queues/{slug}/webhooks", "post"), 201)
    send("PUT", f"/webhooks/{hook['id']}/enabled", example("/webhooks/{endpoint_id}/enabled", "put"), 200)


def test_the_examples_of_decisions_are_decisions(client, cast):
    for number in (1, 2):
        body = {**example("/items", "post"), "queue": "intents", "external_id": f"chat-{number}"}
        client.post("/api/v1/items", json=body, headers=cast.submitter.bearer)
        claim = client.post("/api/v1/claims", headers=cast.alice.bearer).json["claim"]
        draft = example("/claims/{claim_id}/draft", "put")
        kept = client.put(f"/api/v1/claims/{claim['id']}/draft", json=draft, headers=cast.alice.bearer)
        assert kept.status_code == 204
        decision = example("/claims/{claim_id}/decision", "post", number)
        decided = client.post(f"/api/v1/claims/{claim['id']}/decision", json=decision, headers=cast.alice.bearer)
        assert decided.status_code == 200, decided.text
