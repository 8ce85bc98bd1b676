"""The whole product as one command runs it, its processes to be killed, and clients that write their history."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil
from redis.exceptions import RedisError

from reviewqueue.config import Settings
from reviewqueue.core import background, embedded
from tests.fixtures import installation, processes
from tests.fixtures.living import answers
from tests.fixtures.people import Member, item
from tests.promises.history import Decided, History, Submitted

LEASE_SECONDS = 3


class Unknown(Exception):
    """No answer, or one that says nothing about what happened."""


def call(
    url: str, token: str, method: str = "POST", body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Status and JSON. Raises `Unknown` when the server was gone or answered 5xx."""
    sent = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **(headers or {})}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data=data, method=method, headers=sent), timeout=20
        ) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text else None
    except urllib.error.HTTPError as error:
        with error:
            if error.code >= 500:
                raise Unknown(error.code) from None
            return error.code, json.loads(error.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unknown(repr(error)) from None


@dataclass
class Product:
    """`reviewqueue up` on a database, with an embedded Valkey in `directory`."""

    settings: Settings
    directory: Path
    port: int = field(default_factory=processes.free_port)
    process: Popen[bytes] | None = None

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
        return {**os.environ, **own, "REVIEWQUEUE_EXECUTION_LEASE_SECONDS": str(LEASE_SECONDS)}

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

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            processes.stop(self.process, number, seconds=20)


@dataclass
class Clients:
    """Programs that submit and people who decide, until told to stop. Each goes on as a good client would."""

    url: str
    submitter: Member
    reviewers: list[Member]
    history: History = field(default_factory=History)
    stopping: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        work = [(self._submit, "a"), (self._submit, "b"), *((self._decide, member) for member in self.reviewers)]
        self.threads = [threading.Thread(target=act, args=(who,)) for act, who in work]  # type: ignore[arg-type]
        for thread in self.threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def _submit(self, who: str) -> None:
        number = 0
        while not self.stopping.wait(0.02):
            number += 1
            self.submit(f"{who}-{number}")

    def submit(self, key: str) -> str | None:
        """Send an item until there is an answer; its id."""
        body = item(1, input={"text": f"Where is my card? <{key}>"})
        self.history.sent.add(key)
        answer = self._until_known(f"{self.url}/api/v1/items", self.submitter, body, {"Idempotency-Key": key})
        if answer is None:
            return None
        status, value = answer
        if status != 201:
            with self.history.lock:
                self.history.refused[f"submit {status} {value.get('code')}"] += 1
            return None
        with self.history.lock:
            self.history.submitted.append(Submitted(key, value["id"]))
        return str(value["id"])

    def _decide(self, member: Member) -> None:
        while not self.stopping.wait(0.02):
            with suppress(Unknown):
                self.decide_next(member)

    def decide_next(self, member: Member) -> bool:
        status, value = call(f"{self.url}/api/v1/queues/intents/claims", member.token)
        if status != 201:
            return False
        claim, task = value["claim"]["id"], value["task"]["id"]
        body = {"output": {"label": "refund"}} if hash(task) % 2 else {"verdict": "approve"}
        answer = self._until_known(f"{self.url}/api/v1/claims/{claim}/decision", member, body)
        if answer is None:
            return False
        status, value = answer
        with self.history.lock:
            if status == 200:
                decision = value["decision"]
                output = json.dumps(decision["output"], sort_keys=True)
                self.history.decided.append(Decided(decision["id"], task, decision["verdict"], output))
            else:
                self.history.refused[f"decide {status} {value.get('code')}"] += 1
        return status == 200

    def _until_known(
        self, url: str, member: Member, body: Any, headers: dict[str, str] | None = None
    ) -> tuple[int, Any] | None:
        """Repeat the very same request until it is answered, as a client should; at most 30 s."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                return call(url, member.token, body=body, headers=headers)
            except Unknown:
                with self.history.lock:
                    self.history.unknown += 1
                time.sleep(0.2)
        return None
