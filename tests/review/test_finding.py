"""A list of items: its filters, search and saved views, on both databases."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from werkzeug.datastructures import MultiDict

from reviewqueue.core.db import clock, read_session
from reviewqueue.core.ids import new_id
from reviewqueue.errors import Invalid
from reviewqueue.models import Item, Task
from reviewqueue.models.base import table
from reviewqueue.review import finding, saved_views
from tests.fixtures.noscript import Desk
from tests.fixtures.people import item


@pytest.fixture
def names(app: Any, client: Any, cast: Any, transaction: Any) -> dict[str, str]:
    """Items by external id: one of each kind that a filter tells apart."""
    items = {
        "plain": item(1), "urgent": item(2), "late": item(3), "held": item(4), "given": item(5), "led": item(6),
        "told": item(7, metadata={"team": "north", "vip": True, "size": 12}),
        "other": item(8, output={"label": "refund"}, model_version="8"),
        "umlaut": item(9, input={"text": "Zürich, 100 % sure"}), "answered": item(10, confidence=0.95),
    }  # fmt: skip
    found = {}
    for name, body in items.items():
        answer = client.post("/api/v1/items", json={**body, "external_id": name}, headers=cast.submitter.bearer)
        assert answer.status_code == 201, answer.text
        found[name] = answer.json["id"]
    alone = {"assignee": cast.alice.id, "lane": f"reviewer|{cast.alice.id}|"}
    held = {"state": "claimed", "holder": cast.carol.id, "lease_until": clock(600)}
    values = {
        "urgent": {"priority": 7}, "late": {"due": clock(-60)}, "held": held, "given": alone,
        "led": {"audience": "lead", "lane": "lead||"},
    }  # fmt: skip
    with transaction() as session:
        for name, changes in values.items():
            session.execute(update(Task).where(Task.item_id == found[name]).values(**changes))
        # A check for Alice, which nobody is told of.
        task = session.execute(select(table(Task)).where(Task.item_id == found["given"])).mappings().one()
        check = {"id": new_id(), "item_id": found["answered"], "kind": "gold", "round": 0, "priority": 7}
        session.execute(insert(table(Task)).values({**task, **check, "due": clock(-60)}))
        session.execute(update(Item).where(Item.id == found["plain"]).values(created_at=clock(-7200)))
    return found


def listed(app: Any, cast: Any, **filters: Any) -> set[str]:
    with app.app_context(), read_session() as session:
        chosen = finding.filters_of(MultiDict(filters))
        page = finding.items_of(session=session, actor=cast.bob.actor, slug="intents", filters=chosen)
        return {row.external_id for row in page.rows}


def test_each_filter_finds_what_it_says(app, cast, names):
    everything = set(names)
    waiting = everything - {"answered"}
    expected: list[tuple[dict[str, Any], set[str]]] = [
        ({}, everything), ({"state": "auto_approved"}, {"answered"}), ({"verdict": "approve"}, {"answered"}),
        ({"verdict": "override"}, set()), ({"label": "refund"}, {"other"}), ({"model": "8"}, {"other"}),
        ({"model": "intents 8"}, {"other"}), ({"meta": "team=north"}, {"told"}), ({"meta": "vip=true"}, {"told"}),
        ({"meta": ["size=12", "team=south"]}, set()), ({"priority": "7"}, {"urgent"}), ({"due": "overdue"}, {"late"}),
        ({"who": "held"}, {"held"}), ({"who": cast.carol.id}, {"held"}), ({"who": cast.alice.id}, {"given"}),
        ({"who": "assigned"}, {"given"}), ({"who": "leads"}, {"led"}),
        ({"who": cast.alice.id, "state": "auto_approved"}, set()),
        ({"due": "overdue", "state": "auto_approved"}, set()),
        ({"who": "free"}, waiting - {"held", "given", "led"}), ({"age": "-1h"}, everything - {"plain"}),
        ({"q": "zürich SURE"}, {"umlaut"}), ({"q": "100 %"}, {"umlaut"}), ({"q": "_"}, everything - {"other"}),
        ({"q": "told"}, {"told"}), ({"q": names["late"]}, {"late"}), ({"q": "refund"}, {"other"}),
    ]  # fmt: skip
    wrong = [(filters, found) for filters, found in expected if listed(app, cast, **filters) != found]
    assert wrong == []


@pytest.mark.parametrize(
    "filters",
    [{"state": "new"}, {"verdict": "yes"}, {"who": "me"}, {"meta": "team"}, {"meta": '"=1'}, {"priority": "high"},
     {"age": "1h"}],
    ids=str,
)  # fmt: skip
def test_a_value_that_is_none_is_refused(filters):
    with pytest.raises(Invalid):
        finding.filters_of(MultiDict(filters))


def test_a_page_looks_at_so_many_and_goes_on_where_it_came_to(app, cast, names, monkeypatch):
    monkeypatch.setattr(finding, "LOOKED_AT", 3)
    bob = Desk(app, cast.bob)
    bob.get("/queues/intents/items?who=leads")
    assert "None here yet" in bob.page
    assert "Looked at 3 items" in bob.page
    looked = 1
    while "Look further" in bob.page:
        address = re.search(r'href="([^"]*cursor=[^"]*)" rel="next"', bob.page)
        assert address is not None
        bob.get(address[1].replace("&amp;", "&"))
        looked += 1
        if ">led<" in bob.page:
            break
    assert ">led<" in bob.page
    # Waiting ones alone: nine, of which it is the third oldest but two.
    assert looked == 2
    with app.app_context(), read_session() as session:
        head = finding.find_queue(session=session, actor=cast.bob.actor, slug="intents")
        everything, before = [], None
        while not everything or before:
            step = finding.step(
                session=session, actor=cast.bob.actor, head=head, filters=finding.Filters(), before=before
            )
            everything, before = everything + step.ids, step.before
        assert sorted(everything) == sorted(names.values())


def test_a_view_is_kept_shared_and_removed(app, cast, names):
    bob, otto, anna = (Desk(app, member) for member in (cast.bob, cast.auditor, cast.analyst))
    bob.post("/queues/intents/views", {"name": "Late", "query": "due=overdue&meta=a%3Db", "shared": "1"})
    bob.post("/queues/intents/views", {"name": "Mine", "query": "who=held"})
    assert bob.post("/queues/intents/views", {"name": "Mine", "query": "who=free"}).text.count("of that name") == 1
    otto.get("/queues/intents/items")
    assert ("Late" in otto.page, "Mine" in otto.page) == (True, False)
    assert "/queues/intents/items?meta=a%3Db&amp;due=overdue" in otto.page
    assert otto.post("/queues/intents/views", {"name": "Ours", "query": "q=a", "shared": "1"}).status_code == 403
    view = bob.get("/queues/intents/items?meta=a%3Db&due=overdue").text
    removal = re.search(r'action="([^"]*/views/[^"]*/removal)"', view)
    assert removal is not None
    assert anna.post(removal[1]).status_code == 403
    bob.post(removal[1])
    otto.get("/queues/intents/items")
    assert "Late" not in otto.page


def test_ones_own_views_come_first_and_those_of_others_page_by_page(app, cast, names, monkeypatch):
    monkeypatch.setattr(saved_views, "PAGE", 3)
    bob, anna = Desk(app, cast.bob), Desk(app, cast.analyst)
    for number in range(5):
        bob.post("/queues/intents/views", {"name": f"Ours {number}", "query": f"q=w{number}", "shared": "1"})
    anna.post("/queues/intents/views", {"name": "Zebra", "query": "q=zebra"})
    shown = re.compile(r'<span class="chip[^>]*><a [^>]*>([^<]+)</a>')
    assert shown.findall(anna.get("/queues/intents/items").text) == ["Zebra", "Ours 0", "Ours 1"]
    assert shown.findall(anna.get("/queues/intents/items?views=2").text) == ["Ours 2", "Ours 3", "Ours 4"]
    assert "More views" not in anna.page
    # It is removed from where it stands.
    last = re.search(r'href="([^"]*q=w4[^"]*)"', bob.get("/queues/intents/items?views=2").text)
    assert last is not None
    removal = re.search(r'action="([^"]*/views/[^"]*/removal)"', bob.get(last[1].replace("&amp;", "&")).text)
    assert removal is not None
    bob.post(removal[1])
    assert shown.findall(bob.get("/queues/intents/items?views=2").text) == ["Ours 3"]
    assert anna.get("/queues/intents/items?views=0").status_code == 422
