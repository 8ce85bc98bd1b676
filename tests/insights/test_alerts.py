"""Alerts of a queue: opened and resolved once, told to its leads and webhooks, acted upon, acknowledged."""

from __future__ import annotations

import json
import threading

import pytest
from sqlalchemy import insert, select, update

from reviewqueue.cli import TOPICS
from reviewqueue.core.access import SYSTEM
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.core.relay import Duty, Relay
from reviewqueue.delivery.webhooks import events
from reviewqueue.errors import Conflict, Forbidden, Invalid, NotFound
from reviewqueue.insights import alerts
from reviewqueue.models import (
    Alert,
    AuditEvent,
    Brake,
    Decision,
    Notice,
    OutboxRow,
    QueueVersion,
    Task,
    WebhookDelivery,
)
from reviewqueue.models.states import AlertFigure, NoticeKind
from reviewqueue.queues.applying import apply
from reviewqueue.queues.configuration import parse
from tests import desk_steps
from tests.fixtures.people import INTENTS, OPERATOR, item
from tests.fixtures.processes import until
from tests.insights.populating import judged
from tests.review.test_standings import add_gold, have_met


@pytest.fixture
def asks(app, cast):
    """`asks({…}, …)`: the queue asks for these alerts."""

    def ask(*wanted):
        with app.app_context(), write_session() as session:
            apply(session=session, actor=OPERATOR, document={**INTENTS, "alerts": list(wanted)})

    return ask


@pytest.fixture
def every(app):
    """`every(Alert)`: all rows, oldest first."""

    def rows(model, *where, by=None):
        with app.app_context(), read_session() as session:
            return list(session.scalars(select(model).where(*where).order_by(model.id if by is None else by)))

    return rows


def send(client, cast, number, **changes):
    answer = client.post("/api/v1/items", json=item(number, **changes), headers=cast.submitter.bearer)
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


def decide(client, cast, verdict, **more):
    claim = client.post("/api/v1/queues/intents/claims", headers=cast.alice.bearer).json["claim"]
    body = {"fence": claim["fence"], "verdict": verdict, **more}
    answer = client.post(f"/api/v1/claims/{claim['id']}/decision", json=body, headers=cast.alice.bearer)
    assert answer.status_code == 200, answer.text


def notices(every, kind):
    return [notice.person_id for notice in every(Notice, Notice.kind == kind)]


def test_an_alert_opens_once_tells_its_lead_and_is_over_once(client, cast, asks, look, every):
    asks({"on": "waiting", "above": 2, "until": 1})
    url = {"url": "https://example.com/hook", "events": ["alert.opened", "alert.resolved"]}
    assert client.post("/api/v1/queues/intents/webhooks", json=url, headers=cast.admin.bearer).status_code == 201
    for number in range(2):
        send(client, cast, number)
    look()
    assert every(Alert) == []
    send(client, cast, 3)
    look()
    look()
    [alert] = every(Alert)
    assert (alert.name, alert.figure, alert.value, alert.bar) == ("waiting", AlertFigure.WAITING, 3.0, 2.0)
    assert notices(every, NoticeKind.ALERT_OPENED) == [cast.bob.id]
    decide(client, cast, "approve")
    look()
    assert every(Alert)[0].resolved_at is None, "two wait: back at the bar, and not yet where it is over"
    decide(client, cast, "approve")
    look()
    look()
    [alert] = every(Alert)
    assert (alert.resolved_value, alert.resolved_at is not None) == (1.0, True)
    assert notices(every, NoticeKind.ALERT_RESOLVED) == [cast.bob.id]
    assert [told.event for told in every(WebhookDelivery)] == [events.ALERT_OPENED, events.ALERT_RESOLVED]
    actions = [event.action for event in every(AuditEvent, AuditEvent.subject == alert.id)]
    assert actions == ["alert.opened", "alert.resolved"]
    for number in range(4, 8):
        send(client, cast, number)
    look()
    assert len(every(Alert)) == 2, "the next time is an alert of its own"


