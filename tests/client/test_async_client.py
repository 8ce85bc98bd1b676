"""`AsyncClient` does what `Client` does."""

from __future__ import annotations

import asyncio
import inspect
import threading

import httpx2
import pytest
from reviewqueue_client import AsyncClient, Client, Conflict, WaitTimeout

from tests.client import event_loops
from tests.client.conftest import URL
from tests.client.test_client import stored
from tests.client.test_operations import Feed, number_feed
from tests.client.transports import Async, Losing
from tests.desk_steps import decide
from tests.fixtures.people import item


def test_both_clients_have_the_same_methods_and_arguments():
    def public(kind: type) -> dict[str, list[str]]:
        return {
            name: [str(part).split(":")[0] for part in inspect.signature(method).parameters.values()]
            for name, method in vars(kind).items()
            if callable(method) and not name.startswith("_")
        }

    assert public(Client) == public(AsyncClient)


def test_submitting_waiting_and_listing(arq, app, cast):
    async def work() -> None:
        found = await arq.submit("intents", {"text": "x"}, {"label": "lost_card"}, confidence=0.1, external_id="a")
        with pytest.raises(WaitTimeout):
            await arq.wait(found.id, timeout=0.2)
        timer = threading.Timer(0.3, lambda: decide(app.test_client(), cast.alice, verdict="approve"))
        timer.start()
        ended = await arq.wait(found.id, timeout=60)
        timer.join()
        assert ended.approved
        assert (await arq.get(found.id)).state == "resolved"
        with pytest.raises(Conflict):
            await arq.cancel(found.id)
        assert [each.id async for each in arq.items(queue="intents", page=1)] == [found.id]

    event_loops.run(work())


def test_many_items_from_either_kind_of_iterable(arq, app):
    async def source():
        for number in range(15):
            yield item(number, confidence=0.99 if number % 2 else 0.1)

    async def work() -> None:
        told = []
        results = [result async for result in arq.submit_many(source(), batch=6, progress=lambda *n: told.append(n))]
        assert [result.item.state for result in results] == ["queued", "auto_approved"] * 7 + ["queued"]
        assert told == [(6, 0), (12, 0), (15, 0)]
        assert [result.ok async for result in arq.submit_many([item(99), {}])] == [True, False]

    event_loops.run(work())
    assert stored(app) == 16


def test_a_lost_answer_makes_no_second_item(app, cast):
    async def work() -> None:
        losing = Losing(httpx2.WSGITransport(app), [1], httpx2.ReadError)
        async with AsyncClient(URL, cast.submitter.token, transport=Async(losing)) as client:
            await client.submit("intents", {"text": "x"}, {"label": "lost_card"})

    event_loops.run(work())
    assert stored(app) == 1


def test_the_feed(arq, rq, transaction):
    rq.submit("intents", {"text": "x"}, {"label": "refund"}, confidence=0.99)
    number_feed(transaction)

    async def work() -> None:
        feed = arq.resolutions("intents")
        assert [entry.event async for entry in feed] == ["item.auto_approved"]
        assert [entry async for entry in arq.resolutions("intents", feed.cursor)] == []

    event_loops.run(work())


def test_following_the_feed():
    async def work() -> None:
        source = Feed(2)
        client = AsyncClient(URL, "rq_a.b", transport=Async(source))

        async def grow(seconds: float) -> None:
            source.length += 1

        client._sleep = grow
        feed = client.resolutions("q", follow=True)
        assert [(await anext(feed)).position for _ in range(4)] == [1, 2, 3, 4]
        assert feed.cursor == "3"

    event_loops.run(work())


def test_a_cancelled_task_stops_waiting(arq):
    async def work() -> None:
        found = await arq.submit("intents", {"text": "x"}, {"label": "lost_card"})
        async with asyncio.timeout(5):
            waiting = asyncio.create_task(arq.wait(found.id))
            await asyncio.sleep(0.1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await arq.cancel(found.id)  # ends the long poll that is still on its way

    event_loops.run(work())
