"""The configuration document: what is accepted, refused, versioned."""

from __future__ import annotations

import json

import pytest

from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import Conflict, Invalid, NotFound
from reviewqueue.queues.applying import apply, document_of
from reviewqueue.queues.configuration import parse
from tests.fixtures.people import INTENTS, OPERATOR

LEAST = {"name": "q", "output_schema": {"enum": ["a", "b"]}, "routing": {}}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": "Not A Slug"}, "/name"),
        ({"output_schema": {"type": "objct"}}, "/output_schema/type"),
        ({"output_schema": {"$ref": "https://example.com/schema"}}, "/output_schema"),
        ({"routing": {"rules": [{"when": "confidence <", "action": "review", "title": "t"}]}}, "/routing/rules/0/when"),
        (
            {"routing": {"rules": [{"when": "confidense < 1.0", "action": "review", "title": "t"}]}},
            "/routing/rules/0/when",
        ),
        (
            {"routing": {"rules": [{"when": "risk == 'high'", "action": "auto_approve", "title": "t"}]}},
            "/routing/rules/0",
        ),
        ({"audit": {"rate": 2}}, "/audit/rate"),
        ({"reviews": {"required": 10}}, "/reviews/required"),
        ({"surprise": 1}, "/surprise"),
        ({"view": {"type": "choice", "output": "label"}}, "/view/output"),
        ({"view": {"type": "multi_choice"}}, "/view"),
        ({"view": {"type": "compare"}}, "/view"),
        ({"view": {"type": "chat"}}, "/view"),
        ({"view": {"type": "spans", "input": "text"}}, "/view"),
        ({"view": {"type": "spans"}}, "/view/input"),
        ({"view": {"type": "choice", "overlap": True}}, "/view/overlap"),
        ({"view": {"type": "choice", "markdown": True}}, "/view/markdown"),
        ({"view": {"type": "choice", "candidates": "drafts"}}, "/view/candidates"),
    ],
)
def test_a_fault_is_refused_with_a_pointer_to_it(changes, pointer):
    with pytest.raises(Invalid) as refused:
        parse({**LEAST, **changes}, final_say=True)
    assert pointer in [fault.pointer for fault in refused.value.faults]


def test_yaml_words_stay_words_and_dates_stay_texts():
    config, _ = parse("name: q\noutput_schema: {enum: [yes, no, 2024-01-01]}\nrouting: {}", final_say=True)
    assert config.labels == ["yes", "no", "2024-01-01"]


@pytest.mark.parametrize("text", ["a: &x [1]\nb: *x", "name: q\nname: r", "[1, 2]", "a: [", "1: x"])
def test_yaml_that_json_could_not_say_is_refused(text):
    with pytest.raises(Invalid):
        parse(text, final_say=True)


@pytest.mark.parametrize(
    ("schema", "view"),
    [
        ({"enum": ["a"]}, ("choice", None)),
        ({"properties": {"label": {"enum": ["a"]}}}, ("choice", "label")),
        ({"type": "array", "uniqueItems": True, "items": {"enum": ["a"]}}, ("multi_choice", None)),
        ({"type": "array", "items": {"enum": ["a"]}}, ("json", None)),
        ({"type": "string"}, ("text", None)),
        ({"properties": {"reply": {"type": "string"}}}, ("text", "reply")),
        ({"properties": {"a": {"type": "string"}, "b": {"type": "number"}}}, ("json", None)),
    ],
)
def test_the_view_is_derived_from_the_schema(schema, view):
    config, _ = parse({"name": "q", "output_schema": schema, "routing": {}}, final_say=True)
    assert (config.view.type, config.view.output) == view


def test_each_change_is_a_version_and_the_same_document_is_none(app, cast):
    with app.app_context(), write_session() as session:
        assert not apply(session=session, actor=OPERATOR, document=INTENTS).changed
        dry = apply(session=session, actor=OPERATOR, document={**INTENTS, "title": "New"}, dry_run=True)
        assert (dry.version, dry.diff) == (2, ['title: "Intents" → "New"'])
        assert apply(session=session, actor=OPERATOR, document={**INTENTS, "title": "New"}).version == 2
        with pytest.raises(Conflict):
            apply(session=session, actor=OPERATOR, document=INTENTS, expected_version=1)
        assert apply(session=session, actor=OPERATOR, document=INTENTS, expected_version=2).version == 3


def test_yaml_has_the_numbers_of_json_and_no_others():
    labels = "[12:30, 017, 1_000, 0x1f, 1e3, -2, 3.50, .5, ~, yes, 2024-01-01]"
    text = "name: numbers\noutput_schema: {enum: " + labels + "}\nrouting: {otherwise: review}"
    _, document = parse(text, final_say=True)
    wanted = ["12:30", "017", "1_000", "0x1f", 1000.0, -2, 3.5, ".5", None, "yes", "2024-01-01"]
    assert json.loads(document)["output_schema"]["enum"] == wanted


def test_a_document_is_as_long_over_rest_as_it_may_be_in_a_file():
    document = {"name": "long", "output_schema": {"enum": ["a" * 300_000]}, "routing": {"otherwise": "review"}}
    with pytest.raises(Invalid, match="longer than"):
        parse(document, final_say=True)


def test_a_version_that_there_is_not_is_named(app, cast):
    with app.app_context(), read_session() as session:
        for version in (99, 2**40):
            with pytest.raises(NotFound, match=f"'intents' has no version {version}"):
                document_of(session=session, actor=OPERATOR, slug="intents", version=version)
