"""When a request is sent again, after how long, and when not."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest
from reviewqueue_client import (
    ApiError,
    Client,
    Conflict,
    Item,
    Misconfigured,
    Rejected,
    TooManyRequests,
    Unavailable,
    Unreachable,
    WaitTimeout,
    exchange,
)  # fmt: skip

from tests.client.transports import Scripted, answered, item_json, keys, problem


@pytest.mark.parametrize(
    "scene",
    [httpx2.ConnectError("x"), httpx2.ReadTimeout("x"), httpx2.ReadError("x"), httpx2.RemoteProtocolError("x"),
     httpx2.PoolTimeout("x"), 429, 502, 503, 504],
    ids=str,
)  # fmt: skip
def test_what_passes_by_itself_is_tried_again_with_the_same_key(acted, scene):
    found = acted(Scripted(scene, scene, answered()))
    assert found.client.submit("q", 1, 2).id == "01a1"
    assert len(found.transport.seen) == 3
    assert len(set(keys(found.transport.seen))) == 1
    assert keys(found.transport.seen)[0]
    assert len(found.pauses) == 2
    assert 0 < found.pauses[0] < found.pauses[1] < 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 500])
def test_what_does_not_pass_is_an_error_at_once(acted, status):
    found = acted(Scripted(status))
    with pytest.raises(ApiError) as caught:
        found.client.submit("q", 1, 2)
    assert (caught.value.status, caught.value.code) == (status, "code")
    assert found.pauses == []


def test_retry_after_is_heeded(acted):
    found = acted(
        Scripted(problem(503, "unavailable", Retry_After="7"), problem(429, "x", Retry_After="3"), answered())
    )
    found.client.submit("q", 1, 2)
    assert 7 <= found.pauses[0] < 8
    assert 3 <= found.pauses[1] < 4


def test_retry_after_may_be_a_date(acted):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=9), usegmt=True)
    found = acted(Scripted(problem(503, "unavailable", Retry_After=later), answered()))
    found.client.submit("q", 1, 2)
    assert 7 < found.pauses[0] < 10


def test_a_server_that_wants_to_be_left_alone_for_long_is(acted):
    found = acted(Scripted(problem(429, "too_many_requests", Retry_After="3600")))
    with pytest.raises(TooManyRequests) as caught:
        found.client.submit("q", 1, 2)
    assert caught.value.retry_after == 3600
    assert found.pauses == []


def test_it_gives_up_after_its_retries(acted):
    found = acted(Scripted(*[503] * 3), retries=2)
    with pytest.raises(Unavailable):
        found.client.get("x")
    found = acted(Scripted(*[httpx2.ConnectError("refused")] * 3), retries=2)
    with pytest.raises(Unreachable, match="refused") as caught:
        found.client.get("x")
    assert isinstance(caught.value.__cause__, httpx2.ConnectError)


def test_a_twin_in_flight_is_waited_for_beyond_the_retries(acted):
    found = acted(Scripted(*[problem(409, "in_flight")] * 9, answered()), retries=1)
    assert found.client.submit("q", 1, 2).id == "01a1"
    assert max(found.pauses) <= 2
    found = acted(Scripted(problem(409, "external_id_taken")))
    with pytest.raises(Conflict):
        found.client.submit("q", 1, 2)


def test_a_twin_in_flight_is_not_waited_for_for_ever(acted, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(exchange, "clock", lambda: now[0])
    found = acted(Scripted(*[problem(409, "in_flight")] * 500))
    found.client._sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
    with pytest.raises(Conflict):
        found.client.submit("q", 1, 2)
    assert 60 <= now[0] < 70


def test_reopening_is_not_sent_twice_when_it_may_have_been_done(acted):
    found = acted(Scripted(httpx2.ReadTimeout("x")))
    with pytest.raises(Unreachable):
        found.client.reopen("x", "why")
    found = acted(Scripted(httpx2.ConnectError("x"), 503, httpx2.Response(201, json={"task": "t"})))
    assert found.client.reopen("x", "why") == "t"


def test_an_answer_that_is_not_ours_is_told_as_such(acted):
    found = acted(Scripted(httpx2.Response(200, text="<html>welcome</html>"), httpx2.Response(301, text="")))
    with pytest.raises(ApiError, match="Is the address that of a reviewqueue server"):
        found.client.get("x")
    with pytest.raises(ApiError) as caught:
        found.client.get("x")
    assert caught.value.status == 301


@pytest.mark.parametrize("errors", [["text"], "text", {"field": ["x"]}, 5, True, None, [None]], ids=str)
def test_an_error_of_what_stands_between_is_one_like_any_other(acted, errors):
    found = acted(Scripted(httpx2.Response(503, json={"errors": errors}), answered()))
    assert found.client.get("01a1").id == "01a1"
    assert len(found.pauses) == 1


@pytest.mark.parametrize("body", [{"hello": 1}, [], 5, "text"], ids=str)
def test_an_answer_that_is_json_of_somebody_else_is_told_as_such(acted, body):
    found = acted(Scripted(*(httpx2.Response(200, json=body) for _ in range(3))))
    for ask in (
        lambda: found.client.get("1"),
        lambda: found.client.submit("q", 1, 2),
        lambda: list(found.client.items()),
    ):
        with pytest.raises(ApiError) as caught:
            ask()
        assert caught.value.code == "not_understood"


def test_a_date_beyond_all_calendars_is_no_retry_after(acted):
    late = httpx2.Response(503, headers={"Retry-After": "Fri, 31 Dec 99999999999999999999 23:59:59 GMT"})
    found = acted(Scripted(late, answered()))
    assert found.client.get("01a1").id == "01a1"


@pytest.mark.parametrize("address", ["http://host:port", "ftp://review", " "])
def test_an_address_that_is_none_is_told_before_anything_is_sent(address):
    with pytest.raises(Misconfigured):
        Client(address, "rq_a.b")


def test_what_surrounds_an_address_is_no_part_of_it():
    with Client(" http://reviewqueue.test/\r\n", "rq_a.b") as client:
        assert client.base_url == "http://reviewqueue.test"
    with pytest.raises(Misconfigured, match="timeout"):
        Client("http://reviewqueue.test", "rq_a.b", timeout=None)


def test_an_address_that_can_never_answer_is_not_tried_again(acted):
    found = acted(Scripted(httpx2.UnsupportedProtocol("no")))
    with pytest.raises(Unreachable):
        found.client.wait("x")
    assert found.pauses == []


def test_waiting_outlasts_an_outage_but_not_for_ever(acted, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(exchange, "clock", lambda: now[0])
    monkeypatch.setattr("reviewqueue_client.operations.clock", lambda: now[0])
    ended = answered(state="resolved")
    found = acted(Scripted(*[httpx2.ConnectError("x")] * 40, ended))
    found.client._sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
    assert found.client.wait("x").state == "resolved"
    assert 30 < now[0] < 600
    now[0] = 0.0
    found = acted(Scripted(*[httpx2.ConnectError("x")] * 5000))
    found.client._sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
    with pytest.raises(Unreachable):
        found.client.wait("x")
    assert 500 < now[0] < 700


def test_waiting_in_an_outage_ends_on_time(acted, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(exchange, "clock", lambda: now[0])
    monkeypatch.setattr("reviewqueue_client.operations.clock", lambda: now[0])
    found = acted(Scripted(answered(), *[503] * 500))
    found.client._sleep = lambda seconds: now.__setitem__(0, now[0] + seconds)
    with pytest.raises(WaitTimeout) as caught:
        found.client.wait("x", timeout=30)
    assert caught.value.item.id == "01a1"
    assert now[0] <= 30


def test_a_server_that_does_not_wait_is_not_asked_in_a_hot_loop(acted):
    busy = httpx2.Response(200, json=item_json(), headers={"Retry-After": "1"})
    found = acted(Scripted(busy, answered(), answered(state="expired")))
    assert found.client.wait("x").state == "expired"
    assert len(found.pauses) == 2
    assert min(found.pauses) >= 1
    assert [request.url.params["wait"] for request in found.transport.seen] == ["60.000"] * 3
    assert found.transport.seen[0].extensions["timeout"]["read"] == 90


def test_errors_can_be_sent_from_process_to_process():
    item = Item.of(item_json())
    for error in (Conflict(409, "c", "d"), Rejected("r", "m", item), WaitTimeout(item), Unreachable("x")):
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error)
        assert str(again) == str(error)
