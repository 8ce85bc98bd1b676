"""What a person is told of their own work: what they decided, what they handed on, how they do, why others wait."""

from __future__ import annotations

import html
import re
from datetime import timedelta

from sqlalchemy import select, update

from reviewqueue.core.db import clock, database_now
from reviewqueue.models import Gold, PendingRelease, Task
from reviewqueue.queues.applying import apply
from reviewqueue.review import golden, sitting
from reviewqueue.review.settling import settle_due
from tests.desk_steps import act, claim, submit
from tests.fixtures.noscript import Desk
from tests.fixtures.people import INTENTS, OPERATOR


def shown(desk, path):
    """What a page says, below its head."""
    page = desk.get(path).text
    return html.unescape(re.sub(r"<[^>]+>", "", page[page.index("<h1>") :]))


def decided(desk, **changes):
    desk.post("/queues/intents/claims")
    assert desk.send(**changes).status_code == 200


def test_a_decision_says_what_it_was_about_what_changed_and_how_many_there_are(app, client, cast):
    for number in (1, 2, 3):
        submit(client, cast, number=number)
    alice = Desk(app, cast.alice)
    decided(alice, choice='"refund"')
    decided(alice)
    assert "Saved." in alice.get("/").text
    assert "Approved: lost_card" in alice.page
    decided(alice, verdict="reject", reason="unusable")
    page = shown(alice, "/decisions")
    assert "3" in page[: page.index("In seven days")]
    assert "1 approved, 1 corrected, 1 rejected" in page
    assert "Where is my card? (2)" in page
    assert "Must not be used" in page, "as the desk names it"
    assert "lost_card refund" in page
    alice.get("/decisions?verdict=correction&queue=intents")
    assert "card? (1)" in alice.page
    assert "card? (2)" not in alice.page
    assert 'value="correction" selected' in alice.page
    assert shown(alice, "/decisions?queue=elsewhere").count("No such decision") == 1
    address = re.search(r'class="item-name" href="([^"]+)"', alice.get("/decisions").text)[1]
    assert alice.get(address).status_code == 200, "what she may see of it"


def test_what_is_taken_back_is_named(app, client, cast):
    submit(client, cast)
    alice = Desk(app, cast.alice)
    decided(alice, choice='"refund"')
    undo = re.search(r'action="(/decisions/[^"]+/withdrawal)"', alice.get("/").text)[1]
    alice.post(undo)
    assert "Taken back: Corrected: lost_card → refund" in html.unescape(alice.page)


def test_what_is_put_off_says_so_and_is_taken_back_at_once(app, client, cast):
    submit(client, cast)
    alice = Desk(app, cast.alice)
    alice.post("/queues/intents/claims")
    task = alice.address.removeprefix("/claims/").partition(".")[0]
    alice.post(f"{alice.address}/postponement", {"hours": "24"})
    assert "Put off until" in alice.page
    assert "1 is put off by you" in shown(alice, "/queues/intents")
    assert "put off" in shown(alice, "/decisions")
    alice.post("/queues/intents/claims", {"task": task})
    assert alice.address.startswith(f"/claims/{task}.")
    assert "Handed on" not in shown(alice, "/decisions")


def test_giving_says_to_whom_and_the_board_shows_it(app, client, cast):
    submit(client, cast)
    bob = Desk(app, cast.bob)
    bob.post("/queues/intents/claims")
    bob.post(f"{bob.address}/assignment", {"person": cast.carol.id})
    assert "Given to Carol" in bob.page
    assert "Left to one person alone: Carol 1 given" in " ".join(shown(bob, "/board").split())


def test_the_end_of_a_queue_tells_what_was_done_and_why_others_wait(app, client, cast):
    for number in range(1, 7):
        submit(client, cast, number=number)
    alice, carol = Desk(app, cast.alice), Desk(app, cast.carol)
    decided(alice)
    for way in ("skip", "escalation"):
        alice.post("/queues/intents/claims")
        alice.post(f"{alice.address}/{way}")
    carol.post("/queues/intents/claims")
    carol.post(f"{carol.address}/skip")
    decided(alice)
    carol.post("/queues/intents/claims")
    decided(alice)
    page = " ".join(shown(alice, "/queues/intents").split())
    assert "Nothing waits here for you" in page
    assert "Today you decided 3 here (3 approved, 0 corrected, 0 rejected), skipped 1, escalated 1." in page
    assert "3 are not for you now: 1 in the hands of others, 1 to be judged by somebody else" in page
    assert "1 with the leads." in page


