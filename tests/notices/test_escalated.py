"""An escalation: how a lead gets to it, and how whoever escalated hears of the answer."""

from __future__ import annotations

import html
import re

from sqlalchemy import select, update

from reviewqueue.core.db import clock
from reviewqueue.models import Gold, Notice, PendingRelease, Task
from reviewqueue.queues.applying import apply
from reviewqueue.review import golden
from reviewqueue.review.settling import settle_due
from tests.desk_steps import act, claim, submit
from tests.fixtures.noscript import Desk
from tests.fixtures.people import INTENTS, OPERATOR


def escalated(client, cast, *, words="A complaint?", **changes):
    """An item that Alice has escalated."""
    created = submit(client, cast, **changes)
    held = claim(client, cast.alice)["claim"]["id"]
    assert act(client, cast.alice, held, "escalation", comment=words).status_code == 204
    return created["id"]


def judged(client, who, verdict, **more):
    """The next task of somebody, decided."""
    held = claim(client, who)["claim"]
    answer = act(client, who, held["id"], "decision", fence=held["fence"], verdict=verdict, **more)
    assert answer.status_code == 200, answer.json


def notices_of(desk):
    page = desk.get("/notices").text
    return html.unescape(page[page.index("<h1>") :])


def test_the_notice_opens_where_the_lead_can_act_and_claims_that_very_task(app, client, cast):
    first = escalated(client, cast)
    submit(client, cast, number=2, risk="high")
    bob = Desk(app, cast.bob)
    page = notices_of(bob)
    assert "Review this" in page
    bob.get(re.search(r'href="(/notices/[^"]+)"', page)[1])
    assert bob.address == f"/items/{first}"
    assert "Escalated by Alice" in bob.page
    assert "A complaint?" in bob.page
    form = re.search(r'action="(/queues/intents/claims)">.{0,200}?name="task" value="([^"]+)"', bob.page, re.DOTALL)
    bob.post(form[1], {"task": form[2]})
    assert bob.address.startswith(f"/claims/{form[2]}."), "not the more urgent one that waits, too"
    assert "Review this" not in notices_of(bob), "it is in his hands"
    bob.get(f"/items/{first}")
    assert "Back to your task" in bob.page
    alice = Desk(app, cast.alice)
    alice.get(f"/items/{first}/comments")
    assert "Review this" not in alice.page


def test_home_leads_to_what_is_escalated(app, client, cast):
    escalated(client, cast)
    bob = Desk(app, cast.bob)
    bob.get("/")
    address = re.search(r'<a href="([^"]+)"><span class="chip accent">1 escalated to you', bob.page)[1]
    bob.get(html.unescape(address))
    assert bob.page.count("with the leads</span>") == 1


def test_whoever_escalated_hears_once_what_was_decided_and_sees_it(app, client, cast, transaction):
    first = escalated(client, cast)
    alice, bob = Desk(app, cast.alice), Desk(app, cast.bob)
    bob.post("/queues/intents/claims")
    bob.send(choice='"refund"', comment="Plainly so")
    assert "Bob replied" not in notices_of(alice), "it can be undone still"
    with transaction() as session:
        session.execute(update(PendingRelease).values(releases_at=clock(-1)))
        settle_due(session=session)
    page = notices_of(alice)
    assert page.count("Bob replied") == 1
    assert "Corrected: lost_card → refund. Plainly so" in page
    alice.get(re.search(r'href="(/notices/[^"]+)"', page)[1])
    assert alice.address == f"/items/{first}/comments"
    assert "What came of it" in alice.page
    assert "<del>lost_card</del> <ins>refund</ins>" in alice.page
    carol = Desk(app, cast.carol)
    carol.get(f"/items/{first}/comments")
    assert "What came of it" not in carol.page, "she had nothing to do with it"


def test_over_the_api_they_hear_at_once_and_what_nobody_handed_on_tells_nobody(client, cast, transaction):
    submit(client, cast)
    judged(client, cast.carol, "approve")
    escalated(client, cast, number=2)
    judged(client, cast.bob, "reject", reason="unusable")
    with transaction() as session:
        told = session.execute(select(Notice.words, Notice.by_person).where(Notice.person_id == cast.alice.id)).all()
    assert told == [("Rejected: Must not be used.", cast.bob.id)]


def test_of_several_reviews_they_hear_the_answer_alone_and_not_before_there_is_one(client, cast, transaction):
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"required": 2}})
    escalated(client, cast)

    def told():
        with transaction() as session:
            query = select(Notice.words, Notice.by_person).where(Notice.person_id == cast.alice.id)
            return session.execute(query).all()

    judged(client, cast.bob, "approve")
    assert told() == []
    judged(client, cast.carol, "approve")
    assert told() == [("Approved: lost_card.", None)]


def test_who_has_heard_the_answer_is_not_checked_by_it(client, cast, transaction, app):
    first = escalated(client, cast)
    judged(client, cast.bob, "approve")
    with transaction() as session:
        golden.add(session=session, actor=OPERATOR, item_id=first, note=None)
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"gold": 0.5}})
        assert session.scalars(select(Gold.item_id)).all() == [first]
    submit(client, cast, number=2)
    for _ in range(12):
        held = claim(client, cast.alice)["claim"]
        act(client, cast.alice, held["id"], "release")
    with transaction() as session:
        assert session.scalars(select(Task.assignee).where(Task.kind == "gold")).all() == []
