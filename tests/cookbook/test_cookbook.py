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
    "pictures.md": ("scanned", [[{"output": {"sender": "Harbour Supplies", "total": "9.00"}}]]),
    "amazon-a2i.md": ("a2i-intents", [[ARRIVAL]]),
    "learn.md": ("learned", [[ARRIVAL, ARRIVAL, LOST, LOST, APPROVE, APPROVE]]),
}  # fmt: skip
"""What Alice decides where a page asks for it: the queue, and for each paragraph **In the desk:** her decisions."""


INDEX = pages.INDEX.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kitchen.Kitchen]:
    if kitchen.missing():
        pytest.skip(f"COOKBOOK SKIPPED: this machine lacks {', '.join(kitchen.missing())}")
    with kitchen.opened(tmp_path_factory.mktemp("cookbook")) as found:
        yield found


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: page.stem)
def test_a_page_works_as_written(page: Path, product: kitchen.Kitchen, tmp_path: Path) -> None:
    queue, decisions = DESK.get(page.name, ("", []))
    product.follow(page, tmp_path, queue, decisions)


def invented(directory: Path, text: str) -> None:
    page = directory / "page.md"
    page.write_text(text, encoding="utf-8")
    kitchen.Kitchen(0, kitchen.environment(), "").follow(page, directory, "", [])


@pytest.mark.skipif(bool(kitchen.missing()), reason="no shell")
def test_a_page_that_is_wrong_is_found_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    right = "```python\n# say.py\nprint('id 7: yes')\n```\n\n```sh\nWHO=say\n```\n\n```sh\npython $WHO.py\n```\n\n"
    invented(tmp_path_factory.mktemp("right"), right + "```text\nid …: yes\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md, line 10, prints\nid 7: yes\n\nand not\nid …: no"):
        invented(tmp_path_factory.mktemp("other"), right + "```text\nid …: no\n```\n")
    with pytest.raises(AssertionError, match="failed, and printed"):
        invented(tmp_path_factory.mktemp("fails"), right + "```sh\nfalse\necho on\n```\n")
    with pytest.raises(AssertionError, match="unbound variable"):
        invented(tmp_path_factory.mktemp("unset"), right + "```sh\necho $NOBODY_SET_THIS\n```\n")


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ('{"id": "…",\n "n": [1, 2]}', '{"id":"01a1","n":[1,2]}\n', True),
        ('{"id": "…", …}', '{"id": "01a1", "n": 1}', True),
        ('{"n": 1}\n{"n": 2}', '{"n":1}{"n":2}', True),
        ('{"n": 1}', '{"n": 1.0}', False),
        ('{"text": "a b"}', '{"text": "ab"}', False),
        ('{"n": 1}', '{"n": 1, "m": 2}', False),
        ('{"n": 1}', "nothing", False),
    ],
)
def test_json_is_compared_as_json(expected: str, printed: str, same: bool) -> None:
    assert pages.fits("json", expected, printed) is same


def test_text_may_leave_out_lines_and_parts_of_them() -> None:
    assert pages.fits("text", "…\nqueue … is at version 1\n", "one\ntwo\nqueue a is at version 1\n")
    assert not pages.fits("text", "queue … is at version 1\n", "queue a is at\nversion 1\n")


def test_every_page_is_in_the_index_once() -> None:
    linked = re.findall(r"^- \[.+\]\((.+\.md)\)$", INDEX, re.MULTILINE)
    assert sorted(linked) == [page.name for page in pages.pages()]


def test_every_block_is_something_that_is_done_or_compared() -> None:
    for page in [*pages.pages(), pages.INDEX]:
        text = page.read_text(encoding="utf-8")
        steps = pages.steps(text)
        shown = sum(isinstance(step, pages.Command) and step.printed is not None for step in steps)
        blocks = sum(not isinstance(step, pages.Desk) for step in steps) + shown
        assert blocks * 2 == len(re.findall(r"^```", text, re.MULTILINE)), page.name


def test_every_page_has_a_queue_of_its_own_and_says_where_to_read_on() -> None:
    queues = []
    for page in pages.pages():
        text = page.read_text(encoding="utf-8")
        queues += set(re.findall(r"^name: (\S+)$", text, re.MULTILINE))
        assert "\n## What to know\n" in text, page.name
        assert "\nRead on: " in text, page.name
    assert len(queues) == len(set(queues)) == len(pages.pages())
