"""Each page of the cookbook, followed as a reader would, on one running product."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cookbook import kitchen, pages

APPROVE = {"verdict": "approve"}
ARRIVAL, LOST = ({"output": {"label": label}} for label in ("card_arrival", "lost_card"))

DESK: dict[str, tuple[str, list[list[dict]]]] = {
    "gate.md": ("gated-replies", [[
        {"output": {"reply": "We refund you within three days.", "score": 0.9}},
        {"verdict": "reject", "reason": "unusable", "message": "Ask the bank first."},
    ]]),
    "curl.md": ("chat-intents", [[ARRIVAL]]),
    "feed.md": ("followed", [[ARRIVAL, APPROVE]]),
    "webhooks.md": ("told", [[ARRIVAL]]),
    "langgraph.md": ("tool-calls", [[
        {"output": {"actions": [
            {"decision": "run", "name": "send_email", "message": "",
             "args": {"to": "bob@example.com", "text": "Please call us about your account."}},
            {"decision": "reject", "name": "delete_account", "args": {"name": "bob"},
             "message": "Not before Bob has called."},
        ]}},
    ]]),
    "openai-agents.md": ("agent-calls", [[
        APPROVE, {"verdict": "reject", "reason": "unusable", "message": "It has left already."},
    ]]),
    "amazon-a2i.md": ("a2i-intents", [[ARRIVAL]]),
    "learn.md": ("learned", [[ARRIVAL, ARRIVAL, LOST, LOST, APPROVE, APPROVE]]),
}  # fmt: skip
"""What Alice decides where a page asks for it: the queue, and for each paragraph **In the desk:** her decisions."""


@pytest.fixture(scope="module")
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[kitchen.Kitchen]:
    if kitchen.missing():
        pytest.skip(f"COOKBOOK SKIPPED: this machine lacks {', '.join(kitchen.missing())}")
    with kitchen.opened(tmp_path_factory.mktemp("cookbook"), request.config.cache.mkdir("pycache")) as found:
        yield found


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.stem)
def test_a_page_works_as_written(page: Path, product: kitchen.Kitchen, tmp_path: Path) -> None:
    queue, decisions = DESK.get(page.name, ("", []))
    product.follow(page, tmp_path, queue, decisions)
