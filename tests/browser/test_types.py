"""The further task types in a real browser, with the keyboard alone."""

from __future__ import annotations

from typing import Any

import pytest

from reviewqueue.queues.applying import apply
from tests.browser.test_desk import SENT, begin, on, type_in, verdicts
from tests.fixtures.media import png

pytestmark = pytest.mark.browser

TOPICS: dict[str, Any] = {
    "name": "topics", "title": "Topics", "routing": {"otherwise": "review"},
    "output_schema": {"type": "object", "required": ["topics"], "properties": {"topics": {
        "type": "array", "uniqueItems": True, "items": {"enum": [f"topic_{number}" for number in range(30)]},
    }}},
}  # fmt: skip

BEST: dict[str, Any] = {
    "name": "best", "routing": {"otherwise": "review"}, "on_invalid_output": "review",
    "view": {"type": "compare", "output": "best"}, "output_schema": {
        "type": "object", "required": ["best"], "properties": {"best": {"type": ["string", "null"]}},
    },
}  # fmt: skip
ORDER: dict[str, Any] = {
    "name": "order", "routing": {"otherwise": "review"}, "view": {"type": "compare"},
    "output_schema": {"type": "array", "items": {"type": "string"}},
}  # fmt: skip
DRAFTS = [{"id": f"m{number}", "output": f"Draft {number}"} for number in range(3)]


def opened(site: Any, document: dict[str, Any]) -> None:
    site.write(apply, document=document)
    site.join("alice", document["name"])


def test_labels_are_toggled_searched_and_saved_with_control_enter(site, page):
    opened(site, TOPICS)
    for _ in range(2):
        site.submit(
            "topics", {"topics": ["topic_4", "topic_2"]},
            parts=[{"pointer": "/topics/0", "confidence": 0.9}, {"pointer": "/topics/1", "confidence": 0.2}],
            alternatives=[{"output": {"topics": ["topic_9"]}, "confidence": 0.15}],
        )  # fmt: skip
    begin(page, "topics")
    page.wait_for_function("() => document.activeElement.name === 'labels'")
    assert page.evaluate("document.activeElement.value") == '"topic_2"', "the most doubtful is selected"
    page.keyboard.press("Enter")
    page.keyboard.press("3")
    page.keyboard.press("/")
    type_in(page, "topic 17")
    page.keyboard.press("Enter")
    assert page.inner_text("#diff").split() == ["topic_2", "topic_9", "topic_17"]
    assert page.inner_text("#decide span") == "Save correction"
    page.keyboard.press("1")
    page.keyboard.press("1")
    on(page, "Control+Enter")
    on(page, "Control+Enter")
    assert verdicts(site) == [
        ("edit", {"topics": ["topic_4", "topic_9", "topic_17"]}), ("approve", {"topics": ["topic_4", "topic_2"]}),
    ]  # fmt: skip


def drafts(page: Any) -> list[str]:
    """The candidates in sight, by their ids."""
    return [f"m{text.split()[-1]}" for text in page.locator(".candidate-text").all_inner_texts()]


def test_the_best_is_picked_with_a_digit_and_candidates_are_ranked_by_digits(site, page):
    for document in (BEST, ORDER):
        opened(site, document)
    for said in ({"output": {"best": "m1"}}, {"output": {"best": "m1"}}, {"output": {"best": "m1"}},
                 {"output": None, "failure": {"code": "timeout"}}):  # fmt: skip
        site.submit("best", given={"question": "Which?", "candidates": DRAFTS}, **said)
    for _ in range(2):
        site.submit("order", ["m2", "m1", "m0"], given={"candidates": DRAFTS})
    begin(page, "best")
    wanted = drafts(page).index("m2") + 1
    on(page, str(wanted))
    on(page, "Control+Enter")
    on(page, "0")
    wanted = drafts(page).index("m2")
    page.click(f".candidate >> nth={wanted}")
    assert page.is_checked(f"[name=pick][value={'ABC'[wanted]}]"), "a click selects, and a digit decides"
    assert not page.is_visible("#changes"), "nothing was proposed that could change"
    on(page, "Control+Enter")
    assert verdicts(site) == [
        ("override", {"best": "m2"}), ("approve", {"best": "m1"}), ("override", {"best": None}),
        ("override", {"best": "m2"}),
    ]  # fmt: skip
    begin(page, "order")
    order = drafts(page)
    places = page.locator("#choices select")
    for number in ("1", "2", "1"):
        page.keyboard.press(number)
    assert [places.nth(at).input_value() for at in range(3)] == ["", "1", ""], "begun anew, and one taken back"
    page.keyboard.press("Control+Enter")
    assert "Give each a place" in page.inner_text("#draft-state")
    for number in ("3", "1"):
        page.keyboard.press(number)
    on(page, "Control+Enter")
    assert verdicts(site)[4][1] == [order[1], order[2], order[0]]


