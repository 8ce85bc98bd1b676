"""Claims: order, leases, fences, and handing on."""

from __future__ import annotations

from sqlalchemy import update

from reviewqueue.core.db import clock, write_session
from reviewqueue.models import Task
from reviewqueue.review import claims
from tests.desk_steps import act, claim, decide, submit


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
            assert claims.return_expired(session=session) == 1
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
