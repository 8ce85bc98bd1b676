"""Insight, advice and exports asked with nonsense, and of queues that say little: refused, or told plainly."""

from __future__ import annotations

import pytest

from tests.desk_steps import decide, submit
from tests.feedback.test_exports import _export, _work
from tests.fixtures.people import PASSWORD
from tests.insights.populating import judged

PAGES = ("insights", "drift", "fairness", "value", "comparison", "advice", "quality")
NONSENSE = ("nan", "inf", "-1", "1e999", "x", "１", "99999999999999999999", "\x00", "\ud800")
ASKED = {
    "/queues/intents/insights": ("days", "version", "rule", "label", "csv"),
    "/queues/intents/drift": ("days", "csv"),
    "/queues/intents/fairness": ("days", "csv"),
    "/queues/intents/value": ("days", "csv"),
    "/queues/intents/comparison": ("candidate", "present", "csv"),
    "/queues/intents/advice": ("error", "confidence", "last", "model", "model_version", "csv"),
    "/portfolio": ("days", "page", "csv"),
    "/api/v1/queues/intents/advice": ("error", "confidence", "last", "model", "model_version"),
    "/api/v1/queues/intents/comparison": ("candidate", "present"),
    "/api/v1/alerts": ("queue", "state", "limit", "cursor"),
    "/api/v1/exports": ("queue", "limit", "cursor"),
    "/api/v1/models": ("queue", "model", "limit", "cursor"),
}


@pytest.fixture
def looked(client, cast):
    """`looked(path, **query)`: the answer; a person's page, or the API's with their token."""
    client.post("/login", data={"email": cast.admin.email, "password": PASSWORD})

    def get(path, **query):
        return client.get(path, query_string=query, headers=cast.admin.bearer if path.startswith("/api") else None)

    return get


def test_no_parameter_makes_a_fault_of_the_server(looked, cast, transaction):
    with transaction() as session:
        judged(session, cast.queue_id, count=3)
    found = {
        (path, name, value): looked(path, **{name: value.encode("utf-8", "surrogatepass")})
        for path, names in ASKED.items()
        for name in names
        for value in NONSENSE
    }
    assert {asked: answer.status_code for asked, answer in found.items() if answer.status_code >= 500} == {}
    for promise in ("error", "confidence"):
        for value in ("nan", "inf", "-1", "x"):
            assert found["/api/v1/queues/intents/advice", promise, value].status_code == 422, (promise, value)


@pytest.mark.parametrize("what", ["nothing", "one", "one class", "no weight", "rejected"])
def test_what_says_little_is_told_as_little(looked, cast, transaction, what):
    with transaction() as session:
        if what == "one":
            judged(session, cast.queue_id)
        elif what == "one class":
            judged(session, cast.queue_id, count=60)
        elif what == "no weight":
            judged(session, cast.queue_id, count=60, probability=0.0, audit_sample=True, answer="refund")
        elif what == "rejected":
            judged(session, cast.queue_id, count=60, answer=None)
    for name in PAGES:
        answer = looked(f"/queues/intents/{name}")
        assert answer.status_code == 200, name
        assert "nan" not in answer.text.lower().replace("finance", "").replace("governan", "").split(), name
        assert ">nan" not in answer.text, name
    assert looked("/portfolio").status_code == looked("/alerts").status_code == 200
    told = looked("/api/v1/queues/intents/advice")
    assert told.status_code == 200
    assert told.json["advice"] is None or what == "one class"
    assert looked("/api/v1/queues/intents/comparison").json["verdict"] == "hold"


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_refused_at_the_door(client, cast, value):
    headers = {**cast.submitter.bearer, "Content-Type": "application/json"}
    for path, body in (
        ("/items", '{"queue":"intents","input":{"text":"x"},"output":{"label":"refund"},"confidence":%s}'),
        (
            "/queues/intents/predictions",
            '{"model":"m","model_version":"1","predictions":[{"item":null,"confidence":%s}]}',
        ),
    ):
        assert client.post(f"/api/v1{path}", data=body % value, headers=headers).status_code == 422, path


EXPORTS = (
    {"format": "nothing"}, {"splits": {}}, {"splits": {"train": 0.7}}, {"splits": {"train": -1, "test": 2}},
    {"splits": {"../x": 1}}, {"since_version": 99}, {"since_version": 0}, {"since_version": 2**40}, {"as_version": 99},
    {"as_version": 2**40}, {"group_by": "$["}, {"group_by": "x" * 5000}, {"labels": {"a": "b"}},
    {"filter": {"by": ["nobody"]}}, {"filter": {"since": "yesterday"}}, {"filter": {"agreement": 2}},
    {"filter": {"models": ["@"]}}, {"filter": {"labels": [None, {}, []]}}, {"filter": {"reviews": 0}}, {"salt": "\x00"},
    {"filter": {"since": "0001-01-01T00:00:00+23:59"}}, {"format": "coco"}, {"format": "spans"}, {"queue": "no-where"},
)  # fmt: skip


def test_an_export_that_makes_no_sense_is_refused_or_made(client, cast, app):
    submit(client, cast)
    decide(client, cast.alice, verdict="reject", reason="unusable")
    taken = {}
    for wanted in EXPORTS:
        body = {"queue": "intents", "format": "jsonl", **wanted}
        answer = client.post("/api/v1/exports", json=body, headers=cast.anna.bearer)
        assert answer.status_code in {202, 404, 422}, (wanted, answer.status_code)
        if answer.status_code == 202:
            taken[answer.headers["Location"]] = wanted
    _work(app, "export.plan", "plan")
    _work(app, "export.shard", "write_shard")
    states = {str(wanted): client.get(path, headers=cast.anna.bearer).json["state"] for path, wanted in taken.items()}
    assert set(states.values()) == {"ready"}, states


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet", "huggingface", "classification", "kto", "crowd"])
def test_an_export_of_nothing_is_empty(client, cast, app, kind):
    made = _export(client, cast, app, format=kind)
    assert (made["state"], made["manifest"]["count"]) == ("ready", 0)
