"""The worker while the database is away, and when it is told to stop."""

from __future__ import annotations

import os
import signal

import pytest
from rq.exceptions import StopRequested
from sqlalchemy.exc import OperationalError

from reviewqueue.core import worker
from reviewqueue.core.background import connect


def _gone():
    raise OperationalError("SELECT slug", {}, ConnectionError("the server is away"))


@pytest.fixture
def looking(redis_url, monkeypatch):
    """A worker that looks up its queues at each heartbeat, and what the database answers: a list to put calls in."""
    monkeypatch.setattr(worker, "LOOK_EVERY_SECONDS", -1)
    answers = []
    with connect(redis_url) as connection:
        yield worker.ReviewWorker(lambda: answers.pop(0)() if answers else ["first"], connection), answers


def test_it_keeps_the_queues_it_knows_while_the_database_is_away(looking):
    one, answers = looking
    answers += [_gone, lambda: ["first", "second"]]
    one.heartbeat()
    assert one.queue_names() == ["first"]
    one.heartbeat()
    assert one.queue_names() == ["first", "second"]


def test_a_signal_amid_the_question_stops_it_though_the_connection_breaks(looking):
    one, answers = looking
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def interrupted():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            _gone()

    answers.append(interrupted)
    signal.signal(signal.SIGTERM, one.request_stop)
    try:
        with pytest.raises(StopRequested):
            one.heartbeat()
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
