"""The event `dataset.ready`: an export that is ready is told once, whole, and not while its queue is held."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from reviewqueue.core.db import read_session
from reviewqueue.feedback import jobs
from reviewqueue.models import DatasetShard, WebhookDelivery
from tests.desk_steps import decide, submit
from tests.fixtures.receivers import receiving


@pytest.fixture
def export(client, cast, app):
    """Ask for an export of one decided item, and have it written; each job runs twice."""

    def export(**body: Any) -> Any:
        submit(client, cast, number=1)
        decide(client, cast.alice, output={"label": "refund"})
        asked = client.post("/api/v1/exports", json={"queue": "intents", **body}, headers=cast.anna.bearer)
        assert asked.status_code == 202, asked.text
        with app.app_context():
            for _ in range(2):
                jobs.plan(ref=asked.json["id"], renew=lambda: None)
            with read_session() as session:
                shards = list(session.scalars(select(DatasetShard.id)))
            for shard_id in 2 * shards:
                jobs.write_shard(ref=shard_id, renew=lambda: None)
        return client.get(asked.headers["Location"], headers=cast.anna.bearer).json

    return export


def test_whoever_listens_is_told_once_what_the_files_are(hooks, export):
    with receiving() as receiver, receiving() as other:
        endpoint = hooks.listen(receiver.url, "dataset.ready")
        hooks.listen(other.url, "item.expired")
        ready = export(format="csv", filter={"verdicts": ["override"]})
        hooks.pass_on()
        hooks.send()
    [(headers, body)] = receiver.came
    assert headers["webhook-id"] == f"msg_{ready['id']}_ready"
    assert other.came == []
    told = Webhook(endpoint["secret"]).verify(body.decode(), headers)
    files = [file for file in ready["files"] if file["name"] != "manifest.json"]
    assert (told["type"], told["timestamp"]) == ("dataset.ready", ready["finished_at"])
    assert told["data"] == {
        "queue": "intents",
        "export": {
            "id": ready["id"], "number": 1, "format": "csv", "filter": {"verdicts": ["override"]}, "rows": 1,
            "files": files, "digest": ready["digest"], "changes": None,
            "as_of": ready["as_of"], "finished_at": ready["finished_at"],
        },
    }  # fmt: skip
    assert [(file["rows"], len(file["sha256"])) for file in files] == [(1, 64)]


def test_a_queue_that_is_held_tells_of_no_export(hooks, export):
    with receiving() as receiver:
        hooks.listen(receiver.url, "dataset.ready")
        hooks.hold()
        export()
        hooks.pass_on()
        assert receiver.came == []
        hooks.let_go()
        hooks.pass_on()
    assert [body["type"] for body in receiver.bodies()] == ["dataset.ready"]


def test_an_export_that_fails_or_is_cancelled_tells_nothing(client, cast, app, hooks):
    hooks.listen("http://127.0.0.1:9/closed")
    asked = client.post("/api/v1/exports", json={"queue": "intents"}, headers=cast.anna.bearer).json["id"]
    client.post(f"/api/v1/exports/{asked}/cancellation", headers=cast.anna.bearer)
    with app.app_context():
        jobs.plan(ref=asked, renew=lambda: None)
        with read_session() as session:
            assert session.scalars(select(WebhookDelivery)).all() == []
