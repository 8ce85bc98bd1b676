"""Several people judge an item: all at once, never the same twice, and what they amount to becomes its answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from reviewqueue.accounts import memberships
from reviewqueue.core.db import clock, database_now, db, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.errors import GraceOver
from reviewqueue.models import AuditEvent, Decision, Item, PendingRelease, Task
from reviewqueue.models.lanes import lane_of
from reviewqueue.models.states import Audience, QueueRole
from reviewqueue.queues.applying import apply
from reviewqueue.resolution import endings
from reviewqueue.review import edge, escalation, handing, settling
from reviewqueue.review.claims import taking
from reviewqueue.review.decisions import recording, withdrawing
from tests.desk_steps import act, claim, decide, read, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD, item

REFUND, LOST = {"output": {"label": "refund"}}, {"verdict": "approve"}


@pytest.fixture
def ask_for(app: Any, cast: Any) -> Any:
    """Apply `reviews` to the queue."""

    def ask(rules: tuple[dict[str, Any], ...] = (), **reviews: Any) -> None:
        document = {**INTENTS, "reviews": reviews}
        if rules:
            document["routing"] = {**INTENTS["routing"], "rules": list(rules)}
        with app.app_context(), write_session() as session:
            apply(session=session, actor=OPERATOR, document=document)

    return ask


def in_grace(app: Any, who: Any, claim_id: str, label: str) -> Any:
    with app.app_context():
        submission = recording.Submission(verdict=None, output={"label": label}, grace=True)
        return edge.decide_now(who.actor, claim_id, submission)


def settle(app: Any) -> None:
    with app.app_context(), write_session() as session:
        session.execute(update(PendingRelease).values(releases_at=clock(-1)))
        settling.settle_due(session=session)


def test_both_are_open_at_once_and_when_they_agree_that_is_the_answer(client, cast, ask_for):
    ask_for(required=2)
    item_id = submit(client, cast)["id"]
    first, second = claim(client, cast.alice), claim(client, cast.carol)
    assert first["item"]["id"] == second["item"]["id"] == item_id
    answer = act(client, cast.alice, first["claim"]["id"], "decision", **REFUND).json
    assert answer["resolution"] is None
    assert read(client, cast, item_id)["state"] == "in_review"
    answer = act(client, cast.carol, second["claim"]["id"], "decision", **REFUND).json
    assert answer["resolution"]["output"] == {"label": "refund"}
    assert read(client, cast, item_id)["resolution"]["revision"] == 1


def test_nobody_gets_both(client, cast, ask_for):
    ask_for(required=2)
    submit(client, cast)
    decide(client, cast.alice, **REFUND)
    assert claim(client, cast.alice) is None
    client.post("/login", data={"email": cast.alice.email, "password": PASSWORD})
    assert "<b>1</b> waiting" not in client.get("/queues/intents").text, "it does not wait for them"
    held = claim(client, cast.carol)
    act(client, cast.carol, held["claim"]["id"], "skip")
    assert claim(client, cast.carol) is None
    assert claim(client, cast.bob) is not None


def test_the_database_refuses_a_second_review_by_the_same_person(client, cast, app, ask_for):
    ask_for(required=2)
    submit(client, cast)
    decide(client, cast.alice, **REFUND)
    with app.app_context(), write_session() as session:
        session.execute(
            update(Task).where(Task.state == "open")
            .values(state="claimed", holder=cast.alice.id, fence=1, lease_until=clock(60))
        )  # fmt: skip
        task_id = session.scalars(select(Task.id).where(Task.state == "claimed")).one()
    refused = act(client, cast.alice, f"{task_id}.1", "decision", **REFUND)
    assert (refused.status_code, refused.json["code"]) == (409, "four_eyes")
    with app.app_context(), read_session() as session:
        assert len(session.scalars(select(Decision.id)).all()) == 1


def test_disagreement_goes_to_a_lead_who_was_none_of_them(client, cast, app, ask_for):
    ask_for(required=2)
    item_id = submit(client, cast)["id"]
    decide(client, cast.bob, **LOST)
    decide(client, cast.alice, **REFUND)
    with app.app_context(), read_session() as session:
        opened = session.scalars(select(Task).where(Task.state == "open")).one()
    assert (opened.kind, opened.audience) == ("adjudication", "reviewer"), "the only lead is one of them"
    assert claim(client, cast.alice) is None
    assert claim(client, cast.bob) is None
    answer = decide(client, cast.carol, output={"label": "exchange_rate"})
    assert answer["resolution"]["output"] == {"label": "exchange_rate"}
    with app.app_context(), read_session() as session:
        actions = list(session.scalars(select(AuditEvent.action).where(AuditEvent.item_id == item_id)))
    assert actions.count("task.opened") == actions.count("item.resolved") == 1


def test_adjudication_is_for_leads_where_there_is_one(client, cast, ask_for):
    ask_for(required=2)
    submit(client, cast)
    decide(client, cast.alice, **REFUND)
    decide(client, cast.carol, **LOST)
    assert claim(client, cast.bob)["task"]["kind"] == "adjudication"


def test_a_tie_break_decides_by_the_larger_number_and_a_majority_needs_no_third(client, cast, ask_for):
    ask_for(required=2, on_disagreement="tie_break")
    item_id = submit(client, cast)["id"]
    decide(client, cast.alice, **REFUND)
    assert decide(client, cast.carol, **LOST)["resolution"] is None
    assert claim(client, cast.bob)["task"]["kind"] == "review"
    assert decide(client, cast.bob, **LOST)["resolution"]["verdict"] == "approve"
    ask_for(required=3, agreement="majority")
    item_id = submit(client, cast, number=2)["id"]
    decide(client, cast.alice, **REFUND)
    held = claim(client, cast.bob)
    assert decide(client, cast.carol, **REFUND)["resolution"]["output"] == {"label": "refund"}
    lost = act(client, cast.bob, held["claim"]["id"], "decision", **LOST)
    assert (lost.status_code, lost.json["code"]) == (409, "item_ended")
    assert read(client, cast, item_id)["resolution"]["output"] == {"label": "refund"}


def test_a_review_in_grace_counts_when_that_is_over_and_not_before(client, cast, app, ask_for):
    ask_for(required=2)
    item_id = submit(client, cast)["id"]
    held = claim(client, cast.alice)["claim"]["id"]
    undoable = in_grace(app, cast.alice, held, "refund")
    assert decide(client, cast.carol, **REFUND)["resolution"] is None
    with app.app_context(), write_session() as session:
        again = withdrawing.withdraw(session=session, actor=cast.alice.actor, decision_id=undoable.decision_id)
    assert read(client, cast, item_id)["state"] == "in_review", "Carol's stands"
    in_grace(app, cast.alice, again.claim_id, "refund")
    settle(app)
    assert read(client, cast, item_id)["resolution"]["output"] == {"label": "refund"}


def test_reviews_whose_grace_ends_in_one_round_of_the_relay_open_one_adjudication(client, cast, app, ask_for):
    ask_for(required=2)
    submit(client, cast)
    for who, label in ((cast.alice, "refund"), (cast.carol, "card_arrival")):
        in_grace(app, who, claim(client, who)["claim"]["id"], label)
    settle(app)
    with app.app_context(), read_session() as session:
        assert list(session.scalars(select(Task.kind).where(Task.state == "open"))) == ["adjudication"]
        assert session.scalar(select(Item.state)) == "in_review"


def test_once_the_others_have_settled_it_a_review_in_grace_stands_and_cannot_be_undone(client, cast, app, ask_for):
    ask_for(required=3, agreement="majority")
    item_id = submit(client, cast)["id"]
    undoable = in_grace(app, cast.alice, claim(client, cast.alice)["claim"]["id"], "card_arrival")
    decide(client, cast.bob, **REFUND)
    assert decide(client, cast.carol, **REFUND)["resolution"]["output"] == {"label": "refund"}
    with app.app_context(), pytest.raises(GraceOver), write_session() as session:
        withdrawing.withdraw(session=session, actor=cast.alice.actor, decision_id=undoable.decision_id)
    settle(app)
    with app.app_context(), read_session() as session:
        assert not session.scalar(select(Decision.late).where(Decision.id == undoable.decision_id))
    assert read(client, cast, item_id)["resolution"]["revision"] == 1


def test_rules_ask_for_more_and_so_does_a_second_look(client, cast, app, ask_for):
    rules = ({"when": "risk == 'high'", "action": "review", "title": "High risk", "extra_reviews": 2},)
    ask_for(rules=rules, required=1)
    for number, risk in enumerate(("high", "low")):
        submit(client, cast, number=number, risk=risk, confidence=0.1)
    ask_for(required=1, second_look=1.0)
    batch = {"items": [{**item(9), "external_id": "in-a-batch"}]}
    client.post("/api/v1/items/batch", json=batch, headers=cast.submitter.bearer)
    with app.app_context(), read_session() as session:
        assert list(session.scalars(select(Item.reviews).order_by(Item.id))) == [3, 1, 2]
        assert len(session.scalars(select(Task.id)).all()) == 5


def test_a_task_that_only_deciders_and_skippers_are_left_for_comes_back_to_those_who_skipped(
    client, cast, app, ask_for
):
    ask_for(required=2)
    submit(client, cast)
    act(client, cast.alice, claim(client, cast.alice)["claim"]["id"], "skip")
    held = claim(client, cast.carol)
    act(client, cast.bob, claim(client, cast.bob)["claim"]["id"], "decision", **LOST)
    act(client, cast.carol, held["claim"]["id"], "decision", **LOST)
    submit(client, cast, number=2)
    act(client, cast.alice, claim(client, cast.alice)["claim"]["id"], "skip")
    act(client, cast.bob, claim(client, cast.bob)["claim"]["id"], "skip")
    decide(client, cast.carol, **LOST)
    with app.app_context(), write_session() as session:
        waiting = session.scalars(select(Task).where(Task.state == "open")).one()
        assert cast.carol.id in waiting.excluded
        session.execute(update(Task).values(available_at=clock()))
    assert claim(client, cast.carol) is None
    assert claim(client, cast.alice) or claim(client, cast.bob)


def test_an_item_with_one_review_of_two_times_out_to_the_default(client, cast, app, ask_for):
    ask_for(required=2)
    item_id = submit(client, cast)["id"]
    decide(client, cast.alice, **REFUND)
    with app.app_context(), write_session() as session:
        session.execute(update(Item).values(expires_at=clock(-1)))
        assert endings.expire_items(session=session) == 1
    assert read(client, cast, item_id)["state"] == "expired"


def test_a_claim_does_not_read_the_second_reviews_that_this_person_may_not_take(client, cast, app, ask_for, database):
    """A hundred thousand of them on PostgreSQL, where what was read is told."""
    ask_for(required=2)
    submit(client, cast)
    decide(client, cast.alice, **REFUND)
    lane = lane_of(audience=Audience.REVIEWER, assignee=None, excluded=[cast.alice.id])
    with app.app_context():
        with write_session() as session:
            one = session.execute(select(Task.__table__).where(Task.state == "open")).one()._asdict()
            assert one["lane"] == lane
            many = 100_000 if database == "postgresql" else 3_000
            if database == "postgresql":
                columns = ", ".join(name for name in one if name != "id")
                session.execute(
                    text(f"INSERT INTO task (id, {columns}) SELECT gen_random_uuid(), {columns} FROM task, "
                         f"generate_series(1, {many}) WHERE id = :id"), {"id": one["id"]},
                )  # fmt: skip
            else:
                session.execute(insert(Task.__table__), [{**one, "id": new_id()} for _ in range(many)])
        if database == "postgresql":
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE task"))
        wanted = submit(client, cast, number=2)["id"]
        read_before = _rows_read(database)
        with write_session() as session:
            held = taking.claim_next(session=session, actor=cast.alice.actor, slug="intents")
        assert held is not None
        assert held.item_id == wanted
        if database == "postgresql":
            assert _rows_read(database) - read_before < 200


def _rows_read(database: str) -> int:
    if database == "sqlite":
        return 0
    question = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = 'task'"
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
        return int(connection.execute(text(question)).scalar_one())


def test_a_lead_who_may_judge_an_item_does_not_read_what_others_decided(client, cast, ask_for):
    ask_for(required=2)
    item_id = submit(client, cast)["id"]
    decide(client, cast.alice, comment="It is about money.", **REFUND)
    for who, sees in ((cast.bob, False), (cast.auditor, True)):
        client.post("/login", data={"email": who.email, "password": PASSWORD})
        page = client.get(f"/items/{item_id}").text
        assert ("It is about money." in page) is sees
        assert ("shows once the item is settled" in page) is not sees
        client.post("/logout")
    decide(client, cast.carol, **REFUND)
    client.post("/login", data={"email": cast.bob.email, "password": PASSWORD})
    assert "It is about money." in client.get(f"/items/{item_id}").text


def test_a_skip_that_is_taken_back_lets_the_person_judge_again(client, cast, app, ask_for):
    ask_for(required=2)
    submit(client, cast)
    held = claim(client, cast.alice)
    act(client, cast.alice, held["claim"]["id"], "skip")
    assert claim(client, cast.alice) is None
    with app.app_context(), write_session() as session:
        again = handing.take_back_skip(session=session, actor=cast.alice.actor, task_id=held["task"]["id"])
    assert act(client, cast.alice, again.claim_id, "release").status_code == 204
    with app.app_context(), read_session() as session:
        assert set(session.scalars(select(Task.excluded))) == {"[]"}, "of the other review, too"


@pytest.fixture
def beyond(app, cast):
    """A queue beyond the leads, which Olga alone reviews."""
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "beyond"})
        memberships.add(session=session, actor=OPERATOR, slug="beyond", email=cast.olga.email, role=QueueRole.REVIEWER)
        chain = {"escalation": {"to": "beyond", "after_minutes": 30}, "send_to": ["beyond"]}
        apply(session=session, actor=OPERATOR, document={**INTENTS, **chain, "reviews": {"required": 2}})


def test_an_adjudication_goes_on_along_the_chain_when_the_leads_leave_it(client, cast, app, beyond):
    item_id = submit(client, cast)["id"]
    decide(client, cast.alice, **REFUND)
    decide(client, cast.carol, **LOST)
    with app.app_context(), write_session() as session:
        assert escalation.escalate_due(session=session) == 0, "not yet"
        session.execute(update(Task).where(Task.escalates_at.is_not(None)).values(escalates_at=clock(-1)))
        assert escalation.escalate_due(session=session) == 1
    assert claim(client, cast.bob) is None
    piece = claim(client, cast.olga, "beyond")
    assert (piece["task"]["kind"], len(piece["answers"])) == ("adjudication", 2)
    act(client, cast.olga, piece["claim"]["id"], "decision", output={"label": "exchange_rate"})
    assert read(client, cast, item_id)["resolution"]["output"] == {"label": "exchange_rate"}


@pytest.mark.parametrize("what", ["transfer", "postponement", "assignment", "escalation"])
def test_one_of_several_reviews_is_handed_on_and_the_item_still_gets_both(client, cast, app, beyond, what):
    item_id = submit(client, cast)["id"]
    held = claim(client, cast.alice)
    task_id, claim_id = held["task"]["id"], held["claim"]["id"]
    with app.app_context(), read_session() as session:
        later = (database_now(session) + timedelta(hours=1)).isoformat()
    body = {"transfer": {"queue": "beyond"}, "postponement": {"until": later}, "escalation": {}}
    if what == "assignment":
        address = f"/api/v1/tasks/{task_id}/assignee"
        assert client.put(address, json={"person": cast.carol.id}, headers=cast.bob.bearer).status_code == 204
    else:
        assert act(client, cast.alice, claim_id, what, **body[what]).status_code == 204
        assert claim(client, cast.alice) is None, "not the other one either"
    second = cast.carol if what == "assignment" else cast.bob
    with app.app_context(), write_session() as session:
        other = session.scalars(select(Task.id).where(Task.state == "open", Task.id != task_id)).one()
        held = taking.claim_task(session=session, actor=second.actor, task_id=other)
    assert act(client, second, held.claim_id, "decision", **REFUND).json["resolution"] is None
    first, queue = {
        "transfer": (cast.olga, "beyond"), "postponement": (cast.alice, "intents"),
        "assignment": (cast.bob, "intents"), "escalation": (cast.carol, "intents"),
    }[what]  # fmt: skip
    with app.app_context(), write_session() as session:
        session.execute(update(Task).where(Task.id == task_id).values(available_at=clock(-1)))
    assert claim(client, second) is None, "four eyes"
    piece = claim(client, first, queue)
    assert piece["task"]["id"] == task_id
    act(client, first, piece["claim"]["id"], "decision", **REFUND)
    assert read(client, cast, item_id)["resolution"]["output"] == {"label": "refund"}


def test_a_review_given_to_somebody_who_judges_the_other_one_is_left_to_everybody(client, cast, app, beyond):
    submit(client, cast)
    held = claim(client, cast.alice)
    client.put(f"/api/v1/tasks/{held['task']['id']}/assignee", json={"person": cast.alice.id}, headers=cast.bob.bearer)
    with app.app_context(), write_session() as session:
        other = session.scalars(select(Task.id).where(Task.id != held["task"]["id"])).one()
        another = taking.claim_task(session=session, actor=cast.alice.actor, task_id=other)
    act(client, cast.alice, another.claim_id, "decision", **REFUND)
    assert claim(client, cast.carol)["task"]["id"] == held["task"]["id"]
