"""`reviewqueue up`: the whole product as one tree of processes. Restarts what dies, stops all together."""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from reviewqueue.core import embedded
from reviewqueue.core.processes import die_with_parent
from reviewqueue.errors import Conflict

log = logging.getLogger(__name__)

STOP_SECONDS = 10
SHORT_LIFE_SECONDS = 10
LONGEST_BACKOFF_SECONDS = 10.0


@dataclass
class Child:
    """A process to be kept alive."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    backoff: float = 0.5

    def start(self, environment: dict[str, str]) -> None:
        # A session of its own, so that Ctrl-C reaches the supervisor alone and the order of stopping is ours. The hook
        # only calls prctl, and no other thread runs here.
        self.process = subprocess.Popen(
            self.command,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
        self.started_at = time.monotonic()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self, number: int) -> None:
        if self.process is not None and self.running:
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                return


@dataclass
class Supervisor:
    """Starts children in order, restarts the dead with growing pauses, stops in reverse order."""

    environment: dict[str, str]
    children: list[Child] = field(default_factory=list)
    stopping: bool = False

    def add(self, name: str, command: list[str]) -> None:
        self.children.append(Child(name, command))

    def run(self, after_start: Callable[[], None]) -> None:
        """Until SIGINT or SIGTERM."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask_to_stop)
        try:
            for child in self.children:
                child.start(self.environment)
            after_start()
            while not self.stopping:
                self._look_after()
                time.sleep(0.1)
        finally:
            self._stop_all()

    def _ask_to_stop(self, _number: int, _frame: object) -> None:
        self.stopping = True

    def _look_after(self) -> None:
        now = time.monotonic()
        for child in self.children:
            if child.running:
                continue
            if child.process is not None:
                lived = now - child.started_at
                child.backoff = 0.2 if lived > SHORT_LIFE_SECONDS else min(LONGEST_BACKOFF_SECONDS, child.backoff * 2)
                log.warning("%s ended with status %s; starting it again", child.name, child.process.returncode)
                child.process, child.start_at = None, now + child.backoff
            if now >= child.start_at:
                child.start(self.environment)

    def _stop_all(self) -> None:
        # Valkey, the first, goes last: the others still want to say goodbye to it.
        (*rest,) = self.children[1:]
        for group in (rest, self.children[:1]):
            for child in group:
                child.stop(signal.SIGTERM)
            end = time.monotonic() + STOP_SECONDS
            while any(child.running for child in group) and time.monotonic() < end:
                time.sleep(0.05)
            for child in group:
                if child.running:
                    log.warning("%s does not stop; killing it", child.name)
                child.stop(signal.SIGKILL)
                if child.process is not None:
                    child.process.wait()


def own_command(*words: str) -> list[str]:
    """A command line of this program."""
    return [sys.executable, "-m", "reviewqueue.cli", *words]


def lock(data_dir: Path) -> IO[str]:
    """Hold the data directory for this process; keep the result. Raises `Conflict` when another one does."""
    data_dir.mkdir(parents=True, exist_ok=True)
    file = (data_dir / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise Conflict(
            f"reviewqueue already runs on {data_dir} (process {holder}). Stop it, or give another --data-dir.",
            code="already_running",
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def check_port(host: str, port: int) -> None:
    """Raises `Conflict` when the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(
                f"Port {port} on {host} cannot be used: {error.strerror}. Give another with --port.", code="port_in_use"
            ) from None


def start_redis(supervisor: Supervisor, data_dir: Path, given: str | None) -> str:
    """The address of Redis: the one given, or an embedded one that becomes the first child."""
    if given:
        return given
    path = embedded.socket_path(data_dir)
    path.unlink(missing_ok=True)
    supervisor.add("valkey", embedded.command(path))
    return embedded.url(path)
