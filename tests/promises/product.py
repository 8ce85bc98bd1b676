"""The whole product as one command runs it, its processes to be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import psutil
from redis.exceptions import RedisError

from reviewqueue.config import Settings
from reviewqueue.core import background, embedded
from tests.fixtures import installation, processes
from tests.fixtures.living import answers

LEASE_SECONDS = 3


@dataclass
class Product:
    """`reviewqueue up` on a database, with an embedded Valkey in `directory`."""

    settings: Settings
    directory: Path
    port: int = field(default_factory=processes.free_port)
    process: Popen[bytes] | None = None
    more: dict[str, str] = field(default_factory=dict)
    """Environment variables of this run."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        path = self.directory / "up.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def command(self, *more: str) -> list[str]:
        return [sys.executable, "-m", "reviewqueue.cli", *more]

    @property
    def environ(self) -> dict[str, str]:
        own = installation.environment(self.directory, database_url=self.settings.database_url)
        return {**os.environ, **own, "REVIEWQUEUE_EXECUTION_LEASE_SECONDS": str(LEASE_SECONDS), **self.more}

    def start(self) -> None:
        command = self.command("up", "--port", str(self.port), "--web-workers", "2")
        self.process = processes.start(command, self.directory / "up.log", environ=self.environ)
        self.wait(90)

    def wait(self, seconds: float) -> None:
        """Until every part runs, and the web server and Valkey answer."""
        end = time.monotonic() + seconds
        while not self._all_there():
            assert time.monotonic() < end, f"the product is not there after {seconds} s:\n{self.log[-2000:]}"
            time.sleep(0.2)  # looking through all processes is not cheap

    def _all_there(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        parts = ("valkey", "web", "relay", "worker")
        return answers(f"{self.url}/readyz") and all(self.named(part) for part in parts) and self._valkey_answers()

    @property
    def redis_url(self) -> str:
        return embedded.url(self.directory / "valkey.sock")

    def _valkey_answers(self) -> bool:
        with suppress(RedisError), background.connect(self.redis_url) as redis:
            return bool(redis.ping())
        return False

    def family(self) -> list[psutil.Process]:
        """Everything that the supervisor has started, directly or not."""
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def named(self, name: str) -> list[psutil.Process]:
        """Processes of one part; the web server's first, then its workers."""
        found = []
        for process in self.family():
            with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                words = process.cmdline()
                own = words[1:4] == ["-m", "reviewqueue.cli", name]
                if own or (name == "valkey" and words and "valkey-server" in words[0]):
                    found.append(process)
        return found

    def kill(self, name: str) -> None:
        """kill -9 of the part's first process: the rest of it has to notice."""
        for process in self.named(name)[:1]:
            process.kill()

    def kill_web_worker(self) -> None:
        for process in self.named("web")[1:2]:
            process.kill()

    def audit(self) -> list[str]:
        """What `reviewqueue audit verify` complains of."""
        done = subprocess.run(self.command("audit", "verify"), env=self.environ, capture_output=True, text=True)
        return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            processes.stop(self.process, number, seconds=20)
