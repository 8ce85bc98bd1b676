"""Each further task type at the desk without a script: what is shown, changed, drafted and decided."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from reviewqueue.accounts import memberships
from reviewqueue.core.db import read_session
from reviewqueue.core.http import checked
from reviewqueue.core.strictjson import dumps
from reviewqueue.intake.shapes import ItemShape
from reviewqueue.intake.submissions import submit
from reviewqueue.models import Decision
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from reviewqueue.queues.catalog import Compiled
from reviewqueue.queues.configuration import parse
from tests.fixtures.noscript import Desk
from tests.fixtures.people import OPERATOR, Cast

TOPICS: dict[str, Any] = {
    "name": "topics", "routing": {"otherwise": "review"},
    "output_schema": {"type": "object", "required": ["topics"], "properties": {
        "topics": {"type": "array", "uniqueItems": True, "items": {"enum": ["fees", "cards", "login", "fraud"]}},
    }},
}  # fmt: skip

BEST: dict[str, Any] = {
    "name": "best", "routing": {"otherwise": "review"},
    "view": {"type": "compare", "input": "question", "output": "best"},
    "output_schema": {
        "type": ["object", "null"], "required": ["best"], "properties": {"best": {"type": ["string", "null"]}},
    },
}  # fmt: skip
ORDER: dict[str, Any] = {
    "name": "order", "routing": {"otherwise": "review"}, "view": {"type": "compare"},
    "output_schema": {"type": "array", "items": {"type": "string"}},
}  # fmt: skip
DRAFTS = [
    {"id": "gpt-x", "output": "Yours truly", "model": "gpt-x"}, {"id": "llama", "output": "See you", "model": "llama"},
    {"id": "qwen", "output": {"text": "Bye", "tone": "<b>"}, "model": "qwen"},
]  # fmt: skip


class Bench:
    """Queues with items, Alice at their desk, and what she decided."""

    def __init__(self, app: Any, cast: Cast, transaction: Any) -> None:
        self._app, self._transaction, self._cast = app, transaction, cast

    def open(self, queue: dict[str, Any]) -> None:
        with self._transaction() as session:
            apply(session=session, actor=OPERATOR, document=queue)
            memberships.add(
                session=session, actor=OPERATOR, slug=queue["name"], email=self._cast.alice.email,
                role=QueueRole.REVIEWER,
            )  # fmt: skip
        self.alice = Desk(self._app, self._cast.alice)

    def put(self, queue: dict[str, Any], given: Any, output: Any, **more: Any) -> None:
        body = {"queue": queue["name"], "input": given, "output": output, **more}
        with self._transaction() as session:
            submit(session=session, actor=OPERATOR, body=checked(ItemShape, dumps(body).encode()))

    def begin(self, queue: dict[str, Any]) -> str:
        self.alice.post(f"/queues/{queue['name']}/claims")
        return self.alice.page

    @property
    def decided(self) -> list[tuple[str, Any]]:
        with self._app.app_context(), read_session() as session:
            rows = session.scalars(select(Decision).order_by(Decision.id)).all()
        return [(row.verdict.value, json.loads(row.output)) for row in rows]


@pytest.fixture
def bench(app: Any, cast: Cast, transaction: Any) -> Bench:
    return Bench(app, cast, transaction)


def test_several_labels_are_ticked_and_what_goes_and_comes_is_shown(bench):
    bench.open(TOPICS)
    for output in (["cards", "fees"], ["cards", "fees"], ["login"]):
        bench.put(
            TOPICS, {"text": "Hello"}, {"topics": output}, parts=[{"pointer": "/topics/0", "confidence": 0.31}],
            alternatives=[{"output": {"topics": ["fraud"]}, "confidence": 0.12}],
        )  # fmt: skip
    page = bench.begin(TOPICS)
    assert page.index("0.31") < page.index("0.12"), "beside cards and beside fraud"
    bench.alice.send("draft", labels=["", '"fees"', '"fraud"'])
    assert "<del>cards</del>" in bench.alice.page
    assert "<ins>fraud</ins>" in bench.alice.page
    assert "Save correction" in bench.alice.page
    bench.alice.send()
    bench.alice.send()
    assert bench.alice.send(labels=["", '"elsewhere"']).status_code == 422
    assert "Has something that is not one of the labels" in bench.alice.page
    bench.alice.send(labels=[""])
    assert bench.decided == [
        ("edit", {"topics": ["fees", "fraud"]}), ("approve", {"topics": ["cards", "fees"]}),
        ("override", {"topics": []}),
    ]  # fmt: skip


def letters(page: str) -> dict[str, str]:
    """Which letter the page gives to the candidate of each id."""
    texts = {"gpt-x": "Yours truly", "llama": "See you", "qwen": "&lt;b&gt;"}
    shown = page.split('class="candidate"')[1:]
    return {known: "ABC"[at] for known, text in texts.items() for at, one in enumerate(shown) if text in one}


def test_the_best_of_several_is_picked_and_nothing_tells_which_model_it_is_from(bench):
    bench.open(BEST)
    for _ in range(4):
        bench.put(BEST, {"question": "How does one end a letter?", "candidates": DRAFTS}, None)
    bench.put(BEST, {"question": "And now?", "candidates": DRAFTS}, {"best": "llama"}, confidence=0.7)
    page = bench.begin(BEST)
    orders = [tuple(letters(page).values())]
    assert bench.alice.send().status_code == 422, "nothing is proposed: there is nothing to approve"
    for pick in ("llama", "gpt-x", "qwen"):
        assert not any(model in bench.alice.page for model in ("gpt-x", "llama", "qwen"))
        bench.alice.send(pick=letters(bench.alice.page)[pick])
        orders.append(tuple(letters(bench.alice.page).values()))
    bench.alice.send(pick="none")
    page = bench.alice.page
    assert "0.70" in page.split(f'name="pick" value="{letters(page)["llama"]}"')[1].split("</label>")[0]
    bench.alice.send("draft", pick=letters(page)["qwen"])
    assert f"<del>{letters(page)['llama']}</del> <ins>{letters(page)['qwen']}</ins>" in bench.alice.page
    bench.alice.send()
    assert bench.decided == [
        *[("override", {"best": best}) for best in ("llama", "gpt-x", "qwen", None)], ("override", {"best": "qwen"}),
    ]  # fmt: skip
    assert len(set(orders)) > 1, "one in 1,296 to be all the same"


def test_candidates_are_put_in_order_and_a_ranking_has_each_once(bench):
    bench.open(ORDER)
    for _ in range(2):
        bench.put(ORDER, {"candidates": DRAFTS}, ["qwen", "llama", "gpt-x"])
    page = bench.begin(ORDER)
    letter = letters(page)
    assert f"proposes {letter['qwen']}, {letter['llama']}, {letter['gpt-x']}" in page
    again = bench.alice.send(**{f"place/{letter['qwen']}": "3"})
    assert (again.status_code, "none the same" in again.text) == (422, True)
    bench.alice.send(**{f"place/{letter['qwen']}": "3", f"place/{letter['gpt-x']}": "1"})
    bench.alice.send()
    assert bench.decided == [("edit", ["gpt-x", "llama", "qwen"]), ("approve", ["qwen", "llama", "gpt-x"])]


@pytest.mark.parametrize(
    ("given", "output", "pointer"),
    [
        ({"candidates": DRAFTS}, {"best": "elsewhere"}, "/output/best"),
        ({"candidates": DRAFTS[:1]}, {"best": "gpt-x"}, "/input/candidates"),
        ({"candidates": [DRAFTS[0], DRAFTS[0]]}, {"best": "gpt-x"}, "/input/candidates/1/id"),
        ({"candidates": ["a", "b"]}, {"best": "a"}, "/input/candidates/0"),
        ({}, {"best": "gpt-x"}, "/input/candidates"),
    ],
)
def test_an_item_without_candidates_to_compare_is_refused(given, output, pointer):
    compiled = Compiled(1, parse(BEST, final_say=True)[0], "")
    faults = [*compiled.validate_input(given), *compiled.validate_output(output, given=given)]
    assert pointer in [fault.pointer for fault in faults]
