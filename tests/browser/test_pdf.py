"""A PDF beside the fields that were read from it: its pages, its words, and what must not happen."""

from __future__ import annotations

from typing import Any

import pytest

from reviewqueue.queues.applying import apply
from tests.browser.test_desk import ready
from tests.fixtures.pdfs import HOSTILE, INVOICE

pytestmark = [pytest.mark.browser]
BILLS: dict[str, Any] = {
    "name": "bills", "title": "Bills",
    "input_schema": {"type": "object", "required": ["file"], "properties": {"file": {"type": "object"}}},
    "output_schema": {
        "type": "object", "required": ["seller", "total"],
        "properties": {"seller": {"type": "string"}, "number": {"type": "string"}, "total": {"type": "number"}},
    },
    "view": {"type": "document", "input": "file"},
    "routing": {"otherwise": "review"},
}  # fmt: skip
PAINTED = "canvas[data-painted]"
SENT = "performance.getEntriesByType('resource').concat(performance.getEntriesByType('navigation')).filter(one => !one.name.includes('/vendor/') && !one.name.includes('/media/')).reduce((sum, one) => sum + one.transferSize, 0)"  # noqa: E501
INK = """canvas => {
  const { width, height } = canvas, painter = new OffscreenCanvas(width, height).getContext("2d");
  painter.drawImage(canvas, 0, 0);
  return painter.getImageData(0, 0, width, height).data.some((value, at) => at % 4 === 0 && value < 128);
}"""


def opened(site: Any, page: Any, data: bytes, **more: Any) -> None:
    if "bills" not in site.documents:
        site.write(apply, document=BILLS)
        site.join("alice", "bills")
        site.documents["bills"] = BILLS
    media = site.upload("bills", data)
    output = {"seller": "Harbour Supplies", "number": "2026-114", "total": 1204.5}
    site.submit("bills", output, given={"file": {"$media": media["$media"]}}, **more)
    page.goto("/queues/bills")
    page.keyboard.press("Enter")
    page.wait_for_selector(".part:focus")


def field(page: Any, name: str) -> Any:
    return page.locator(f".part[data-pointer='/{name}']")


def test_words_of_a_pdf_go_into_fields_and_a_field_shows_its_place(site, page):
    parts = [{"pointer": "/total", "confidence": 0.3, "region": {"page": 2, "box": [295, 120, 360, 136]}}]
    opened(site, page, INVOICE, parts=parts)
    # The most doubtful field is in hand: its page is shown, and its place on it.
    page.wait_for_selector(f"[data-page='2'] {PAINTED}")
    assert page.input_value("#page-now") == "2"
    assert page.locator("[data-page='2'] .region").count() == 1
    assert page.locator("[data-page='2'] canvas").evaluate(INK), "there is something on it"
    assert page.evaluate(SENT) <= 100 * 1024, "the page itself; what draws a PDF comes after its first paint"
    # A field of the first page turns there, and the same words are found on it.
    page.keyboard.press("k")
    page.wait_for_selector(f"[data-page='1'] {PAINTED}")
    field(page, "seller").click()
    box = page.locator("[data-page='1'] .region").bounding_box()
    words = page.locator("[data-page='1'] .word")
    inside = words.nth(1).bounding_box()
    assert box["x"] < inside["x"] < inside["x"] + inside["width"] < box["x"] + box["width"] + 1
    # By dragging, by keys, by a click.
    words.nth(0).hover()
    page.mouse.down()
    words.nth(2).hover()
    page.mouse.up()
    assert field(page, "seller").locator("input, textarea").input_value() == "Harbour Supplies Ltd"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".marked-word").count() == 2
    page.keyboard.press("Enter")
    assert field(page, "seller").locator("input, textarea").input_value() == "Harbour Supplies"
    page.keyboard.press("PageDown")
    page.wait_for_selector(f"[data-page='2'] {PAINTED}")
    field(page, "total").click()
    page.locator("[data-page='2'] .word").last.click()
    assert float(field(page, "total").locator("input").input_value()) == 1204.5
    page.keyboard.press("Escape")
    page.keyboard.press("+")
    assert page.locator("#pages.zoomed").count() == 1
    page.keyboard.press("PageUp")
    page.wait_for_selector(f"[data-page='1'] {PAINTED}")
    ready(page)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#undo")
    assert [decision.verdict for decision in site.decisions()] == ["approve"]


def test_hostile_pdfs_run_nothing_and_leave_the_desk_working(site, page):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name, data in HOSTILE.items():
        opened(site, page, data)
        page.wait_for_selector(f".pdf-said, {PAINTED}", timeout=60_000)
        if name == "thousands of pages":
            assert page.locator("#page-count").inner_text() == "3000"
            page.fill("#page-now", "2999")
            page.keyboard.press("Enter")
            page.wait_for_selector(f"[data-page='2999'] {PAINTED}")
            assert page.locator(".page-of").count() < 60
        assert page.locator("#pages a[href$='/media/0']").count() == 1, "the download stays"
        assert page.evaluate("window.hacked") is None
        field(page, "seller").click()
        page.keyboard.press("Escape")
        ready(page)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("main.desk", state="detached")
    assert len(site.decisions()) == len(HOSTILE)
    assert not [url for url in asked if not url.startswith((site.address, "data:", "blob:"))]
