"""One webhook request: to an address that was checked, within 15 seconds, whatever the receiver does."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

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
    connection = _connect(target, resolve(target, lets))
    # A timeout of a socket is one of each wait: a receiver that sends a byte now and then would hold us for ever.
    late = threading.Event()
    deadline = threading.Timer(SECONDS, _cut, [connection, late])
    deadline.daemon = True
    deadline.start()
    try:
        connection.request("POST", target.path, body, dict(headers))
        answer = connection.getresponse()
        text = answer.read(MOST_READ).decode("utf-8", "replace")
        if late.is_set():
            raise TimeoutError
        return answer.status, text
    finally:
        deadline.cancel()
        connection.close()


def _connect(target: Target, addresses: list[Address]) -> http.client.HTTPConnection:
    last: OSError = OSError("no address")
    for address in addresses[:3]:
        try:
            sock = socket.create_connection((str(address), target.port), timeout=SECONDS / 3)
        except OSError as error:
            last = error
            continue
        sock.settimeout(SECONDS)
        # Made for the name, so that `Host` is right; connected to the address that was checked.
        connection = http.client.HTTPConnection(target.host, target.port, timeout=SECONDS)
        connection.sock = sock
        if target.scheme == "https":
            try:
                connection.sock = ssl.create_default_context().wrap_socket(sock, server_hostname=target.host)
            except BaseException:
                sock.close()
                raise
            # What the header `Host` leaves out.
            connection.default_port = 443
        return connection
    raise last


def _cut(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
