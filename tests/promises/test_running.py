"""`reviewqueue up` in real processes: stopping, dying, starting again, living without Redis. Promises 1, 6, 7, 9."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import func, select, update

from reviewqueue.core.background import connect
from reviewqueue.core.db import clock, read_session, write_session
from reviewqueue.models import Item, OutboxRow, Task
from reviewqueue.queues.applying import apply
from tests.fixtures import whole as wholes
from tests.fixtures.people import INTENTS, OPERATOR, item
from tests.fixtures.processes import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def whole(settings, cast):
    with wholes.running(settings) as running:
        yield running


def submit(whole, cast, number: int = 1, **changes) -> str:
    status, answer = whole.ask("POST", "/items", cast.submitter.bearer, item(number, **changes))
    assert status == 201, answer
    return str(answer["id"])


def outbox(app) -> int:
    with app.app_context(), read_session() as session:
        return session.scalar(select(func.count()).select_from(OutboxRow)) or 0


def without_key(app) -> int:
    """Items whose background work was not done."""
    with app.app_context(), read_session() as session:
        return session.scalar(select(func.count()).select_from(Item).where(Item.similar_key.is_(None))) or 0


def test_work_is_done_also_for_a_queue_made_while_the_worker_runs(whole, app, cast, transaction):
    submit(whole, cast)
    until(lambda: outbox(app) == 0 and without_key(app) == 0, what=whole.log())
    with transaction() as session:
        apply(session=session, actor=OPERATOR, document={**INTENTS, "name": "newer", "title": "Newer"})
    submit(whole, cast, queue="newer")
    until(lambda: outbox(app) == 0 and without_key(app) == 0, what=whole.log())


def test_ctrl_c_ends_every_process_cleanly_and_a_second_start_goes_on(whole, app, cast):
    known = submit(whole, cast)
    pids = whole.all_pids()
    assert len(pids) >= 5
    started = time.monotonic()
    whole.supervisor.send_signal(signal.SIGINT)
    assert whole.supervisor.wait(15) == 0
    assert time.monotonic() - started < 10
    assert [pid for pid in pids if wholes.alive(pid)] == []
    assert "Traceback" not in whole.log()
    whole.start()
    status, _ = whole.ask("GET", f"/items/{known}", cast.submitter.bearer)
    assert status == 200
    until(lambda: outbox(app) == 0, what=whole.log())


def test_no_process_outlives_a_killed_supervisor(whole):
    until(lambda: whole.part("worker"), what="the worker")
    pids = whole.all_pids()
    os.kill(whole.supervisor.pid, signal.SIGKILL)
    whole.supervisor.wait(10)
    until(lambda: not any(wholes.alive(pid) for pid in pids), seconds=10, what="the end of all")
    whole.start()


def test_a_second_one_on_the_same_directory_or_port_says_so_in_one_line(whole, tmp_path):
    for arguments, said in (
        (["--data-dir", str(whole.directory)], "already runs"),
        (["--data-dir", str(tmp_path / "other"), "--port", str(whole.port)], "cannot be used"),
    ):
        command = [sys.executable, "-m", "reviewqueue.cli", "up", *arguments]
        done = subprocess.run(command, env=whole.environ, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_work_goes_on_within_15_seconds_after_redis_was_emptied(whole, app, cast):
    until(lambda: whole.part("worker"), what="the worker")
    worker = whole.part("worker")
    # A stopped worker, so that the jobs are surely in Redis and nowhere else when it is emptied.
    os.kill(worker, signal.SIGSTOP)
    for number in range(5):
        submit(whole, cast, number)
    with connect(whole.redis_url) as redis:
        until(lambda: redis.llen("rq:queue:review.intents"), what="a job")
        redis.flushall()
    os.kill(worker, signal.SIGCONT)
    until(lambda: outbox(app) == 0 and without_key(app) == 0, seconds=15, what=whole.log())


def test_people_and_programs_go_on_without_redis(whole, app, cast):
    os.kill(whole.part("valkey"), signal.SIGSTOP)
    slowest = 0.0

    def timed(*arguments):
        nonlocal slowest
        started = time.monotonic()
        answer = whole.ask(*arguments)
        slowest = max(slowest, time.monotonic() - started)
        return answer

    for number in range(20):
        status, _ = timed("POST", "/items", cast.submitter.bearer, item(number))
        assert status == 201
        status, claimed = timed("POST", "/queues/intents/claims", cast.alice.bearer)
        assert status == 201
        path = f"/claims/{claimed['claim']['id']}/decision"
        status, decided = timed("POST", path, cast.alice.bearer, {"verdict": "approve"})
        assert status == 200
        assert decided["resolution"]["verdict"] == "approve"
    # Half a second is the promise on a machine of one's own; a frozen Redis would show as two.
    assert slowest < 1.5
    os.kill(whole.part("valkey"), signal.SIGCONT)
    until(lambda: outbox(app) == 0, seconds=30, what=whole.log())


def test_the_task_of_one_who_vanished_returns_within_five_seconds_of_its_lease(whole, app, cast):
    submit(whole, cast)
    status, claimed = whole.ask("POST", "/queues/intents/claims", cast.alice.bearer)
    assert status == 201
    with app.app_context(), write_session() as session:
        session.execute(update(Task).values(lease_until=clock(1)))
    until(
        lambda: whole.ask("POST", "/queues/intents/claims", cast.carol.bearer)[0] == 201,
        seconds=6,
        what=f"the task ({whole.log()})",
    )
    path = f"/claims/{claimed['claim']['id']}/decision"
    status, answer = whole.ask("POST", path, cast.alice.bearer, {"verdict": "approve"})
    assert status == 409, answer