def test_what_webhooks_are_told(app, client, cast, asks, look, every):
    asks({"on": "waiting", "name": "too_much", "above": 0})
    send(client, cast, 1)
    look()
    [alert] = every(Alert)
    with app.app_context(), read_session() as session:
        body = json.loads(events.body_of(session, events.ALERT_OPENED, alert.id, "intents", alert.opened_at))
    assert body["data"]["queue"] == "intents"
    assert body["data"]["alert"] == {
        "id": alert.id, "name": "too_much", "figure": "waiting", "bar": 0.0, "beyond": "above", "value": 1.0,
        "observations": 1, "opened_at": body["data"]["alert"]["opened_at"],
    }  # fmt: skip


def test_it_stops_the_queue_and_raises_the_audit_rate(client, cast, asks, look, every):
    asks({"on": "override_rate", "above": 0.5, "at_least": 2, "stop": True, "audit_rate": 0.25})
    for number in range(2):
        send(client, cast, number)
    send(client, cast, 2, confidence=0.99)
    decide(client, cast, "override", output={"label": "refund"})
    look()
    assert every(Alert) == [], "one decision is too few"
    decide(client, cast, "reject", reason="unusable")
    look()
    [alert] = every(Alert)
    assert (alert.value, alert.observations) == (1.0, 2)
    assert json.loads(alert.done) == ["The queue was stopped.", "The audit rate was raised to 0.25 (version 3)."]
    [brake] = every(Brake)
    assert brake.why == "Alert override_rate: override rate 100.0 %, above 50.0 %"
    assert brake.pulled_by == SYSTEM.label
    passed = client.post("/api/v1/items", json=item(9, confidence=0.99), headers=cast.submitter.bearer).json
    assert passed["state"] == "queued"
    newest = max(every(QueueVersion, by=QueueVersion.version), key=lambda row: row.version)
    assert (newest.version, json.loads(newest.document)["audit"]) == (3, {"rate": 0.25})
    assert newest.note.startswith("Alert override_rate")
    look()
    assert len(every(Alert)) == 1


def test_what_waits_too_long_and_what_cannot_be_delivered_opens_and_is_over(app, client, cast, asks, look, every):
    asks({"on": "overdue", "above": 0}, {"on": "webhooks_given_up", "above": 0})
    url = {"url": "https://example.com/hook", "events": ["item.queued"]}
    endpoint = client.post("/api/v1/queues/intents/webhooks", json=url, headers=cast.admin.bearer).json["id"]
    send(client, cast, 1)
    look()
    assert every(Alert) == []
    with app.app_context(), write_session() as session:
        session.execute(update(Task).values(due=clock(-1)))
        dead = {"endpoint_id": endpoint, "event": "item.queued", "ref": new_id(), "state": "dead", "attempts": 10}
        session.execute(
            insert(WebhookDelivery).values(id=new_id(), event_id=new_id(), next_at=clock(), created_at=clock(), **dead)
        )
    look()
    assert {(alert.name, alert.value) for alert in every(Alert)} == {("overdue", 1.0), ("webhooks_given_up", 1.0)}
    decide(client, cast, "approve")
    with app.app_context(), write_session() as session:
        session.execute(update(WebhookDelivery).values(state="delivered"))
    look()
    assert [alert.resolved_value for alert in every(Alert)] == [0.0, 0.0]


DRIFTS = ("confidence_drift", "input_drift", "label_drift")


def test_what_comes_differs_from_what_came(app, client, cast, asks, look, every, transaction):
    asks(*({"on": figure, "above": 0.25, "at_least": 10} for figure in DRIFTS))
    usual = {"confidence": 0.75, "text": "x" * 40, "label": "lost_card"}
    with transaction() as session:
        for changed in ({}, {"confidence": 0.71}):
            judged(session, cast.queue_id, ago=2, count=6, **{**usual, **changed})
        judged(session, cast.queue_id, count=12, **usual)
    look()
    assert every(Alert) == []
    with transaction() as session:
        judged(session, cast.queue_id, count=12, confidence=0.2, text="x" * 400, label="refund")
    look()
    assert {alert.name: alert.observations for alert in every(Alert)} == dict.fromkeys(DRIFTS, 12)
    assert all(alert.value > 0.25 for alert in every(Alert))
    with transaction() as session:
        judged(session, cast.queue_id, count=200, **usual)
    look()
    assert all(alert.resolved_at for alert in every(Alert))


