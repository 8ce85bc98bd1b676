"""Decisions and items in a line."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from reviewqueue.models.states import Verdict
from reviewqueue.queues.configuration import parse
from reviewqueue.review.telling import line_of, told


def config_of(properties: dict[str, Any], **more: Any) -> Any:
    document = {
        "name": "some", "routing": {"otherwise": "review"},
        "output_schema": {"type": "object", "properties": properties}, **more,
    }  # fmt: skip
    return parse(document, final_say=False)[0]


INTENTS = config_of({"label": {"enum": ["card_arrival", "lost_card"]}})
FORM = config_of({"total": {"type": "number"}, "company": {"type": "string"}})


def said(config: Any, verdict: Verdict, output: Any, before: Any, **more: Any) -> str:
    decision = SimpleNamespace(
        verdict=verdict, output=json.dumps(output), reason=None, suggested_label=None, **more
    )  # fmt: skip
    return told(config, decision, json.dumps(before)).in_words


def test_an_approval_says_what_was_approved():
    assert said(INTENTS, Verdict.APPROVE, {"label": "lost_card"}, {"label": "lost_card"}) == "Approved: lost_card"


@pytest.mark.parametrize("verdict", [Verdict.EDIT, Verdict.OVERRIDE])
def test_a_correction_says_what_changed_and_nothing_else(verdict):
    before = {"total": 12.5, "company": "Acme"}
    assert said(FORM, verdict, {"total": 13, "company": "Acme"}, before) == "Corrected: Total 12.5 → 13"
    assert said(INTENTS, verdict, {"label": "lost_card"}, {"label": "card_arrival"}) == (
        "Corrected: card_arrival → lost_card"
    )
    assert said(INTENTS, verdict, {"label": "lost_card"}, None) == "Corrected: lost_card"


def test_of_a_long_text_it_shows_what_is_around_the_change():
    long = "word " * 200
    decision = SimpleNamespace(
        verdict=Verdict.EDIT, output=json.dumps({"company": long + "red " + long}), reason=None, suggested_label=None
    )
    found = told(FORM, decision, json.dumps({"company": long + "blue " + long}))
    assert [change.text for change in found.changed[0].changes if change.kind != "same"] == ["blue", "red"]
    assert sum(len(change.text) for change in found.changed[0].changes) < 150


def test_more_changes_than_there_is_room_for_are_counted():
    config = config_of({name: {"type": "integer"} for name in "abcdef"})
    before, after = dict.fromkeys("abcdef", 1), dict.fromkeys("abcdef", 2)
    assert said(config, Verdict.OVERRIDE, after, before) == "Corrected: A 1 → 2; B 1 → 2; C 1 → 2 and 3 changes more"


def test_a_rejection_says_the_reason_as_the_desk_names_it():
    decision = SimpleNamespace(verdict=Verdict.REJECT, output="null", reason="unusable", suggested_label=None)
    assert told(INTENTS, decision, "{}").in_words == "Rejected: Must not be used"
    decision = SimpleNamespace(verdict=Verdict.REJECT, output="null", reason="no_label_fits", suggested_label="pin")
    assert told(INTENTS, decision, "{}").in_words == "Rejected: No label fits: pin"


def test_an_items_line_is_its_text_or_its_members_or_the_last_message():
    assert line_of(INTENTS, json.dumps({"text": "Where is\n my  card?"}), ()) == "Where is my card?"
    assert line_of(FORM, json.dumps({"payee": "Acme", "to": "Berlin", "n": 3}), ()) == "Payee Acme · To Berlin · N 3"
    chat = config_of({"content": {"type": "string"}}, view={"type": "chat"})
    messages = [{"role": "user", "content": "First"}, {"role": "user", "content": "Refund me"}]
    assert line_of(chat, json.dumps({"messages": messages}), ()) == "Refund me"
    assert len(line_of(INTENTS, json.dumps({"text": "a" * 1000}), ())) == 160
    assert line_of(INTENTS, json.dumps({"page": {"$media": "x"}}), ()) == ""
