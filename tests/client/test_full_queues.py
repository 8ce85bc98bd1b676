"""Full queues, too many requests and duplicates: what the clients make of them."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from reviewqueue_client import AsyncClient, QueueFull, TooManyRequests, Unavailable

from tests.client import event_loops
from tests.client.conftest import URL
from tests.client.test_client import stored, unsure
from tests.client.transports import Async, Scripted, answered, body_of, item_json, keys, problem
from tests.desk_steps import decide
from tests.fixtures.people import INTENTS, item

ITEMS = [{"queue": "q", "input": number, "output": 2} for number in range(5)]
FULL = {"status": 429, "code": "queue_full", "title": "Full", "detail": "Send it again later."}


def taking(*numbers: int) -> Any:
    """A batch's answer: those items are stored, for the others there is no room."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent = [each["input"] for each in body_of(request)["items"]]
        told = [
            {"status": 201, "item": item_json(id=str(number), input=number)} if number in numbers
            else {"status": 429, "error": FULL}
            for number in sent
        ]  # fmt: skip
        return httpx2.Response(200, json={"results": told})

    return answer


@pytest.fixture
def ticking(acted, monkeypatch):
    """Clients whose pauses move the clock."""

    def act(*scenes: Any) -> Any:
        now = [0.0]
        for module in ("exchange", "operations"):
            monkeypatch.setattr(f"reviewqueue_client.{module}.clock", lambda: now[0])
        found = acted(Scripted(*scenes))

        def sleep(seconds: float) -> None:
            found.pauses.append(seconds)
            now[0] += seconds

        found.client._sleep = sleep
        return found

    return act


# -- one item ---------------------------------------------------------------------------------------------------------


def test_a_full_queue_is_an_error_of_its_own(acted):
    found = acted(Scripted(problem(429, "queue_full", Retry_After="60"), problem(429, "too_many_requests")), retries=0)
    with pytest.raises(QueueFull) as caught:
        found.client.submit("q", 1, 2)
    assert (caught.value.code, caught.value.retry_after) == ("queue_full", 60)
    with pytest.raises(TooManyRequests) as caught:
        found.client.submit("q", 1, 2)
    assert not isinstance(caught.value, QueueFull)


@pytest.mark.parametrize("code", ["queue_full", "too_many_requests"])
def test_submitting_with_a_time_out_waits_until_then_and_never_sooner_than_it_is_told(ticking, code):
    slow = problem(429, code, Retry_After="60")
    found = ticking(*[slow] * 12, answered())
    assert found.client.submit("q", 1, 2, timeout=3600).id == "01a1"
    assert all(60 <= pause < 80 for pause in found.pauses)
    assert len(set(keys(found.transport.seen))) == 1
    found = ticking(*[slow] * 12)
    with pytest.raises(TooManyRequests):
        found.client.submit("q", 1, 2, timeout=200)
    assert 1 <= len(found.pauses) <= 3
    assert sum(found.pauses) <= 200
    found = ticking(slow)
    with pytest.raises(TooManyRequests):
        found.client.submit("q", 1, 2, timeout=59)
    assert found.pauses == []


def test_submitting_with_a_time_out_does_not_outlast_an_outage_for_longer(ticking):
    found = ticking(*[503] * 9)
    with pytest.raises(Unavailable):
        found.client.submit("q", 1, 2, timeout=1)
    assert sum(found.pauses) <= 1


# -- many -------------------------------------------------------------------------------------------------------------


