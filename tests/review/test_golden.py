"""Gold: like any other review until it is decided, told at once after, and in nothing that leaves the house."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select, update

from reviewqueue.core.db import read_session, write_session
from reviewqueue.errors import GraceOver
from reviewqueue.feedback import building, exports
from reviewqueue.models import AuditEvent, Decision, Gold, Item, Resolution, Task
from reviewqueue.queues.applying import apply
from reviewqueue.review import handing, quality
from reviewqueue.review.claims import taking
from reviewqueue.review.commands import gold as command
from tests.desk_steps import act, claim, decide, submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD, item

KNOWN = {"label": "card_arrival"}


@pytest.fixture
def checking(app: Any, cast: Any) -> None:
    """Every claim is a check while there is gold that the person has not seen."""
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"gold": 1.0}})


def new_gold(client: Any, cast: Any, answer: Any = KNOWN, **changes: Any) -> Any:
    new = {key: value for key, value in item(99, **changes).items() if key != "queue"}
    body = {"new": new, "answer": answer, "note": "It never came."}
    told = client.post("/api/v1/queues/intents/gold", json=body, headers=cast.bob.bearer)
    assert told.status_code == 201, told.json
    return told.json["gold"]


def shape(value: Any) -> Any:
    """What a value looks like, whatever it says."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    return type(value).__name__


def _seconds(claimed: Any) -> float:
    return datetime.fromisoformat(claimed["item"]["submitted_at"]).timestamp()


def test_it_looks_like_the_review_in_whose_place_it_stands(client, cast, app, checking):
    new_gold(client, cast)
    waiting = submit(client, cast, number=1)
    check = claim(client, cast.alice)
    with app.app_context(), read_session() as session:
        assert session.scalar(select(Task.kind).where(Task.id == check["task"]["id"])) == "gold"
        gold_item = session.scalar(select(Gold.item_id))
    act(client, cast.alice, check["claim"]["id"], "decision", output=KNOWN)
    real = claim(client, cast.alice)
    assert real["item"]["id"] == waiting["id"]
    assert shape(check) == shape(real)
    for name in ("kind", "round", "priority", "audience", "config_version", "blind", "queue"):
        assert check["task"][name] == real["task"][name], name
    assert 0 < _seconds(real) - _seconds(check) < 10, "a little older, so that it comes first again"
    for one in (check, real):
        due = datetime.fromisoformat(one["task"]["due"]).timestamp()
        assert due - _seconds(one) == pytest.approx(86_400, abs=0.1)
        for made in (one["item"]["id"], one["task"]["id"]):
            assert abs((uuid.UUID(made).int >> 80) / 1000 - _seconds(one)) < 0.2, "an id tells when it was made"
            assert uuid.UUID(made).int >> 64 & 0xFFF < 8, "and how many were made in that millisecond"
    assert check["item"]["id"] != gold_item


def test_after_deciding_the_answer_is_told_and_nothing_else_comes_of_it(client, cast, app, checking):
    known = submit(client, cast, number=7)["id"]
    decide(client, cast.bob, output=KNOWN)
    added = {"item": known, "note": "It never came."}
    assert client.post("/api/v1/queues/intents/gold", json=added, headers=cast.bob.bearer).status_code == 201
    submit(client, cast)
    held = claim(client, cast.alice)["claim"]["id"]
    told = act(client, cast.alice, held, "decision", output={"label": "refund"}).json
    assert told["gold"] == {
        "correct": False,
        "verdict": "override",
        "output": KNOWN,
        "note": "It never came.",
        "standing": None,
    }
    assert told["resolution"] is None
    assert act(client, cast.alice, held, "decision", output={"label": "refund"}).json == told
    assert decide(client, cast.carol, output=KNOWN)["gold"]["correct"] is True
    assert decide(client, cast.alice, verdict="approve")["gold"] is None
    with app.app_context():
        with write_session() as session:
            export_id = exports.request_export(
                session=session, actor=OPERATOR, queue="intents", kind="jsonl", wanted={"include_gold": True}
            )
        for shard in building.plan(export_id, renew=lambda: None):
            building.write_shard(shard, renew=lambda: None)
        with read_session() as session:
            assert session.scalar(select(func.count()).select_from(Resolution)) == 2
            actions = list(session.scalars(select(AuditEvent.action)))
        found = [path.read_text() for path in app.config["SETTINGS"].exports_dir.rglob("*.jsonl")]
    assert actions.count("gold.decided") == 2
    assert len(found) == 1
    lines = list(map(json.loads, found[0].splitlines()))
    assert [(line["item_id"] == known, len(line["decisions"])) for line in lines] == [(True, 1), (False, 1)]


def test_nobody_gets_the_same_twice_nor_an_item_that_they_have_decided(client, cast, app, checking):
    item_id = submit(client, cast, number=1)["id"]
    decide(client, cast.alice, output=KNOWN)
    added = client.post("/api/v1/queues/intents/gold", json={"item": item_id}, headers=cast.bob.bearer)
    again = client.post("/api/v1/queues/intents/gold", json={"item": item_id}, headers=cast.bob.bearer)
    assert added.json == again.json
    submit(client, cast, number=2)
    for who, expected in ((cast.alice, "review"), (cast.carol, "gold")):
        held = claim(client, who)
        with app.app_context(), read_session() as session:
            assert session.scalar(select(Task.kind).where(Task.id == held["task"]["id"])) == expected
        act(client, who, held["claim"]["id"], "release" if expected == "review" else "skip")
    held = claim(client, cast.carol)
    assert held["item"]["input"]["text"].endswith("(2)"), "a check that was skipped is over"


