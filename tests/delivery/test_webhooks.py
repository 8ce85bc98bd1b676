"""Webhooks: every event at least once under one id, verified by the receiver's own library, and nobody held up."""

from __future__ import annotations

import socket
import struct
import threading
import time
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook, WebhookVerificationError

from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.http import API_PREFIX
from reviewqueue.delivery import jobs
from reviewqueue.delivery.webhooks import deliveries, endpoints, sending
from reviewqueue.models import OutboxRow, Resolution, WebhookDelivery, WebhookEndpoint
from reviewqueue.queues.applying import apply
from reviewqueue.resolution import feed
from tests.desk_steps import decide, submit
from tests.fixtures.people import INTENTS, OPERATOR
from tests.fixtures.postgres import waiting_for_a_lock
from tests.fixtures.processes import until
from tests.fixtures.receivers import receiving


def test_what_an_item_ends_with_arrives_signed(client, cast, hooks):
    with receiving() as receiver:
        endpoint = hooks.listen(receiver.url)
        passed = submit(client, cast, number=1, confidence=0.99)
        submit(client, cast, number=2, external_id="two")
        decide(client, cast.alice, output={"label": "refund"}, message="A refund")
        hooks.pass_on()
        hooks.pass_on()
    assert sorted(body["type"] for body in receiver.bodies()) == ["item.auto_approved", "item.resolved"]
    for headers, body in receiver.came:
        data = Webhook(endpoint["secret"]).verify(body.decode(), headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(endpoint["secret"]).verify(body.decode() + " ", headers)
        if data["type"] == "item.resolved":
            assert data["data"]["resolution"]["output"] == {"label": "refund"}
            assert data["data"]["external_id"] == "two"
            assert data["data"]["resolution"]["message"] == "A refund"
        else:
            assert data["data"]["item"] == passed["id"]
        assert data["data"]["queue"] == "intents"
    assert [entry["state"] for entry in hooks.log(endpoint)] == ["delivered", "delivered"]


def test_an_endpoint_hears_only_what_it_asked_for_and_only_from_its_beginning(client, cast, hooks):
    submit(client, cast, number=1, confidence=0.99)
    hooks.pass_on(send=False)
    with receiving() as receiver:
        hooks.listen(receiver.url, "item.resolved")
        submit(client, cast, number=2, confidence=0.99)
        submit(client, cast, number=3)
        decide(client, cast.alice, verdict="approve")
        hooks.pass_on()
    assert [body["type"] for body in receiver.bodies()] == ["item.resolved"]


def test_an_item_that_waits_is_told_of_once(client, cast, app, hooks):
    with receiving() as receiver:
        hooks.listen(receiver.url, "item.queued")
        item_id = submit(client, cast, number=1)["id"]
        for _ in range(2):
            hooks.announce(item_id)
        hooks.pass_on()
    [body] = receiver.bodies()
    assert (body["type"], body["data"]["id"]) == ("item.queued", item_id)


def test_a_disabled_endpoint_misses_nothing_not_even_items_that_wait(client, cast, app, hooks):
    with receiving() as receiver:
        endpoint = hooks.listen(receiver.url)
        hooks.api("PUT", f"/webhooks/{endpoint['id']}/enabled", {"enabled": False})
        waits = submit(client, cast, number=1)["id"]
        submit(client, cast, number=2, confidence=0.99)
        hooks.announce(waits)
        hooks.pass_on()
        assert receiver.came == []
        hooks.api("PUT", f"/webhooks/{endpoint['id']}/enabled", {"enabled": True})
        hooks.pass_on()
    assert sorted(body["type"] for body in receiver.bodies()) == ["item.auto_approved", "item.queued"]


def test_an_item_that_passed_is_not_told_of_as_waiting_though_its_audit_is(client, cast, app, hooks):
    with app.app_context(), write_session() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "audit": {"rate": 1.0}})
    with receiving() as receiver:
        hooks.listen(receiver.url)
        passed, waits = submit(client, cast, number=1, confidence=0.99), submit(client, cast, number=2)
        assert passed["state"] == "auto_approved"
        hooks.announce(passed["id"], waits["id"])
        hooks.pass_on()
    told = {(body["type"], body["data"].get("id") or body["data"].get("item")) for body in receiver.bodies()}
    assert told == {("item.auto_approved", passed["id"]), ("item.queued", waits["id"])}


def test_a_failed_attempt_is_repeated_under_the_same_id_with_a_fresh_signature(client, cast, hooks):
    with receiving(lambda number, _: 500 if number < 3 else 200) as receiver:
        endpoint = hooks.listen(receiver.url)
        submit(client, cast, confidence=0.99)
        for _ in range(3):
            hooks.pass_on()
            hooks.due_again()
    assert len(set(receiver.ids())) == 1
    assert len({body for _, body in receiver.came}) == 1
    [entry] = hooks.log(endpoint)
    assert [attempt["status"] for attempt in entry["attempts"]] == [500, 500, 200]
    assert entry["attempts"][0]["answer"] == "ok"
    for headers, body in receiver.came:
        Webhook(endpoint["secret"]).verify(body.decode(), headers)