def test_many_items_wait_for_room(acted):
    found = acted(Scripted(taking(0, 3), taking(), taking(4), taking(1, 2)))
    told: list[tuple[int, int]] = []
    results = list(found.client.submit_many(ITEMS, progress=lambda *counts: told.append(counts)))
    assert [result.unwrap().id for result in results] == ["0", "1", "2", "3", "4"], "in their order"
    sent = [[each["input"] for each in body_of(request)["items"]] for request in found.transport.seen]
    assert sent == [[0, 1, 2, 3, 4], [1, 2, 4], [1, 2, 4], [1, 2]]
    assert len(set(keys(found.transport.seen))) == 4, "the answer to the first is kept under its key"
    assert told == [(2, 0), (2, 0), (3, 0), (5, 0)]
    assert len(found.pauses) == 3
    assert all(1 <= pause <= 20 for pause in found.pauses)


def test_without_room_it_asks_less_and_less_often(acted):
    found = acted(Scripted(*[taking()] * 40, taking(0, 1, 2, 3, 4)))
    assert all(result.ok for result in found.client.submit_many(ITEMS))
    assert found.pauses[0] <= 2
    assert min(found.pauses[10:]) >= 10


def test_room_is_not_waited_for_longer_than_one_wants(ticking):
    found = ticking(taking(0), *[taking()] * 99)
    told: list[tuple[int, int]] = []
    results = list(found.client.submit_many(ITEMS, batch=3, timeout=60, progress=lambda *counts: told.append(counts)))
    assert [result.ok for result in results] == [True, False, False, False, False]
    assert all(isinstance(result.error, QueueFull) for result in results[1:])
    assert sum(found.pauses) == pytest.approx(60)
    assert len(told) == len(found.transport.seen) == len(found.pauses) + 2
    assert told[0] == (1, 0)
    assert told[-3:] == [(1, 0), (3, 2), (5, 4)], "those after it are sent once, and not waited for"
    assert list(found.client.submit_many([])) == []


def test_many_items_without_blocking_wait_for_room():
    async def work() -> None:
        client = AsyncClient(URL, "rq_a.b", transport=Async(Scripted(taking(1), taking(0, 2, 3, 4))))
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

        client._sleep = sleep
        assert [result.ok async for result in client.submit_many(ITEMS, timeout=60)] == [True] * 5
        assert len(pauses) == 1

    event_loops.run(work())


# -- the server -------------------------------------------------------------------------------------------------------


@pytest.fixture
def configure(client, cast):
    def configure(**changes: Any) -> None:
        answer = client.put("/api/v1/queues/intents", json={**INTENTS, **changes}, headers=cast.admin.bearer)
        assert answer.status_code == 200, answer.json

    return configure


def test_a_full_queue_of_the_server(rq, app, cast, configure):
    configure(max_waiting=2)

    def decide_one(seconds: float) -> None:
        decide(app.test_client(), cast.alice, verdict="approve")

    rq._sleep = decide_one
    results = list(rq.submit_many([item(number, external_id=f"e{number}") for number in range(5)]))
    assert [result.unwrap().external_id for result in results] == [f"e{number}" for number in range(5)]
    assert stored(app) == 5
    with pytest.raises(QueueFull) as caught:
        rq.submit(**item(9), timeout=1)
    assert caught.value.retry_after == 60
    assert unsure(rq, 9, timeout=100).state == "queued"


def test_an_item_that_was_handed_on_says_where_it_is(rq, configure, client, cast):
    more = {**INTENTS, "name": "more", "title": "More"}
    client.put("/api/v1/queues/more", json=more, headers=cast.admin.bearer)
    configure(max_waiting={"tasks": 1, "then": "overflow", "to": "more"})
    assert [unsure(rq, number).queue for number in range(2)] == ["intents", "more"]


def test_a_duplicate_is_resolved_at_once(rq, app, cast, configure):
    configure(duplicates=True)
    first = unsure(rq)
    assert first.duplicate_of is None
    decide(app.test_client(), cast.alice, output={"label": "refund"})
    again = unsure(rq)
    assert (again.state, again.ended, again.duplicate_of) == ("resolved", True, first.id)
    assert (again.decided(), again.resolution.by) == ({"label": "refund"}, "duplicate")
    assert rq.get(again.id).duplicate_of == first.id
