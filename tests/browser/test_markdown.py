"""Markdown out of an item, as it reads: drawn by the server, and hostile."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_desk import begin, on, type_in, verdicts
from tests.browser.test_types import REPLY, opened

pytestmark = pytest.mark.browser

HOSTILE = (
    "**Dear** customer <img src=x onerror=\"document.title='owned'\"> [go](javascript:alert(1)) "
    "![x](https://evil.example/x.png) <script>document.title='owned'</script>"
)


def reads(page: Any, words: str) -> None:
    page.wait_for_function("(words) => document.querySelector('#read').innerText.includes(words)", arg=words)


def test_it_is_drawn_anew_while_one_types_and_nothing_in_it_runs_or_loads(site, page):
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    markdown = {"name": "letters", "view": {"type": "text", "output": "reply", "markdown": True}}
    opened(site, {**site.documents["replies"], **markdown})
    opened(site, {**REPLY, "view": {"type": "chat", "markdown": True}})
    site.submit("letters", {"reply": HOSTILE})
    site.submit("reply", {"content": HOSTILE}, given={"messages": [{"role": "user", "content": HOSTILE}]})

    begin(page, "letters")
    assert page.inner_text("#read strong") == "Dear"
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    type_in(page, " _Regards_")
    reads(page, "Regards")
    assert page.inner_text("#read em") == "Regards"
    assert page.query_selector("#read :is(a, img, script)") is None
    on(page, "Control+Enter")

    begin(page, "reply")
    assert page.inner_text(".turn strong") == "Dear"
    assert page.query_selector(".turn :is(a, img, script), #read :is(a, img, script)") is None
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    type_in(page, " `ok`")
    reads(page, "ok")
    on(page, "Control+Enter")
    assert verdicts(site) == [("edit", {"reply": HOSTILE + " _Regards_"}), ("edit", {"content": HOSTILE + " `ok`"})]
    assert "owned" not in page.title()
    assert not [url for url in asked if "evil" in url or not url.startswith(site.address)]
