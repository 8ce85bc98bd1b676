"""Whatever is sent: it is stored exactly, or refused clearly; never a 5xx."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from reviewqueue.core.db import write_session
from reviewqueue.queues.applying import apply
from tests.fixtures.people import OPERATOR, Cast, item

DATA = os.environ.get("REVIEWQUEUE_TEST_DATA")
needs_data = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA, reason="REVIEWQUEUE_TEST_DATA does not name the folder of the data sets"),
]

ANYTHING: dict[str, Any] = {
    "name": "anything",
    "title": "Any text for a label",
    "output_schema": {"type": "object", "required": ["label"], "properties": {"label": {"type": "string"}}},
    "view": {"type": "text", "input": "text", "output": "label"},
    "routing": {"rules": [{"when": "true", "action": "review", "title": "Everything"}], "otherwise": "review"},
}


@pytest.fixture
def anything(app: Flask, cast: Cast) -> None:
    """The queue `anything`, whose label is any string. Alice reviews there."""
    from reviewqueue.accounts import memberships
    from reviewqueue.models.states import QueueRole

    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=ANYTHING)
        memberships.add(
            session=session, actor=OPERATOR, slug="anything", email=cast.alice.email, role=QueueRole.REVIEWER
        )


def post(client: FlaskClient, cast: Cast, body: Any, path: str = "/api/v1/items") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return client.post(path, data=data, content_type="application/json", headers=cast.submitter.bearer)


def pointers(answer: Any) -> list[str]:
    return [fault["pointer"] for fault in answer.get_json()["errors"]]


def assert_refused(answer: Any, status: int = 422) -> None:
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    problem = answer.get_json()
    assert problem["status"] == status
    assert problem["code"]
    assert problem["detail"]


def stored(client: FlaskClient, cast: Cast) -> list[dict[str, Any]]:
    answer = client.get("/api/v1/items?limit=1000", headers=cast.submitter.bearer)
    return list(answer.get_json()["items"])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"queue": 7}, "/queue"),
        ({"queue": None}, "/queue"),
        ({"queue": ""}, "/queue"),
        ({"queue": ["intents"]}, "/queue"),
        ({"confidence": "0.4"}, "/confidence"),
        ({"confidence": True}, "/confidence"),
        ({"confidence": 1.01}, "/confidence"),
        ({"confidence": -0.0001}, "/confidence"),
        ({"risk": "enormous"}, "/risk"),
        ({"risk": 3}, "/risk"),
        ({"model": {"name": "intents"}}, "/model"),
        ({"model_version": 7}, "/model_version"),
        ({"metadata": []}, "/metadata"),
        ({"metadata": "text"}, "/metadata"),
        ({"parts": {}}, "/parts"),
        ({"parts": [{"pointer": "label"}]}, "/parts/0/pointer"),
        ({"parts": [{"pointer": "/label", "confidence": 2}]}, "/parts/0/confidence"),
        ({"alternatives": [{"confidence": 0.2}]}, "/alternatives/0/output"),
        ({"alternatives": 5}, "/alternatives"),
        ({"external_id": 12}, "/external_id"),
        ({"external_id": ""}, "/external_id"),
        ({"external_id": "x" * 501}, "/external_id"),
        ({"subject": "x" * 501}, "/subject"),
        ({"trace_url": "javascript:alert(1)"}, "/trace_url"),
        ({"trace_url": 1}, "/trace_url"),
        ({"test": "yes"}, "/test"),
        ({"cost": -1}, "/cost"),
        ({"input": {"text": 5}}, "/input/text"),
        ({"input": {}}, "/input"),
        ({"input": None}, "/input"),
        ({"output": {"label": "no_such_label"}}, "/output/label"),
        ({"output": {"label": "refund", "more": 1}}, "/output"),
        ({"output": "refund"}, "/output"),
        ({"output": None}, "/output"),
        ({"confidense": 0.4}, "/confidense"),
        ({"a/b~c": 1}, "/a~1b~0c"),
    ],
    ids=str,
)
def test_a_wrong_field_is_refused_with_a_pointer_to_it(
    client: FlaskClient, cast: Cast, change: dict[str, Any], pointer: str
) -> None:
    answer = post(client, cast, item(**change))
    assert_refused(answer)
    assert any(found.startswith(pointer) for found in pointers(answer)), answer.text
    assert stored(client, cast) == []


@pytest.mark.parametrize("missing", ["queue", "input", "output"])
def test_a_missing_field_is_refused_with_its_name(client: FlaskClient, cast: Cast, missing: str) -> None:
    body = item()
    del body[missing]
    answer = post(client, cast, body)
    assert_refused(answer)
    assert pointers(answer) == [f"/{missing}"]


def test_every_fault_is_told_at_once(client: FlaskClient, cast: Cast) -> None:
    answer = post(client, cast, {"queue": 1, "confidence": "x", "extra": 1})
    assert_refused(answer)
    assert set(pointers(answer)) == {"/queue", "/confidence", "/extra", "/input", "/output"}


@pytest.mark.parametrize("slug", ["nowhere", "Intents", "intents ", "../intents", "'; DROP TABLE item; --", "x" * 200])
def test_an_unknown_queue_is_refused(client: FlaskClient, cast: Cast, slug: str) -> None:
    answer = post(client, cast, item(queue=slug))
    assert answer.status_code in {404, 422}, answer.text
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize("known", [True, False])
def test_a_queue_that_is_not_known_is_not_taken_for_an_address(client: FlaskClient, cast: Cast, known: bool) -> None:
    """Whether it is there and hidden or not there at all."""
    slug = "intents" if known else "tolt"
    who = cast.olga.bearer
    answers = [
        client.get(f"/api/v1/queues/{slug}/resolutions", headers=who),
        client.get(f"/api/v1/items?queue={slug}", headers=who),
        client.post(f"/api/v1/queues/{slug}/claims", json={}, headers=who),
        client.post(f"/api/v1/imports?queue={slug}", data=b"{}", content_type="application/x-ndjson", headers=who),
    ]
    told = {(answer.status_code, answer.json["code"], answer.json["detail"]) for answer in answers}
    assert told == {(404, "not_found", "There is no such queue, or you may not know of it.")}


BROKEN = {
    "empty": b"",
    "space": b"  \n ",
    "not json": b"queue=intents",
    "a list": b"[]",
    "a string": b'"intents"',
    "null": b"null",
    "cut off": b'{"queue": "intents", "input": {"te',
    "trailing": json.dumps(item()).encode() + b"x",
    "NaN": b'{"queue":"intents","input":{"text":"a"},"output":{"label":"refund"},"confidence":NaN}',
    "Infinity": b'{"queue":"intents","input":{"text":"a"},"output":{"label":"refund"},"confidence":Infinity}',
    "overflow": b'{"queue":"intents","input":{"text":"a"},"output":{"label":"refund"},"confidence":1e400}',
    "twice": b'{"queue":"intents","queue":"intents","input":{"text":"a"},"output":{"label":"refund"}}',
    "twice inside": b'{"queue":"intents","input":{"text":"a","text":"b"},"output":{"label":"refund"}}',
    "latin-1": '{"queue":"intents","input":{"text":"caf\xe9"},"output":{"label":"refund"}}'.encode("latin-1"),
    "utf-16": json.dumps(item()).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(item()).encode(),
    "encoded surrogate": b'{"queue":"intents","input":{"text":"\xed\xa0\x80"},"output":{"label":"refund"}}',
    "lone high surrogate": b'{"queue":"intents","input":{"text":"\\ud83d"},"output":{"label":"refund"}}',
    "lone low surrogate": b'{"queue":"intents","input":{"text":"\\ude00 x"},"output":{"label":"refund"}}',
    "escaped nul": b'{"queue":"intents","input":{"text":"a\\u0000b"},"output":{"label":"refund"}}',
    "raw nul": b'{"queue":"intents","input":{"text":"a\x00b"},"output":{"label":"refund"}}',
    "nul in a key": b'{"queue":"intents","input":{"text":"a","\\u0000":1},"output":{"label":"refund"}}',
    "deep list": b'{"queue":"intents","input":' + b"[" * 100_000 + b"]" * 100_000 + b',"output":{}}',
    "deep object": b'{"queue":"intents","input":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b',"output":{}}',
    "deep and unclosed": b'{"queue":"intents","input":' + b"[" * 900_000,
    "long number": b'{"queue":"intents","input":{"text":"a"},"output":{"label":"refund"},"cost":'
    + b"9" * 10_000
    + b"}",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_body_is_refused_and_stores_nothing(client: FlaskClient, cast: Cast, name: str) -> None:
    answer = post(client, cast, BROKEN[name])
    assert_refused(answer)
    assert stored(client, cast) == []


def test_nesting_of_64_levels_is_taken_and_65_refused(client: FlaskClient, cast: Cast) -> None:
    def nested(levels: int) -> bytes:
        # The body and its metadata are two levels themselves.
        inside = b"[" * (levels - 2) + b"]" * (levels - 2)
        return json.dumps(item()).encode()[:-1] + b',"metadata":{"a":' + inside + b"}}"

    assert post(client, cast, nested(64)).status_code == 201
    assert_refused(post(client, cast, nested(65)))


def test_a_body_of_two_megabytes_is_refused(client: FlaskClient, cast: Cast) -> None:
    assert_refused(post(client, cast, item(input={"text": "x" * 2_000_000})), 413)


def test_an_item_just_under_a_mebibyte_is_stored_exactly_and_one_over_it_refused(
    client: FlaskClient, cast: Cast
) -> None:
    spare = 1_048_576 - len(json.dumps(item(input={"text": ""})))
    exact = "é" + "x" * (spare - 6)
    answer = post(client, cast, item(input={"text": exact}))
    assert answer.status_code == 201, answer.text
    found = client.get(f"/api/v1/items/{answer.get_json()['id']}", headers=cast.submitter.bearer).get_json()
    assert found["input"]["text"] == exact
    assert_refused(post(client, cast, item(input={"text": "x" * (spare + 1)})), 413)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_another_content_type_is_refused(client: FlaskClient, cast: Cast, kind: str) -> None:
    answer = client.post("/api/v1/items", data=json.dumps(item()), content_type=kind, headers=cast.submitter.bearer)
    assert_refused(answer, 415)


def test_numbers_and_the_order_of_keys_come_back_as_they_were_sent(client: FlaskClient, cast: Cast) -> None:
    metadata = '{"z":1.10,"a":123456789012345678901234567890,"m":1E2,"é":"\\u00e9"}'
    body = json.dumps(item()).encode()[:-1] + b',"metadata":' + metadata.encode() + b"}"
    answer = post(client, cast, body)
    assert answer.status_code == 201, answer.text
    found = client.get(f"/api/v1/items/{answer.get_json()['id']}", headers=cast.submitter.bearer).text
    assert metadata in found


def naughty() -> list[str]:
    assert DATA is not None
    # Some stand in it twice.
    return list(dict.fromkeys(json.loads((Path(DATA) / "naughty" / "blns.json").read_text(encoding="utf-8"))))


class TestNaughtyStrings:
    pytestmark = needs_data

    def test_each_as_text_label_and_external_id_is_stored_exactly_or_refused(
        self, client: FlaskClient, cast: Cast, anything: None
    ) -> None:
        taken = 0
        for text in naughty():
            body = item(queue="anything", input={"text": text}, output={"label": text}, alternatives=None)
            body |= {"subject": text or None, "metadata": {text: text}, "explanation": text}
            answer = post(client, cast, body | {"external_id": text})
            if answer.status_code >= 400:
                assert_refused(answer)
                answer = post(client, cast, body)
                if "\x00" in text:
                    assert_refused(answer)
                    continue
            assert answer.status_code == 201, (text, answer.text)
            found = client.get(f"/api/v1/items/{answer.get_json()['id']}", headers=cast.submitter.bearer).get_json()
            assert (found["input"]["text"], found["output"]["label"]) == (text, text)
            assert found["external_id"] in {text, None}
            assert (found["metadata"], found["explanation"]) == ({text: text}, text)
            taken += 1
        assert taken > 450

    def test_each_as_comment_and_final_label_of_a_decision_is_stored_exactly(
        self, client: FlaskClient, cast: Cast, anything: None, transaction: Any
    ) -> None:
        from sqlalchemy import select

        from reviewqueue.models import Decision

        texts = [text for text in naughty() if text and "\x00" not in text]
        for number, _ in enumerate(texts):
            body = item(queue="anything", input={"text": f"{number}"}, output={"label": f"never {number}"})
            assert post(client, cast, body | {"alternatives": None}).status_code == 201
        for text in texts:
            claim = client.post("/api/v1/queues/anything/claims", headers=cast.alice.bearer).get_json()["claim"]
            decision = {"verdict": "override", "output": {"label": text}, "comment": text, "message": text}
            answer = client.post(f"/api/v1/claims/{claim['id']}/decision", json=decision, headers=cast.alice.bearer)
            assert answer.status_code == 200, (text, answer.text)
        with transaction() as session:
            rows = session.execute(select(Decision.output, Decision.comment, Decision.message)).all()
        assert sorted(json.loads(row.output)["label"] for row in rows) == sorted(texts)
        assert sorted(row.comment for row in rows) == sorted(texts)
        assert sorted(row.message for row in rows) == sorted(texts)

    def test_each_as_idempotency_key_cursor_and_parameter_gives_no_server_error(
        self, client: FlaskClient, cast: Cast
    ) -> None:
        from urllib.parse import quote

        for text in naughty():
            safe = quote(text, safe="")
            for path in (f"/api/v1/items?external_id={safe}&cursor={safe}", f"/api/v1/items/{safe}", f"/queues/{safe}"):
                assert client.get(path, headers=cast.admin.bearer).status_code < 500, (path, text)
            key = text.encode("utf-8", "replace").decode("latin-1")
            if not any(character in key for character in "\r\n"):
                headers = {**cast.submitter.bearer, "Idempotency-Key": key}
                answer = client.post("/api/v1/items", json=item(), headers=headers)
                assert answer.status_code < 500, (text, answer.text)


def json_routes(app: Flask) -> list[tuple[str, str]]:
    """Every route under `/api` that takes a body, with its parameters filled in."""
    found = []
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/api/"):
            continue
        path = rule.rule
        for name in rule.arguments:
            value = "intents" if name in {"slug", "queue", "name"} else "01930000-0000-7000-8000-000000000000"
            path = path.replace(f"<{name}>", f"{value}.1" if name == "claim_id" else value)
        found += [(method, path) for method in sorted(rule.methods & {"POST", "PUT", "PATCH"})]
    return sorted(found)


def test_there_are_json_routes_to_try(app: Flask) -> None:
    assert ("POST", "/api/v1/items") in json_routes(app)
    assert len(json_routes(app)) >= 10
    assert not any("<" in path for _, path in json_routes(app))


fragments = some.sampled_from(
    [b"{", b"}", b"[", b"]", b'"', b":", b",", b"\\u0000", b"\\ud800", b"NaN", b"1e999", b"-0", b"\xff", b"\x00",
     b'"queue"', b'"intents"', b'"input"', b'"output"', b'"body"', b'"verdict"', b"null", b"true", b"9" * 5000]
)  # fmt: skip
bodies = (
    some.binary(max_size=300)
    | some.lists(fragments, max_size=40).map(b"".join)
    | some.dictionaries(
        some.sampled_from(
            ["queue", "input", "output", "confidence", "body", "verdict", "document", "comment", "format", "filter",
             "fence", "parts", "alternatives", "failure", "supersedes", "reason", "seen", "metadata"]
        ),
        some.recursive(
            some.none() | some.booleans() | some.integers() | some.floats() | some.text(),
            lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=8), inner, max_size=4),
            max_leaves=8,
        ),
    ).map(lambda value: json.dumps(value).encode())
)  # fmt: skip


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(body=bodies, first=some.integers(0, 2))
def test_no_bytes_sent_to_any_json_route_give_a_server_error(
    app: Flask, client: FlaskClient, cast: Cast, body: bytes, first: int
) -> None:
    """Each route is sent to by a program, a reviewer and an administrator, in turns."""
    senders = itertools.islice(itertools.cycle((cast.submitter, cast.alice, cast.admin)), first, None)
    for (method, path), somebody in zip(json_routes(app), senders, strict=False):
        answer = client.open(path, method=method, data=body, content_type="application/json", headers=somebody.bearer)
        assert answer.status_code < 500, (method, path, body, answer.text)


FAR = "9" * 30


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/queues/a%00b"), ("GET", "/api/v1/items?queue=a%00b"), ("GET", "/api/v1/exports?queue=a%00b"),
        ("GET", "/api/v1/items?external_id=%00"), ("PUT", "/api/v1/queues/intents?note=%00"),
        ("GET", f"/api/v1/items?limit={FAR}"), ("GET", "/api/v1/items?cursor=YWJj"),
        ("GET", "/api/v1/exports?cursor=YWJj"), ("PUT", "/api/v1/queues/intents?dry_run=yes"),
    ],
)  # fmt: skip
def test_addresses_that_no_database_can_look_up_are_refused(client, cast, method, path):
    answer = client.open(path, method=method, json={} if method == "PUT" else None, headers=cast.admin.bearer)
    assert answer.status_code in {404, 422}, answer.text


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("GET", "/queues/a%00b", None), ("GET", "/queues/intents/items?external_id=%00", None),
        ("GET", f"/admin/queues/intents?version={FAR}", None), ("GET", "/admin/queues/intents?version=-1", None),
        ("POST", f"/admin/background/failures/{FAR}/retry", {}), ("POST", "/exports", {"queue": "a\x00b"}),
        ("POST", "/exports", {"queue": "intents", "format": "jsonl", "by": "nonsense"}),
        ("POST", "/admin/queues/intents", {"document": "name: intents", "note": "a\x00b", "what": "preview"}),
    ],
)  # fmt: skip
def test_pages_and_forms_refuse_them_too(client, cast, method, path, form):
    client.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    answer = client.open(path, method=method, data=form)
    assert answer.status_code in {404, 422}, answer.text


def test_what_is_superseded_may_be_written_in_any_way_that_an_id_is(client, cast):
    first = post(client, cast, item(number=1)).json["id"]
    second = post(client, cast, item(number=2, supersedes="urn:" + first.replace("-", "").upper()))
    assert second.status_code == 201, second.text


def test_an_item_of_a_queue_that_is_not_the_programs_is_no_item_to_supersede(client, cast, app):
    from reviewqueue.accounts import tokens

    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=ANYTHING)
        token = tokens.create_service(
            session=session, actor=OPERATOR, name="Other", scopes=["items:write"], queues=["anything"]
        )
    theirs = post(client, cast, item(number=1)).json["id"]
    body = {"queue": "anything", "input": {}, "output": {"label": "a"}}
    answers = [
        client.post(
            "/api/v1/items", json={**body, "supersedes": id_}, headers={"Authorization": f"Bearer {token.secret}"}
        )
        for id_ in (theirs, "00000000-0000-4000-8000-000000000000")
    ]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json == answers[1].json


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": []}, {"type": "object", "properties": {"a": []}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "properties": []}}}, {"enum": {}},
        {"type": "object", "required": 3, "properties": {"a": {"type": 5}}}, {"$ref": "#/nowhere"},
    ],
)  # fmt: skip
def test_schemas_that_are_none_are_refused_and_none_breaks_the_server(client, cast, schema):
    body = {**ANYTHING, "output_schema": schema}
    body.pop("view")
    answer = client.put("/api/v1/queues/anything", json=body, headers=cast.admin.bearer)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("given", [{}, [], None, 1, "\x41", {"$media": []}])
def test_a_reference_to_media_that_is_no_id_is_refused_with_its_place(client, cast, given):
    body = {**item(1), "input": {"text": "a", "picture": {"$media": given}}}
    for text in (json.dumps(body), json.dumps(body).replace('"$media"', '"\\u0024media"')):
        answer = client.post(
            "/api/v1/items", data=text, headers={**cast.submitter.bearer, "Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/input/picture/$media"), answer.text
