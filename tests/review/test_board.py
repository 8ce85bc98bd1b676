"""The lead's board, on both databases."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from reviewqueue.core.db import clock
from reviewqueue.core.ids import new_id
from reviewqueue.models import Item, Task
from reviewqueue.models.base import table
from reviewqueue.review import board
from reviewqueue.review.forecast import Outlook
from tests.fixtures.noscript import Desk
from tests.fixtures.people import item


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(board, "KEPT_SECONDS", 0.0)


def submit(client: Any, cast: Any, **more: Any) -> str:
    answer = client.post("/api/v1/items", json=item(**more), headers=cast.submitter.bearer)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def claim(client: Any, who: Any) -> Any:
    return client.post("/api/v1/queues/intents/claims", headers=who.bearer).json


def tiles(page: str) -> dict[str, str]:
    """What the first queue's tiles say, by name."""
    found = re.findall(r'<div class="tile"><dt>(.*?)</dt><dd>(.*?)</dd>', page)
    return {name: re.sub(r"<[^>]+>", " ", value).split()[0] for name, value in found}


def test_it_counts_what_waits_is_late_is_held_and_is_decided(app, client, cast, transaction):
    ids = [submit(client, cast, number=number, external_id=f"e{number}") for number in range(6)]
    submit(client, cast, number=7, confidence=0.99)
    withdrawn = submit(client, cast, number=8)
    client.post(f"/api/v1/items/{withdrawn}/cancellation", headers=cast.submitter.bearer)
    known = {key: value for key, value in item(9).items() if key != "queue"}
    client.post("/api/v1/queues/intents/gold", json={"new": known, "answer": None}, headers=cast.bob.bearer)
    with transaction() as session:
        for place, seconds in ((0, -60), (1, 600)):
            session.execute(update(Task).where(Task.item_id == ids[place]).values(due=clock(seconds)))
        session.execute(update(Task).where(Task.item_id == ids[2]).values(audience="lead", lane="lead||"))
        gold = dict(session.execute(select(table(Task)).where(Task.item_id == ids[5])).mappings().one())
        session.execute(insert(table(Task)).values({**gold, "id": new_id(), "kind": "gold"}))
    held = claim(client, cast.alice)
    body = {"fence": held["claim"]["fence"], "verdict": "approve"}
    client.post(f"/api/v1/claims/{held['claim']['id']}/decision", json=body, headers=cast.alice.bearer)
    held = claim(client, cast.carol)
    bob = Desk(app, cast.bob)
    bob.get("/board")
    assert tiles(bob.page) == {
        "Waiting": "4", "Overdue": "0", "With the leads": "1", "In hand": "1", "Came in the last hour": "6",
        "Decided in the last hour": "1",
    }  # fmt: skip
    hands = re.search(r'<ul class="hands">(.*?)</ul>', bob.page, re.DOTALL)
    assert hands is not None
    assert "Carol" in hands[1]
    assert held["item"]["external_id"] in hands[1]
    assert "too little happened" in bob.page


def test_the_part_that_renews_itself_is_the_same_part_alone(app, client, cast):
    submit(client, cast)
    bob = Desk(app, cast.bob)
    part = bob.get("/board?part=board").text
    assert part.lstrip().startswith('<div id="board" data-refresh="5"')
    assert tiles(part) == tiles(bob.get("/board").text)


def test_counts_stop_and_say_so(app, client, cast, monkeypatch, transaction):
    monkeypatch.setattr(board, "MOST_COUNTED", 2)
    ids = [submit(client, cast, number=number) for number in range(4)]
    with transaction() as session:
        session.execute(update(Task).where(Task.item_id == ids[3]).values(due=clock(-60)))
        session.execute(update(Item).where(Item.id == ids[3]).values(created_at=clock(-7200)))
    page = Desk(app, cast.bob).get("/board").text
    assert tiles(page)["Waiting"] == "2+"
    assert tiles(page)["Overdue"] == "1"
    assert tiles(page)["Came in the last hour"] == "3"


def test_a_check_in_hand_is_no_work_that_is_foreseen(client, cast, transaction):
    submit(client, cast)
    claim(client, cast.alice)
    for in_hand in (1, 0):
        with transaction() as session:
            [lead] = board.board(session=session, actor=cast.bob.actor).queues
            assert (lead.in_hand, len(lead.hands)) == (in_hand, in_hand)
            assert (lead.outlook.outlook is Outlook.CLEAR) is (not in_hand)
            session.execute(update(Task).values(kind="gold"))
