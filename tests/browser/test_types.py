"""The further task types in a real browser, with the keyboard alone."""

from __future__ import annotations

from typing import Any

import pytest

from reviewqueue.queues.applying import apply
from tests.browser.test_desk import begin, on, type_in, verdicts

pytestmark = pytest.mark.browser

TOPICS: dict[str, Any] = {
    "name": "topics", "title": "Topics", "routing": {"otherwise": "review"},
    "output_schema": {"type": "object", "required": ["topics"], "properties": {"topics": {
        "type": "array", "uniqueItems": True, "items": {"enum": [f"topic_{number}" for number in range(30)]},
    }}},
}  # fmt: skip


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