def test_people_begin_to_change_what_they_let_stand(app, client, cast, asks, look, every, transaction):
    asks({"on": "override_drift", "above": 0.2, "at_least": 10})
    for number in range(24):
        send(client, cast, number)
    for _ in range(12):
        decide(client, cast, "approve")
    look()
    with transaction() as session:
        session.execute(update(Decision).values(decided_at=clock(-2 * 86_400)))
    for _ in range(11):
        decide(client, cast, "override", output={"label": "refund"})
    look()
    [alert] = every(Alert)
    assert (alert.value, alert.observations) == (1.0, 11)


def test_reviewers_who_differ_open_an_alert_and_agree_again(client, cast, asks, look, every, transaction):
    document = {**INTENTS, "reviews": {"required": 2}}
    wanted = {"on": "agreement", "below": 0.5, "until": 0.6, "at_least": 1}
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**document, "alerts": [wanted]})
    for number in range(3):
        send(client, cast, number)
        decide(client, cast, "approve")
        answer = {"verdict": "approve"} if number else {"output": {"label": "refund"}}
        desk_steps.decide(client, cast.carol, **answer)
        look()
        opened = [(alert.value, alert.resolved_value) for alert in every(Alert)]
        assert opened == [(0.0, pytest.approx(2 / 3) if number == 2 else None)], number


def test_somebody_who_does_not_look_opens_an_alert_once_that_is_beyond_doubt(
    client, cast, asks, look, every, transaction
):
    asks({"on": "signs_of_haste", "above": 0})
    add_gold(client, cast, 1)
    for number in range(6):
        send(client, cast, number)
        decide(client, cast, "approve", spent_seconds=0.1)
    have_met(transaction, cast, cast.alice, met=49, of=49)
    look()
    assert every(Alert) == []
    have_met(transaction, cast, cast.alice, met=1, of=1, first=99)
    look()
    [alert] = every(Alert)
    assert (alert.figure, alert.value) == (AlertFigure.SIGNS_OF_HASTE, 1.0)


def test_an_alert_that_is_asked_for_no_more_is_over(client, cast, asks, look, every):
    asks({"on": "waiting", "above": 0})
    send(client, cast, 1)
    look()
    asks()
    look()
    [alert] = every(Alert)
    assert alert.resolved_at is not None
    assert alert.resolved_value is None


def test_the_relay_looks_and_two_of_them_open_one(app, client, cast, asks, every, redis_url):
    asks({"on": "waiting", "above": 0})
    send(client, cast, 1)
    alerts._looked.clear()
    with app.app_context():
        relay = Relay(
            topics=TOPICS, duties=(Duty("look", alerts.look, 0.1, due=alerts.ASKED, writes=False),), url=redis_url
        )

    def run():
        with app.app_context():
            relay.run()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until(lambda: len(every(Alert)) == 1)
    finally:
        relay.stop()
        thread.join(10)
    with app.app_context():
        from reviewqueue.insights.alert_figures import Reading
        from reviewqueue.queues.catalog import configuration, queue_by_id

        with write_session() as session:
            head = queue_by_id(session, cast.queue_id)
            [asked] = configuration(session, head.id, head.version).config.alerts
            again = alerts.open_alert(session=session, actor=SYSTEM, head=head, alert=asked, reading=Reading(1, 1))
    assert again is None
    assert len(every(Alert)) == 1
    assert notices(every, NoticeKind.ALERT_OPENED) == [cast.bob.id]