REPLY: dict[str, Any] = {
    "name": "reply", "routing": {"otherwise": "review"}, "view": {"type": "chat"}, "output_schema": {
        "type": "object", "required": ["content"], "properties": {
            "content": {"type": "string"}, "tool_calls": {"type": "array", "items": {"type": "object", "properties": {
                "name": {"type": "string"}, "args": {"type": "object"},
            }}},
        },
    },
}  # fmt: skip


def test_a_reply_and_its_calls_are_corrected_by_keys_and_nothing_in_them_runs(site, page):
    opened(site, REPLY)
    hostile = "<script>document.title='owned'</script> **bold** [x](javascript:alert(1))"
    talk = [{"role": "user", "content": hostile}, *({"role": "assistant", "content": "word " * 99} for _ in range(9))]
    call = {"name": "refund", "args": {"amount": 49.9, "payment": "P-1"}}
    site.submit(
        "reply", {"content": hostile, "tool_calls": [call]}, given={"messages": talk},
        parts=[{"pointer": "/tool_calls/0/args/payment", "confidence": 0.3}],
    )  # fmt: skip
    begin(page, "reply")
    assert page.evaluate("document.activeElement.dataset.pointer") == "/tool_calls/0/args/payment"
    assert page.query_selector(".turn a, .turn script, .part-value a") is None
    page.keyboard.press("Enter")
    type_in(page, "P-2")
    page.keyboard.press("Enter")
    assert page.inner_text(".part:focus ins") == "P-2"
    page.focus(".part[data-pointer='/content']")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    type_in(page, "Bye")
    page.keyboard.press("Escape")
    assert page.inner_text(".part[data-pointer='/content'] ins").strip() == "Bye"
    on(page, "Control+Enter")
    call["args"] = {"amount": 49.9, "payment": "P-2"}
    assert verdicts(site) == [("edit", {"content": hostile + "\nBye", "tool_calls": [call]})]
    assert "owned" not in page.title()


NAMES: dict[str, Any] = {
    "name": "names", "routing": {"otherwise": "review"},
    "view": {"type": "spans", "input": "text", "output": "names", "overlap": True},
    "output_schema": {"type": "object", "required": ["names"], "properties": {"names": {"type": "array", "items": {
        "type": "object", "required": ["start", "end", "label"], "properties": {
            "start": {"type": "integer"}, "end": {"type": "integer"}, "label": {"enum": ["person", "place"]},
        },
    }}}},
}  # fmt: skip
NOTE = "\U0001f44d <i>\r\nAda\u200b Lovelace met Bob \U0001f44d in Ulm, e\u0301t\u00e9"


def select_words(page: Any, words: str) -> None:
    """As with the mouse: from the first letter to the last."""
    page.evaluate(
        """(words) => {
            const run = [...document.querySelectorAll('#marked .run')].find((each) => each.textContent.includes(words));
            const at = run.firstChild.data.indexOf(words), range = document.createRange();
            range.setStart(run.firstChild, at);
            range.setEnd(run.firstChild, at + words.length);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
        }""",
        words,
    )


def test_spans_are_taken_by_keys_and_mouse_and_counted_in_code_points(site, page):
    def span(words: str, label: str) -> dict[str, Any]:
        return {"start": NOTE.index(words), "end": NOTE.index(words) + len(words), "label": label}

    opened(site, NAMES)
    given = [span("Ada", "place"), span("Bob", "person")]
    for _ in range(2):
        site.submit("names", {"names": given}, given={"text": NOTE}, parts=[
            {"pointer": "/names/0", "confidence": 0.9}, {"pointer": "/names/1", "confidence": 0.3},
        ])  # fmt: skip
    begin(page, "names")
    page.wait_for_function("() => document.activeElement.dataset.pointer === '/names/1'")
    assert page.locator("#marked mark").all_inner_texts() == ["Adaplace", "Bobperson"]
    assert 20_000 < page.evaluate(SENT) <= 100 * 1024, "the heaviest of the types without a picture"
    page.keyboard.press("Delete")
    page.keyboard.press("k")
    page.keyboard.press("1")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("1")
    select_words(page, "Ulm")
    page.keyboard.press("2")
    select_words(page, "e\u0301t\u00e9")
    page.click("#palette button >> nth=1")
    assert page.locator("#diff del").all_inner_texts() == ["Ada · place", "Bob · person"]
    assert page.locator("#marked .tag").count() == 4
    on(page, "Control+Enter")
    on(page, "Control+Enter")
    assert page.evaluate("document.querySelector('#doubt')?.open ?? false") is False
    wanted = [span("Ada", "person"), span("Ada\u200b Lovelace", "person"), span("Ulm", "place"),
              span("e\u0301t\u00e9", "place")]  # fmt: skip
    assert verdicts(site) == [("edit", {"names": wanted}), ("approve", {"names": given})]


