"""`Client` against the application: submitting, reading, waiting, withdrawing, reopening."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path
from subprocess import run
from sys import executable

import httpx2
import pytest
from reviewqueue_client import (
    Client,
    Conflict,
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    NotJson,
    Rejected,
    ReviewQueueError,
    TooLarge,
    Unauthorized,
    WaitTimeout,
)  # fmt: skip
from sqlalchemy import func, select

from reviewqueue.core.db import read_session
from reviewqueue.models import Item as StoredItem
from tests.client.transports import Losing, keys
from tests.desk_steps import act, claim, decide
from tests.fixtures.people import item


def stored(app) -> int:
    with app.app_context(), read_session() as session:
        return int(session.scalar(select(func.count()).select_from(StoredItem)))


def unsure(rq: Client, number: int = 1, **more):
    return rq.submit(
        "intents", {"text": f"Where is my card? ({number})"}, {"label": "lost_card"}, confidence=0.4, **more
    )


def test_it_imports_nothing_of_the_server():
    kept_out = ("reviewqueue", "flask", "sqlalchemy", "langgraph", "agents", "pydantic")
    code = f"import sys, reviewqueue_client; print([n for n in sys.modules if n.split('.')[0] in {kept_out!r}])"
    done = run([executable, "-c", code], capture_output=True, text=True, cwd=Path(executable).parent)
    assert done.stdout.strip() == "[]", done.stderr


def test_an_item_is_submitted_and_says_what_routing_decided(rq):
    found = unsure(rq, model="intents", model_version="7", external_id="chat-1", metadata={"n": 1, "deep": [1.5, None]})
    assert (found.state, found.ended, found.routing.title, found.routing.probability) == (
        "queued",
        False,
        "Unsure",
        1.0,
    )
    assert found.due_at is not None
    assert found.due_at > datetime.now(UTC)
    again = rq.get(found.id)
    assert (again.queue, again.external_id, again.input, again.output) == (
        "intents", "chat-1", {"text": "Where is my card? (1)"}, {"label": "lost_card"},
    )  # fmt: skip
    assert again.raw["metadata"] == {"n": 1, "deep": [1.5, None]}
    assert again.raw["model_version"] == "7"


def test_what_passes_has_its_resolution_at_once(rq):
    found = rq.submit("intents", {"text": "x"}, {"label": "refund"}, confidence=0.99)
    assert found.ended
    assert found.approved
    assert found.decided() == {"label": "refund"}
    assert found.resolution.by == "routing"
    assert found.resolution.resolved_at.tzinfo is not None


def test_the_same_external_id_is_the_same_item(rq, app):
    first = unsure(rq, external_id="chat-1")
    assert unsure(rq, external_id="chat-1").id == first.id
    with pytest.raises(Conflict) as caught:
        unsure(rq, number=2, external_id="chat-1")
    assert caught.value.code == "external_id_taken"
    assert stored(app) == 1


@pytest.mark.parametrize("error", [httpx2.ReadError, httpx2.ReadTimeout, httpx2.RemoteProtocolError])
def test_a_lost_answer_makes_no_second_item(connected, app, error):
    losing = Losing(httpx2.WSGITransport(app), [1, 2], error)
    client = connected(transport=losing)
    client._sleep = lambda seconds: None
    found = unsure(client)
    assert found.state == "queued"
    assert stored(app) == 1
    assert len(set(keys(losing.seen))) == 1
    assert len(losing.seen) == 3
    assert len({bytes(request.content) for request in losing.seen}) == 1


def test_two_items_that_say_the_same_are_two_items(rq, app):
    assert unsure(rq).id != unsure(rq).id
    assert stored(app) == 2


def test_fifty_threads_with_one_key_make_one_item(rq, app):
    found, faults = [], []
    start = threading.Barrier(50)

    def send() -> None:
        start.wait()
        try:
            found.append(unsure(rq, idempotency_key="one").id)
        except ReviewQueueError as error:
            faults.append(error)

    threads = [threading.Thread(target=send) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(found) == 50
    assert len(set(found)) == 1
    assert stored(app) == 1


def test_refusals_are_errors_of_their_kind(rq, connected, cast):
    with pytest.raises(Invalid) as caught:
        rq.submit("intents", {"text": 5}, {"label": "nonsense"})
    assert caught.value.code == "invalid_item"
    assert {fault.pointer for fault in caught.value.errors} == {"/input/text", "/output/label"}
    assert "/output/label" in str(caught.value)
    with pytest.raises(Invalid, match="may submit to"):
        rq.submit("nowhere", 1, 2)
    with pytest.raises(NotFound):
        rq.get("01a1ab6c-0000-7000-8000-000000000000")
    with pytest.raises(TooLarge):
        rq.submit("intents", {"text": "x" * 1_100_000}, {"label": "refund"})
    with pytest.raises(Unauthorized) as caught:
        connected(token="rq_0123456789abcdef.wrong").get("01a1ab6c-0000-7000-8000-000000000000")
    assert caught.value.status == 401
    with pytest.raises((Forbidden, Invalid)):
        unsure(connected(token=cast.alice.token))


def test_what_json_cannot_hold_is_never_sent(rq, app):
    for wrong in (float("nan"), {1: "a"}, {"a": object()}, b"bytes", "\x00", "\ud800", {"a", "b"}, datetime.now(UTC)):
        with pytest.raises(NotJson):
            rq.submit("intents", {"text": "x"}, wrong)
    with pytest.raises(TypeError, match="confidance"):
        rq.submit("intents", {"text": "x"}, {"label": "refund"}, confidance=0.4)
    assert stored(app) == 0


def test_waiting_ends_with_the_decision(rq, cast, app):
    found = unsure(rq)
    timer = threading.Timer(0.5, lambda: decide(app.test_client(), cast.alice, output={"label": "refund"}, message="m"))
    timer.start()
    ended = rq.wait(found.id, timeout=60)
    timer.join()
    assert (ended.state, ended.decided(), ended.approved) == ("resolved", {"label": "refund"}, False)
    assert (ended.resolution.verdict, ended.resolution.message) == ("override", "m")


def test_a_rejection_is_raised_with_its_reason_when_it_is_used(rq, cast, app):
    found = unsure(rq)
    decide(app.test_client(), cast.alice, verdict="reject", reason="two_intents", message="Ask again.")
    with pytest.raises(Rejected) as caught:
        rq.wait(found.id).decided()
    assert (caught.value.reason, caught.value.message, caught.value.item.id) == ("two_intents", "Ask again.", found.id)


def test_waiting_gives_up_after_its_time_with_the_item_as_it_is(rq):
    found = unsure(rq)
    for seconds in (0, 1.2):
        with pytest.raises(WaitTimeout) as caught:
            rq.wait(found.id, timeout=seconds)
        assert (caught.value.item.id, caught.value.item.state) == (found.id, "queued")
    assert isinstance(caught.value, TimeoutError)


def test_items_are_listed_over_pages(rq):
    sent = [unsure(rq, number, subject=f"s{number % 2}", external_id=f"e{number}").id for number in range(7)]
    assert [found.id for found in rq.items(queue="intents", page=3)] == sent[::-1]
    assert [found.id for found in rq.items(subject="s1", page=2)] == sent[1::2][::-1]
    assert [found.id for found in rq.items(external_id="e3")] == [sent[3]]
    assert list(rq.items(state="resolved")) == []


def test_an_item_is_withdrawn_and_then_it_is_too_late(rq, cast, app):
    first, second = unsure(rq, 1), unsure(rq, 2)
    gone = rq.cancel(first.id, "The customer went away.")
    assert gone.state == "cancelled"
    with pytest.raises(Rejected) as caught:
        gone.decided()
    assert caught.value.reason == "cancelled"
    decide(app.test_client(), cast.alice, verdict="approve")
    with pytest.raises(Conflict):
        rq.cancel(second.id)


def test_an_item_is_reopened_for_somebody_else(rq, connected, cast, app):
    found = unsure(rq)
    decide(app.test_client(), cast.alice, verdict="approve")
    lead = connected(token=cast.bob.token)
    assert lead.reopen(found.id, "The customer says no.")
    assert rq.get(found.id).state == "queued"
    with pytest.raises(Conflict):
        lead.reopen(found.id, "Again.")
    desk = app.test_client()
    piece = claim(desk, cast.carol)
    act(desk, cast.carol, piece["claim"]["id"], "decision", output={"label": "refund"})
    assert rq.wait(found.id, 10).resolution.revision == 2


def test_url_and_token_come_from_the_environment(monkeypatch, app, cast):
    with pytest.raises(Misconfigured, match="REVIEWQUEUE_URL"):
        Client()
    monkeypatch.setenv("REVIEWQUEUE_URL", "http://somewhere.test/api/v1/")
    with pytest.raises(Misconfigured, match="REVIEWQUEUE_TOKEN"):
        Client()
    monkeypatch.setenv("REVIEWQUEUE_TOKEN", cast.submitter.token)
    with Client(transport=httpx2.WSGITransport(app)) as client:
        assert client.base_url == "http://somewhere.test"
        assert unsure(client).state == "queued"
        assert cast.submitter.token not in repr(client)


def test_it_sends_what_the_fixture_sends(rq):
    more = {"external_id": "all", "risk": "high", "explanation": "e", "trace_url": "https://t.example", "cost": 0.1}
    more |= {"latency_ms": 3, "test": True, "subject": "s", "prompt_version": "p"}
    whole = item(**more, parts=[{"pointer": "/label", "confidence": 0.2}])
    found = rq.submit(**whole)
    told = rq.get(found.id).raw
    assert {name: told[name] for name in whole if name != "parts"} == {
        name: value for name, value in whole.items() if name != "parts"
    }
