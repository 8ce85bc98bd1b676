"""The sender: fair to every endpoint, at an end in time, and silent for a queue that is held."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from reviewqueue.delivery.webhooks import sender
from tests.desk_steps import submit
from tests.fixtures.hooks import Hooks
from tests.fixtures.processes import until
from tests.fixtures.receivers import Receiver, receiving

PASSED: dict[str, Any] = {"confidence": 0.99}


@contextmanager
def keeping_waiting() -> Iterator[tuple[Receiver, threading.Event]]:
    """A receiver that answers no request before the event is set."""
    answers = threading.Event()

    def behave(*_: Any) -> int:
        answers.wait(60)
        return 200

    with receiving(behave) as receiver:
        try:
            yield receiver, answers
        finally:
            answers.set()


@contextmanager
def sending(hooks: Hooks) -> Iterator[threading.Thread]:
    """The job, run beside."""
    thread = threading.Thread(target=hooks.send)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(60)
        assert not thread.is_alive()


def test_many_slow_receivers_leave_a_place_to_a_quick_one(client, cast, hooks):
    with receiving() as quick, keeping_waiting() as (slow, answers):
        for _ in range(12):
            hooks.listen(slow.url)
        for number in range(8):
            submit(client, cast, number=number, **PASSED)
        hooks.pass_on(send=False)
        with sending(hooks):
            until(lambda: len(slow.came) >= 64, what="all that the slow ones may have")
            hooks.listen(quick.url)
            submit(client, cast, number=99, **PASSED)
            hooks.pass_on(send=False)
            until(lambda: len(quick.came) == 1, what="the quick one's event, while no slow one has answered")
            answers.set()
    assert len(set(slow.ids())) == 9


def test_a_slow_receiver_does_not_delay_another(client, cast, hooks):
    with receiving() as quick, keeping_waiting() as (slow, answers):
        hooks.listen(slow.url)
        hooks.listen(quick.url)
        for number in range(40):
            submit(client, cast, number=number, **PASSED)
        hooks.pass_on(send=False)
        with sending(hooks):
            until(lambda: len(set(quick.ids())) == 40, what="all of the quick one, before the slow one answers")
            assert len(slow.came) == sender.AN_ENDPOINT
            answers.set()


def test_the_job_ends_though_a_request_does_not_and_tells_what_it_left(client, cast, hooks, monkeypatch):
    monkeypatch.setattr(sender, "LEFT_AFTER", 2.0)
    monkeypatch.setattr(sender, "RUNS_FOR", 1.5)
    with keeping_waiting() as (slow, _), receiving() as quick:
        endpoint = hooks.listen(slow.url)
        submit(client, cast, number=1, **PASSED)
        hooks.pass_on()
        assert len(slow.came) == 1
        [entry] = hooks.log(endpoint)
        assert entry["state"] == "pending"
        assert [attempt["status"] for attempt in entry["attempts"]] == [None]
        hooks.listen(quick.url)
        submit(client, cast, number=2, **PASSED)
        hooks.pass_on()
        assert len(quick.came) == 1, "the next job sends what came meanwhile"


def test_a_queue_that_is_held_while_the_sender_runs_is_sent_nothing_more(client, cast, app, hooks):
    def hold_and_fail(number: int, _: Any) -> int:
        if number > 1:
            return 200
        hooks.hold()
        hooks.due_again()
        return 500

    with receiving(hold_and_fail) as receiver:
        endpoint = hooks.listen(receiver.url)
        submit(client, cast, number=1, **PASSED)
        hooks.pass_on()
        hooks.due_again()
        for _ in range(2):
            hooks.send()
        assert len(receiver.came) == 1, "what had begun when it was held, and no repetition of it"
        hooks.let_go()
        hooks.send()
    assert len(receiver.came) == 2
    assert hooks.log(endpoint)[0]["state"] == "delivered"


# -- places -----------------------------------------------------------------------------------------------------------


def given(under_way: dict[str, int], *, free: int, most: int = 8, doubted: frozenset[str] = frozenset()) -> Any:
    return sender.shares(list(under_way), Counter(under_way), lambda _: most, doubted, free)


def test_everybody_gets_a_place_before_anybody_gets_a_second():
    names = [f"endpoint-{number}" for number in range(50)]
    assert given(dict.fromkeys(names, 0), free=96) == {name: 2 if place < 14 else 1 for place, name in enumerate(names)}


def test_who_has_least_under_way_comes_first():
    assert given({"a": 3, "b": 1, "c": 0}, free=sender.KEPT + 4) == {"c": 2, "b": 2}


def test_the_last_places_are_for_whoever_has_none_and_is_not_in_doubt():
    assert given({"a": 5, "b": 0, "c": 0}, free=2, doubted=frozenset({"b"})) == {"c": 1}


def test_nobody_gets_more_than_may_be_sent_to_one():
    assert given({"a": 1}, free=96) == {"a": 7}
    assert given({"a": 1}, free=96, most=1) == {}
