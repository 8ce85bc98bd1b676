"""The API reference: for everybody, whole, and without anything from elsewhere."""

from __future__ import annotations

import re

from reviewqueue.openapi.document import document
from reviewqueue.openapi.reading import kind_of, sections, shapes


def test_it_needs_no_login_and_loads_nothing_from_elsewhere(client):
    page = client.get("/docs")
    assert page.status_code == 200
    loaded = re.findall(r'(?:src|<link[^>]*href)="([^"]*)"', page.text)
    assert loaded
    assert all(address.startswith("/static/") for address in loaded)


def test_it_has_every_operation_error_schema_and_event(client):
    page = client.get("/docs").text
    anchors = re.findall(r'\sid="([^"]+)"', page)
    assert len(anchors) == len(set(anchors))
    found = document()
    operations = {one["operationId"] for methods in found["paths"].values() for one in methods.values()}
    events = {webhook["post"]["operationId"] for webhook in found["webhooks"].values()}
    errors = {f"error-{code}" for code in found["components"]["examples"]}
    schemas = {f"schema-{name}" for name in found["components"]["schemas"]}
    assert operations | events | errors | schemas <= set(anchors)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)


def test_it_is_linked_from_the_menu_and_links_the_document(client, cast):
    client.post("/login", data={"email": cast.alice.email, "password": cast.alice.password})
    assert 'href="/docs"' in client.get("/").text
    assert 'href="/api/v1/openapi.json"' in client.get("/docs").text


def test_commands_name_the_installation_and_can_be_pasted(client):
    page = client.get("/docs", base_url="https://queue.example").text
    assert "API=https://queue.example/api/v1" in page
    commands = {one.id: one.curl for section in sections() for one in section.operations}
    assert commands["read_item"].startswith('curl -s "$API/items/0')
    assert '-H "Content-Type: application/x-ndjson" \\\n  -d \'{' in commands["import_items"]
    assert not any("{" in command.partition("-d ")[0] for command in commands.values())


def test_types_are_told_in_words():
    words = lambda schema: "".join(text for text, _ in kind_of(schema))  # noqa: E731
    assert words({}) == "any JSON"
    assert words({"anyOf": [{"type": "string", "maxLength": 2000}, {"type": "null"}]}) == "text, at most 2,000 or null"
    assert words({"type": "array", "items": {"type": "string", "format": "uuid"}, "minItems": 1}) == (
        "list of UUID, at least 1"
    )
    assert words({"type": "integer", "minimum": 1, "maximum": 10, "default": 5}) == "whole number, 1 to 10, default 5"
    assert words({"type": "string", "enum": ["jsonl", "csv"]}) == "jsonl | csv"
    assert all(shape.members or shape.values for shape in shapes())
