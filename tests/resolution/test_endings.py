"""How items end: audit samples and time to live."""

from __future__ import annotations

from sqlalchemy import func, select, update

from reviewqueue.core.db import clock, write_session
from reviewqueue.models import Decision, Item, PendingRelease
from reviewqueue.queues.applying import apply
from reviewqueue.resolution import endings
from reviewqueue.review import settling
from reviewqueue.review.decisions import deciding, recording
from tests.desk_steps import act, claim, decide, read, submit
from tests.fixtures.people import INTENTS, OPERATOR


def _configure(app, **changes):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, **changes})


def _expire_now(app):
    with app.app_context():
        with write_session() as session:
            session.execute(update(Item).values(expires_at=clock(-1)))
        with write_session() as session:
            return endings.expire_items(session=session)


def test_an_audit_that_agrees_leaves_the_answer_and_one_that_differs_revises_it(client, cast, app):
    _configure(app, audit={"rate": 1.0})
    agreed, revised = (submit(client, cast, number=number, confidence=0.99) for number in (1, 2))
    assert agreed["state"] == "auto_approved"
    assert agreed["routing"]["audit_sample"] is True
    assert agreed["routing"]["probability"] == 1.0
    decide(client, cast.alice, verdict="approve")
    decide(client, cast.alice, output={"label": "refund"})
    found = read(client, cast, agreed["id"])
    assert (found["state"], found["resolution"]["by"], found["resolution"]["revision"]) == (
        "auto_approved",
        "routing",
        1,
    )
    found = read(client, cast, revised["id"])
    assert (found["state"], found["resolution"]["by"], found["resolution"]["revision"]) == ("resolved", "people", 2)


def test_an_audit_that_holds_makes_the_program_wait(client, cast, app):
    _configure(app, audit={"rate": 1.0, "hold": True})
    assert submit(client, cast, confidence=0.99)["state"] == "queued"


def test_the_time_to_live_beats_a_live_claim_and_the_late_decision_is_kept(client, cast, app):
    _configure(app, timeout={"after_hours": 1, "action": "approve"})
    item_id = submit(client, cast)["id"]
    claim_id = claim(client, cast.alice)["claim"]["id"]
    assert _expire_now(app) == 1
    late = act(client, cast.alice, claim_id, "decision", output={"label": "refund"})
    assert (late.status_code, late.json["code"]) == (409, "item_expired")
    found = read(client, cast, item_id)
    assert (found["state"], found["resolution"]["by"]) == ("expired", "default")
    assert found["resolution"]["verdict"] == "approve"


def test_high_risk_is_never_approved_by_a_time_out(client, cast, app):
    _configure(app, timeout={"after_hours": 1, "action": "approve"})
    item_id = submit(client, cast, risk="high")["id"]
    assert _expire_now(app) == 1
    assert read(client, cast, item_id)["resolution"]["verdict"] is None


def test_a_failed_item_has_no_output_that_a_time_out_could_approve(client, cast, app):
    _configure(app, on_invalid_output="review", timeout={"after_hours": 1, "action": "approve"})
    item_id = submit(client, cast, output=None, failure={"code": "timeout"})["id"]
    assert _expire_now(app) == 1
    assert read(client, cast, item_id)["resolution"]["verdict"] is None


def test_a_repeated_late_decision_is_one_label(client, cast, app):
    _configure(app, timeout={"after_hours": 1, "action": "reject"})
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    assert _expire_now(app) == 1
    for _ in range(3):
        assert act(client, cast.alice, claim_id, "decision", output={"label": "refund"}).status_code == 409
    with app.app_context(), write_session() as session:
        assert session.scalar(select(func.count()).select_from(Decision)) == 1


def test_a_decision_whose_item_has_ended_does_not_hold_up_the_others(client, cast, app):
    ended, waiting = (submit(client, cast, number=number)["id"] for number in (1, 2))
    with app.app_context():
        for _ in range(2):
            claim_id = claim(client, cast.alice)["claim"]["id"]
            submission = recording.Submission(verdict=None, output={"label": "refund"}, grace=True)
            with write_session() as session:
                deciding.decide(session=session, actor=cast.alice.actor, claim_id=claim_id, submission=submission)
        with write_session() as session:
            session.execute(update(Item).where(Item.id == ended).values(state="expired"))
            session.execute(update(PendingRelease).values(releases_at=clock(-1)))
        with write_session() as session:
            assert settling.settle_due(session=session) == 2
        with write_session() as session:
            late = {row.item_id: row.late for row in session.execute(select(Decision.item_id, Decision.late))}
            assert session.scalar(select(func.count()).select_from(PendingRelease)) == 0
    assert late == {ended: True, waiting: False}
    assert read(client, cast, waiting)["state"] == "resolved"
