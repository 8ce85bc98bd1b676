"""A lead at the board and in the list: what others do shows by itself, and many items are given at once."""

from __future__ import annotations

import pytest

from reviewqueue.accounts import people
from reviewqueue.models import Task
from reviewqueue.models.states import QueueRole
from reviewqueue.review import board
from tests.browser.test_desk import begin
from tests.fixtures.people import PASSWORD

pytestmark = pytest.mark.browser


def test_a_lead_sees_who_works_and_gives_many_items_to_somebody(site, open_page, monkeypatch):
    monkeypatch.setattr(board, "KEPT_SECONDS", 0.0)
    site.write(people.create, email="bob@example.org", name="Bob", password=PASSWORD, must_change_password=False)
    site.join("bob", "moods", QueueRole.LEAD)
    for number in range(4):
        site.submit("moods", "neutral", given={"text": f"Question {number}"}, external_id=f"m{number}")
    bob = open_page("bob")
    bob.clock.install()
    bob.goto("/board")
    assert "Nobody works on it now." in bob.inner_text("#board")
    begin(open_page("alice"), "moods")
    with bob.expect_response("**/board?part=board*"):
        bob.clock.fast_forward(6000)
    bob.wait_for_selector(".hands >> text=Alice")
    bob.click("text=Items")
    bob.fill("#q", "question")
    bob.select_option("#state", "queued")
    bob.click("button:has-text('Show')")
    bob.wait_for_url("**q=question&state=queued**")
    bob.click("text=Save this view")
    bob.fill("#view-name", "Questions")
    bob.click("button:has-text('Save')")
    bob.wait_for_selector(".views >> text=Questions")
    bob.click("text=Act on several items")
    bob.click("text=Tick all below")
    assert bob.locator("[name=item]:checked").count() == 4
    assert bob.is_visible("#bulk-person")
    assert not bob.is_visible("#bulk-reason")
    bob.select_option("#bulk-person", label="Carol (carol@example.org)")
    bob.click("button:has-text('Preview')")
    bob.wait_for_selector("text=1 item of them is in somebody’s hands")
    bob.click(".button.primary")
    bob.wait_for_selector("text=4 of 4 items")
    assert {row.assignee for row in site.rows(Task)} == {site.people["carol"]}
