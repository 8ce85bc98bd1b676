"""A whole shift: a hundred items of every type, by the keyboard alone, with what goes wrong on a day."""

from __future__ import annotations

from typing import Any

import pytest

from bench import painting
from reviewqueue.models import Task
from reviewqueue.models.states import QueueRole
from tests.browser.test_desk import on, task, type_in
from tests.browser.test_types import BEST, DRAFTS, NAMES, REPLY, TOPICS, opened

pytestmark = pytest.mark.browser

ITEMS: dict[str, tuple[Any, Any, int]] = {
    "intents": ({"label": "card_missing"}, {"text": "Where is my card?"}, 22),
    "topics": ({"topics": ["topic_4", "topic_2"]}, {"text": "Too dear, too slow"}, 13),
    "replies": ({"reply": "Dear customer"}, {"text": "You took it twice."}, 13),
    "receipts": ({"company": "ACME", "total": 9.5}, {"ocr": "ACME 9.50"}, 13),
    "reply": ({"content": "Done."}, {"messages": [{"role": "user", "content": "Pay it back"}]}, 13),
    "names": ({"names": [{"start": 0, "end": 3, "label": "person"}]}, {"text": "Ada Lovelace met Bob in Ulm."}, 13),
    "best": ({"best": "m1"}, {"question": "Which?", "candidates": DRAFTS}, 13),
}
"""What each queue is sent: the model's output, its input, and how many of them."""
READY = "() => !document.querySelector('main').dataset.editor || document.activeElement !== document.body"


def view(page: Any) -> str | None:
    found: str | None = page.evaluate("document.querySelector('main').dataset.view ?? null")
    return found


def approve(page: Any) -> None:
    """With one keystroke; where a queue has become empty, its button goes on with the next."""
    page.wait_for_function(READY)
    on(page, "Enter" if view(page) == "choice" else "Control+Enter")
    if view(page) is None and page.query_selector("#start"):
        page.focus("#start")
        on(page, "Enter")


def note(page: Any, text: str) -> None:
    page.keyboard.press("n")
    type_in(page, text)


def test_a_hundred_items_of_every_type_by_the_keyboard_alone(site, page, capsys):
    for document in (TOPICS, REPLY, NAMES, BEST):
        opened(site, document)
    site.join("carol", "intents", QueueRole.LEAD)
    for queue, (output, given, count) in ITEMS.items():
        for _ in range(count):
            site.submit(queue, output, given=given, confidence=0.4)
    page.add_init_script(f"addEventListener('DOMContentLoaded', {painting.WATCH})")
    page.reload()
    page.keyboard.press("Enter")
    page.wait_for_selector("main.desk")

    note(page, "Before the reload")
    page.wait_for_function("() => document.querySelector('#draft-state').textContent.startsWith('Draft saved')")
    page.reload()
    page.wait_for_selector("main.desk")
    assert page.input_value("#comment") == "Before the reload"
    approve(page)

    note(page, "Before the lease was lost")
    site.lose_leases()
    on(page, "Control+Enter")
    assert "no longer yours" in page.inner_text(".notice")
    on(page, "Enter")
    assert page.input_value("#comment") == "Before the lease was lost"
    approve(page)

    decided = task(page)
    approve(page)
    on(page, "z")
    assert task(page) == decided
    approve(page)

    on(page, "s")
    page.keyboard.press("e")
    type_in(page, "Not mine to say")
    on(page, "Control+Enter")

    while view(page) is not None:
        approve(page)
    waits = page.evaluate("window.waits")
    with capsys.disabled():
        print(f"\n{painting.told(waits)}")
    decisions = site.decisions()
    assert len(decisions) == len({row.task_id for row in decisions}) == 98
    assert {row.verdict.value for row in decisions} == {"approve"}
    assert [row.comment for row in decisions if row.comment] == ["Before the reload", "Before the lease was lost"]
    left = [row.audience.value for row in site.rows(Task) if row.state.value != "done"]
    assert (len(site.skips()), sorted(left)) == (1, ["lead", "reviewer"])
    assert len(waits) > 100, "every item that came into the hand was measured"