def test_after_ten_attempts_it_is_given_up_and_can_be_sent_again(client, cast, hooks, app):
    status = [503]
    with receiving(lambda *_: status[0]) as receiver:
        endpoint = hooks.listen(receiver.url)
        submit(client, cast, confidence=0.99)
        hooks.pass_on(send=False)
        waits = []
        for _ in range(10):
            hooks.due_again()
            hooks.pass_on()
            with app.app_context(), read_session() as session:
                row = session.execute(
                    select(WebhookDelivery.state, (WebhookDelivery.next_at > clock()).label("later"))
                ).one()
                waits.append((row.state, row.later))
        assert waits[:9] == [("pending", 1)] * 9 or waits[:9] == [("pending", True)] * 9
        assert waits[9][0] == "dead"
        assert len(receiver.came) == 10
        counts = hooks.api("GET", "/queues/intents/webhooks").json["webhooks"][0]
        assert (counts["pending"], counts["dead"]) == (0, 1)
        status[0] = 200
        assert hooks.api("POST", f"/webhooks/{endpoint['id']}/redelivery").json == {"deliveries": 1}
        hooks.pass_on()
    assert len(set(receiver.ids())) == 1
    assert hooks.log(endpoint)[0]["state"] == "delivered"


def test_one_that_waits_for_its_next_attempt_is_sent_now_but_not_while_an_attempt_is_under_way(
    client, cast, hooks, transaction
):
    meanwhile: list[Any] = []

    def receiver_of(number: int, _: Any) -> int:
        if number == 2:
            meanwhile.append(hooks.api("POST", f"{path}/redelivery"))
        return 503 if number == 1 else 200

    with receiving(receiver_of) as receiver:
        endpoint = hooks.listen(receiver.url)
        submit(client, cast, confidence=0.99)
        hooks.pass_on()
        [waiting] = hooks.log(endpoint)
        path = f"/webhooks/{endpoint['id']}/deliveries/{waiting['id']}"
        assert hooks.api("GET", path).json == waiting
        hooks.pass_on()
        assert len(receiver.came) == 1
        assert hooks.api("POST", f"{path}/redelivery").json == {"deliveries": 1}
        hooks.pass_on()
    assert len(receiver.came) == 2
    assert len(set(receiver.ids())) == 1
    [refused] = meanwhile
    assert (refused.status_code, refused.json["code"]) == (409, "delivery_pending")
    assert "under way" in refused.json["detail"]
    assert hooks.api("GET", path).json["state"] == "delivered"
    assert hooks.api("GET", f"/webhooks/{endpoint['id']}/deliveries/{endpoint['id']}").status_code == 404


def test_gone_disables_the_endpoint_and_enabling_goes_on_where_it_stopped(client, cast, hooks):
    with receiving(lambda number, _: 410 if number == 1 else 200) as receiver:
        endpoint = hooks.listen(receiver.url)
        submit(client, cast, number=1, confidence=0.99)
        hooks.pass_on()
        shown = hooks.api("GET", f"/webhooks/{endpoint['id']}").json
        assert (shown["enabled"], "410" in shown["disabled_why"]) == (False, True)
        submit(client, cast, number=2, confidence=0.99)
        hooks.pass_on()
        assert len(receiver.came) == 1
        hooks.api("PUT", f"/webhooks/{endpoint['id']}/enabled", {"enabled": True})
        hooks.due_again()
        hooks.pass_on()
    assert len(set(receiver.ids())) == 2


def test_a_redirect_is_a_failure_and_is_not_followed(client, cast, hooks):
    with receiving() as inner:

        def redirect(_: int, handler: Any) -> None:
            handler.send_response(307)
            handler.send_header("Location", inner.url)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with receiving(redirect) as receiver:
            endpoint = hooks.listen(receiver.url)
            submit(client, cast, confidence=0.99)
            hooks.pass_on()
        assert inner.came == []
    [delivery] = hooks.log(endpoint)
    assert (delivery["state"], delivery["attempts"][0]["status"]) == ("pending", 307), "it is to be tried again"


