"""Advice on a queue's threshold, from what its people judged: over REST, on its page, as a new version."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import func, insert, select, update

from reviewqueue.core.db import database_now, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.models import Item, ProposedVersion, QueueVersion, Resolution
from reviewqueue.models.base import table
from reviewqueue.models.states import ItemState, ResolvedBy, Risk, RoutingAction, Verdict
from reviewqueue.queues.applying import apply
from tests.desk_steps import decide, submit
from tests.fixtures.people import INTENTS, OPERATOR

PATH = "/api/v1/queues/intents/advice"
AUDITED = {**INTENTS, "audit": {"rate": 0.5}}


def came(session: Any, queue_id: str, count: int, confidence: float, **given: Any) -> None:
    """So many items of a confidence, each `wrong`th wrong; from 0.8 on they passed, and `audited` were audited."""
    now, ids = database_now(session), [new_id() for _ in range(count)]
    passed, audited, every = confidence >= 0.8, given.get("audited", count), given.get("wrong", 0)
    values = {
        "queue_id": queue_id, "config_version": given.get("config_version", 2), "state": ItemState.RESOLVED,
        "revision": 1, "round": 1, "body_sha256": "", "input": '{"text":"x"}', "output": '{"label":"lost_card"}',
        "confidence": confidence, "risk": given.get("risk", Risk.LOW), "model": "intents",
        "model_version": given.get("version", "7"), "metadata": "{}", "test": False, "rule_title": "Unsure",
        "priority": 0, "probability": given.get("probability", 0.5) if passed else 1.0, "submitted_by": "tests",
        "action": RoutingAction.AUTO_APPROVE if passed else RoutingAction.REVIEW, "created_at": now, "due_at": now,
    }  # fmt: skip
    resolution = {"queue_id": queue_id, "revision": 1, "created_at": now, "output": '{"label":"lost_card"}'}
    items, ends = [], []
    for place, one in enumerate(ids):
        sample = passed and place < audited
        items.append({"id": one, **values, "audit_sample": sample})
        wrong = every and place % every == every - 1
        by = ResolvedBy.PEOPLE if sample or not passed else ResolvedBy.ROUTING
        verdict = Verdict.OVERRIDE if wrong else Verdict.APPROVE
        ends.append({"id": new_id(), "item_id": one, **resolution, "by": by, "verdict": verdict})
    session.execute(insert(table(Item)), items)
    session.execute(insert(Resolution), ends)


@pytest.fixture
def sign_in(app, client):
    app.config["WTF_CSRF_ENABLED"] = False

    def sign_in(who: Any) -> None:
        client.post("/login", data={"email": who.email, "password": who.password})

    return sign_in


@pytest.fixture
def judged(app, cast):
    """A model that is right where it says so: 1,000 passed, half of them audited, and 900 that people saw."""
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document=AUDITED)
        came(session, cast.queue_id, 1000, 0.9, audited=500)
        came(session, cast.queue_id, 500, 0.7, wrong=250)
        came(session, cast.queue_id, 400, 0.3, wrong=2)
        came(session, cast.queue_id, 50, 0.95, risk=Risk.HIGH, audited=0)
        came(session, cast.queue_id, 20, 0.9, version="8", audited=0)
        came(session, cast.queue_id, 1000, 0.9, version="6", config_version=1, probability=0.0, audited=0)


def test_it_advises_a_threshold_that_the_audits_support(client, cast, judged):
    found = client.get(f"{PATH}?model=intents&model_version=7&error=0.05", headers=cast.anna.bearer).json
    assert found["promise"] == {"error": 0.05, "confidence": 0.95}
    told = found["advice"]
    assert (told["threshold"], told["items"], told["judged"], told["wrong"]) == (0.31, 1500, 1000, 2)
    assert told["error"] == pytest.approx(2 / 1500, abs=1e-4)
    assert told["at_least"] < told["error"] < told["at_most"] <= 0.05
    # 400 below, 50 of high risk, and the audits of half the rest.
    assert told["to_people"] == pytest.approx((400 + 50 + 750) / 1950, abs=1e-4)
    assert found["present"]["threshold"] == 0.8
    assert found["present"]["to_people"] == pytest.approx((900 + 500) / 1950, abs=1e-4)
    assert found["could_pass"] == 1900
    assert found["missing"] is None
    assert found["configuration"] == {
        **AUDITED,
        "routing": {
            "rules": [
                INTENTS["routing"]["rules"][0],
                {"when": "confidence < 0.31", "action": "review", "title": "Unsure"},
            ],
            "otherwise": "auto_approve",
        },
    }
    assert found["calibration"]["judged"] == 1400
    beyond = next(each for each in found["curve"] if each["threshold"] == 0.3)
    assert beyond["at_most"] > 0.05


def test_it_is_silent_where_too_little_was_judged_and_says_how_much_is_missing(client, cast, judged):
    tight = client.get(f"{PATH}?model=intents&model_version=7&error=0.001", headers=cast.anna.bearer).json
    assert tight["advice"] is None
    assert tight["missing"]["audits"] > 1000
    assert tight["configuration"] is None
    newest = client.get(f"{PATH}?model=intents&model_version=8", headers=cast.anna.bearer).json
    assert newest["advice"] is None
    assert [newest["could_pass"], newest["curve"]] == [20, []]
    never_audited = client.get(f"{PATH}?model=intents&model_version=6", headers=cast.anna.bearer).json
    assert (never_audited["advice"], never_audited["unaudited_versions"]) == (None, [1])


def test_what_cannot_be_read_is_refused_and_an_empty_queue_tells_nothing(client, cast):
    for query in ("error=0", "error=x", "error=nan", "confidence=1", "last=month"):
        answer = client.get(f"{PATH}?{query}", headers=cast.anna.bearer)
        assert (answer.status_code, answer.json["code"]) == (422, "bad_parameter"), query
    found = client.get(PATH, headers=cast.anna.bearer).json
    assert (found["advice"], found["model"], found["curve"], found["calibration"]) == (None, None, [], None)
    assert client.get(f"{PATH}?model=other", headers=cast.anna.bearer).status_code == 404


def test_it_reads_what_people_decided_and_what_an_audit_confirmed(client, cast, app):
    """Over the desk's own way: an override, an approval, a confirmed and a corrected audit, one that waits."""
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "audit": {"rate": 1.0}})
    for number, confidence in enumerate((0.5, 0.6, 0.9, 0.95)):
        submit(client, cast, number=number, confidence=confidence)
        decide(client, cast.alice, output={"label": "refund" if number in (0, 3) else "lost_card"}, spent_seconds=10)
    submit(client, cast, number=9, confidence=0.7)
    found = client.get(f"{PATH}?error=0.5", headers=cast.anna.bearer).json
    points = {each["threshold"]: (each["judged"], each["wrong"]) for each in found["curve"]}
    assert (points[0.5], points[0.6], points[0.9]) == ((4, 2), (3, 1), (2, 1))
    assert found["curve"][0]["hours_per_day"] == pytest.approx(5 * 10 / 3600, abs=0.01)


