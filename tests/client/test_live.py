"""The client and real servers over sockets: killed, started again, slow to come."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time

import pytest
from reviewqueue_client import AsyncClient, Client, Result, ReviewQueueError, Unreachable
from sqlalchemy import func, select

from reviewqueue.core.db import read_session
from reviewqueue.models import Item
from tests.client import event_loops
from tests.desk_steps import decide
from tests.fixtures.people import item
from tests.fixtures.processes import until


def by_external_id(app) -> dict[str, int]:
    with app.app_context(), read_session() as session:
        query = select(Item.external_id, func.count()).group_by(Item.external_id)
        return {row.external_id: row[1] for row in session.execute(query)}


def test_a_server_that_is_killed_again_and_again_stores_each_item_once(live, cast, app):
    acknowledged: dict[str, str] = {}
    faults: list[Exception] = []
    stop = threading.Event()

    def send(name: str) -> None:
        number = 0
        with Client(live.url, cast.submitter.token, timeout=10, retries=8) as client:
            while not stop.is_set():
                number += 1
                try:
                    found = client.submit("intents", {"text": name}, {"label": "lost_card"}, subject=f"{name}-{number}")
                except ReviewQueueError as error:
                    faults.append(error)
                    return
                acknowledged[f"{name}-{number}"] = found.id

    threads = [threading.Thread(target=send, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for killed in (True, True, False):
        enough = len(acknowledged) + 8
        until(lambda enough=enough: faults or len(acknowledged) >= enough, seconds=60, what="their answers")
        if killed:
            live.kill("web")
            live.start_web()
    stop.set()
    for thread in threads:
        thread.join()
    assert faults == []
    with app.app_context(), read_session() as session:
        stored = session.execute(select(Item.subject, Item.id)).all()
    assert len(stored) == len(acknowledged) > 20
    assert {row.subject: row.id for row in stored} == acknowledged


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the client sees no database
def test_waiting_outlasts_a_restart(live, cast, app):
    with Client(live.url, cast.submitter.token, retries=1) as client:
        found = client.submit(**item(1))
        ended: list[str] = []
        waiting = threading.Thread(target=lambda: ended.append(client.wait(found.id, timeout=60).state))
        waiting.start()
        time.sleep(0.3)
        live.kill("web")
        time.sleep(0.5)
        live.start_web()
        decide(app.test_client(), cast.alice, verdict="approve")
        waiting.join(60)
        assert ended == ["resolved"]


def test_many_items_and_a_kill_in_the_middle(live, cast, app):
    sent = [item(number, external_id=f"e{number}") for number in range(2000)]
    results: list[Result] = []
    with Client(live.url, cast.submitter.token, retries=8) as client:
        sending = threading.Thread(target=lambda: results.extend(client.submit_many(iter(sent), batch=50)))
        sending.start()
        until(lambda: by_external_id(app), what="the first batch")
        assert sending.is_alive(), "there is something left to be killed"
        live.kill("web")
        live.start_web()
        sending.join(60)
    assert len(results) == 2000
    assert all(result.ok for result in results)
    assert by_external_id(app) == {f"e{number}": 1 for number in range(2000)}
    assert len({result.item.id for result in results}) == 2000


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # the client sees no database
def test_fifty_at_once_without_blocking(live, cast):
    async def work() -> list[str]:
        async with AsyncClient(live.url, cast.submitter.token) as client:
            found = await asyncio.gather(*(client.submit(**item(1), idempotency_key="one") for _ in range(50)))
            return [each.id for each in found]

    assert len(set(event_loops.run(work()))) == 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the client sees no database
def test_nobody_there_is_said_so(live):
    live.kill("web")
    with Client(live.url, "rq_a.b", retries=1) as client, pytest.raises(Unreachable, match="ConnectError"):
        client.get("x")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the client sees no database
def test_after_a_fork_each_process_has_connections_of_its_own(live, cast, tmp_path):
    program = tmp_path / "forked.py"
    program.write_text(FORKED)
    environ = {**os.environ, "REVIEWQUEUE_URL": live.url, "REVIEWQUEUE_TOKEN": cast.submitter.token}
    ran = subprocess.run([sys.executable, str(program)], env=environ, capture_output=True, text=True, timeout=120)
    assert ran.stdout.split() == ["one", "process"], ran.stdout + ran.stderr


FORKED = """
import os
from reviewqueue_client import Client

client = Client()
client.submit("intents", {"text": "before"}, {"label": "refund"})
before = client._http
child = os.fork()
mine = {client.submit("intents", {"text": f"{number}"}, {"label": "refund"}, external_id=f"{child > 0}-{number}")
        .external_id for number in range(50)}
assert mine == {f"{child > 0}-{number}" for number in range(50)}
assert (client._http is before) == (child > 0)
if child:
    assert os.waitpid(child, 0)[1] == 0
    print("one process")
"""
