"""What can go wrong around the product, as acts that are done to it, each undone when its time is over."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
from redis import Redis
from redis.exceptions import RedisError

from reviewqueue.core import background
from tests.fixtures import postgres
from tests.promises.product import LEASE_SECONDS, Product

PARTS = ("web", "relay", "worker")
MOMENT = 0.4
LONG = LEASE_SECONDS + 0.5


class Clock:
    """The file by which the clocks of the product's processes are off; see `clocks/sitecustomize.py`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.set(0)

    def set(self, seconds: float) -> None:
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))

    @property
    def environ(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(__file__).with_name("clocks")), os.environ.get("PYTHONPATH", "")])
        return {"REVIEWQUEUE_TEST_CLOCK": str(self.path), "PYTHONPATH": path.rstrip(os.pathsep)}


@dataclass
class Chaos:
    """Does one thing after the other to the product, drawn from a seed."""

    product: Product
    clock: Clock
    seed: int
    server: postgres.Server | None
    """PostgreSQL, where that is the database."""
    receivers: dict[str, bool] = field(default_factory=lambda: {"answer": True})
    done: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.waiting: list[Callable[[], Any]] = []

    @property
    def acts(self) -> dict[str, Callable[[], Any]]:
        acts: dict[str, Callable[[], Any]] = {
            **{f"kill -9 {part}": lambda part=part: self._kill(part) for part in (*PARTS, "valkey")},
            **{f"freeze {part} past its lease": lambda part=part: self._freeze(part, LONG) for part in PARTS},
            "freeze Valkey": lambda: self._freeze("valkey", 3),
            "FLUSHALL": lambda: self._redis(lambda redis: redis.flushall()),
            "Valkey is full": lambda: self._valkey(maxmemory="1mb"),
            "Valkey is read-only": lambda: self._valkey(**{"min-replicas-to-write": "1"}),
            "shift the clocks": self._shift,
            "the disk is full": self._full,
            "receivers fail": self._deaf,
        }
        if self.server is not None:
            acts |= {
                "restart PostgreSQL": self.server.restart,
                "kill -9 a PostgreSQL backend": self._kill_backend,
                "exhaust the connections": self._exhaust,
            }
        return acts

    def do(self) -> str:
        """Something not done lately; its name."""
        if not self.waiting:
            self.waiting = list(self.acts)
            self.random.shuffle(self.waiting)
        name = self.waiting.pop()
        with suppress(psutil.Error, RedisError, OSError, psycopg.Error):  # what it is done to may just be gone
            self.acts[name]()
        self.done[name] += 1
        return name

    def restart(self, number: signal.Signals) -> None:
        """The whole of it, as an operator or a power cut would."""
        assert self.product.process is not None
        self.product.stop(number)
        psutil.wait_procs(self.product.family(), timeout=10)
        self.product.start()
        self.done[f"restart all ({number.name})"] += 1

    # -- processes ----------------------------------------------------------------------------------------------------

    def _some(self, part: str) -> list[psutil.Process]:
        there = self.product.named(part)
        return [self.random.choice(there)] if there else []

    def _kill(self, part: str) -> None:
        for process in self._some(part):
            process.kill()

    def _freeze(self, part: str, seconds: float) -> None:
        with ExitStack() as thaw:
            for process in self._some(part):
                process.suspend()
                thaw.callback(_resume, process)
            time.sleep(seconds)

    def _shift(self) -> None:
        self.clock.set(self.random.uniform(-7200, 7200))

    def _deaf(self) -> None:
        self.receivers["answer"] = False
        time.sleep(MOMENT)
        self.receivers["answer"] = True

    # -- Valkey -------------------------------------------------------------------------------------------------------

    def _redis(self, act: Callable[[Redis], Any]) -> None:
        with background.connect(self.product.redis_url) as redis:
            act(redis)

    def _valkey(self, **settings: str) -> None:
        for name, value in settings.items():
            self._redis(lambda redis, name=name, value=value: redis.config_set(name, value))
        time.sleep(1)
        for name in settings:
            self._redis(lambda redis, name=name: redis.config_set(name, "0"))

    # -- the database -------------------------------------------------------------------------------------------------

    def _full(self) -> None:
        """No file may grow: to a process that is the same as a full disk, and needs no mount. On PostgreSQL the
        server's processes are those that write."""
        writers = self._backends() if self.server else [one for part in PARTS for one in self.product.named(part)]
        for process in writers:
            self._limit(process, "1")
        time.sleep(MOMENT)
        for process in writers:
            self._limit(process, "unlimited")

    def _limit(self, process: psutil.Process, size: str) -> None:
        # The soft limit alone, as the user whose process it is: neither takes a right.
        subprocess.run(
            ["prlimit", "--pid", str(process.pid), f"--fsize={size}:"], capture_output=True,
            user=self.server.user if self.server else None,
        )  # fmt: skip

    def _backends(self) -> list[psutil.Process]:
        assert self.server is not None
        children = psutil.Process(self.server.process.pid).children()
        return [one for one in children if "postgres:" in " ".join(one.cmdline())]

    def _kill_backend(self) -> None:
        """PostgreSQL then ends all others, too, and recovers from its log."""
        clients = [one for one in self._backends() if "[local]" in " ".join(one.cmdline())]
        if clients:
            self.random.choice(clients).kill()

    def _exhaust(self) -> None:
        """Somebody else has all connections, also those that the product had."""
        assert self.server is not None
        with ExitStack() as opened:
            for _ in range(2):
                with suppress(psycopg.OperationalError):
                    for _ in range(self.server.max_connections):
                        one = psycopg.connect(self.server.dsn("postgres"), connect_timeout=2, autocommit=True)
                        opened.enter_context(one).execute(TERMINATE)
            time.sleep(MOMENT)


TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'template_migrated'"


def _resume(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.resume()
