"""One request to somebody else's server: to an address that was checked, within its time, whatever the server does."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Self

from reviewqueue.core.addresses import Address, Allowed, Target, resolve


@dataclass(frozen=True)
class Reply:
    """What was answered: redirects too, which are not followed."""

    status: int
    body: bytes
    """The first `most` bytes of it."""
    whole: bool = True
    """Whether as many bytes came as were promised, or `most` were read."""


def exchange(
    method: str, target: Target, lets: Allowed, *, headers: Mapping[str, str], body: bytes | None = None,
    seconds: float, most: int,
) -> Reply:  # fmt: skip
    """Ask, and read at most `most` bytes. `seconds` are for all from connecting to the last byte.

    Raises `Refused`, `OSError` (`TimeoutError` when the time is over), `http.client.HTTPException`, `ValueError`.
    """
    addresses = resolve(target, lets)
    ends = time.monotonic() + seconds
    sock = _connect(addresses, target.port, seconds)
    with sock, _Deadline(sock, ends) as deadline, closing(_speaking(target, sock)) as connection:
        if isinstance(connection.sock, ssl.SSLSocket):
            connection.sock.do_handshake()
        connection.request(method, target.path, body, dict(headers))
        with connection.getresponse() as answer:
            found = answer.read(most)
            # It says nothing of a connection that ends too soon.
            whole = len(found) == most or not answer.length
        if deadline.over:
            raise TimeoutError
        return Reply(answer.status, found, whole)


def _connect(addresses: list[Address], port: int, seconds: float) -> socket.socket:
    last: OSError = OSError("no address")
    for address in addresses[:3]:
        try:
            sock = socket.create_connection((str(address), port), timeout=seconds / 3)
        except OSError as error:
            last = error
            continue
        sock.settimeout(seconds)
        return sock
    raise last


def _speaking(target: Target, sock: socket.socket) -> http.client.HTTPConnection:
    # Made for the name, so that `Host` is right; connected to the address that was checked.
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = sock
    if target.scheme == "https":
        # The handshake comes later, where the deadline holds for it, too.
        context = ssl.create_default_context()
        connection.sock = context.wrap_socket(sock, server_hostname=target.host, do_handshake_on_connect=False)
        # What the header `Host` leaves out.
        connection.default_port = 443
    return connection


class _Deadline:
    """Cuts a connection off at `ends` (monotonic), whoever holds its socket by then.

    A timeout of a socket is one of each wait: a receiver that sends a byte now and then would hold us for ever.
    """

    def __init__(self, sock: socket.socket, ends: float) -> None:
        # Another handle of the same connection: `http.client` lets go of its own when the answer is to end with the
        # connection, and TLS takes the one it is given.
        self._sock = sock.dup()
        self._timer = threading.Timer(max(0.0, ends - time.monotonic()), self._cut)
        self._timer.daemon = True
        self.over = False

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        # Or it would cut what has the number of our socket by then.
        self._timer.join()
        self._sock.close()

    def _cut(self) -> None:
        self.over = True
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
