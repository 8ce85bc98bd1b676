"""Claims: order, leases, fences, and handing on."""

from __future__ import annotations

from sqlalchemy import insert, select, update

from reviewqueue.accounts import memberships
from reviewqueue.core.db import clock, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.models import Person, Task
from reviewqueue.models.lanes import lane_of
from reviewqueue.models.states import Audience, QueueRole
from reviewqueue.review.claims import returning, taking
from tests.desk_steps import act, claim, decide, submit
from tests.fixtures.people import OPERATOR


def test_the_most_urgent_task_comes_first_and_then_the_oldest(client, cast):
    first = submit(client, cast, number=1)
    submit(client, cast, number=2)
    urgent = submit(client, cast, number=3, risk="high")
    got = [decide(client, cast.alice, verdict="approve")["decision"]["item"] for _ in range(2)]
    assert got == [urgent["id"], first["id"]]


def test_claiming_again_returns_the_claim_held(client, cast):
    submit(client, cast, number=1)
    submit(client, cast, number=2)
    assert claim(client, cast.alice)["claim"]["id"] == claim(client, cast.alice)["claim"]["id"]


def test_two_people_never_get_the_same_task(client, cast):
    submit(client, cast)
    assert claim(client, cast.alice) is not None
    assert claim(client, cast.carol) is None


def test_the_fence_rises_with_each_claim_and_the_old_claim_is_worth_nothing(client, cast):
    submit(client, cast)
    old = claim(client, cast.alice)["claim"]["id"]
    assert act(client, cast.alice, old, "release").status_code == 204
    new = claim(client, cast.alice)["claim"]
    assert new["fence"] == 2
    refused = act(client, cast.alice, old, "decision", verdict="approve")
    assert (refused.status_code, refused.json["code"]) == (409, "lease_lost")


def test_a_lost_lease_keeps_what_was_typed_and_changes_nothing(client, cast, app):
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    with app.app_context():
        with write_session() as session:
            session.execute(update(Task).values(lease_until=clock(-1)))
        with write_session() as session:
            assert returning.return_expired(session=session) == 1
    lost = act(client, cast.alice, claim_id, "decision", output={"label": "refund"}, comment="typed")
    assert lost.status_code == 409
    again = claim(client, cast.alice)
    assert again["draft"]["comment"] == "typed"
    assert again["draft"]["output"] == {"label": "refund"}


def test_who_skips_never_gets_the_task_again_and_three_skips_escalate(client, cast):
    submit(client, cast)
    for who in (cast.alice, cast.carol):
        assert act(client, who, claim(client, who)["claim"]["id"], "skip").status_code == 204
        assert claim(client, who) is None
    lead = claim(client, cast.bob)
    assert lead["task"]["audience"] == "reviewer"
    act(client, cast.bob, lead["claim"]["id"], "skip")
    assert claim(client, cast.bob) is None


def _skip(client, who) -> None:
    assert act(client, who, claim(client, who)["claim"]["id"], "skip").status_code == 204


def test_what_everybody_skipped_comes_back_to_the_leads_after_a_while(client, cast, app):
    submit(client, cast)
    for who in (cast.alice, cast.carol, cast.bob):
        _skip(client, who)
        assert claim(client, who) is None
    for _ in range(2):
        with app.app_context(), write_session() as session:
            session.execute(update(Task).values(available_at=clock()))
        assert claim(client, cast.alice) is None
        assert claim(client, cast.bob)["task"]["audience"] == "lead"
        _skip(client, cast.bob)
        assert claim(client, cast.bob) is None


def _without_leads(app, cast) -> None:
    with app.app_context(), write_session() as session:
        found = memberships.find_id(session, "intents", cast.bob.email, QueueRole.LEAD)
        memberships.remove(session=session, actor=OPERATOR, slug="intents", membership_id=found)


def test_without_leads_nothing_is_escalated_into_nowhere(client, cast, app):
    _without_leads(app, cast)
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    refused = act(client, cast.alice, claim_id, "escalation", comment="x")
    assert (refused.status_code, refused.json["code"]) == (409, "no_lead")
    for who in (cast.alice, cast.carol):
        _skip(client, who)
    with app.app_context(), write_session() as session:
        session.execute(update(Task).values(available_at=clock()))
    assert claim(client, cast.alice)["task"]["audience"] == "reviewer"


def test_the_only_lead_cannot_escalate_to_themself(client, cast):
    submit(client, cast)
    claim_id = claim(client, cast.bob)["claim"]["id"]
    assert act(client, cast.bob, claim_id, "escalation").json["code"] == "no_lead"


def test_a_disabled_member_is_not_somebody_left(client, cast, app):
    submit(client, cast)
    with app.app_context(), write_session() as session:
        for member in (cast.carol, cast.bob):
            session.execute(update(Person).where(Person.id == member.id).values(disabled_at=clock()))
    _skip(client, cast.alice)
    with app.app_context(), write_session() as session:
        assert session.scalar(select(Task.available_at > clock())), "it is put off, for nobody is left"


def test_a_removed_member_hands_back_what_they_hold(client, cast, app):
    submit(client, cast)
    claim(client, cast.alice)
    with app.app_context(), write_session() as session:
        found = memberships.find_id(session, "intents", cast.alice.email, QueueRole.REVIEWER)
        memberships.remove(session=session, actor=OPERATOR, slug="intents", membership_id=found)
    assert claim(client, cast.carol) is not None


def test_a_claim_looks_into_hundreds_of_lanes(client, cast, app):
    for number in range(3):
        submit(client, cast, number=number)
    with app.app_context():
        with write_session() as session:
            first = session.execute(select(Task)).scalars().first()
            row = {column.key: getattr(first, column.key) for column in Task.__table__.columns}
            session.execute(update(Task).values(state="done", holder=None))
            for number in range(620):
                others = [f"00000000-0000-4000-8000-{number:012}"]
                lane = lane_of(audience=Audience.REVIEWER, assignee=None, excluded=others)
                urgent = {"id": new_id(), "lane": lane, "priority": number % 600}
                session.execute(insert(Task.__table__).values({**row, **urgent}))
        with write_session() as session:
            held = taking.claim_next(session=session, actor=cast.alice.actor)
            assert session.scalar(select(Task.priority).where(Task.id == held.task_id)) == 599


def test_an_escalated_task_goes_to_the_leads_alone(client, cast):
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    assert act(client, cast.alice, claim_id, "escalation", comment="not mine").status_code == 204
    assert claim(client, cast.carol) is None
    assert claim(client, cast.bob)["task"]["audience"] == "lead"


def test_a_program_cannot_claim(client, cast):
    assert client.post("/api/v1/claims", headers=cast.submitter.bearer).status_code == 403


def test_an_outsider_learns_nothing_of_the_queue(client, cast):
    theirs = client.post("/api/v1/queues/intents/claims", headers=cast.olga.bearer)
    nobodys = client.post("/api/v1/queues/nothing/claims", headers=cast.olga.bearer)
    assert (theirs.status_code, theirs.data) == (nobodys.status_code, nobodys.data) == (404, nobodys.data)