def test_what_people_have_not_resolved_is_no_gold_and_doubt_retires_it(client, cast, app, checking):
    passed = submit(client, cast, number=1, confidence=0.99)["id"]
    refused = client.post("/api/v1/queues/intents/gold", json={"item": passed}, headers=cast.bob.bearer)
    assert (refused.status_code, refused.json["code"]) == (409, "not_resolved")
    item_id = submit(client, cast, number=2)["id"]
    decide(client, cast.alice, output=KNOWN)
    client.post("/api/v1/queues/intents/gold", json={"item": item_id}, headers=cast.bob.bearer)
    reopened = client.post(f"/api/v1/items/{item_id}/reopenings", json={"reason": "Wrong"}, headers=cast.bob.bearer)
    assert reopened.status_code == 201
    with app.app_context(), read_session() as session:
        assert session.scalar(select(Gold.retired_at)) is not None


def test_gold_that_is_retired_is_taken_from_whoever_has_it(client, cast, app, checking):
    gold_id = new_gold(client, cast)
    submit(client, cast)
    in_hand = claim(client, cast.alice)
    put_back, skipped = claim(client, cast.bob), claim(client, cast.carol)
    act(client, cast.bob, put_back["claim"]["id"], "release")
    act(client, cast.carol, skipped["claim"]["id"], "skip")
    assert client.post(f"/api/v1/gold/{gold_id}/retirement", headers=cast.bob.bearer).status_code == 204
    late = act(client, cast.alice, in_hand["claim"]["id"], "decision", output=KNOWN)
    assert (late.status_code, late.json["code"]) == (409, "item_ended")
    now = claim(client, cast.bob)["task"]["id"]
    with app.app_context(), write_session() as session:
        with pytest.raises(GraceOver):
            handing.take_back_skip(session=session, actor=cast.carol.actor, task_id=skipped["task"]["id"])
        assert set(session.scalars(select(Task.state).where(Task.kind == "gold"))) == {"cancelled"}
        assert session.scalar(select(Task.kind).where(Task.id == now)) == "review"


def test_a_file_adds_all_of_it_or_nothing(client, cast, app, tmp_path):
    good = {"input": {"text": "a"}, "output": {"label": "refund"}, "answer": {"label": "refund"}, "note": "Plain."}
    path = tmp_path / "gold.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps({**good, "answer": {"label": "nonsense"}}) + "\n")
    with app.app_context():
        failed = CliRunner().invoke(command, ["add", "intents", str(path)])
        assert "Line 2" in str(failed.exception)
        path.write_text(json.dumps(good) + "\n" + json.dumps({**good, "answer": None}) + "\n")
        assert CliRunner().invoke(command, ["add", "intents", str(path)]).output == "2 gold items in intents\n"
        with read_session() as session:
            assert list(session.scalars(select(Gold.verdict).order_by(Gold.id))) == ["approve", "reject"]
            assert session.scalar(select(func.count()).select_from(Task)) == 0


def test_the_desk_tells_and_the_pages_count(client, cast, app, checking):
    new_gold(client, cast)
    for number in range(2):
        submit(client, cast, number=number)
    client.post("/login", data={"email": cast.alice.email, "password": PASSWORD})
    page = client.post("/queues/intents/claims", follow_redirects=True)
    assert "gold" not in page.text
    after = client.post(f"{page.request.path}/decision", data={"choice": json.dumps("refund")}, follow_redirects=True)
    assert "That was a check with a known answer, and it is another: Label “card_arrival”. It never came." in after.text
    assert "Of 1 checks, items whose answer was known, you met 0" in client.get("/decisions").text
    assert client.get("/queues/intents/quality").status_code == 403
    client.post("/logout")
    client.post("/login", data={"email": cast.bob.email, "password": PASSWORD})
    page = client.get("/queues/intents/quality").text
    assert "Alice" in page
    assert "too few to judge by" in page
    told = client.get("/api/v1/queues/intents/quality", headers=cast.bob.bearer).json
    assert [(one["name"], one["gold"]["met"], one["gold"]["of"]) for one in told["people"]] == [("Alice", 0, 1)]
    listed = client.get("/api/v1/queues/intents/gold", headers=cast.bob.bearer).json["gold"]
    assert [(one["given"], one["correct"]) for one in listed] == [(1, 0)]
    assert client.post(f"/api/v1/gold/{listed[0]['id']}/retirement", headers=cast.bob.bearer).status_code == 204


def test_agreement_is_over_items_that_several_judged(client, cast, app):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "reviews": {"required": 2}})
    for number in range(2):
        submit(client, cast, number=number)
        decide(client, cast.alice, output={"label": "refund"})
        decide(client, cast.carol, output={"label": "refund" if number else "card_arrival"})
    with app.app_context(), read_session() as session:
        found = quality.quality_of(session=session, actor=cast.bob.actor, slug="intents")
    assert (found.agreement.agreed.met, found.agreement.agreed.of) == (1, 2)
    assert found.agreement.alpha == pytest.approx(0.0)


def test_a_check_that_was_lost_comes_back_to_its_person_alone(client, cast, app, checking):
    new_gold(client, cast)
    submit(client, cast)
    held = claim(client, cast.alice)
    act(client, cast.alice, held["claim"]["id"], "release")
    with app.app_context():
        with write_session() as session:
            session.execute(update(Item).values(test=True))
            assert taking.claim_next(session=session, actor=cast.carol.actor).task_id != held["task"]["id"]
        with read_session() as session:
            assert session.scalar(select(func.count()).select_from(Decision)) == 0
    assert claim(client, cast.alice)["claim"]["fence"] >= 1
