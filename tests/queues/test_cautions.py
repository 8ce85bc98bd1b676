"""Cautions: what may be applied and probably does not say what is meant. And nothing about what may be right."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from reviewqueue import cli
from reviewqueue.queues.cautions import cautions
from reviewqueue.queues.configuration import parse
from tests.fixtures.people import INTENTS

OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "label": {"enum": ["refund", "lost_card"]},
        "score": {"type": ["number", "null"]},
        "tags": {"type": "array", "items": {"enum": ["urgent", "legal"]}},
        "who": {"$ref": "#/$defs/person"},
        "kind": {"oneOf": [{"const": "private", "title": "A person"}, {"const": "company"}]},
    },
    "$defs": {"person": {"type": ["object", "null"], "properties": {"name": {"type": "string"}}}},
}
TEXT: dict[str, Any] = {"type": "object", "properties": {"text": {"type": "string"}}}


def told(when: str, *, given: Any = True, output: Any = OUTPUT) -> list[str]:
    routing = {"rules": [{"when": when, "action": "review", "title": "It"}]}
    document = {"name": "q", "input_schema": given, "output_schema": output, "routing": routing}
    found = cautions(parse(document, final_say=True)[0])
    assert {fault.pointer for fault in found} <= {"/routing/rules/0/when"}
    return [fault.detail for fault in found]


@pytest.mark.parametrize(
    ("when", "detail"),
    [
        ("has(output.lable) && output.lable == 'refund'", "output.lable is not in output_schema: did you mean label?"),
        ("output['lable'] == 'refund'", "output.lable is not in output_schema: did you mean label?"),
        ("'lable' in output", "output.lable is not in output_schema: did you mean label?"),
        ("size(output.who.nmae) > 3", "output.who.nmae is not in output_schema: did you mean name?"),
        ("has(output.score.low)", "output.score.low is not in output_schema"),
        ('confidence < "0.8"', ("confidence is a number, and is compared with a text: "
         "this can never be checked, and people see the item")),
        ("risk == 'low' && 7 == model_version", ("model_version is a text, and is compared with a number: "
         "this never holds")),
        ("output.score != output.label", "output.score is a number, and is compared with a text: this always holds"),
        ("output.label == 'refnd'", "output.label is never 'refnd': it is one of refund, lost_card"),
        ("output.label in ['refund', 'lost']", "output.label is never 'lost': it is one of refund, lost_card"),
        ("'ugent' in output.tags", "output.tags[0] is never 'ugent': it is one of urgent, legal"),
        ("output.kind == 'firm'", "output.kind is never 'firm': it is one of private, company"),
        ("risk in ['high', 'medum']", "risk is never 'medum': it is one of low, medium, high"),
    ],
)  # fmt: skip
def test_what_a_condition_gets_wrong_is_told(when: str, detail: str) -> None:
    assert told(when) == [detail]


@pytest.mark.parametrize(
    "when",
    [
        "confidence < 0.8", "confidence < 0.5 + 0.1", "confidence == null", "confidence <= lowest_part",
        "output == null || output.score > -1", "model == null", "output.label.startsWith('ref')",
        "output.label != null",
        "output.tags == ['x']", "output.tags[0] == 'legal'", "output.who.name == 'lable'", "metadata.lable == 1",
        "input.anything.at.all == 'x'", "output.score + 1.0 < 3.0", "risk == 'high' ? output.score < 3.0 : true",
        "'output.lable' == model", "output.label == '\\u0072efund'", "true // output.lable",
    ],
)  # fmt: skip
def test_what_may_be_right_is_not(when: str) -> None:
    assert told(when) == []


@pytest.mark.parametrize(
    ("schema", "is_told"),
    [
        (TEXT, True),
        ({**TEXT, "additionalProperties": False}, True),
        ({"type": "object", "additionalProperties": False}, True),
        ({"allOf": [TEXT, {"required": ["text"]}]}, True),
        ({"type": "string"}, True),
        ({**TEXT, "additionalProperties": True}, False),
        ({**TEXT, "additionalProperties": {"type": "string"}}, False),
        ({**TEXT, "patternProperties": {"^t": {"type": "string"}}}, False),
        ({**TEXT, "anyOf": [{"properties": {"txet": {"type": "string"}}}, {"type": "object"}]}, False),
        ({**TEXT, "if": {"required": ["text"]}, "else": {"properties": {"txet": {}}}}, False),
        ({"type": "object"}, False),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, TEXT]}}}, True),
        (True, False),
    ],
)  # fmt: skip
def test_only_a_schema_that_lists_properties_or_excludes_others_speaks_against_one(schema: Any, is_told: bool) -> None:
    assert bool(told("has(input.txet)", given=schema)) is is_told


def test_a_keyword_that_json_schema_does_not_know_is_told() -> None:
    schema = {
        "type": "object", "requierd": ["text"], "x-note": 1, "$comment": "requierd",
        "properties": {"requierd": {"type": "string", "maxLenght": 9}, "of": {"items": {"nullable": True}}},
    }  # fmt: skip
    document = {"name": "q", "input_schema": schema, "output_schema": {"enum": [{"requierd": 1}]}, "routing": {}}
    found = {fault.pointer: fault.detail for fault in cautions(parse(document, final_say=True)[0])}
    assert set(found) == {
        "/input_schema/requierd", "/input_schema/properties/requierd/maxLenght",
        "/input_schema/properties/of/items/nullable",
    }  # fmt: skip
    assert found["/input_schema/requierd"].endswith("did you mean required?")


SLIPPED: dict[str, Any] = {
    **INTENTS,
    "routing": {
        "rules": [{"when": "has(output.lable) && output.lable == 'refund'", "action": "review", "title": "Refunds"}],
        "otherwise": "auto_approve",
    },
}
SLIP = {"pointer": "/routing/rules/0/when", "detail": "output.lable is not in output_schema: did you mean label?"}


def test_they_come_with_the_result_over_rest_and_refuse_nothing(client, cast) -> None:
    headers = cast.admin.bearer
    dry = client.put("/api/v1/queues/intents?dry_run=1", json=SLIPPED, headers=headers)
    applied = client.put("/api/v1/queues/intents", json=SLIPPED, headers=headers)
    again = client.put("/api/v1/queues/intents", json=SLIPPED, headers=headers)
    simulated = client.post("/api/v1/queues/intents/simulations", headers=headers)
    assert [answer.json["warnings"] for answer in (dry, applied, again, simulated)] == [[SLIP]] * 4
    assert (applied.status_code, applied.json["version"], again.json["changed"]) == (200, 2, False)
    assert client.put("/api/v1/queues/intents", json=INTENTS, headers=headers).json["warnings"] == []


def test_the_commands_print_them(app, cast, tmp_path) -> None:
    path = tmp_path / "slipped.json"
    path.write_text(json.dumps(SLIPPED))
    for arguments in (["apply", str(path), "--dry-run"], ["simulate", str(path)], ["apply", str(path)]):
        with app.app_context():
            answer = CliRunner().invoke(cli.main.get_command(None, "queues"), arguments)
        assert answer.exit_code == 0
        assert f"warning: {SLIP['pointer']}: {SLIP['detail']}" in answer.stderr.splitlines()


def test_the_page_shows_them_before_and_after(app, cast) -> None:
    browser = app.test_client()
    browser.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    assert "did you mean" not in browser.get("/admin/queues/intents").text
    for what in ("preview", "simulate", "apply"):
        form = {"document": json.dumps(SLIPPED), "what": what, "expected_version": "1"}
        page = browser.post("/admin/queues/intents", data=form, follow_redirects=True).text
        assert page.count("did you mean label?") == 1