def test_an_analyst_reads_the_page_and_its_tables(client, cast, judged, sign_in):
    sign_in(cast.anna)
    page = client.get("/queues/intents/advice?error=5&version=intents%097").text
    assert "Auto-approve at <b>0.31</b>" in " ".join(page.split())
    assert "at most 5\u00a0% wrong, with 95\u00a0% confidence" in page
    assert page.count("<svg") == 3
    assert "Simulate on what came" in page
    answer = client.get("/queues/intents/advice?error=5&version=intents%097&csv=error")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert answer.mimetype == "text/csv"
    assert {row["threshold"]: row["would_pass"] for row in rows}["0.31"] == "1500"
    simulated = client.get("/queues/intents/advice?error=5&version=intents%097&simulate=1").text
    assert "On the items of the last 30 days" in simulated
    assert "An administrator can make it a new version" in simulated
    silent = client.get("/queues/intents/advice?error=0.1&version=intents%097").text
    assert "No recommendation" in silent
    assert "more audits" in silent
    assert client.get("/queues/intents/advice?error=lots").status_code == 422


def test_an_administrator_makes_it_a_version_with_one_click(client, cast, judged, sign_in, transaction):
    sign_in(cast.admin)
    page = client.get("/queues/intents/advice?error=5&version=intents%097&simulate=1").text
    assert "Make it version 3" in page
    form = {"threshold": "0.31", "expected_version": "2", "note": "Advised"}
    assert client.post("/queues/intents/advice", data={**form, "expected_version": "1"}).status_code == 303
    assert client.post("/queues/intents/advice", data={**form, "threshold": "0.312345"}).status_code == 422
    answer = client.post("/queues/intents/advice", data=form)
    assert answer.headers["Location"].endswith("/admin/queues/intents")
    with transaction() as session:
        versions = session.execute(select(QueueVersion).order_by(QueueVersion.version)).scalars().all()
        assert [each.version for each in versions] == [1, 2, 3]
        assert json.loads(versions[-1].document)["routing"]["rules"][1]["when"] == "confidence < 0.31"
        assert versions[-1].note == "Advised"
        session.execute(update(Item).values(config_version=2))


def test_where_two_persons_are_asked_for_one_click_only_proposes_it(app, client, cast, judged, sign_in, transaction):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**AUDITED, "two_persons": True})
    sign_in(cast.admin)
    form = {"threshold": "0.31", "expected_version": "3", "note": "Advised"}
    answer = client.post("/queues/intents/advice", data=form, follow_redirects=True)
    assert "waits until another person confirms it" in answer.text
    with transaction() as session:
        [proposal] = session.scalars(select(ProposedVersion)).all()
    # Whoever proposed it is not the other person.
    client.post(f"/admin/queues/intents/proposals/{proposal.id}/confirmation")
    with transaction() as session:
        assert session.scalar(select(func.max(QueueVersion.version))) == 3
    assert json.loads(proposal.document)["routing"]["rules"][1]["when"] == "confidence < 0.31"


def test_rules_that_read_content_are_asked_about_each_item(client, cast, app):
    rules = [
        {"when": "input.text == 'x'", "action": "review", "title": "Never alone"},
        {"when": "confidence < 0.8", "action": "review", "title": "Unsure"},
    ]
    with app.app_context(), write_session() as session:
        document = {**AUDITED, "routing": {"rules": rules, "otherwise": "auto_approve"}}
        apply(session=session, actor=OPERATOR, document=document)
        came(session, cast.queue_id, 300, 0.9)
        session.execute(update(Item).where(Item.id.in_(select(Item.id).limit(10))).values(input='{"text":"y"}'))
    assert client.get(PATH, headers=cast.anna.bearer).json["could_pass"] == 10
