"""Real receipts beside the fields that a program read from them, corrected with words of the page."""

from __future__ import annotations

import os
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from reviewqueue.queues.applying import apply
from reviewqueue.queues.pages import words_in
from tests.browser.test_desk import looked, on
from tests.browser.test_receipts import FIELDS, QUEUE, exported, read

pytestmark = [pytest.mark.browser, pytest.mark.data]
PAGES: dict[str, Any] = {**QUEUE, "name": "pages", "view": {"type": "document", "input": "page", "words": "ocr"}}
MOST_ACTIONS = 4
"""A field: a click, a drag, a key, or a text that is typed."""


def submit(site: Any, receipt: dict[str, Any], folder: Path) -> None:
    picture = site.upload("pages", (folder / receipt["image"]).read_bytes())
    site.submit(
        "pages", receipt["fields"], given={"page": {"$media": picture["$media"]}, "ocr": receipt["ocr"]},
        external_id=receipt["external_id"], confidence=receipt["confidence"],
        parts=[{"pointer": f"/{name}", "confidence": value} for name, value in receipt["field_confidence"].items()],
    )  # fmt: skip


def best_run(words: list[str], wanted: str) -> tuple[int, int]:
    """The words that say most nearly `wanted`."""
    length = len(wanted.split())
    runs = [
        (first, first + count - 1)
        for count in range(max(1, length - 3), length + 4)
        for first in range(len(words) - count + 1)
    ]
    return max(runs, key=lambda run: SequenceMatcher(None, " ".join(words[run[0] : run[1] + 1]), wanted).ratio())


def correct(page: Any, name: str, words: list[str], wanted: str) -> tuple[int, bool]:
    """Set one field by hand: how many actions it took, and whether words alone were enough."""
    part = page.locator(f".part[data-pointer='/{name}']")
    first, last = best_run(words, wanted)
    part.click()
    page.locator(f".word[data-at='{first}']").hover()
    page.mouse.down()
    page.locator(f".word[data-at='{last}']").hover()
    page.mouse.up()
    control = part.locator(".part-control > *")
    if control.input_value() == wanted:
        return 2, True
    page.keyboard.press("Enter")
    control.select_text()
    page.keyboard.insert_text(wanted)
    page.keyboard.press("Escape")
    return 4, False


def taken_by_keys(page: Any) -> None:
    """Two words from where the selected field says that they are."""
    field = page.evaluate("document.activeElement.dataset.pointer")
    control = page.locator(f".part[data-pointer='{field}'] .part-control > *")
    first, second = control.input_value().split()[:2]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".marked-word").count() == 2
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.dataset.pointer") == field
    assert control.input_value() == f"{first} {second}"


def test_receipts_are_corrected_by_their_words_with_at_most_four_actions_a_field(site, page):
    receipts = {receipt["external_id"]: receipt for receipt in read("predictions.jsonl")}
    truths = {truth["external_id"]: truth["fields"] for truth in read("truth.jsonl")}
    folder = Path(os.environ["REVIEWQUEUE_TEST_DATA"]) / "receipts"
    site.write(apply, document=PAGES)
    site.join("alice", "pages")
    for receipt in receipts.values():
        submit(site, receipt, folder)
    page.goto("/queues/pages")
    page.keyboard.press("Enter")
    page.wait_for_selector(".part:focus")
    taken_by_keys(page)
    counts: list[tuple[int, bool]] = []
    for _ in receipts:
        page.wait_for_selector("svg.over .word")
        assert page.evaluate("document.querySelector('.sheet img').decode().then(() => true)")
        name = page.inner_text(".stage .facts dd >> nth=-1")
        words = [word.text for word in words_in({"words": receipts[name]["ocr"]}, None)]
        for field in FIELDS:
            if receipts[name]["fields"][field] != truths[name][field]:
                counts.append(correct(page, field, words, truths[name][field]))
            elif receipts[name]["field_confidence"][field] < 0.5:
                page.locator(f".part[data-pointer='/{field}']").click()
                assert page.locator(".region").count()
                looked(page)
        on(page, "Control+Enter")
    assert len(counts) == 34
    assert max(actions for actions, _ in counts) <= MOST_ACTIONS
    assert sum(by_words for _, by_words in counts) >= 22, "nearly all that the page says word for word"
    assert {record["external_id"]: record["resolution"]["output"] for record in exported(site, "pages")} == truths
