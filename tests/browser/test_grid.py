"""The grid with the keyboard alone."""

from __future__ import annotations

import pytest

from tests.browser.test_desk import verdicts

pytestmark = pytest.mark.browser

ROW = "tbody[data-claim]"


def settled(page, count):
    page.wait_for_function(f"() => document.querySelectorAll('tbody.saved').length === {count}")


def test_rows_are_decided_undone_rejected_and_kept_with_keys(site, page):
    for number in range(6):
        site.submit("moods", "neutral", given={"text": f"Question {number}"})
    page.goto("/queues/moods")
    page.click("text=Grid")
    page.wait_for_selector(ROW)
    assert page.locator(ROW).count() == 6
    page.keyboard.press("Enter")
    settled(page, 1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    # An override asks for a reason in this queue: the digit selects, and Enter is refused until there is one.
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    page.wait_for_selector("tbody.refused")
    page.locator("tbody.refused select[name$=':reason']").select_option("tone")
    page.keyboard.press("Control+Enter")
    settled(page, 2)
    page.keyboard.press("u")
    settled(page, 1)
    page.keyboard.press("Enter")
    settled(page, 2)
    assert verdicts(site) == [("approve", "neutral"), ("override", "glad")]
    # A digit that changes nothing decides at once.
    page.keyboard.press("2")
    settled(page, 3)
    page.keyboard.press("x")
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    settled(page, 4)
    # A lease that is lost takes nothing away.
    with page.expect_response("**/draft"):
        page.keyboard.press("3")
    site.free_tasks()
    page.locator("tbody[aria-current] select[name$=':reason']").select_option("tone")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("tbody.lost")
    assert "It went back to the queue" in page.inner_text("tbody.lost")
    assert [row.body for row in site.drafts() if '"cross"' in row.body]
    assert [verdict for verdict, _ in verdicts(site)] == ["approve", "override", "approve", "reject"]
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_what_was_typed_last_is_kept_when_the_page_is_left_and_not_said_to_be_where_it_is_not(site, page):
    site.submit("replies", {"reply": "Hello"}, given={"text": "Question"})
    page.goto("/queues/replies/grid")
    page.click("text=Take up to")
    field = page.locator(f"{ROW} textarea, {ROW} input[type=text]").first
    field.fill("Typed and left at once")
    page.goto("/")
    page.goto("/queues/replies/grid")
    assert "Typed and left at once" in site.drafts()[0].body
    page.route("**/draft", lambda route: route.fulfill(status=404, body="No"))
    field.fill("Typed while the server says no")
    page.wait_for_selector("text=Not kept yet: the server answers 404")
    page.unroute("**/draft")
    page.wait_for_selector("text=What you typed is kept as a draft now.")
    assert "Typed while the server says no" in site.drafts()[0].body
    # It is at the desk before the desk is.
    field.fill("Typed before it was opened")
    page.keyboard.press("Escape")
    page.keyboard.press("o")
    page.wait_for_selector("main.desk")
    assert "Typed before it was opened" in page.inner_text("main")
