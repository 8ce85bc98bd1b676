"""The desk of an adjudication: the answers side by side, without names, and one of them to start from."""

from __future__ import annotations

import pytest

from reviewqueue.accounts import memberships
from reviewqueue.core.db import write_session
from reviewqueue.models.states import QueueRole
from reviewqueue.queues.applying import apply
from reviewqueue.resolution.verdicts import MISSING
from reviewqueue.review.comparing import side_by_side
from tests.desk_steps import decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD


@pytest.fixture
def disagreed(client, app, cast):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"required": 3}})
    submit(client, cast)
    decide(client, cast.alice, output={"label": "refund"}, comment="It is about money.")
    decide(client, cast.carol, verdict="reject", reason="two_intents")
    decide(client, cast.bob, verdict="approve")


def test_the_answers_stand_side_by_side_without_names_and_one_can_be_taken(client, cast, app, disagreed):
    with app.app_context(), write_session() as session:
        memberships.add(session=session, actor=OPERATOR, slug="intents", email=cast.olga.email, role=QueueRole.REVIEWER)
    client.post("/login", data={"email": cast.olga.email, "password": PASSWORD})
    page = client.post("/queues/intents/claims", follow_redirects=True)
    assert "The reviews disagree" in page.text
    assert "It is about money." in page.text
    for name in ("Alice", "Carol", "Bob"):
        assert name not in page.text, "judged by what it says, not by who says it"
    address = page.request.path
    assert client.post(f"{address}/draft", data={"take": "2"}).status_code == 422, "a rejection has no output"
    taken = client.post(f"{address}/draft", data={"take": "1"}, headers={"X-Desk": "1"}, follow_redirects=True)
    assert 'value="&#34;refund&#34;" checked' in taken.text


def test_what_differs_is_marked():
    one, other = {"label": "b", "lines": [{"total": 1}]}, {"label": "c", "lines": [{"total": 1.0}]}
    rows = side_by_side([{"label": "a", "lines": [{"total": 2}]}, one, MISSING, other])
    assert [(row.name, row.disputed) for row in rows] == [("Label", True), ("Lines · 1 · Total", False)]
    assert [(cell.text, cell.group) for cell in rows[0].cells] == [("a", 0), ("b", 1), (None, -1), ("c", 2)]
    assert side_by_side([MISSING, {"a": 1}, {}])[0].disputed
