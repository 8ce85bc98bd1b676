"""Many items at once, and the decision feed."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from pydantic import BaseModel
from reviewqueue_client import Conflict, Invalid, NotJson, TooLarge, Unreachable

from reviewqueue.resolution import feed
from tests.client.test_client import stored, unsure
from tests.client.transports import Losing, Scripted, body_of, item_json, keys, problem, resolution_json
from tests.desk_steps import decide
from tests.fixtures.people import item


def test_each_item_has_its_result_in_order(rq, app):
    taken = item(1, external_id="a")
    sent = [
        taken, item(2, confidence=0.99), item(3, output={"label": "nonsense"}), {**item(4), "metadata": {1: "x"}},
        taken, {**taken, "confidence": 0.1}, item(5, queue="nowhere"), {"queue": "intents"}, "no item at all",
        item(6, input={"text": "NUL\\u0000"}), item(7, risk=None, metadata=None),
    ]  # fmt: skip
    told: list[tuple[int, int]] = []
    results = list(rq.submit_many(iter(sent), batch=4, progress=lambda done, failed: told.append((done, failed))))
    assert [result.ok for result in results] == [True, True, False, False, True, False, False, False, False, True, True]
    assert [result.created for result in results][:5] == [True, True, False, False, False]
    assert results[1].item.state == "auto_approved"
    assert results[4].item.id == results[0].item.id == results[0].unwrap().id
    assert isinstance(results[2].error, Invalid)
    assert results[2].error.errors[0].pointer == "/output/label"
    assert isinstance(results[3].error, NotJson)
    assert isinstance(results[5].error, Conflict)
    with pytest.raises(Conflict):
        results[5].unwrap()
    assert told == [(4, 2), (8, 5), (11, 6)]
    assert stored(app) == 4


def test_one_item_that_spoils_the_request_spoils_no_other(rq, app):
    deep = json.loads("[" * 63 + "]" * 63)
    sent = [item(number) for number in range(20)]
    sent[13] = item(13, metadata={"deep": deep})
    results = list(rq.submit_many(sent))
    assert [place for place, result in enumerate(results) if not result.ok] == [13]
    assert results[13].error.code == "too_deep"
    assert stored(app) == 19


def test_a_batch_whose_answer_is_lost_is_stored_once(connected, app):
    losing = Losing(httpx2.WSGITransport(app), [2], httpx2.ReadError)
    client = connected(transport=losing)
    client._sleep = lambda seconds: None
    results = list(client.submit_many((item(number) for number in range(25)), batch=10))
    assert all(result.ok for result in results)
    assert stored(app) == 25
    sent = keys(losing.seen)
    assert len(sent) == 4
    assert len(set(sent)) == 3
    assert sent[1] == sent[2]


def echo(request: httpx2.Request) -> httpx2.Response:
    sent = body_of(request)["items"]
    results = [{"status": 201, "item": item_json(id=str(each["input"]))} for each in sent]
    return httpx2.Response(200, json={"results": results})


def test_it_reads_no_further_ahead_than_one_batch(acted):
    found = acted(Scripted(*[echo] * 3))
    read = []

    def endless():
        for number in itertools.count():
            read.append(number)
            yield {"queue": "q", "input": number, "output": 2}

    results = found.client.submit_many(endless(), batch=10)
    assert read == []
    first = [next(results).item.id for _ in range(25)]
    assert first == [str(number) for number in range(25)]
    assert len(read) <= 31


def test_an_item_of_a_live_source_is_sent_before_the_next_is_asked_for(acted):
    done: list[int] = []

    def source() -> Iterator[dict[str, Any]]:
        for number in range(3):
            assert done == list(range(number)), "the result of the one before is there"
            yield item(number)

    found = acted(Scripted(*[echo] * 3))
    for number, result in enumerate(found.client.submit_many(source(), batch=1)):
        assert result.ok
        done.append(number)
    assert done == [0, 1, 2]


def test_what_was_read_before_the_source_broke_is_sent_and_then_it_is_told(acted):
    def source() -> Iterator[dict[str, Any]]:
        yield item(1)
        yield item(2)
        raise LookupError("the file ends here")

    found = acted(Scripted(echo))
    results = found.client.submit_many(source())
    assert [next(results).ok, next(results).ok] == [True, True]
    with pytest.raises(LookupError):
        next(results)
    assert len(body_of(found.transport.seen[0])["items"]) == 2


def test_a_value_that_does_not_turn_into_json_is_an_error_in_its_place(acted):
    class Model(BaseModel):
        data: bytes

    bad = [{**item(1), "input": Model(data=b"\xff")}, {**item(2), "input": 10**5000}]
    found = acted(Scripted(echo))
    results = list(found.client.submit_many([item(0), *bad, item(3)]))
    assert [result.ok for result in results] == [True, False, False, True]
    assert {type(result.error) for result in results[1:3]} == {NotJson}


def test_memory_does_not_grow_with_the_number_of_items(acted):
    def peak(batches: int) -> int:
        found = acted(Scripted(*[echo] * batches))
        sent = ({"queue": "q", "input": number, "output": "x" * 2000} for number in range(batches * 50))
        found.transport.seen = Forgetful()
        tracemalloc.start()
        for _ in found.client.submit_many(sent, batch=50):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(2)
    assert peak(60) < 1.5 * peak(6)


class Forgetful(list):
    def append(self, value) -> None:
        pass


def test_a_batch_is_cut_by_its_size_too(acted):
    found = acted(Scripted(*[echo] * 5))
    sent = [{"queue": "q", "input": number, "output": "x" * 1_000_000} for number in range(20)]
    assert all(result.ok for result in found.client.submit_many(sent))
    assert [len(body_of(request)["items"]) for request in found.transport.seen] == [8, 8, 4]


def test_a_server_with_a_lower_limit_gets_halves(acted):
    def small(request: httpx2.Request) -> httpx2.Response:
        return echo(request) if len(body_of(request)["items"]) <= 2 else problem(413, "too_large")

    found = acted(Scripted(*[small] * 20))
    results = list(found.client.submit_many([{"queue": "q", "input": n, "output": 2} for n in range(8)]))
    assert [result.item.id for result in results] == [str(n) for n in range(8)]
    found = acted(Scripted(*[413] * 3))
    results = list(found.client.submit_many([{"queue": "q", "input": n, "output": 2} for n in range(2)]))
    assert all(isinstance(result.error, TooLarge) for result in results)


def test_what_is_about_no_item_is_raised(acted):
    found = acted(Scripted(echo, *[httpx2.ConnectError("gone")] * 6))
    results = found.client.submit_many(({"queue": "q", "input": n, "output": 2} for n in range(9)), batch=3)
    assert [next(results).ok for _ in range(3)] == [True] * 3
    with pytest.raises(Unreachable):
        next(results)
    with pytest.raises(ValueError, match=r"1,000"):
        found.client.submit_many([], batch=1001)
    assert list(found.client.submit_many([])) == []


# -- the feed ---------------------------------------------------------------------------------------------------------


def entry(position: int) -> dict:
    return {"item": f"i{position}", "external_id": None, "event": "item.resolved", "state": "resolved",
            "resolution": resolution_json(), "position": position, "cursor": str(position)}  # fmt: skip


class Feed(httpx2.BaseTransport):
    """A feed that grows."""

    def __init__(self, length: int) -> None:
        self.length, self.asked = length, []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        after, limit = int(request.url.params.get("cursor", "0")), int(request.url.params["limit"])
        self.asked.append(after)
        last = min(after + limit, self.length)
        headers = {"Link": f'</x?cursor={last}>; rel="next"'} if last < self.length else {}
        entries = [entry(number) for number in range(after + 1, last + 1)]
        return httpx2.Response(200, json={"resolutions": entries, "cursor": str(last)}, headers=headers)


def test_the_feed_is_read_to_its_end_and_resumed_there(acted):
    source = Feed(7)
    client = acted(source).client
    feed = client.resolutions("q", page=3)
    assert feed.cursor is None
    assert [found.position for found in feed] == [1, 2, 3, 4, 5, 6, 7]
    assert feed.cursor == "7"
    assert source.asked == [0, 3, 6]
    assert list(client.resolutions("q", feed.cursor)) == []
    source.length = 9
    assert [found.item for found in client.resolutions("q", feed.cursor)] == ["i8", "i9"]


@pytest.mark.parametrize("crash", range(1, 8))
def test_whoever_dies_anywhere_and_goes_on_at_the_cursor_misses_nothing(acted, crash):
    client = acted(Feed(7)).client
    seen, kept, feed = [], None, client.resolutions("q", page=3)
    for found in feed:
        kept = feed.cursor
        if found.position == crash:
            break
        seen.append(found.position)
    seen += [found.position for found in client.resolutions("q", kept, page=3)]
    assert sorted(set(seen)) == [1, 2, 3, 4, 5, 6, 7]
    assert len(seen) <= 7 + 1


def test_an_entry_says_where_to_go_on_after_it(acted):
    client = acted(Feed(7)).client
    first = [found for found, _ in zip(client.resolutions("q", page=3), range(4), strict=False)]
    assert [found.cursor for found in first] == ["1", "2", "3", "4"]
    assert [found.position for found in client.resolutions("q", first[1].cursor, page=3)] == [3, 4, 5, 6, 7]


def test_a_follower_killed_while_it_is_idle_sees_nothing_again(acted):
    source = Feed(2)
    found = acted(source)

    def killed(seconds: float) -> None:
        raise KeyboardInterrupt

    found.client._sleep = killed
    kept: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        kept.extend(each.cursor for each in found.client.resolutions("q", follow=True))
    assert list(acted(source).client.resolutions("q", kept[-1])) == []


def test_following_goes_on_with_what_comes(acted):
    source = Feed(2)
    found = acted(source)
    feed = found.client.resolutions("q", follow=True, sleep=7)

    def grow(seconds: float) -> None:
        assert seconds == 7
        source.length += 1

    found.client._sleep = grow
    assert [next(feed).position for _ in range(5)] == [1, 2, 3, 4, 5]


def number_feed(transaction) -> None:
    """What the relay does."""
    with transaction() as session:
        feed.number(session=session)


def test_the_feed_of_the_server(rq, cast, app, transaction):
    first, second = unsure(rq, 1, external_id="e1"), unsure(rq, 2)
    passed = rq.submit("intents", {"text": "x"}, {"label": "refund"}, confidence=0.99)
    decide(app.test_client(), cast.alice, output={"label": "refund"})
    number_feed(transaction)
    found = rq.resolutions("intents", page=1)
    entries = list(found)
    assert [(each.item, each.event) for each in entries] == [
        (passed.id, "item.auto_approved"), (first.id, "item.resolved"),
    ]  # fmt: skip
    assert (entries[1].external_id, entries[1].resolution.output) == ("e1", {"label": "refund"})
    assert [each.item for each in rq.resolutions("intents", entries[0].cursor)] == [first.id]
    rq.cancel(second.id)
    number_feed(transaction)
    later = rq.resolutions("intents", found.cursor)
    assert [(each.item, each.state) for each in later] == [(second.id, "cancelled")]
    assert list(rq.resolutions("intents", later.cursor)) == []