SCENES: dict[str, Any] = {
    "name": "scenes", "routing": {"otherwise": "review"},
    "view": {"type": "image_boxes", "input": "picture", "output": "boxes"},
    "output_schema": {"type": "object", "required": ["boxes"], "properties": {"boxes": {"type": "array", "items": {
        "type": "object", "required": ["x", "y", "width", "height", "label"], "properties": {
            **{side: {"type": "number"} for side in ("x", "y", "width", "height")}, "label": {"enum": ["cat", "dog"]},
        },
    }}}},
}  # fmt: skip


def test_boxes_are_drawn_moved_sized_and_labelled(site, page):
    opened(site, SCENES)
    picture = site.upload("scenes", png(400, 300))
    boxes = [
        {"x": 20, "y": 30, "width": 80, "height": 60, "label": "cat", "track": 7},
        {"x": 200, "y": 30, "width": 50, "height": 50, "label": "cat"},
    ]
    site.submit(
        "scenes", {"boxes": boxes}, given={"picture": {"$media": picture["$media"]}, "name": "<b>x</b>"},
        parts=[{"pointer": "/boxes/1", "confidence": 0.3}],
    )  # fmt: skip
    begin(page, "scenes")
    page.wait_for_function("() => document.activeElement.dataset.pointer === '/boxes/1'")
    assert 20_000 < page.evaluate(SENT) <= 100 * 1024, "the heaviest of the types, with its picture"
    page.keyboard.press("b")
    assert page.locator(".box.unnamed").count() == 1, "not in the colour of a label"
    page.keyboard.press("Control+Enter")
    assert "Give each box a label first" in page.inner_text("#draft-state")
    page.keyboard.press("Control+z")
    assert page.locator(".box").count() == 2
    page.focus("[data-pointer='/boxes/1']")
    page.keyboard.press("2")
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    assert page.inner_text("#so-far") == "2 boxes, 1 new or moved, 0 gone."
    page.keyboard.press("k")
    page.keyboard.press("Delete")
    page.keyboard.press("2")
    assert page.locator(".box").count() == 1
    page.keyboard.press("k")
    page.keyboard.press("1")
    page.keyboard.press("Control+z")
    assert page.locator(".box-row:focus .quote").inner_text().startswith("dog "), "what Delete left is as it was"
    page.keyboard.press("Control+z")
    assert page.locator(".box").count() == 2
    assert page.locator(".box-row:focus .quote").inner_text() == "cat 80 × 60 at 20, 30"
    page.keyboard.press("Delete")
    place = page.locator("svg.over").bounding_box()
    assert place is not None
    scale = place["width"] / 400
    page.mouse.move(place["x"] + 100 * scale, place["y"] + 150 * scale)
    page.mouse.down()
    page.mouse.move(place["x"] + 180 * scale, place["y"] + 250 * scale, steps=4)
    page.mouse.up()
    page.keyboard.press("1")
    assert page.locator(".box").count() == 2
    page.mouse.move(place["x"] + 140 * scale, place["y"] + 200 * scale)
    page.mouse.down()
    page.mouse.move(place["x"] + 160 * scale, place["y"] + 180 * scale, steps=4)
    page.mouse.up()
    assert page.inner_text("#decide span") == "Save correction"
    on(page, "Control+Enter")
    assert verdicts(site) == [("edit", {"boxes": [
        {"x": 201, "y": 31, "width": 51, "height": 49, "label": "dog"},
        {"x": 120, "y": 130, "width": 80, "height": 100, "label": "cat"},
    ]})]  # fmt: skip
