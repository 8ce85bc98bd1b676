"""Each further task type at the desk without a script: what is shown, changed, drafted and decided."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from sqlalchemy import select

from reviewqueue.accounts import memberships
from reviewqueue.core.db import read_session
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import dumps
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.models import Decision
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from reviewqueue.queues.catalog import Compiled
from reviewqueue.queues.configuration import parse
from tests.desk_steps import act, claim
from tests.fixtures.noscript import Desk
from tests.fixtures.people import OPERATOR, Cast

TOPICS: dict[str, Any] = {
    "name": "topics", "routing": {"otherwise": "review"},
    "output_schema": {"type": "object", "required": ["topics"], "properties": {
        "topics": {"type": "array", "uniqueItems": True, "items": {"enum": ["fees", "cards", "login", "fraud"]}},
    }},
}  # fmt: skip

BEST: dict[str, Any] = {
    "name": "best", "routing": {"otherwise": "review"},
    "view": {"type": "compare", "input": "question", "output": "best"},
    "output_schema": {
        "type": ["object", "null"], "required": ["best"], "properties": {"best": {"type": ["string", "null"]}},
    },
}  # fmt: skip
ORDER: dict[str, Any] = {
    "name": "order", "routing": {"otherwise": "review"}, "view": {"type": "compare"},
    "output_schema": {"type": "array", "items": {"type": "string"}},
}  # fmt: skip
REPLY: dict[str, Any] = {
    "name": "reply", "routing": {"otherwise": "review"}, "view": {"type": "chat"}, "output_schema": {
        "type": "object", "required": ["content"], "properties": {
            "content": {"type": ["string", "null"]}, "tool_calls": {"type": "array", "items": {
                "type": "object", "properties": {"name": {"type": "string"}, "args": {"type": "object"}},
            }},
        },
    },
}  # fmt: skip
NAMES: dict[str, Any] = {
    "name": "names", "routing": {"otherwise": "review"}, "view": {"type": "spans", "input": "text", "output": "names"},
    "output_schema": {"type": "object", "required": ["names"], "properties": {"names": {"type": "array", "items": {
        "type": "object", "required": ["start", "end", "label"], "properties": {
            "start": {"type": "integer"}, "end": {"type": "integer"}, "label": {"enum": ["person", "place"]},
        },
    }}}},
}  # fmt: skip
DRAFTS = [
    {"id": "gpt-x", "output": "Yours truly", "model": "gpt-x"}, {"id": "llama", "output": "See you", "model": "llama"},
    {"id": "qwen", "output": {"text": "Bye", "tone": "<b>"}, "model": "qwen"},
]  # fmt: skip


class Bench:
    """Queues with items, Alice at their desk, and what she decided."""

    def __init__(self, app: Any, cast: Cast, transaction: Any) -> None:
        self._app, self._transaction, self._cast = app, transaction, cast

    def open(self, queue: dict[str, Any]) -> None:
        with self._transaction() as session:
            apply(session=session, actor=OPERATOR, document=queue)
            memberships.add(
                session=session, actor=OPERATOR, slug=queue["name"], email=self._cast.alice.email,
                role=QueueRole.REVIEWER,
            )  # fmt: skip
        self.alice = Desk(self._app, self._cast.alice)

    def put(self, queue: dict[str, Any], given: Any, output: Any, **more: Any) -> None:
        body = {"queue": queue["name"], "input": given, "output": output, **more}
        with self._transaction() as session:
            submit(session=session, actor=OPERATOR, body=checked(ItemShape, dumps(body).encode()))

    def begin(self, queue: dict[str, Any]) -> str:
        self.alice.post(f"/queues/{queue['name']}/claims")
        return self.alice.page

    @property
    def decided(self) -> list[tuple[str, Any]]:
        with self._app.app_context(), read_session() as session:
            rows = session.scalars(select(Decision).order_by(Decision.id)).all()
        return [(row.verdict.value, json.loads(row.output)) for row in rows]


@pytest.fixture
def bench(app: Any, cast: Cast, transaction: Any) -> Bench:
    return Bench(app, cast, transaction)


def test_several_labels_are_ticked_and_what_goes_and_comes_is_shown(bench):
    bench.open(TOPICS)
    for output in (["cards", "fees"], ["cards", "fees"], ["login"]):
        bench.put(
            TOPICS, {"text": "Hello"}, {"topics": output}, parts=[{"pointer": "/topics/0", "confidence": 0.31}],
            alternatives=[{"output": {"topics": ["fraud"]}, "confidence": 0.12}],
        )  # fmt: skip
    page = bench.begin(TOPICS)
    assert page.index("0.31") < page.index("0.12"), "beside cards and beside fraud"
    bench.alice.send("draft", labels=["", '"fees"', '"fraud"'])
    assert "<del>cards</del>" in bench.alice.page
    assert "<ins>fraud</ins>" in bench.alice.page
    assert "Save correction" in bench.alice.page
    bench.alice.send()
    bench.alice.send()
    assert bench.alice.send(labels=["", '"elsewhere"']).status_code == 422
    assert "Has something that is not one of the labels" in bench.alice.page
    bench.alice.send(labels=[""])
    assert bench.decided == [
        ("edit", {"topics": ["fees", "fraud"]}), ("approve", {"topics": ["cards", "fees"]}),
        ("override", {"topics": []}),
    ]  # fmt: skip


def letters(page: str) -> dict[str, str]:
    """Which letter the page gives to the candidate of each id."""
    texts = {"gpt-x": "Yours truly", "llama": "See you", "qwen": "&lt;b&gt;"}
    shown = page.split('class="candidate"')[1:]
    return {known: "ABC"[at] for known, text in texts.items() for at, one in enumerate(shown) if text in one}


def test_the_best_of_several_is_picked_and_nothing_tells_which_model_it_is_from(bench):
    bench.open(BEST)
    for _ in range(4):
        bench.put(BEST, {"question": "How does one end a letter?", "candidates": DRAFTS}, None)
    bench.put(BEST, {"question": "And now?", "candidates": DRAFTS}, {"best": "llama"}, confidence=0.7)
    page = bench.begin(BEST)
    orders = [tuple(letters(page).values())]
    assert bench.alice.send().status_code == 422, "nothing is proposed: there is nothing to approve"
    for pick in ("llama", "gpt-x", "qwen"):
        assert not any(model in bench.alice.page for model in ("gpt-x", "llama", "qwen"))
        bench.alice.send(pick=letters(bench.alice.page)[pick])
        orders.append(tuple(letters(bench.alice.page).values()))
    bench.alice.send(pick="none")
    page = bench.alice.page
    assert "0.70" in page.split(f'name="pick" value="{letters(page)["llama"]}"')[1].split("</label>")[0]
    bench.alice.send("draft", pick=letters(page)["qwen"])
    assert f"<del>{letters(page)['llama']}</del> <ins>{letters(page)['qwen']}</ins>" in bench.alice.page
    bench.alice.send()
    assert bench.decided == [
        *[("override", {"best": best}) for best in ("llama", "gpt-x", "qwen", None)], ("override", {"best": "qwen"}),
    ]  # fmt: skip
    assert len(set(orders)) > 1, "one in 1,296 to be all the same"


def test_candidates_are_put_in_order_and_a_ranking_has_each_once(bench):
    bench.open(ORDER)
    for _ in range(2):
        bench.put(ORDER, {"candidates": DRAFTS}, ["qwen", "llama", "gpt-x"])
    page = bench.begin(ORDER)
    letter = letters(page)
    assert f"proposes {letter['qwen']}, {letter['llama']}, {letter['gpt-x']}" in page
    again = bench.alice.send(**{f"place/{letter['qwen']}": "3"})
    assert (again.status_code, "none the same" in again.text) == (422, True)
    bench.alice.send(**{f"place/{letter['qwen']}": "3", f"place/{letter['gpt-x']}": "1"})
    bench.alice.send()
    assert bench.decided == [("edit", ["gpt-x", "llama", "qwen"]), ("approve", ["qwen", "llama", "gpt-x"])]


@pytest.mark.parametrize(
    ("given", "output", "pointer"),
    [
        ({"candidates": DRAFTS}, {"best": "elsewhere"}, "/output/best"),
        ({"candidates": DRAFTS[:1]}, {"best": "gpt-x"}, "/input/candidates"),
        ({"candidates": [DRAFTS[0], DRAFTS[0]]}, {"best": "gpt-x"}, "/input/candidates/1/id"),
        ({"candidates": ["a", "b"]}, {"best": "a"}, "/input/candidates/0"),
        ({}, {"best": "gpt-x"}, "/input/candidates"),
    ],
)
def test_an_item_without_candidates_to_compare_is_refused(given, output, pointer):
    compiled = Compiled(1, parse(BEST, final_say=True)[0], "")
    faults = [*compiled.validate_input(given), *compiled.validate_output(output, given=given)]
    assert pointer in [fault.pointer for fault in faults]


HOSTILE = "<img src=x onerror=alert(1)> [go](javascript:alert(1)) ![](//evil.example/x.png) \u202e"
TALK = [
    {"role": "system", "content": HOSTILE},
    {"role": "user", "content": [{"type": "text", "text": "Where is it?"}, {"type": "image_url"}]},
    {"role": HOSTILE, "name": HOSTILE, "content": None, "tool_calls": [
        {"type": "function", "function": {"name": "find_order", "arguments": '{"order": "A-17"}'}}, 7,
        {"function": {"name": HOSTILE, "arguments": "{"}},
    ]},
    {"role": "tool", "content": {"found": HOSTILE}},
]  # fmt: skip
TOOLS = [{"type": "function", "function": {"name": "refund", "parameters": {"properties": {
    "amount": {"type": "number"}, "urgent": {"type": "boolean"}, "why": {"type": "string"},
}, "required": 7}}}, 7, {"name": "log", "parameters": {"properties": {
    "level": {"enum": [{}], "type": {}}, "x": 1,
}}}]  # fmt: skip


def test_a_reply_is_rewritten_and_the_arguments_of_its_calls_are_fields(bench):
    bench.open(REPLY)
    output = {"content": "We refund you.", "tool_calls": [
        {"name": "refund", "args": {"amount": 1.50, "urgent": True, "note": ["x"]}},
        {"name": "log", "args": {"level": 3}},
    ]}  # fmt: skip
    for given in ({"messages": TALK, "tools": TOOLS}, {"messages": TALK}, {"messages": TALK}):
        bench.put(REPLY, given, output, parts=[{"pointer": "/tool_calls/0/args/amount", "confidence": 0.21}])
    page = bench.begin(REPLY)
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert all(text in page for text in ("Where is it?", "find_order", "A-17", "U+202E", "It may call"))
    assert "0.21" in page.split('data-pointer="/tool_calls/0/args/amount"')[1][:1500]
    assert 'data-pointer="/tool_calls/0/args/why"' in page, "the tool takes it, and the model left it out"
    changes = {"f/content": "We refund you now.", "f/tool_calls/0/args/amount": "15.0"}
    bench.alice.send("draft", **changes, **{"f/tool_calls/0/args/why": "late"})
    assert "<ins> now</ins>" in bench.alice.page
    bench.alice.send()
    assert 'data-pointer="/tool_calls/0/args/why"' not in bench.alice.page
    bench.alice.send(**{"gone": "f/tool_calls/0", "f/tool_calls/1/args/level": "4"})
    bench.alice.send()
    refund = {"name": "refund", "args": {"amount": 15.0, "urgent": True, "note": ["x"], "why": "late"}}
    assert bench.decided == [
        ("edit", {"content": "We refund you now.", "tool_calls": [refund, output["tool_calls"][1]]}),
        ("edit", {"content": "We refund you.", "tool_calls": [{"name": "log", "args": {"level": 4}}]}),
        ("approve", output),
    ]  # fmt: skip


def test_arguments_in_json_text_stay_json(bench):
    function = {"type": "object", "properties": {"name": {"type": "string"}, "arguments": {"type": "string"}}}
    queue = {**REPLY, "name": "openai", "output_schema": {"type": "object", "properties": {
        "content": {"type": ["string", "null"]},
        "tool_calls": {"type": "array", "items": {"type": "object", "properties": {"function": function}}},
    }}}  # fmt: skip
    bench.open(queue)
    call = {"id": "c1", "type": "function", "function": {"name": "refund", "arguments": '{"amount": 1}'}}
    bench.put(queue, {"messages": TALK}, {"content": None, "tool_calls": [call]})
    bench.begin(queue)
    refused = bench.alice.send(**{"f/tool_calls/0/function/arguments": '{"amount": '})
    assert refused.status_code == 422
    bench.alice.send(**{"f/tool_calls/0/function/arguments": '{"amount": 2}'})
    call["function"] = {"name": "refund", "arguments": '{"amount": 2}'}
    assert bench.decided == [("edit", {"content": None, "tool_calls": [call]})]


def test_an_item_without_messages_is_refused():
    compiled = Compiled(1, parse(REPLY, final_say=True)[0], "")
    assert compiled.validate_input({"messages": TALK}) == []
    cases = (({}, "/input/messages"), ([{"content": "x"}], "/input/0"), ({"messages": []}, "/input/messages"))
    for given, pointer in cases:
        assert [fault.pointer for fault in compiled.validate_input(given)] == [pointer]


NOTE = "<b>👍\r\nAda\u202e met Bob in Ulm"


def span(words: str, label: str) -> dict[str, Any]:
    return {"start": NOTE.index(words), "end": NOTE.index(words) + len(words), "label": label}


def test_spans_are_rows_of_start_end_and_label_counted_in_code_points(bench):
    bench.open(NAMES)
    for _ in range(3):
        bench.put(
            NAMES, {"text": NOTE}, {"names": [span("Ada", "person"), span("Bob", "place")]},
            parts=[{"pointer": "/names/1", "confidence": 0.33}],
        )  # fmt: skip
    page = bench.begin(NAMES)
    assert re.search(r'<mark class="span c0">\s*<span class="run" data-at="6">Ada</span><span class="tag">person', page)
    assert "&lt;b&gt;👍" in page
    assert re.search(r'data-at="9" title="right-to-left override">U\+202E', page)
    assert "0.33" in page.split('data-pointer="/names/1"')[1][:1500]
    bench.alice.send("draft", add="rows")
    bench.alice.send("draft", **{
        "gone": "f/0", "f/1/label": '"person"', "f/n3/start": "22", "f/n3/end": "25", "f/n3/label": '"place"',
    })  # fmt: skip
    for change in ("<del>Ada · person</del>", "<del>Bob · place</del>", "<ins>Bob · person</ins>", "<ins>Ulm · place"):
        assert change in bench.alice.page
    bench.alice.send()
    for broken in ({"f/0/end": "99"}, {"f/0/end": "20"}, {"f/0/start": "x", "f/0/label": "{"}):
        assert bench.alice.send(**broken).status_code == 422
        bench.alice.get(bench.alice.address.removesuffix("/decision"))
    bench.alice.send(**{"gone": "f/0", "f/1/label": '"person"', "f/1/start": "16"})
    bench.alice.send()
    assert bench.decided == [
        ("edit", {"names": [span("Bob", "person"), span("Ulm", "place")]}),
        ("override", {"names": [span("ob", "person")]}),
        ("approve", {"names": [span("Ada", "person"), span("Bob", "place")]}),
    ]  # fmt: skip


PERSON = {"label": "person"}


@pytest.mark.parametrize(
    ("spans", "overlap", "pointer"),
    [
        ([{"start": 0, "end": 4, **PERSON}, {"start": 3, "end": 5, **PERSON}], False, "/output/names/1"),
        ([{"start": 0, "end": 4, **PERSON}, {"start": 3, "end": 5, **PERSON}], True, None),
        ([{"start": 0, "end": 4, **PERSON}, {"start": 4, "end": 5, **PERSON}], False, None),
        ([{"start": 0, "end": 4, "label": "person"}] * 2, True, "/output/names/1"),
        ([{"start": -1, "end": 4, "label": "person"}], True, "/output/names/0/start"),
        ([{"start": 4, "end": 4, "label": "person"}], True, "/output/names/0/end"),
        ([{"start": 0, "end": len(NOTE) + 1, "label": "person"}], True, "/output/names/0/end"),
    ],
)
def test_spans_that_cannot_be_are_refused(spans, overlap, pointer):
    view = {**NAMES["view"], "overlap": overlap}
    compiled = Compiled(1, parse({**NAMES, "view": view}, final_say=True)[0], "")
    found = [fault.pointer for fault in compiled.validate_output({"names": spans}, given={"text": NOTE})]
    assert found == ([] if pointer is None else [pointer])
    assert [fault.pointer for fault in compiled.validate_input({"text": 7})] == ["/input/text"]


def test_over_rest_a_decision_goes_with_the_items_input_too(bench, client, cast):
    bench.open(NAMES)
    bench.put(NAMES, {"text": NOTE}, {"names": []})
    claim_id = claim(client, cast.alice, "names")["claim"]["id"]
    beyond = {"start": 0, "end": len(NOTE) + 1, "label": "person"}
    refused = act(client, cast.alice, claim_id, "decision", output={"names": [beyond]})
    assert [fault["pointer"] for fault in refused.json["errors"]] == ["/output/names/0/end"]
    assert act(client, cast.alice, claim_id, "decision", output={"names": [span("Ulm", "place")]}).status_code == 200


def test_one_turn_of_several_is_edited(bench):
    turn = {"type": "object", "properties": {"role": {"enum": ["assistant", "tool"]}, "content": {"type": "string"}}}
    queue = {**REPLY, "name": "turns", "output_schema": {"type": "array", "items": turn}}
    bench.open(queue)
    turns = [{"role": "assistant", "content": "Let me see."}, {"role": "assistant", "content": "Its gone."}]
    bench.put(queue, {"messages": TALK}, turns, parts=[{"pointer": "/1/content", "confidence": 0.4}])
    page = bench.begin(queue)
    assert "0.40" in page.split('data-pointer="/1/content"')[1][:1500]
    bench.alice.send(**{"f/1/content": "It's gone."})
    assert bench.decided == [("edit", [turns[0], {**turns[1], "content": "It's gone."}])]


def test_more_spans_than_rows_are_edited_as_json(bench):
    bench.open(NAMES)
    text = "word " * 201
    many = [{"start": 5 * at, "end": 5 * at + 4, "label": "person"} for at in range(201)]
    bench.put(NAMES, {"text": text}, {"names": many})
    page = bench.begin(NAMES)
    assert 'name="f"' in page
    assert page.count('class="tag"') == 201
    assert "data-editor" not in page
    bench.alice.send(f=json.dumps(many[1:]))
    assert bench.decided == [("edit", {"names": many[1:]})]


BLANK = [
    (TOPICS, {"text": "Hello"}, {"labels": ["", '"login"']}, {"topics": ["login"]}),
    (ORDER, {"candidates": DRAFTS[:2]}, {"place/A": "1", "place/B": "2"}, None),
    (REPLY, {"messages": TALK}, {"f/content": "By hand"}, {"content": "By hand"}),
    (NAMES, {"text": NOTE}, {"rows": ["", "n1"], "f/n1/start": "6", "f/n1/end": "9", "f/n1/label": '"person"'},
     {"names": [span("Ada", "person")]}),
]  # fmt: skip
"""Of each type: a queue, an input, what is typed without a script, and the answer that it is."""


def name_of(value: Any) -> str:
    return value["name"] if isinstance(value, dict) and "name" in value else ""


@pytest.mark.parametrize(("queue", "given", "typed", "answer"), BLANK, ids=name_of)
def test_where_the_ai_gave_nothing_people_begin_blank(bench, queue, given, typed, answer):
    queue = {**queue, "on_invalid_output": "review"}
    bench.open(queue)
    bench.put(queue, given, None, failure={"code": "timeout"})
    page = bench.begin(queue)
    assert "The AI gave no usable output" in page
    assert "proposed</span>" not in page
    assert bench.alice.send(verdict="approve").status_code == 422
    bench.alice.send(**typed)
    [(verdict, output)] = bench.decided
    assert verdict == "override"
    assert output == answer or (answer is None and sorted(output) == ["gpt-x", "llama"])


PROPOSED = {
    "topics": {"topics": ["fraud"]}, "order": ["gpt-x", "llama"], "reply": {"content": "Said by the model"},
    "names": {"names": [span("Ada", "place")]},
}  # fmt: skip


@pytest.mark.parametrize(("queue", "given", "typed", "answer"), BLANK, ids=name_of)
def test_blind_people_begin_blank_and_see_nothing_of_what_the_ai_gave(bench, queue, given, typed, answer):
    queue = {**queue, "reviews": {"blind": 1.0}}
    bench.open(queue)
    bench.put(queue, given, PROPOSED[queue["name"]])
    page = bench.begin(queue)
    assert "Judge it blind" in page
    for told in ("The AI gave no usable output", "proposed</span>", "Said by the model", 'fraud&#34;" checked'):
        assert told not in page, told
    if queue["name"] != "topics":  # where none of the labels is an answer
        assert bench.alice.send().status_code == 422
    bench.alice.send(**typed)
    [(verdict, output)] = bench.decided
    assert verdict in {"edit", "override", "approve"}
    assert output == answer or (answer is None and sorted(output) == ["gpt-x", "llama"])
