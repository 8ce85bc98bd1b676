"""All queues: impact, data and readiness for those who may read insight; the wallboard for anybody signed in."""

from __future__ import annotations

import pytest

from reviewqueue.insights.rates import plain
from reviewqueue.insights.readiness import readiness
from reviewqueue.queues.applying import apply
from tests.desk_steps import submit
from tests.fixtures.people import INTENTS, OPERATOR, PASSWORD
from tests.insights.populating import judged


@pytest.mark.parametrize(
    ("wrong", "of", "target", "call", "why"),
    [
        (0, 0, 0.05, "unknown", "no_audits"), (1, 200, None, "unknown", "no_target"),
        (1, 50, 0.05, "not_yet", "too_few"), (1, 400, 0.05, "ready", "under_target"),
        (15, 400, 0.05, "not_yet", "within_reach"), (40, 90, 0.05, "too_much", "above_target"),
    ],
)  # fmt: skip
def test_readiness_follows_the_edge_of_the_interval(wrong, of, target, call, why):
    found = readiness(plain(wrong, of), target=target, audits=of > 0)
    assert (found.call, found.why) == (call, why)


def signed_in(app, who):
    client = app.test_client()
    client.post("/login", data={"email": who.email, "password": PASSWORD})
    return client


def test_the_portfolio_lists_the_queues_whose_insight_one_may_read(app, cast, transaction):
    with transaction() as session:
        support = {"owner_team": "Support", "audit": {"rate": 0.1}, "baseline": {"error_rate": 0.1}}
        apply(session=session, actor=OPERATOR, document={**INTENTS, **support})
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "secret", "title": "Secret queue"})
        judged(session, cast.queue_id, count=150, audit_sample=True, probability=0.1)
        judged(session, cast.queue_id, count=3, answer="refund")
    mine = signed_in(app, cast.analyst).get("/portfolio")
    assert "ready for more" in mine.text
    assert "Secret queue" not in mine.text
    rows = signed_in(app, cast.auditor).get("/portfolio?csv=queues").text.splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["Intents", "Secret queue"]
    assert rows[1].endswith(",3,0,153,0,ready")
    assert signed_in(app, cast.alice).get("/portfolio").status_code == 403


def test_the_wallboard_shows_the_queues_one_knows_of_and_names_nobody(app, client, cast, transaction):
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "secret", "title": "Secret queue"})
    submit(client, cast)
    mine = signed_in(app, cast.alice).get("/wallboard?part=wall").text
    assert "Intents" in mine
    assert "Secret queue" not in mine
    assert not any(one.name in mine for one in (cast.bob, cast.carol))
    assert "Secret queue" in signed_in(app, cast.admin).get("/wallboard").text
    assert "Intents" not in signed_in(app, cast.olga).get("/wallboard?part=wall").text
