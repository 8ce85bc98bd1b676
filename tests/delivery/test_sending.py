"""One webhook request: it ends in time, whatever the receiver does with the connection."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from reviewqueue.core import addresses
from reviewqueue.delivery.webhooks import sending

LETS = addresses.allowed("127.0.0.1")


@contextmanager
def listening(begin: bytes, drop: bytes) -> Iterator[int]:
    """A port where each connection is answered with `begin`, and then `drop` every now and then, without an end."""
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with suppress(OSError), server.accept()[0] as connection:
            connection.recv(65_536)
            connection.sendall(begin)
            while not over.wait(0.05):
                connection.sendall(drop)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        over.set()
        thread.join()
        server.close()


DRIPS = {
    "head": ("http", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"."),
    "body of HTTP/1.0": ("http", b"HTTP/1.0 200 OK\r\n\r\n", b"."),
    "body of a closing connection": ("http", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"."),
    "body of a known length": ("http", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"."),
    "early answers": ("http", b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "TLS handshake": ("https", b"\x16\x03\x03\x40\x00", b"\x02"),
}


@pytest.mark.parametrize("what", DRIPS)
def test_a_receiver_that_sends_a_byte_now_and_then_is_cut_off(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.setattr(sending, "SECONDS", 0.5)
    scheme, begin, drop = DRIPS[what]
    with listening(begin, drop) as port:
        target = addresses.target_of(f"{scheme}://127.0.0.1:{port}/", LETS)
        outcome = _within(10, lambda: sending.post(target, b"{}", {}, LETS))
    assert outcome is not None, "it is still sending"
    assert (outcome.status, outcome.answer[:9]) == (None, "No answer")


def _within(seconds: float, act: Callable[[], sending.Outcome]) -> sending.Outcome | None:
    found: list[sending.Outcome] = []
    thread = threading.Thread(target=lambda: found.append(act()), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None


def test_an_answer_without_a_length_is_read_to_its_end() -> None:
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        with server, server.accept()[0] as connection:
            asked = b""
            while not asked.endswith(b"\r\n\r\n{}"):  # what is not read when it is closed would reset the connection
                asked += connection.recv(65_536)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nthanks")

    thread = threading.Thread(target=answer)
    thread.start()
    target = addresses.target_of(f"http://127.0.0.1:{server.getsockname()[1]}/", LETS)
    outcome = sending.post(target, b"{}", {}, LETS)
    thread.join()
    assert (outcome.status, outcome.answer) == (200, "thanks")