def test_while_a_secret_rotates_both_sign(client, cast, hooks, app):
    with receiving() as receiver:
        endpoint = hooks.listen(receiver.url)
        fresh = hooks.api("POST", f"/webhooks/{endpoint['id']}/rotation").json["secret"]
        assert fresh != endpoint["secret"]
        submit(client, cast, number=1, confidence=0.99)
        hooks.pass_on()
        with app.app_context(), write_session() as session:
            session.execute(update(WebhookEndpoint).values(old_secret_until=clock(-1)))
        submit(client, cast, number=2, confidence=0.99)
        hooks.pass_on()
    (headers, body), (later, body_later) = receiver.came
    for secret in (endpoint["secret"], fresh):
        Webhook(secret).verify(body.decode(), headers)
    Webhook(fresh).verify(body_later.decode(), later)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint["secret"]).verify(body_later.decode(), later)


def test_the_test_button_sends_a_test(cast, hooks):
    with receiving() as receiver:
        endpoint = hooks.listen(receiver.url, "item.expired")
        assert hooks.api("POST", f"/webhooks/{endpoint['id']}/test").status_code == 202
        hooks.pass_on()
    assert [body["type"] for body in receiver.bodies()] == ["webhook.test"]


LONG = 30
"""Seconds for which a receiver goes on by itself."""


def _hang(_: int, handler: Any) -> bool:
    """Returns whether the sender went away first, as do the others."""
    handler.connection.settimeout(LONG)
    try:
        return handler.connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def _drip(_: int, handler: Any) -> bool:
    try:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _byte in range(LONG * 10):
            handler.wfile.write(b".")
            time.sleep(0.1)
    except OSError:
        return True
    return False


def _reset(_: int, handler: Any) -> bool:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    return True


@pytest.mark.parametrize("act", [_hang, _drip, _reset])
def test_whatever_a_receiver_does_an_attempt_ends_in_time(client, cast, hooks, monkeypatch, act):
    monkeypatch.setattr(sending, "SECONDS", 1.0)
    ended: list[bool] = []

    def behave(number: int, handler: Any) -> None:
        ended.append(act(number, handler))
        handler.close_connection = True

    with receiving(behave) as receiver:
        endpoint = hooks.listen(receiver.url)
        submit(client, cast, confidence=0.99)
        hooks.pass_on()
        until(lambda: ended, seconds=LONG, what="the receiver's end")
    assert ended == [True]
    [attempt] = hooks.log(endpoint)[0]["attempts"]
    assert attempt["status"] is None


def test_a_sender_that_is_killed_leaves_nothing_unsent(client, cast, hooks, app):
    with receiving() as receiver:
        hooks.listen(receiver.url)
        submit(client, cast, confidence=0.99)
        hooks.pass_on(send=False)
        with app.app_context():
            with write_session() as session:
                [endpoint_id] = deliveries.endpoints_with_due(session)
                assert len(deliveries.lease(session, endpoint_id, 8)) == 1
            jobs.send_due(ref="", renew=lambda **_: None)
            assert receiver.came == [], "while the lease of the dead one runs"
            with write_session() as session:
                session.execute(update(WebhookDelivery).values(leased_until=clock(-1)))
            jobs.send_due(ref="", renew=lambda **_: None)
    assert len(receiver.came) == 1


def test_the_relay_calls_one_sender_and_only_when_something_is_due(client, cast, hooks, app):
    hooks.listen("http://127.0.0.1:9/closed")
    with app.app_context():
        with write_session() as session:
            deliveries.call_sender(session=session)
            assert session.scalars(select(OutboxRow)).all() == []
        submit(client, cast, confidence=0.99)
        hooks.pass_on(send=False)
        for _ in range(2):
            with write_session() as session:
                deliveries.call_sender(session=session)
        with write_session() as session:
            assert [row.topic for row in session.scalars(select(OutboxRow))] == ["webhooks.send"]
            session.execute(update(OutboxRow).values(failed_at=clock()))
            deliveries.call_sender(session=session)
            assert len(session.scalars(select(OutboxRow)).all()) == 2, "a sender that was given up is no sender"


def test_inner_addresses_are_refused_when_it_is_made_and_when_it_is_sent(client, cast, hooks, app):
    refused = hooks.api("POST", "/queues/intents/webhooks", {"url": "http://10.0.0.1/"})
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/url")
    endpoint = hooks.listen("https://[::1]:1/")
    submit(client, cast, confidence=0.99)
    hooks.pass_on()
    [attempt] = hooks.log(endpoint)[0]["attempts"]
    assert "not public" in attempt["answer"]


