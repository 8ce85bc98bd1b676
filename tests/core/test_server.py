"""The web server: no connection holds a thread by saying nothing."""

from __future__ import annotations

import socket
import struct
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from reviewqueue.core import server


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_request_whose_body_does_not_come_gives_its_thread_back(live, cast):
    address = urlsplit(live.url)
    with socket.create_connection((address.hostname, address.port)) as silent:
        silent.settimeout(server.SILENT_SECONDS + 15)
        token = cast.submitter.bearer["Authorization"]
        silent.sendall(
            f"POST /api/v1/items HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{".encode()
        )
        assert silent.recv(100).startswith(b"HTTP/1.1 400 BAD REQUEST")


def test_an_accepted_socket_has_the_limit_of_its_listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server._limit_silence(SimpleNamespace(LISTENERS=[SimpleNamespace(sock=listener)]))
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            kept = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.calcsize("ll"))
    assert struct.unpack("ll", kept)[0] == server.SILENT_SECONDS
