"""Decisions: what they amount to, that they stand, and how they are undone."""

from __future__ import annotations

import pytest
from sqlalchemy import event, func, select, update

from reviewqueue.core.db import clock, db, write_session
from reviewqueue.errors import GraceOver
from reviewqueue.intake import expectation
from reviewqueue.models import Decision, PendingRelease, Task
from reviewqueue.review import settling
from reviewqueue.review.claims import taking
from reviewqueue.review.decisions import deciding, recording, withdrawing
from tests.desk_steps import act, claim, decide, read, submit


def test_a_changed_label_is_an_override_and_reaches_the_program(client, cast):
    item_id = submit(client, cast)["id"]
    answer = decide(client, cast.alice, output={"label": "refund"}, message="It is a refund.")
    assert answer["decision"]["verdict"] == "override"
    found = read(client, cast, item_id)
    assert found["state"] == "resolved"
    assert found["resolution"]["output"] == {"label": "refund"}
    assert found["resolution"]["by"] == "people"
    assert found["resolution"]["message"] == "It is a refund."


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"verdict": "approve", "output": {"label": "refund"}}, "/verdict"),
        ({"verdict": "edit", "output": {"label": "refund"}}, "/verdict"),
        ({"verdict": "override", "output": {"label": "lost_card"}}, "/verdict"),
        ({"verdict": "override"}, "/output"),
        ({"output": {"label": "nonsense"}}, "/output/label"),
        ({"verdict": "reject"}, "/reason"),
        ({"verdict": "reject", "reason": "two_intents", "output": {"label": "refund"}}, "/output"),
        ({"verdict": "approve", "reason": "unheard_of"}, "/reason"),
    ],
)
def test_a_contradiction_is_refused_with_a_pointer_and_the_claim_stays(client, cast, body, pointer):
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    refused = act(client, cast.alice, claim_id, "decision", **body)
    assert refused.status_code == 422
    assert pointer in [fault["pointer"] for fault in refused.json["errors"]]
    assert act(client, cast.alice, claim_id, "decision", verdict="approve").status_code == 200


def test_the_same_decision_again_returns_the_first_and_another_one_changes_nothing(client, cast, app):
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    first = act(client, cast.alice, claim_id, "decision", output={"label": "refund"})
    again = act(client, cast.alice, claim_id, "decision", output={"label": "refund"})
    assert again.json["decision"] == first.json["decision"]
    other = act(client, cast.alice, claim_id, "decision", verdict="approve")
    assert (other.status_code, other.json["code"]) == (409, "already_decided")
    with app.app_context(), write_session() as session:
        assert session.scalar(select(func.count()).select_from(Decision)) == 1


@pytest.mark.parametrize(
    "changed", [{"reason": "two_intents"}, {"comment": "other"}, {"message": "other"}, {"verdict": "approve"}]
)
def test_another_decision_under_the_same_claim_is_kept_as_a_draft_however_little_differs(client, cast, changed):
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    first = {"output": {"label": "refund"}, "comment": "a", "message": "b"}
    assert act(client, cast.alice, claim_id, "decision", **first).status_code == 200
    other = act(client, cast.alice, claim_id, "decision", **{**first, **changed})
    assert (other.status_code, other.json["code"]) == (409, "already_decided")
    assert act(client, cast.alice, claim_id, "decision", **first).status_code == 200


def test_an_invalid_decision_on_a_lost_task_is_kept_as_a_draft(client, cast, app):
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    with app.app_context(), write_session() as session:
        session.execute(update(Task).values(lease_until=clock(-1)))
    refused = act(client, cast.alice, claim_id, "decision", output={"label": "nonsense"}, comment="typed long")
    assert (refused.status_code, refused.json["code"]) == (409, "lease_lost")
    assert claim(client, cast.alice)["draft"] == {"output": {"label": "nonsense"}, "comment": "typed long"}


def test_a_draft_and_an_undone_decision_keep_every_digit(client, cast):
    submit(client, cast)
    held = claim(client, cast.alice)["claim"]["id"]
    path = f"/api/v1/claims/{held}/draft"
    headers = {**cast.alice.bearer, "Content-Type": "application/json"}
    body = '{"output":{"total":9007199254740993.10,"sum":12.50}}'
    assert client.put(path, data='{"body":' + body + "}", headers=headers).status_code == 204
    assert client.get(path, headers=headers).get_data(as_text=True) == '{"body":' + body + "}"


