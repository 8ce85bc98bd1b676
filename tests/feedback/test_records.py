"""The feedback record, from rows made by hand: parts, digits, order."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from reviewqueue.feedback.records import record_line

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)


def _row(output, final, **members):
    return SimpleNamespace(**{
        "id": "i", "external_id": None, "slug": "q", "config_version": 3, "model": "m", "model_version": "1",
        "input": "{}", "output": output, "confidence": 0.25, "risk": "low", "verdict": "edit", "final_output": final,
        "by": "people", "revision": 1, "resolved_at": NOON, "rule": None, "action": "review",
        "audit_sample": False, "probability": 1.0,
        "metadata_json": "{}", "created_at": NOON, "gold": False, **members,
    })  # fmt: skip


def _decision(**members):
    return SimpleNamespace(**{
        "pseudonym": "p", "verdict": "edit", "output": "{}", "reason": None, "suggested_label": None, "comment": None,
        "message": None, "spent_seconds": None, "decided_at": NOON, "config_version": 3, "via": "desk", "late": False,
        "seen": None, "kind": "review", "round": 1, "blind": False, **members,
    })  # fmt: skip


def _parts(output, final, *decisions, **members):
    found = json.loads(record_line(_row(output, final, **members), decisions or [_decision()]))["parts"]
    return {part["pointer"]: part["state"] for part in found}


def test_every_leaf_of_either_output_has_its_state():
    assert _parts('{"a":1,"b":[1,2],"c":{}}', '{"a":1.0,"b":[1,3],"d":null}') == {
        "/a": "confirmed",
        "/b/0": "confirmed",
        "/b/1": "changed",
        "/c": "changed",
        "/d": "changed",
    }


def test_what_nobody_looked_at_is_unseen_and_what_one_of_them_saw_is_confirmed():
    seen = [_decision(seen='["/a"]'), _decision(seen='["/b"]')]
    assert _parts('{"a":1,"b":[1,2],"c":3}', '{"a":1,"b":[1,2],"c":3}', *seen) == {
        "/a": "confirmed",
        "/b/0": "confirmed",
        "/b/1": "confirmed",
        "/c": "unseen",
    }


@pytest.mark.parametrize(
    ("action", "audit_sample", "probability", "weight"),
    [
        ("review", False, 1.0, 1.0), ("auto_approve", True, 0.02, 50.0),
        ("auto_approve", False, 0.02, 0.0),  # reopened: no draw brought it here
        ("review", False, 0.0, 0.0),  # a duplicate
    ],
)  # fmt: skip
def test_a_record_says_for_how_many_items_it_stands(action, audit_sample, probability, weight):
    row = _row("1", "2", action=action, audit_sample=audit_sample, probability=probability)
    assert json.loads(record_line(row, []))["sampling"] == {
        "rule": None, "audit_sample": audit_sample, "probability": probability, "weight": weight,
    }  # fmt: skip


@pytest.mark.parametrize(("verdict", "decisions"), [("reject", [_decision()]), ("approve", [])])
def test_there_are_no_parts_where_nothing_was_judged(verdict, decisions):
    assert json.loads(record_line(_row('{"a":1}', "null", verdict=verdict), decisions))["parts"] == []


@pytest.mark.parametrize("number", ["1.10", "0.12345678901234567890123", "98765432109876543210", "1E+2", "-0.0"])
def test_a_part_keeps_every_digit(number):
    text = record_line(_row(f'{{"a":{number}}}', f'{{"a": {number}, "b":{number}}}'), [_decision()]).decode()
    assert f'{{"pointer":"/a","was":{number},"now":{number},"state":"confirmed"}}' in text
    assert f'{{"pointer":"/b","now":{number},"state":"changed"}}' in text


def test_a_late_decision_says_so_and_an_early_one_does_not():
    decisions = json.loads(record_line(_row("1", "2"), [_decision(), _decision(late=True)]))["decisions"]
    assert [decision.get("late") for decision in decisions] == [None, True]


def test_times_are_utc_with_milliseconds():
    assert json.loads(record_line(_row("1", "2"), []))["submitted_at"] == "2026-01-02T12:00:00.123Z"


def test_content_that_was_sent_over_several_lines_is_on_one():
    made = record_line(_row('{\n"a":\r\n"x\\n"}', "null"), [])
    assert made.splitlines() == [made]
    assert json.loads(made)["output"] == {"a": "x\n"}
