"""Stop and hold: nothing passes, nothing goes out, everybody sees it, and it all goes on when they are let go."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from reviewqueue.accounts import tokens
from reviewqueue.core.access import SYSTEM
from reviewqueue.delivery.webhooks import deliveries, endpoints
from reviewqueue.models import AuditEvent, Resolution, WebhookDelivery
from reviewqueue.models.states import BrakeKind
from reviewqueue.queues import brakes, commands
from reviewqueue.resolution import endings, feed
from reviewqueue.review import settling
from tests.desk_steps import decide
from tests.fixtures.people import OPERATOR, item

SURE: dict[str, Any] = {"confidence": 0.99}


@pytest.fixture
def submit(client, cast):
    def submit(number: int = 1, **changes: Any) -> Any:
        return client.post("/api/v1/items", json=item(number, **changes), headers=cast.submitter.bearer).json

    return submit


@pytest.fixture
def pull(client, cast):
    def pull(kind: str, *, site: bool = False, who: Any = None) -> Any:
        path = "/api/v1/hold" if site else f"/api/v1/queues/intents/{kind}"
        return client.put(path, json={"why": "Wrong labels since noon"}, headers=(who or cast.admin).bearer)

    return pull


def test_while_a_queue_is_stopped_people_see_what_would_pass(client, cast, submit, pull):
    assert submit(1, **SURE)["state"] == "auto_approved"
    assert pull("stop", who=cast.lead).status_code == 200
    stopped = submit(2, **SURE)
    assert (stopped["state"], stopped["routing"]["title"]) == (
        "queued", "The queue is stopped: people see everything",
    )  # fmt: skip
    assert stopped["routing"]["probability"] == 1.0
    assert client.delete("/api/v1/queues/intents/stop", headers=cast.lead.bearer).status_code == 204
    assert submit(3, **SURE)["state"] == "auto_approved"


def test_a_stop_holds_for_batches(client, cast, pull):
    pull("stop")
    batch = {"items": [item(number, **SURE) for number in range(3)]}
    answer = client.post("/api/v1/items/batch", json=batch, headers=cast.submitter.bearer).json
    assert [result["item"]["state"] for result in answer["results"]] == ["queued"] * 3


def test_a_stop_of_one_queue_is_none_of_another_and_a_hold_of_the_site_is_of_all(app, cast, submit, pull, transaction):
    pull("hold", site=True)
    held = submit(1, **SURE)
    assert (held["state"], held["routing"]["title"]) == ("queued", "The queue is held: people see everything")
    with transaction() as session:
        assert brakes.release(session=session, actor=OPERATOR, kind=BrakeKind.HOLD, queue_id=None)
        assert not brakes.release(session=session, actor=OPERATOR, kind=BrakeKind.HOLD, queue_id=None)
    assert submit(2, **SURE)["state"] == "auto_approved"


def test_what_people_decide_while_it_is_held_is_told_when_it_is_over(client, cast, submit, pull, transaction):
    before = submit(1)["id"]
    decide(client, cast.alice, verdict="approve")
    number(transaction)
    pull("hold")
    during = submit(2)["id"]
    decide(client, cast.alice, verdict="approve")
    number(transaction)
    read = {"headers": cast.submitter.bearer}
    assert client.get(f"/api/v1/items/{before}", **read).json["resolution"]["verdict"] == "approve"
    shown = client.get(f"/api/v1/items/{during}?wait=0.3", **read).json
    assert (shown["state"], shown["resolution"]) == ("in_review", None)
    for state, told in (("resolved", [before]), ("in_review", [during])):
        listed = client.get(f"/api/v1/items?state={state}", **read).json["items"]
        assert [(one["id"], one["state"]) for one in listed] == [(each, state) for each in told]
    assert ids_in_feed(client, cast) == [before]
    client.delete("/api/v1/queues/intents/hold", headers=cast.admin.bearer)
    assert client.get(f"/api/v1/items/{during}?wait=5", **read).json["resolution"]["verdict"] == "approve"
    number(transaction)
    assert ids_in_feed(client, cast) == [before, during]


def number(transaction) -> None:
    with transaction() as session:
        settling.settle_due(session=session)
        feed.number(session=session)


def ids_in_feed(client, cast) -> list[str]:
    answer = client.get("/api/v1/queues/intents/resolutions", headers=cast.submitter.bearer).json
    return [entry["item"] for entry in answer["resolutions"]]


def test_a_held_queue_sends_no_webhook_and_none_that_was_due(client, cast, submit, pull, transaction):
    with transaction() as session:
        endpoint = endpoints.create(session=session, actor=OPERATOR, slug="intents", url="https://example.com/hook")
    submit(1, **SURE)
    number(transaction)
    with transaction() as session:
        assert deliveries.follow(session=session) == 1
    pull("hold")
    with transaction() as session:
        assert deliveries.endpoints_with_due(session) == []
        assert deliveries.lease(session, endpoint, 10) == []
        assert session.execute(deliveries.UNCALLED).first() is None
    client.delete("/api/v1/queues/intents/hold", headers=cast.admin.bearer)
    with transaction() as session:
        assert len(deliveries.lease(session, endpoint, 10)) == 1
        assert session.scalar(select(func.count()).select_from(WebhookDelivery)) == 1


def test_a_token_limited_to_queues_is_told_so_where_everything_is_held(client, cast, transaction):
    with transaction() as session:
        told = tokens.create_service(
            session=session, actor=OPERATOR, name="one", scopes=["queues:write"], queues=["intents"]
        )
    answer = client.put("/api/v1/hold", json={"why": "x"}, headers={"Authorization": f"Bearer {told.secret}"})
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert answer.json["detail"] == "This token is limited to queues, and this is about all of them."


def test_no_time_out_approves_while_a_queue_is_stopped(client, cast, submit, pull, transaction):
    from tests.fixtures.people import INTENTS

    document = {**INTENTS, "timeout": {"after_hours": 0.0000001, "action": "approve"}}
    assert client.put("/api/v1/queues/intents", json=document, headers=cast.admin.bearer).status_code == 200
    pull("stop")
    late = submit(1)["id"]
    with transaction() as session:
        assert endings.expire_items(session=session) == 1
        row = session.execute(select(Resolution.by, Resolution.verdict).where(Resolution.item_id == late)).one()
    assert tuple(row) == ("default", None)


def test_a_second_pull_changes_nothing_and_each_is_on_record(client, cast, pull, transaction):
    first = pull("stop").json
    again = client.put("/api/v1/queues/intents/stop", json={"why": "Another"}, headers=cast.lead.bearer).json
    assert again == first
    assert (first["why"], first["by"], first["queue"]) == ("Wrong labels since noon", "Ada", "intents")
    client.delete("/api/v1/queues/intents/stop", headers=cast.admin.bearer)
    client.delete("/api/v1/queues/intents/stop", headers=cast.admin.bearer)
    with transaction() as session:
        wanted = select(AuditEvent.action).where(AuditEvent.action.like("queue.%")).order_by(AuditEvent.id)
        actions = session.scalars(wanted).all()
    assert actions[-2:] == ["queue.stopped", "queue.resumed"]


@pytest.mark.parametrize("why", ["", "  ", "x" * 501])
def test_it_asks_for_a_reason(client, cast, why):
    answer = client.put("/api/v1/queues/intents/stop", json={"why": why}, headers=cast.admin.bearer)
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/why")


def test_every_page_says_so_to_those_who_may_know_of_the_queue(app, cast, pull):
    pull("stop")
    assert "Intents is stopped" in page(app, cast.alice)
    assert "Wrong labels since noon" in page(app, cast.alice, "/account")
    assert "is stopped" not in page(app, cast.olga)
    pull("hold", site=True)
    assert "Everything is held" in page(app, cast.olga)


def page(app, who, path: str = "/") -> str:
    browser = app.test_client()
    browser.post("/login", data={"email": who.email, "password": who.password})
    return browser.get(path).get_data(as_text=True)


def test_a_lead_stops_and_lets_go_on_the_page_and_a_reviewer_may_not(app, cast, submit):
    browser = app.test_client()
    browser.post("/login", data={"email": cast.lead.email, "password": cast.lead.password})
    assert "What would have" not in browser.get("/admin/queues/intents").text
    answer = browser.post("/admin/queues/intents/stop", data={"why": "Odd labels"}, follow_redirects=True)
    assert "Odd labels" in answer.text
    assert submit(1, **SURE)["state"] == "queued"
    browser.post("/admin/queues/intents/stop/release")
    assert submit(2, **SURE)["state"] == "auto_approved"
    assert browser.post("/admin/hold", data={"why": "All"}).status_code == 403


def test_an_empty_reason_is_asked_for_again(app, cast, transaction):
    browser = app.test_client()
    browser.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    assert "Say why." in browser.post("/admin/queues/intents/stop", data={"why": ""}, follow_redirects=True).text
    with transaction() as session:
        assert brakes.seen_by(session, SYSTEM) == []


@pytest.fixture
def queues(app, cast):
    def run(*arguments: str) -> Any:
        with app.app_context():
            return CliRunner().invoke(commands.queues, list(arguments))

    return run


def test_the_command_says_what_stays_stopped_or_held(queues):
    queues("stop", "intents", "--why", "Odd labels")
    queues("hold", "--all", "--why", "Looking")
    listed = queues("list")
    assert "  stopped  held  " in listed.stdout
    assert "Everything is held" in listed.stderr
    told = queues("resume", "--all").output
    assert "goes on" not in told
    assert "Everything: the hold is over." in told
    assert "intents is stopped" in told
    assert "Odd labels" in told
    assert "reviewqueue queues resume intents" in told
    assert queues("resume", "--all").output.startswith("Everything was not held.")
    assert queues("resume", "intents").output == "intents goes on by its rules.\n"
    assert queues("resume", "intents").output == "intents was neither stopped nor held.\n"
    queues("hold", "--all", "--why", "Looking")
    told = queues("resume", "intents").output
    assert "Everything is held" in told
    assert "reviewqueue queues resume --all" in told


def test_the_command_ends_the_hold_and_keeps_the_stop(queues):
    queues("stop", "intents", "--why", "Odd labels")
    queues("hold", "intents", "--why", "Looking")
    told = queues("resume", "intents", "--only", "hold").output
    assert told.startswith("intents: the hold is over.\nintents is stopped")
    assert "  stopped  " in queues("list").stdout
    assert queues("resume", "intents", "--only", "hold").output.startswith("intents was not held.\nintents is stopped")
    assert queues("resume", "--all", "--only", "stop").exit_code == 2