def test_the_answer_carries_the_next_claim(client, cast):
    submit(client, cast, number=1)
    second = submit(client, cast, number=2)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    answer = act(client, cast.alice, claim_id, "decision", verdict="approve", next=True).json
    assert answer["next"]["item"]["id"] == second["id"]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("grace", [False, True])
def test_a_decision_is_one_statement_that_locks_and_one_that_writes(client, cast, app, grace):
    submit(client, cast)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    sent = []
    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *given: sent.append(given[2]))
        with write_session() as session:
            submission = recording.Submission(verdict=None, output={"label": "refund"}, grace=grace)
            deciding.decide(session=session, actor=cast.alice.actor, claim_id=claim_id, submission=submission)
    first, second = [statement for statement in sent if "queue_version" not in statement]
    assert "FOR UPDATE OF item, task" in first
    assert ("UPDATE task" in second, "UPDATE item" in second, "INSERT INTO decision" in second) == (True, True, True)
    assert ("INSERT INTO resolution" in second, "INSERT INTO pending_release" in second) == (not grace, grace)


def _decide_in_grace(cast, claim_id):
    with write_session() as session:
        return deciding.decide(
            session=session, actor=cast.alice.actor, claim_id=claim_id,
            submission=recording.Submission(verdict=None, output={"label": "refund"}, grace=True),
        )  # fmt: skip


def test_a_decision_in_grace_is_hidden_and_can_be_withdrawn_by_its_author(client, cast, app):
    item_id = submit(client, cast)["id"]
    claim_id = claim(client, cast.alice)["claim"]["id"]
    with app.app_context():
        decided = _decide_in_grace(cast, claim_id)
        assert decided.resolution is None
        assert read(client, cast, item_id)["resolution"] is None
        with write_session() as session:
            assert settling.settle_due(session=session) == 0
            held = withdrawing.withdraw(session=session, actor=cast.alice.actor, decision_id=decided.decision_id)
        assert held.fence == 2
    assert claim(client, cast.alice)["draft"]["output"] == {"label": "refund"}
    assert read(client, cast, item_id)["state"] == "queued"


def test_after_the_grace_time_it_is_a_resolution_and_stays_one(client, cast, app):
    item_id = submit(client, cast)["id"]
    claim_id = claim(client, cast.alice)["claim"]["id"]
    with app.app_context():
        decided = _decide_in_grace(cast, claim_id)
        assert read(client, cast, item_id)["state"] == "in_review"
        with write_session() as session:
            session.execute(update(PendingRelease).values(releases_at=clock(-1)))
        # The relay need not have looked for the time to be over.
        with pytest.raises(GraceOver), write_session() as session:
            withdrawing.withdraw(session=session, actor=cast.alice.actor, decision_id=decided.decision_id)
        with write_session() as session:
            assert settling.settle_due(session=session) == 1
        assert read(client, cast, item_id)["resolution"]["output"] == {"label": "refund"}
        with pytest.raises(GraceOver), write_session() as session:
            withdrawing.withdraw(session=session, actor=cast.alice.actor, decision_id=decided.decision_id)


def test_undo_hands_back_what_is_held_meanwhile(client, cast, app):
    submit(client, cast, number=1)
    submit(client, cast, number=2)
    claim_id = claim(client, cast.alice)["claim"]["id"]
    with app.app_context():
        decided = _decide_in_grace(cast, claim_id)
        with write_session() as session:
            following = taking.claim_next(session=session, actor=cast.alice.actor)
        with write_session() as session:
            withdrawing.withdraw(session=session, actor=cast.alice.actor, decision_id=decided.decision_id)
        with write_session() as session:
            assert taking.claim_next(session=session, actor=cast.carol.actor).task_id == following.task_id


def test_the_answer_says_when_a_decision_can_be_expected(client, cast):
    assert submit(client, cast, number=1)["expected_at"] is None
    assert submit(client, cast, number=2, confidence=0.99)["expected_at"] is None
    decide(client, cast.alice, verdict="approve")
    expectation._kept.clear()
    waiting = submit(client, cast, number=3)
    assert waiting["expected_at"] < waiting["due_at"]