def test_each_resolution_is_delivered_once_to_each_endpoint_whoever_follows(client, cast, hooks, app):
    with receiving() as one, receiving() as two:
        hooks.listen(one.url)
        hooks.listen(two.url)
        for stretch in range(2):
            for number in range(15):
                submit(client, cast, number=15 * stretch + number, confidence=0.99)
            with app.app_context(), write_session() as session:
                feed.number(session=session)
            threads = [threading.Thread(target=lambda: hooks.pass_on(send=False)) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        hooks.pass_on()
    with app.app_context(), read_session() as session:
        wanted = sorted(f"msg_{row}" for row in session.scalars(select(Resolution.id)))
    assert sorted(one.ids()) == sorted(two.ids()) == wanted


def test_only_those_who_configure_the_queue_see_and_change_its_endpoints(client, cast, hooks):
    endpoint = hooks.listen("https://example.com/hook")
    for who, status in ((cast.olga, 404), (cast.alice, 404), (cast.submitter, 404)):
        assert client.get(f"{API_PREFIX}/webhooks/{endpoint['id']}", headers=who.bearer).status_code == status
    assert client.get(f"{API_PREFIX}/queues/intents/webhooks", headers=cast.bob.bearer).status_code == 403
    assert hooks.api("DELETE", f"/webhooks/{endpoint['id']}").status_code == 204
    assert hooks.api("GET", f"/webhooks/{endpoint['id']}").status_code == 404


def test_an_administrator_does_it_all_on_pages(client, cast, app, hooks):
    browser = app.test_client()
    browser.post("/login", data={"email": cast.admin.email, "password": cast.admin.password})
    refused = browser.post("/admin/queues/intents/webhooks", data={"url": "http://10.0.0.1/<b>"})
    assert refused.status_code == 422
    assert "must start with https://" in refused.text
    with receiving(lambda number, _: 200 if number > 1 else 500) as receiver:
        made = browser.post("/admin/queues/intents/webhooks", data={"url": receiver.url}, follow_redirects=True)
        path = made.request.path
        assert "whsec_" in made.text
        assert "is on its way" in browser.post(f"{path}/test", follow_redirects=True).text
        hooks.pass_on()
        assert "500" in browser.get(path).text
        hooks.due_again()
        hooks.pass_on()
        page = browser.get(path).text
        assert "delivered" in page
        assert "whsec_" in browser.post(f"{path}/rotation", follow_redirects=True).text
        assert "by hand" in browser.post(f"{path}/disabling", follow_redirects=True).text
        assert "Send a test" in browser.post(f"{path}/enabling", follow_redirects=True).text
    gone = browser.post(f"{path}/removal", follow_redirects=True)
    assert "Nobody listens yet" in gone.text
    assert browser.get(path).status_code == 404


def test_what_is_sent_to_an_endpoint_that_is_removed_meanwhile_is_forgotten(client, cast, hooks, app):
    removed = []

    def remove(_: int, __: Any) -> int:
        with app.app_context():
            removed.append(app.test_client().delete(
                f"{API_PREFIX}/webhooks/{endpoint['id']}", headers=cast.admin.bearer).status_code)  # fmt: skip
        return 200

    with receiving(remove) as receiver:
        endpoint = hooks.listen(receiver.url)
        submit(client, cast, confidence=0.99)
        hooks.pass_on()
    assert removed == [204]


FAILED = sending.Outcome(500, "no", 0.1)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_removing_an_endpoint_waits_for_the_attempt_that_is_being_recorded(client, cast, hooks, app):
    endpoint = hooks.listen("http://127.0.0.1:9/closed")
    submit(client, cast, confidence=0.99)
    hooks.pass_on(send=False)
    answers: list[int] = []

    def remove() -> None:
        answers.append(hooks.api("DELETE", f"/webhooks/{endpoint['id']}").status_code)

    remover = threading.Thread(target=remove)
    with app.app_context():
        with write_session() as session:
            [parcel] = deliveries.lease(session, endpoint["id"], 1)
        with write_session() as session:
            deliveries.record(session, parcel, FAILED)
            remover.start()
            until(lambda: waiting_for_a_lock() == 1, what="the removal")
        remover.join(20)
    assert answers == [204]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_attempt_at_an_endpoint_that_is_being_removed_is_forgotten(client, cast, hooks, app):
    endpoint = hooks.listen("http://127.0.0.1:9/closed")
    item_id = submit(client, cast)["id"]
    submit(client, cast, confidence=0.99)
    hooks.pass_on(send=False)
    with app.app_context(), write_session() as session:
        [parcel] = deliveries.lease(session, endpoint["id"], 1)
    done: list[str] = []

    def record() -> None:
        with app.app_context(), write_session() as session:
            deliveries.record(session, parcel, FAILED)
        done.append("recorded")

    def announce() -> None:
        hooks.announce(item_id)
        done.append("announced")

    threads = [threading.Thread(target=record), threading.Thread(target=announce)]
    with app.app_context():
        with write_session() as session:
            endpoints.remove(session=session, actor=OPERATOR, endpoint_id=endpoint["id"])
            for number, thread in enumerate(threads, 1):
                thread.start()
                until(lambda number=number: waiting_for_a_lock() == number)
        for thread in threads:
            thread.join(20)
        assert sorted(done) == ["announced", "recorded"]
        with read_session() as session:
            assert session.scalars(select(WebhookDelivery)).all() == []