def test_a_lead_has_it_in_hand_and_others_have_not(app, client, cast, asks, look, every):
    asks({"on": "waiting", "above": 0})
    send(client, cast, 1)
    look()
    [alert] = every(Alert)
    with app.app_context():
        for other, refusal in ((cast.alice, Forbidden), (cast.analyst, Forbidden), (cast.olga, NotFound)):
            with pytest.raises(refusal), write_session() as session:
                alerts.acknowledge(session=session, actor=other.actor, alert_id=alert.id)
        with write_session() as session:
            alerts.acknowledge(session=session, actor=cast.bob.actor, alert_id=alert.id, note="Two more people come")
        with pytest.raises(Conflict), write_session() as session:
            alerts.acknowledge(session=session, actor=cast.admin.actor, alert_id=alert.id)
    [alert] = every(Alert)
    assert (alert.acknowledged_by, alert.note, alert.resolved_at) == (cast.bob.id, "Two more people come", None)


def test_the_page_shows_what_is_open_and_the_notice_leads_there(app, client, cast, asks, look, every):
    asks({"on": "waiting", "above": 0, "name": "too_much"})
    send(client, cast, 1)
    look()
    [alert] = every(Alert)
    client.post("/login", data={"email": cast.bob.email, "password": cast.bob.password})
    inbox = client.get("/notices").text
    assert "Alert: too_much" in inbox
    [notice] = every(Notice)
    assert client.get(f"/notices/{notice.id}").headers["Location"].endswith(f"/alerts#alert-{alert.id}")
    assert "Tasks waiting: 1, above 0" in client.get("/alerts").text
    answer = client.post(f"/alerts/{alert.id}/acknowledgement", data={"note": "<b>On it</b>"}, follow_redirects=True)
    assert "&lt;b&gt;On it&lt;/b&gt;" in answer.text
    decide(client, cast, "approve")
    look()
    text = client.get("/alerts").text
    assert "Nothing is open" in text
    assert "&lt;b&gt;On it&lt;/b&gt;" in text


def test_a_letter_about_an_alert_is_asked_for_where_there_is_a_server(app, client, cast, asks, look, every):
    from dataclasses import replace

    settings = app.config["SETTINGS"]
    app.config["SETTINGS"] = replace(settings, smtp_url="smtp://localhost", mail_from="r@example.com")
    asks({"on": "waiting", "above": 0})
    send(client, cast, 1)
    look()
    [row] = every(OutboxRow, OutboxRow.topic == "notice.mail")
    with app.app_context(), read_session() as session:
        from reviewqueue.notices import inbox, mail

        letter = mail.letter(app.config["SETTINGS"], inbox.to_be_mailed(session=session, notice_id=row.ref))
    assert letter["Subject"] == "Alert: waiting (Intents)"
    assert letter["To"] == cast.bob.email


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ([{"on": "waiting"}], "/alerts/0/above"),
        ([{"on": "agreement", "above": 0.5}], "/alerts/0/below"),
        ([{"on": "waiting", "above": 5, "below": 2}], "/alerts/0/below"),
        ([{"on": "waiting", "above": 5}, {"on": "waiting", "above": 50}], "/alerts/1/name"),
        ([{"on": "waiting", "above": 5, "until": 6}], "/alerts/0/until"),
        ([{"on": "agreement", "below": 0.5, "until": 0.4}], "/alerts/0/until"),
        ([{"on": "moon", "above": 5}], "/alerts/0/on"),
    ],
)
def test_a_document_with_a_slip_is_refused(wanted, pointer):
    with pytest.raises(Invalid) as refused:
        parse({**INTENTS, "alerts": wanted}, final_say=True)
    assert pointer in [fault.pointer for fault in refused.value.faults]


def test_two_bars_of_one_figure_have_names():
    wanted = [{"on": "waiting", "above": 5}, {"on": "waiting", "name": "far_too_much", "above": 50, "stop": True}]
    config, _ = parse({**INTENTS, "alerts": wanted}, final_say=True)
    assert [(alert.name, alert.over_at) for alert in config.alerts] == [("waiting", 4.5), ("far_too_much", 45.0)]
