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
from tests.fixtures.noscript import Desk
from tests.fixtures.people import OPERATOR, Cast

TOPICS: dict[str, Any] = {
    "name": "topics", "routing": {"otherwise": "review"},
    "output_schema": {"type": "object", "required": ["topics"], "properties": {
        "topics": {"type": "array", "uniqueItems": True, "items": {"enum": ["fees", "cards", "login", "fraud"]}},
    }},
}  # fmt: skip


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
