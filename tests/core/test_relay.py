"""The relay: what it hands to RQ, what it does when Redis is empty or gone, and who leads."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager

import pytest
from sqlalchemy import func, insert, select, update

from reviewqueue.core import outbox
from reviewqueue.core.background import MANY, Topic, connect, rq_queue
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.core.ids import new_id
from reviewqueue.core.relay import MOST_JOBS_WAITING, Duty, Relay
from reviewqueue.models import OutboxRow, RelayLease
from tests.fixtures import living
from tests.fixtures.processes import until

TOPICS = {"item.queued": Topic("tests.nothing"), "export.plan": Topic("tests.nothing", long=True)}


def rows(count: int, *, topic: str = "item.queued", name: str = "review.intents") -> None:
    with write_session() as session:
        for _ in range(count):
            session.execute(
                insert(OutboxRow).values(
                    topic=topic, rq_queue=name, ref=new_id(), created_at=clock(), next_at=clock(), attempts=0
                )
            )


def handed_over() -> int:
    with read_session() as session:
        return len(session.scalars(select(OutboxRow.id).where(OutboxRow.dispatched_at.is_not(None))).all())


@contextmanager
def running(app, url, *duties: Duty):
    relay = Relay(topics=TOPICS, duties=duties, url=url)

    def run() -> None:
        with app.app_context():
            relay.run()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield relay
    finally:
        relay.stop()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def in_app(app):
    with app.app_context():
        yield


def jobs(url: str, name: str = "review.intents") -> list[list[int]]:
    with connect(url) as redis:
        return [job.args[2] for job in rq_queue(name, redis).jobs]


def test_rows_go_to_rq_in_batches_that_carry_ids_alone(app, redis_url):
    rows(120)
    with running(app, redis_url):
        until(lambda: handed_over() == 120)
        until(lambda: sum(map(len, jobs(redis_url))) == 120)
    assert [len(ids) for ids in jobs(redis_url)] == [50, 50, 20]
    assert len({row for ids in jobs(redis_url) for row in ids}) == 120


def test_rows_that_are_about_many_are_fewer_a_job(app, redis_url):
    rows(2)
    with write_session() as session:
        for _ in range(MANY + 1):
            outbox.append_many(session, "item.queued", rq_queue="review.intents", refs=[new_id(), new_id()])
    with running(app, redis_url):
        until(lambda: sum(map(len, jobs(redis_url))) == MANY + 3)
    assert sorted(map(len, jobs(redis_url))) == [1, 2, MANY]


def test_long_work_goes_one_row_a_job(app, redis_url):
    rows(3, topic="export.plan", name="exports")
    with running(app, redis_url):
        until(lambda: len(jobs(redis_url, "exports")) == 3)


def test_a_full_queue_gets_no_more_and_another_is_not_kept_waiting(app, redis_url):
    with connect(redis_url) as redis:
        for _ in range(MOST_JOBS_WAITING):
            rq_queue("review.intents", redis).enqueue("tests.nothing")
    rows(10)
    rows(10, name="review.other")
    with running(app, redis_url):
        until(lambda: len(jobs(redis_url, "review.other")) == 1)
    with connect(redis_url) as redis:
        assert len(rq_queue("review.intents", redis)) == MOST_JOBS_WAITING


def test_rows_are_handed_over_again_at_once_when_redis_was_emptied(app, redis_url):
    rows(5)
    with running(app, redis_url):
        until(lambda: len(jobs(redis_url)) == 1)
        with connect(redis_url) as redis:
            redis.flushall()
        until(lambda: len(jobs(redis_url)) == 1, seconds=10)


def test_duties_go_on_while_redis_is_gone(app, tmp_path):
    done = threading.Event()
    with running(app, f"unix://{tmp_path}/nothing.sock", Duty("test", lambda session: done.set(), 0.1)):
        assert done.wait(5)
        done.clear()
        assert done.wait(5)


def test_a_duty_that_fails_stops_neither_the_others_nor_itself(app, redis_url):
    tried = []

    def fail(session) -> None:
        tried.append("failing")
        raise RuntimeError("no")

    with running(app, redis_url, Duty("bad", fail, 0.1), Duty("good", lambda session: tried.append("good"), 0.1)):
        until(lambda: tried.count("good") > 2 and tried.count("failing") > 2)


def test_a_duty_that_did_all_it_may_at_once_goes_on_before_its_time(app, redis_url):
    batches, rounds = [1_000, 1_000, 999, 1_000], []
    sweep = Duty("sweep", lambda session: batches.pop(0), 600, batch=1_000)
    with running(app, redis_url, sweep, Duty("count", lambda session: rounds.append(None), 0)):
        until(lambda: len(batches) == 1)
        seen = len(rounds)
        until(lambda: len(rounds) > seen + 3)
    assert batches == [1_000]


def holder() -> str | None:
    with read_session() as session:
        return session.scalar(select(RelayLease.holder).where(RelayLease.lease_until > clock()))


def test_one_relay_leads_and_a_stopped_one_hands_over(app, redis_url):
    with running(app, redis_url) as first:
        until(lambda: holder() == first._name)
        with running(app, redis_url) as second:
            first.stop()
            until(lambda: holder() == second._name, seconds=6)


# Who leads is tried on both databases above; this is about processes.
@pytest.mark.parametrize("database", [pytest.param("sqlite", marks=pytest.mark.soak), "postgresql"], indirect=True)
def test_a_standby_leads_when_the_leader_was_killed_or_froze(app, settings, tmp_path, request):
    live = living.Live(settings, tmp_path)
    request.addfinalizer(live.stop_all)
    processes = {}
    for name in ("first", "second"):
        processes[name] = live.start("relay")
        live.running[name] = live.running.pop("relay")
        if name == "first":
            until(holder, seconds=30)
    first = holder()
    assert first is not None
    assert f":{processes['first'].pid}:" in first
    processes["first"].send_signal(signal.SIGSTOP)
    until(lambda: holder() not in {None, first}, seconds=30)
    second = holder()
    assert f":{processes['second'].pid}:" in second
    processes["first"].send_signal(signal.SIGCONT)
    live.kill("second")
    until(lambda: holder() not in {None, second}, seconds=30)


def test_a_row_that_a_job_works_on_is_not_handed_over(app, redis_url):
    rows(2)
    with write_session() as session:
        session.execute(
            update(OutboxRow)
            .where(OutboxRow.id == select(func.min(OutboxRow.id)).scalar_subquery())
            .values(lease="x", leased_until=clock(60))
        )
    with running(app, redis_url):
        until(lambda: len(jobs(redis_url)) == 1)
    assert [len(ids) for ids in jobs(redis_url)] == [1]
