"""The API's description: valid, whole, and true to the tables it can be compared with."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.wrappers import Response

from reviewqueue.core.http import API_PREFIX, Shape
from reviewqueue.delivery.webhooks import events
from reviewqueue.openapi import problems
from reviewqueue.openapi.document import document
from reviewqueue.openapi.operations import Told
from reviewqueue.openapi.reading import resolved
from reviewqueue.openapi.schemas import name_of
from tests.fixtures.described import check, path_of, validator

ROOT = Path(__file__).resolve().parents[2]
AUTHORISATION = ROOT / "tests" / "architecture" / "authorisation.toml"


def operations() -> dict[str, dict[str, Any]]:
    """`METHOD /path` of everything that is described."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


def examples_in(value: Any, where: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Each example with its place and its schema."""
    if isinstance(value, list):
        for number, element in enumerate(value):
            yield from examples_in(element, f"{where}/{number}")
    if not isinstance(value, dict):
        return
    if "schema" in value:
        if "example" in value:
            yield where, value["schema"], value["example"]
        for name, example in value.get("examples", {}).items():
            yield f"{where}/{name}", value["schema"], resolved(example)["value"]
    for name, element in value.items():
        if name not in {"example", "examples", "schema"}:
            yield from examples_in(element, f"{where}/{name}")


def test_it_is_served_to_everybody_and_may_be_kept(client):
    answer = client.get("/api/v1/openapi.json")
    assert answer.status_code == 200
    assert answer.json == json.loads(json.dumps(document()))
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    again = client.get("/api/v1/openapi.json", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_it_is_openapi_3_1():
    assert document()["openapi"].startswith("3.1.")
    assert [fault.message for fault in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_every_route_is_described_and_nothing_else(app):
    routes = {
        f"{method} {path_of(rule.rule)}"
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(f"{API_PREFIX}/")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(operations()) == routes


def test_every_parameter_of_a_path_is_described():
    for name, operation in operations().items():
        listed = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"]
        assert listed == re.findall(r"{(\w+)}", name), name


def test_every_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for operation in operations().values()]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)


@pytest.mark.parametrize(("schema", "example"), [
    pytest.param(schema, example, id=where) for where, schema, example in examples_in(document())
])  # fmt: skip
def test_every_example_is_as_its_schema_says(schema, example):
    assert [fault.message for fault in validator(json.dumps(schema)).iter_errors(example)] == []


def test_what_is_sent_and_what_is_answered_has_an_example():
    for name, operation in operations().items():
        sent = operation.get("requestBody", {}).get("content", {})
        assert not sent or any("examples" in content for content in sent.values()), name
        for status, answer in operation["responses"].items():
            for content in resolved(answer).get("content", {}).values():
                untold = content["schema"].get("format") == "binary" or name == "GET /openapi.json"
                assert untold or "example" in content or "examples" in content, f"{name} {status}"


def test_what_is_sent_is_closed_and_what_is_answered_may_grow():
    schemas = document()["components"]["schemas"]
    for base, closed in ((Shape, True), (Told, False)):
        names = {name_of(kind.__name__) for kind in every_kind_of(base)} & set(schemas)
        assert names
        assert [name for name in names if ("additionalProperties" in schemas[name]) is not closed] == []


def every_kind_of(base: type) -> set[type]:
    return {base}.union(*(every_kind_of(kind) for kind in base.__subclasses__()))


def test_the_errors_have_the_status_that_the_documents_tell():
    text = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    told = {code: int(status) for code, status in re.findall(r"^\| `(\w+)` \| (\d+) \|", text, re.MULTILINE)}
    conflicts = text[text.index("## 409") : text.index("## 5xx")]
    told |= dict.fromkeys(re.findall(r"^\| `(\w+)` \|", conflicts, re.MULTILINE), 409)
    assert {code: problems.example_of(code)["status"] for code in problems.KNOWN} == {
        code: told[code] for code in problems.KNOWN
    }


def test_no_error_is_described_that_no_operation_gives():
    given = {
        code
        for operation in operations().values()
        for answer in operation["responses"].values()
        for code in resolved(answer).get("x-codes", ())
    }
    assert given == set(problems.KNOWN)


def test_who_is_refused_is_described():
    """Where the table of authorisation has a 401, 403 or 404, so has the operation."""
    rows = tomllib.loads(AUTHORISATION.read_text(encoding="utf-8"))["api"]["routes"]
    for route, cells in rows.items():
        method, path = route.split(" ", 1)
        if not path.startswith(f"{API_PREFIX}/"):
            continue
        described = set(operations()[f"{method} {path_of(path)}"]["responses"])
        refused = set(cells.split()) & {"401", "403", "404"}
        assert refused <= described, route
        # An import is refused for the queue that its address names, and the table's names none.
        assert ("403" in described) is ("403" in refused) or route == "POST /api/v1/imports", route


def test_every_event_is_described_and_no_other():
    assert set(document()["webhooks"]) == {*events.TYPES, events.TEST}


# -- what holds the answers against it --------------------------------------------------------------------------------

READ = ("/items/{item_id}", "get")


def answer_of(value: Any, status: int = 200, kind: str = "application/json", **headers: str) -> Response:
    return Response(json.dumps(value), status=status, mimetype=kind, headers=headers)


@pytest.fixture
def shown() -> dict[str, Any]:
    operation = document()["paths"]["/items/{item_id}"]["get"]
    return dict(operation["responses"]["200"]["content"]["application/json"]["example"])


def test_an_answer_as_described_passes(shown):
    check(READ, "GET", answer_of(shown))
    check(READ, "GET", answer_of(problems.example_of("not_found"), 404, "application/problem+json"))


@pytest.mark.parametrize(
    "change",
    [{"more": 1}, {"id": "no-id"}, {"submitted_at": "yesterday"}, {"state": "lost"}, {"routing": {}}],
    ids=lambda change: next(iter(change)),
)
def test_a_member_that_is_not_described_fails(shown, change):
    with pytest.raises(AssertionError):
        check(READ, "GET", answer_of({**shown, **change}))


def test_a_status_a_type_a_header_or_a_code_that_is_not_described_fails(shown):
    problem = "application/problem+json"
    for answer in (
        answer_of(shown, 201),
        answer_of(shown, kind="text/html"),
        answer_of(shown, Location="/elsewhere"),
        answer_of(problems.example_of("bad_cursor"), 422, problem),
        answer_of(problems.example_of("conflict"), 409, problem),
    ):
        with pytest.raises(AssertionError):
            check(READ, "GET", answer)
