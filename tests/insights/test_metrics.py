"""What `/metrics` tells, and to whom."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert, update

from reviewqueue.accounts import tokens
from reviewqueue.core import outbox
from reviewqueue.core.access import Scope
from reviewqueue.core.db import clock, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.insights import metrics
from reviewqueue.models import OutboxRow, Task
from reviewqueue.review import board
from tests.fixtures.people import OPERATOR, item


def forget():
    metrics.forget()
    board._kept.clear()


@pytest.fixture(autouse=True)
def _anew():
    forget()


def read(client, headers) -> dict:
    answer = client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_it_tells_of_queues_and_the_background(app, client, cast, watcher):
    for number in range(3):
        assert client.post("/api/v1/items", json=item(number), headers=cast.submitter.bearer).status_code == 201
    assert client.post("/api/v1/items", json=item(9, confidence=0.99), headers=cast.submitter.bearer).status_code == 201
    assert client.post("/api/v1/items", json=item(10, test=True), headers=cast.submitter.bearer).status_code == 201
    for verdict, output in (("override", {"label": "refund"}), ("approve", None)):
        claim = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer).json["claim"]
        body = {"fence": claim["fence"], "verdict": verdict}
        body |= {"output": output} if output else {}
        decided = client.post(f"/api/v1/claims/{claim['id']}/decision", json=body, headers=cast.alice.bearer)
        assert decided.status_code == 200
    client.post("/api/v1/queues/intents/claims", headers=cast.carol.bearer)
    with app.app_context(), write_session() as session:
        session.execute(update(Task).where(Task.state == "open").values(due=clock(-60), created_at=clock(-3600)))
        failed = {"topic": "export.plan", "rq_queue": outbox.EXPORTS, "ref": new_id(), "attempts": 10}
        session.execute(insert(OutboxRow).values(**failed, created_at=clock(), next_at=clock(), failed_at=clock()))
        outbox.append(session, "export.plan", rq_queue=outbox.EXPORTS, ref=new_id())
    found = read(client, watcher)
    assert found["reviewqueue_database_up",] == 1
    assert found["reviewqueue_rq_up",] == 1
    assert found["reviewqueue_queue_waiting_tasks", "intents"] == 1
    assert found["reviewqueue_queue_overdue_tasks", "intents"] == 1
    assert found["reviewqueue_queue_oldest_waiting_seconds", "intents"] == pytest.approx(3600, abs=60)
    assert found["reviewqueue_queue_leases", "intents"] == 1
    assert found["reviewqueue_queue_judged", "intents", "override"] == 1
    assert found["reviewqueue_queue_override_ratio", "intents"] == 0.5
    assert found["reviewqueue_outbox_failed_rows", "exports"] == 1
    assert found["reviewqueue_outbox_rows", "exports"] == 1
    assert found["reviewqueue_exports", "failed"] == 0
    assert found["reviewqueue_http_requests_total", "/api/v1/items", "201", "POST"] == 5
    assert found["reviewqueue_http_request_seconds_count", "/api/v1/claims/<claim_id>/decision", "POST"] == 2


def test_it_names_no_person_no_item_and_no_address(app, client, cast, watcher):
    made = client.post("/api/v1/items", json=item(1, external_id="order-4711"), headers=cast.submitter.bearer).json
    client.get(f"/api/v1/items/{made['id']}", headers=cast.submitter.bearer)
    client.get("/nothing/here-4711")
    client.open("/", method="BREW")
    claim = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer).json["claim"]
    client.post(f"/api/v1/claims/{claim['id']}/renewal", json={"fence": claim["fence"]}, headers=cast.alice.bearer)
    text = client.get("/metrics", headers=watcher).text
    for word in (made["id"], claim["id"], "4711", "Alice", "alice", cast.alice.id, "card", "BREW"):
        assert word not in text, word
    assert 'route="none",status="404"' in text


def test_it_is_told_to_who_watches_and_to_nobody_else(app, client, cast, watcher):
    assert client.get("/metrics", headers=cast.admin.bearer).status_code == 200
    assert client.get("/metrics", headers=cast.auditor.bearer).status_code == 200
    for other in (cast.bob, cast.alice, cast.olga, cast.submitter):
        refused = client.get("/metrics", headers=other.bearer)
        assert (refused.status_code, refused.json["code"]) == (403, "forbidden"), other.name
    anonymous = client.get("/metrics")
    assert (anonymous.status_code, anonymous.mimetype) == (401, "application/problem+json")
    with app.app_context(), write_session() as session:
        narrow = tokens.create_service(
            session=session, actor=OPERATOR, name="one queue", scopes=[Scope.METRICS], queues=["intents"]
        )
    assert client.get("/metrics", headers={"Authorization": f"Bearer {narrow.secret}"}).status_code == 403
    for path in ("/api/v1/items?queue=intents", "/api/v1/queues/intents/resolutions", "/api/v1/queues/intents"):
        assert client.get(path, headers=watcher).status_code in {403, 404}, path


def test_figures_serve_everybody_for_some_seconds(app, client, cast, watcher):
    assert read(client, watcher)["reviewqueue_queue_waiting_tasks", "intents"] == 0
    client.post("/api/v1/items", json=item(1), headers=cast.submitter.bearer)
    assert read(client, watcher)["reviewqueue_queue_waiting_tasks", "intents"] == 0
    forget()
    assert read(client, watcher)["reviewqueue_queue_waiting_tasks", "intents"] == 1


def test_prometheus_may_ask_for_openmetrics(client, cast, watcher):
    text = client.get("/metrics", headers={**watcher, "Accept": "application/openmetrics-text; version=1.0.0"}).text
    assert text.count("# EOF") == 1
    assert text.endswith("# EOF\n")


def test_it_answers_while_redis_is_gone(app, client, cast, watcher):
    settings = app.config["SETTINGS"]
    app.config["SETTINGS"] = type("Settings", (), {"redis_url": "unix:///nowhere.sock", "requests_per_second": 0})()
    try:
        found = read(client, watcher)
    finally:
        app.config["SETTINGS"] = settings
    assert found["reviewqueue_rq_up",] == 0
    assert found["reviewqueue_database_up",] == 1
