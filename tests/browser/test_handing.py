"""Handing on with the keyboard alone."""

from __future__ import annotations

import pytest

from reviewqueue.models import Task
from reviewqueue.queues.applying import apply
from tests.browser.test_desk import begin, on, task

pytestmark = pytest.mark.browser


def test_ways_to_hand_on_have_their_keys_and_new_instructions_come_up_once(site, page):
    site.write(apply, document={**site.documents["moods"], "name": "tempers", "title": "Tempers"})
    site.join("alice", "tempers")
    for number in range(5):
        site.submit("moods", "neutral", given={"text": f"Question {number}"})
    begin(page, "moods")
    sent = task(page)
    page.keyboard.press("h")
    page.wait_for_selector("#handing[open]")
    page.keyboard.press("q")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("Rather a temper")
    on(page, "Control+Enter")
    later = task(page)
    page.keyboard.press("h")
    page.wait_for_selector("#handing[open]")
    on(page, "3")
    page.keyboard.press("h")
    page.wait_for_selector("#handing[open]")
    page.keyboard.press("s")
    page.keyboard.type("Not my language")
    skipped = task(page)
    on(page, "Control+Enter")
    rows = {row.id: row for row in site.rows(Task)}
    assert rows[sent].sent_from is not None
    assert rows[later].assignee == site.people["alice"]
    assert [row.comment for row in site.skips()] == ["Not my language"]
    on(page, "z")
    assert task(page) == skipped
    on(page, "Enter")
    site.write(apply, document={**site.documents["moods"], "instructions": "Be **kind**."})
    on(page, "Enter")
    page.wait_for_selector("#instructions[open]")
    assert "They have changed" in page.inner_text("#instructions")
    with page.expect_response("**/instructions/reading"):
        page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("main.desk")
    assert not page.is_visible("#instructions")


def test_a_comment_is_written_and_left_by_keys_and_is_one_step_back(site, page):
    site.submit("moods", "neutral", given={"text": "A question"})
    begin(page, "moods")
    at_desk = page.url
    page.keyboard.press("c")
    page.wait_for_url("**/comments")
    page.keyboard.type("Is this a complaint?")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".said .words")
    page.go_back()
    page.wait_for_url(at_desk)
    page.keyboard.press("c")
    page.wait_for_url("**/comments")
    page.keyboard.type("Half a")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "BODY", "what was typed stands"
    assert page.input_value("#body") == "Half a"
    page.keyboard.press("Escape")
    page.wait_for_url(at_desk)
