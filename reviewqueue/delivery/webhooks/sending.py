"""One webhook request: to an address that was checked, within 15 seconds, whatever the receiver does."""

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

from reviewqueue.delivery.webhooks.addresses import Address, Allowed, Refused, Target, resolve

SECONDS = 15.0
"""For the whole of it: resolving apart, from connecting to the last byte of the answer."""
MOST_READ = 65_536
KEPT_CHARACTERS = 2_000


@dataclass(frozen=True)
class Outcome:
    """What came of one attempt."""

    status: int | None
    """None where no answer came."""
    answer: str
    """The answer's first characters, or why there was none."""
    seconds: float

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver says that it wants no more."""
        return self.status == 410


def post(target: Target, body: bytes, headers: Mapping[str, str], lets: Allowed) -> Outcome:
    """Send it. Redirects are not followed: they are failures."""
    started = time.monotonic()
    try:
        status, answer = _post(target, body, headers, lets)
    except Refused as error:
        status, answer = None, str(error)
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = time.monotonic() - started >= SECONDS
        status, answer = None, f"No answer within {SECONDS:.0f} s." if late else f"{type(error).__name__}: {error}"
    # NUL is what no database column holds.
    return Outcome(status, answer.replace("\x00", "\ufffd")[:KEPT_CHARACTERS], time.monotonic() - started)


def _post(target: Target, body: bytes, headers: Mapping[str, str], lets: Allowed) -> tuple[int, str]:
    addresses = resolve(target, lets)
    ends = time.monotonic() + SECONDS
    sock = _connect(addresses, target.port)
    with sock, _Deadline(sock, ends) as deadline, closing(_speaking(target, sock)) as connection:
        if isinstance(connection.sock, ssl.SSLSocket):
            connection.sock.do_handshake()
        connection.request("POST", target.path, body, dict(headers))
        with connection.getresponse() as answer:
            text = answer.read(MOST_READ).decode("utf-8", "replace")
        if deadline.over:
            raise TimeoutError
        return answer.status, text


def _connect(addresses: list[Address], port: int) -> socket.socket:
    last: OSError = OSError("no address")
    for address in addresses[:3]:
        try:
            sock = socket.create_connection((str(address), port), timeout=SECONDS / 3)
        except OSError as error:
            last = error
            continue
        sock.settimeout(SECONDS)
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
