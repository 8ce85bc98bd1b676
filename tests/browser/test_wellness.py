"""What is hard to see stays covered until it is asked for, and a break is proposed."""

from __future__ import annotations

from typing import Any

import pytest

from reviewqueue.accounts.preferences import Preferences, save
from reviewqueue.core.access import Actor
from reviewqueue.models.states import ActorKind, Images, Via
from reviewqueue.queues.applying import apply
from tests.browser.test_desk import begin, on, ready

pytestmark = pytest.mark.browser

PICTURE = """(images) => {
  const picture = new Image(40, 40);
  picture.src = document.querySelector("link[rel=icon]").href;
  picture.alt = "A picture";
  document.querySelector(".stage").append(picture);
  const { filter, objectPosition } = getComputedStyle(picture);
  return [filter, objectPosition];
}"""
SEEN = "getComputedStyle(document.querySelector('.stage img')).filter"


def prefer(site: Any, **wanted: Any) -> None:
    alice = Actor(kind=ActorKind.PERSON, id=site.people["alice"], name="Alice", via=Via.WEB)
    site.write(save, actor=alice, wanted=Preferences(**wanted))


def test_what_is_hard_to_see_is_covered_until_asked_for(site, page):
    site.write(apply, document={**site.documents["intents"], "content_warning": "Violence, injuries"})
    for _ in range(2):
        site.submit("intents", {"label": "card_missing"}, given={"text": "He hit me."}, confidence=0.4)
    page.goto("/queues/intents")
    assert "Content warning: Violence, injuries" in page.inner_text("main")
    begin(page, "intents")
    assert page.is_visible(".main-text")
    assert not page.is_visible(".reveal")
    assert page.evaluate(PICTURE) == ["none", "50% 50%"]

    prefer(site, images=Images.GREY, covers_warned=True)
    page.reload()
    page.wait_for_selector("main.desk")
    assert not page.is_visible(".main-text")
    assert not page.is_visible(".choice")
    assert page.evaluate(PICTURE)[0] == "grayscale(1)"
    ready(page)
    page.keyboard.press("Enter")
    assert page.inner_text("#draft-state") == "It is covered: v shows it."
    assert site.decisions() == []
    page.keyboard.press("v")
    assert page.is_visible(".main-text")
    assert page.evaluate(SEEN) == "none"
    on(page, "Enter")
    assert not page.is_visible(".main-text"), "the next is covered again"
    assert "He hit me" not in page.text_content("#told")

    prefer(site, images=Images.HIDDEN)
    page.reload()
    page.wait_for_selector("main.desk")
    assert page.is_visible(".main-text")
    assert page.evaluate(PICTURE)[1] == "-99999px 0px"
    page.keyboard.press("v")
    on(page, "Enter")
    assert len(site.decisions()) == 2


def test_a_break_is_proposed_after_so_long_and_no_more_once_it_was_taken(site, page):
    prefer(site, break_minutes=15)
    site.submit("intents", {"label": "card_missing"}, confidence=0.4)
    page.clock.install()
    begin(page, "intents")
    for _ in range(4):
        page.clock.run_for(4 * 60_000)
        assert page.is_hidden("#break") is (_ < 3)
        page.keyboard.press("ArrowDown")
    page.reload()
    page.wait_for_selector("main.desk")
    page.clock.run_for(2_000)
    assert "Time for a break?" in page.inner_text("#break"), "a reload is no rest"
    page.clock.run_for(6 * 60_000)
    assert page.is_hidden("#break")