def test_what_was_handed_on_is_listed_and_a_check_looks_like_a_review(app, client, cast, transaction):
    known = submit(client, cast)["id"]
    held = claim(client, cast.bob)["claim"]
    act(client, cast.bob, held["id"], "decision", fence=held["fence"], verdict="approve")
    with transaction() as session:
        golden.add(session=session, actor=OPERATOR, item_id=known, note=None)
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"gold": 0.5}})
        assert session.scalars(select(Gold.item_id)).all() == [known]
    submit(client, cast, number=2)
    ways = ["skip", "escalation"]
    with transaction() as session:
        count = select(Task.kind).where(Task.state.in_(("claimed", "cancelled")))
    for _ in range(60):
        with transaction() as session:
            given = session.scalars(count.where(Task.kind == "gold")).all()
        held = claim(client, cast.alice)["claim"]["id"]
        with transaction() as session:
            kind = session.scalars(select(Task.kind).where(Task.id == held.partition(".")[0])).one()
        act(client, cast.alice, held, ways[0] if kind == "gold" else "release")
        if given:
            break
    act(client, cast.alice, claim(client, cast.alice)["claim"]["id"], "escalation")
    with transaction() as session:
        found = sitting.handed_on(session=session, actor=cast.alice.actor)
    assert sorted((each.way, each.waits) for each in found) == [("escalated", True), ("skipped", True)]
    assert known not in {each.item_id for each in found}, "the check is known by another id"
    page = Desk(app, cast.alice)
    for each in found:
        assert page.get(f"/items/{each.item_id}/comments").status_code == 200


def test_agreement_is_told_of_settled_items_alone(app, client, cast, transaction):
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"required": 2}})
    submit(client, cast)
    submit(client, cast, number=2)
    alice, carol = Desk(app, cast.alice), Desk(app, cast.carol)
    decided(alice)
    decided(alice, choice='"refund"')
    assert "Not measured yet in Intents" in shown(alice, "/decisions")
    decided(carol)
    decided(carol)
    assert "Not measured yet in Intents" in shown(alice, "/decisions"), "carol's can be undone still"
    with transaction() as session:
        session.execute(update(PendingRelease).values(releases_at=clock(-1)))
        settle_due(session=session)
    page = shown(alice, "/decisions")
    assert "Of 1 items that others judged, too, you agreed with all of them on 1: 100 % (21–100 %" in page
    assert "Not measured" not in page


def test_the_lead_sees_who_decided_how_many_without_a_configuration_key(app, client, cast):
    submit(client, cast)
    decided(Desk(app, cast.alice))
    bob = Desk(app, cast.bob)
    page = shown(bob, "/queues/intents/quality")
    assert re.search(r"Alice\s*1\s*0", page)
    assert re.search(r"Carol\s*0\s*0", page)
    assert "Nobody was given a check yet" in page
    assert "reviews." not in page


def test_counts_begin_when_asked(client, cast, transaction):
    submit(client, cast)
    held = claim(client, cast.alice)["claim"]
    act(client, cast.alice, held["id"], "decision", fence=held["fence"], verdict="approve")
    with transaction() as session:
        now = database_now(session)
        made = [
            sitting.made(session=session, actor=who.actor, since=now + timedelta(minutes=minutes)).total
            for who, minutes in ((cast.alice, -5), (cast.alice, 5), (cast.carol, -5))
        ]
    assert made == [1, 0, 0]


def test_after_a_wrong_password_the_password_is_asked_for(client, cast):
    before = client.get("/login").text
    assert "autofocus" in re.search(r'<input[^>]*name="email"[^>]*>', before)[0]
    again = client.post("/login", data={"email": cast.alice.email, "password": "wrong"}).text
    assert "autofocus" in re.search(r'<input[^>]*name="password"[^>]*>', again)[0]
    assert "autofocus" not in re.search(r'<input[^>]*name="email"[^>]*>', again)[0]
    assert "autofocus" in re.search(r'<input[^>]*name="email"[^>]*>', client.get("/login").text)[0]
