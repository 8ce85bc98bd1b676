"""Everything around the clients goes wrong while they work, drawn from a printed seed; then the history is checked.

Short in the ordinary run. `make soak` goes on for half an hour, a thousand faults and fifty thousand acknowledged
calls, or for REVIEWQUEUE_SOAK_SECONDS. REVIEWQUEUE_TEST_SEED repeats the order of the faults.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from reviewqueue.config import Settings
from tests.fixtures import installation, postgres
from tests.fixtures.people import Cast, Member
from tests.fixtures.processes import until
from tests.fixtures.receivers import Receiver, receiving
from tests.promises import company
from tests.promises.chaos import Chaos, Clock
from tests.promises.clients import Clients, judgement
from tests.promises.history import faults
from tests.promises.product import Product
from tests.promises.stored import read

LEASE_MINUTES = 0.05
QUEUES: dict[str, dict[str, Any]] = {
    "rush": {"lease_minutes": LEASE_MINUTES},
    "pairs": {"lease_minutes": LEASE_MINUTES, "reviews": {"required": 2}},
}


@dataclass(frozen=True)
class Goal:
    """How long it goes on: until both are reached and `least` seconds have passed, or the time is over."""

    faults: int
    acknowledged: int
    least: float
    seconds: float
    programs: int
    """Who submit, at the same time."""


SHORT = Goal(faults=30, acknowledged=100, least=0, seconds=400, programs=2)
LONG = Goal(
    faults=1_000, acknowledged=50_000, least=1800, programs=6,
    seconds=float(os.environ.get("REVIEWQUEUE_SOAK_SECONDS") or 7200),
)  # fmt: skip


@pytest.fixture
def server(database: str) -> Iterator[postgres.Server | None]:
    """A PostgreSQL of its own, which may be restarted, and which keeps what it acknowledged."""
    if database == "sqlite":
        yield None
        return
    try:
        server = postgres.Server(durable=True, options={"max_connections": "60"})
    except postgres.NoPostgres as error:
        pytest.skip(f"POSTGRESQL TESTS SKIPPED: {error}")
    yield server
    server.stop()


@pytest.fixture
def database_url(server: postgres.Server | None, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    (tmp_path / "data").mkdir()
    if server is not None:
        installation.migrated_postgres(server, tmp_path / "data")
        return server.url(postgres.TEMPLATE)
    path = tmp_path / "data" / "reviewqueue.db"
    shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    object.__setattr__(settings, "webhook_allow", "127.0.0.1")
    return settings


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """A look at the database from outside."""
    engine = create_engine(settings.database_url, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short: a socket's path must be."""
    directory = Path(tempfile.mkdtemp(prefix="rq-up-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


_LONG = [pytest.mark.soak, pytest.mark.timeout(LONG.seconds + 600)]


@pytest.mark.parametrize(
    ("database", "goal"),
    [
        pytest.param("sqlite", SHORT, id="sqlite-short", marks=pytest.mark.timeout(700)),
        pytest.param("postgresql", SHORT, id="postgresql-short", marks=[pytest.mark.soak, pytest.mark.timeout(700)]),
        pytest.param("sqlite", LONG, id="sqlite-long", marks=_LONG),
        pytest.param("postgresql", LONG, id="postgresql-long", marks=_LONG),
    ],
    indirect=["database"],
)
def test_promises_are_kept_under_fire(
    goal: Goal, settings: Settings, app: Flask, cast: Cast, engine: Engine, directory: Path, server: Any
):
    seed = int(os.environ.get("REVIEWQUEUE_TEST_SEED") or random.randrange(10**6))
    print(f"seed {seed}: repeat with REVIEWQUEUE_TEST_SEED={seed}")
    clock = Clock(directory / "clock")
    product = Product(settings, directory, more={**clock.environ, "REVIEWQUEUE_WEBHOOK_ALLOW": "127.0.0.1"})
    chaos = Chaos(product, clock, seed, server)

    def behave(_number: int, _handler: BaseHTTPRequestHandler) -> int:
        return 200 if chaos.receivers["answer"] else 500

    with receiving(behave) as receiver:
        firm = company.found(app, cast, receiver.url, QUEUES)
        with app.app_context():
            installation.dispose()
        clients = Clients(product.url, cast.submitter, [])
        try:
            product.start()
            _work(clients, firm, seed, goal.programs)
            _wreak(chaos, clients, goal)
            clock.set(0)
            product.wait(90)
            before = clients.history.acknowledged("decide")
            until(lambda: clients.history.acknowledged("decide") > before + 5, seconds=60, what=f"work ({product.log})")
            clients.stop()
            _calm(engine, 600)
            _tell(chaos, clients, receiver)
            found = faults(clients.history, read(engine, product.audit()))
        finally:
            clients.stop()
            product.stop()
        if found:
            clients.history.write(Path(tempfile.mkdtemp(prefix="rq-history-")) / "calls.jsonl")
        assert found == [], f"seed {seed}"
    assert sum(chaos.done.values()) >= goal.faults or goal is LONG, "the time was over"
    assert clients.history.unanswered > 0, "no client noticed anything: this proved nothing"


def _work(clients: Clients, firm: company.Company, seed: int, programs: int) -> None:
    names = [f"program-{number}" for number in range(programs)]
    clients.begin(*(lambda who=who: _submit(clients, who, random.Random(f"{seed}{who}")) for who in names))
    for name in ("Alice", "Carol", "Bob"):
        for queue in QUEUES:
            draw = random.Random(f"{seed}{name}{queue}")
            clients.begin(lambda who=firm[name], queue=queue, draw=draw: _review(clients, who, queue, draw))


def _submit(clients: Clients, who: str, draw: random.Random) -> None:
    number = 0
    while not clients.stopping.wait(0.05):
        number += 1
        queue = draw.choice(["rush", "rush", "pairs"])
        if draw.random() < 0.1:
            keys = [f"{who}-{number}-{place}" for place in range(3)]
            for _ in range(draw.choice([1, 2])):
                clients.submit_batch(keys, queue)
            continue
        for _ in range(draw.choice([1, 1, 2])):
            clients.submit(f"{who}-{number}", queue)


def _review(clients: Clients, who: Member, queue: str, draw: random.Random) -> None:
    while not clients.stopping.wait(0.03):
        held = clients.claim(who, queue)
        if held is None:
            continue
        body = judgement(held["task"]["id"] + (who.name if queue == "pairs" and draw.random() < 0.3 else ""))
        match draw.random():
            case chance if chance < 0.04:
                clients.release(who, held)
            case chance if chance < 0.07:
                clients.skip(who, held)
            case chance if chance < 0.10:
                clients.escalate(who, held)
            case chance if chance < 0.13:
                clients.draft(who, held, body)  # and is gone
            case chance if chance < 0.25:
                clients.decide(who, held, body)
                clients.decide(who, held, body)
            case _:
                clients.decide(who, held, body)


def _wreak(chaos: Chaos, clients: Clients, goal: Goal) -> None:
    began = time.monotonic()
    told = began
    restarts = [signal.SIGTERM, signal.SIGKILL]
    while (passed := time.monotonic() - began) < goal.seconds:
        acknowledged = sum(count for (_, ended), count in clients.history.counts.items() if ended == "ok")
        if sum(chaos.done.values()) >= goal.faults and acknowledged >= goal.acknowledged and passed >= goal.least:
            return
        if restarts and sum(chaos.done.values()) >= goal.faults * (3 - len(restarts)) // 3:
            chaos.restart(restarts.pop())
        chaos.do()
        time.sleep(0.3)
        if time.monotonic() - told > 60:
            told = time.monotonic()
            print(f"{told - began:.0f} s: {sum(chaos.done.values())} faults, {acknowledged} acknowledged", flush=True)


_FAILED = "SELECT id FROM webhook_delivery WHERE state = 'pending' AND attempts > 0"
_AGAIN = "UPDATE webhook_delivery SET next_at = created_at, leased_until = NULL WHERE id IN ({failed})"
# Rows that the sender has in hand are left to it: it locks them in an order of its own.
AGAIN = {
    "sqlite": _AGAIN.format(failed=_FAILED),
    "postgresql": _AGAIN.format(failed=f"{_FAILED} FOR UPDATE SKIP LOCKED"),
}


def _calm(engine: Engine, seconds: float) -> None:
    """Wait until it is quiet. Webhooks that failed are sent now, not after their pause of minutes."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not company.is_quiet(engine):
        with engine.begin() as connection:
            connection.execute(text(AGAIN[engine.dialect.name]))
        company.settle(engine, 5)


def _tell(chaos: Chaos, clients: Clients, receiver: Receiver) -> None:
    history = clients.history
    history.receipts = company.receipts(receiver)
    print(f"{sum(chaos.done.values())} faults: {dict(chaos.done)}")
    print(f"{sum(count for (_, ended), count in history.counts.items() if ended == 'ok')} acknowledged:")
    print(f"{dict(history.counts)}\nrefused: {dict(history.refused)}\n{len(history.receipts)} webhooks")
