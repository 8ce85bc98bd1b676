"""Predictions of another model are scored against what people said, and queued for nobody."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from reviewqueue.models import AuditEvent, Item, Prediction, Task
from tests.fixtures.people import PASSWORD
from tests.insights.populating import judged


def send(client: Any, cast: Any, labels: dict[str, str], **changes: Any) -> Any:
    body = {
        "model": "intents", "model_version": "8",
        "predictions": [{"item": item_id, "output": {"label": label}} for item_id, label in labels.items()], **changes,
    }  # fmt: skip
    return client.post("/api/v1/queues/intents/predictions", json=body, headers=cast.submitter.bearer)


def compare(client: Any, cast: Any, query: str = "") -> Any:
    return client.get(f"/api/v1/queues/intents/comparison{query}", headers=cast.analyst.bearer)


def test_a_better_model_is_promoted_and_a_worse_one_held(client, cast, transaction):
    with transaction() as session:
        right = judged(session, cast.queue_id, count=50)
        wrong = judged(session, cast.queue_id, count=20, answer="refund")
        rejected = judged(session, cast.queue_id, count=5, answer=None)
        audited = judged(session, cast.queue_id, count=10, audit_sample=True, probability=0.1)
        before = [session.scalar(select(func.count()).select_from(kind)) for kind in (Item, Task)]
    good = {**dict.fromkeys([*right, *audited, *rejected], "lost_card"), **dict.fromkeys(wrong, "refund")}
    good[right[0]] = "refund"
    told = send(client, cast, good)
    assert (told.status_code, told.json["stored"]) == (200, 85), told.json
    found = compare(client, cast).json
    assert [found[name] for name in ("both_right", "only_present_right", "only_candidate_right", "neither_right")] == [
        59, 1, 20, 5,
    ]  # fmt: skip
    assert (found["verdict"], found["why"]) == ("promote", "better")
    assert found["difference"]["low"] > 0
    assert found["difference_of_all_items"]["value"] == round((20 - 1) / (75 + 100), 4), "an audit stands for ten items"
    bad = dict.fromkeys([*right, *audited], "refund")
    assert send(client, cast, bad, model_version="9").status_code == 200
    assert compare(client, cast).json["candidate"] == "intents@9", "the one that was sent last"
    assert compare(client, cast, "?candidate=intents@9").json["why"] == "worse"
    assert compare(client, cast, "?candidate=intents@9&present=intents@8").json["only_present_right"] == 59
    with transaction() as session:
        after = [session.scalar(select(func.count()).select_from(kind)) for kind in (Item, Task)]
        assert after == before, "nothing is queued for it"
        events = session.scalar(select(func.count()).where(AuditEvent.action == "predictions.received"))
        assert events == 2
    client.post("/login", data={"email": cast.bob.email, "password": PASSWORD})
    assert "Promote intents@8" in client.get("/queues/intents/comparison?candidate=intents@8").text


def test_a_later_prediction_replaces_an_earlier_one_and_unknown_items_are_told(client, cast, transaction):
    with transaction() as session:
        (known,) = judged(session, cast.queue_id)
    elsewhere = "0192f0c1-7a00-7000-8000-000000000000"
    assert send(client, cast, {known: "refund", elsewhere: "refund"}).json == {"stored": 1, "items": [known, None]}
    assert compare(client, cast).json["neither_right"] == 0
    assert send(client, cast, {known: "lost_card"}).json["stored"] == 1
    assert compare(client, cast).json["both_right"] == 1
    with transaction() as session:
        assert session.scalar(select(func.count()).select_from(Prediction)) == 1
    assert compare(client, cast).json["why"] == "too_few"


def test_what_is_no_prediction_is_refused(client, cast):
    both = {"item": "0192f0c1-7a00-7000-8000-000000000000", "external_id": "1", "output": 1}
    for wrong in ([], [{"output": 1}], [both], [{"external_id": "1"}]):
        assert send(client, cast, {}, predictions=wrong).status_code == 422
    refused = compare(client, cast, "?candidate=nobody@1")
    assert (refused.status_code, refused.json["code"]) == (422, "bad_parameter")
