"""Slips of the hand at the desk: what must not be decided by them, and the ways back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_desk import RECEIPT, begin, looked, on, ready, task, type_in, verdicts

pytestmark = pytest.mark.browser

SHOWN = """selector => {
  const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
  return top >= 0 && bottom <= document.querySelector('.deck').getBoundingClientRect().top;
}"""
ENTER_AT_ONCE = """() => {
  const enter = new KeyboardEvent('keydown', { key: 'Enter', bubbles: true });
  const press = () => document.activeElement.dispatchEvent(enter);
  const came = new MutationObserver(() => { came.disconnect(); requestAnimationFrame(press); });
  came.observe(document.body, { childList: true });
}"""


def told(page: Any) -> str:
    """What the desk says, once that is in sight."""
    assert page.evaluate(SHOWN, "#draft-state")
    return str(page.inner_text("#draft-state"))


def test_a_search_finds_what_is_listed_and_a_rejection_that_is_cancelled_leaves_nothing(site, page):
    page.set_viewport_size({"width": 1280, "height": 420})
    for _ in range(2):
        site.submit(
            "intents", {"label": "card_missing"}, confidence=0.4,
            alternatives=[{"output": {"label": "card_blocked"}, "confidence": 0.3}],
        )  # fmt: skip
    begin(page, "intents")
    page.keyboard.press("?")
    assert page.evaluate("document.querySelector('#keys').scrollTop") == 0
    assert "to a person" not in page.inner_text("#keys")
    page.keyboard.press("Escape")

    def badge() -> str:
        return str(page.inner_text(".choice:has(kbd.enter:visible) .choice-name"))

    assert badge() == "card_missing"
    page.keyboard.press("/")
    type_in(page, "card block")
    assert page.locator("#others .choice:visible").all_inner_texts() == ["card_blocked"]
    page.keyboard.press("Enter")
    assert badge() == "card_blocked"
    assert page.is_checked("#choices > .choice [value='\"card_blocked\"']")
    page.keyboard.press("/")
    type_in(page, "arriv")
    page.keyboard.press("Escape")
    assert page.input_value("#search") == ""
    page.keyboard.press("ArrowUp")
    assert badge() == "card_missing"

    page.keyboard.press("x")
    assert page.locator("kbd.enter:visible").count() == 0
    page.keyboard.press("Enter")
    assert told(page) == "Choose a reason first."
    other = page.locator("#reasons .pick:has([value=other]) kbd").inner_text()
    page.keyboard.press(other)
    page.wait_for_function("() => document.activeElement.id === 'comment'")
    assert told(page) == "This reason needs a note."
    assert "needs one" in page.get_attribute("#comment", "placeholder")
    page.click("#stop-asking")
    assert page.inner_text("#decide span") == "Approve"
    assert page.locator("[name=reason]:checked").count() == 0
    assert page.inner_text("#draft-state") != "This reason needs a note."
    on(page, "Enter")
    page.click("#reasons .pick:has([value=other])")
    page.keyboard.press("Enter")
    assert told(page) == "This reason needs a note.", "before the server has to refuse it"
    assert [(row.verdict.value, row.reason) for row in site.decisions()] == [("approve", None)]


def test_enter_in_the_rhythm_of_the_last_item_decides_none_that_just_came(site, page):
    for _ in range(3):
        site.submit("intents", {"label": "card_missing"}, confidence=0.4)
    site.submit("moods", "glad")
    begin(page, "intents")
    page.evaluate(ENTER_AT_ONCE)
    on(page, "Enter")
    on(page, "Enter")
    assert len(site.decisions()) == 2
    on(page, "Enter")
    assert "Nothing waits here" in page.inner_text("main")
    assert not page.is_visible("#start kbd")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !document.body.matches('.resting')")
    assert task(page) is None
    on(page, "Enter")
    assert task(page)


def test_on_a_phone_a_doubtful_field_below_the_fold_is_not_looked_at_and_each_item_begins_at_its_top(site, open_page):
    page = open_page(has_touch=True, is_mobile=True)
    page.set_viewport_size({"width": 390, "height": 844})
    for _ in range(2):
        site.submit("receipts", RECEIPT, parts=[{"pointer": "/lines/0/what", "confidence": 0.3}])
    page.goto("/queues/receipts")
    page.tap("#start")
    page.wait_for_selector("main.desk")
    ready(page)
    assert page.evaluate("document.activeElement.dataset.pointer") == "/lines/0/what"
    assert page.locator("main kbd:visible").count() == 0
    page.tap("#decide")
    assert "What (0.30)" in page.inner_text("#doubt-text")
    page.tap("#doubt-look")
    looked(page)
    assert page.evaluate(SHOWN, "[data-pointer='/lines/0/what']")
    page.tap("#reject")
    page.tap("#decide")
    assert told(page) == "Choose a reason first."
    assert page.evaluate(SHOWN, "#reasons")
    page.tap("#stop-asking")
    assert page.is_visible("#reject")
    first = task(page)
    page.tap("#decide")
    page.wait_for_function("first => document.querySelector('main').dataset.task !== first", arg=first)
    assert verdicts(site) == [("approve", RECEIPT)]
    assert page.evaluate("scrollY") == 0
    wide, room = page.evaluate(
        "(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth])(document.querySelector('.deck-rest'))"
    )
    assert wide <= room, "nothing of it is cut off"


def test_what_a_field_is_said_to_be_goes_with_its_change_and_a_blank_start_comes_back(site, page):
    site.submit("receipts", RECEIPT)
    site.submit("replies", {"reply": "Dear customer"})
    begin(page, "receipts")
    page.keyboard.press("d")
    assert told(page) == "Nothing here is doubtful."
    total = ".part[data-pointer='/total']"

    def write(text: str) -> None:
        page.focus(total)
        page.keyboard.press("Enter")
        type_in(page, text)
        page.keyboard.press("Escape")

    write("abc")
    assert page.inner_text("#draft-state") != "Nothing here is doubtful."
    on(page, "Control+Enter")
    assert "must be a number" in page.inner_text(f"{total} .errors")
    assert page.inner_text("#decide span") == "Save correction"
    write("35.00")
    assert page.locator(f"{total} .errors").count() == 0
    assert page.inner_text("#decide span") == "Approve", "the same number"
    page.click(".group[data-group='/tags'] .list-row:nth-child(2) .remove")
    assert page.inner_text("#decide span") == "Save correction"
    page.keyboard.press("Control+z")
    assert page.inner_text("#decide span") == "Approve"
    page.click("#start-blank")
    assert page.locator(".list-row").count() == 0
    page.click("#start-blank")
    assert page.inner_text("#decide span") == "Approve"
    on(page, "Control+Enter")
    begin(page, "replies")
    page.click("#start-blank")
    assert page.input_value("#text") == ""
    page.keyboard.press("Control+z")
    assert page.input_value("#text") == "Dear customer", "the editor's own way back"
    page.click("#start-blank")
    page.click("#start-blank")
    assert page.input_value("#text") == "Dear customer"
    on(page, "Control+Enter")
    assert [verdict for verdict, _ in verdicts(site)] == ["approve", "approve"]
