"""The web server: no connection holds a thread by saying nothing."""

from __future__ import annotations

import json
import random
import socket
import struct
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

from reviewqueue.core import http, server
from tests.fixtures import living

IMPATIENT = "from reviewqueue.core import server; server.SILENT_SECONDS = 2; from reviewqueue.cli import main; main()"
"""The command, with less patience than it has."""


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_request_whose_body_does_not_come_gives_its_thread_back(settings, cast, tmp_path):
    running = living.Live(settings, tmp_path, program=["-c", IMPATIENT])
    try:
        running.start_web(workers=1)
        address = urlsplit(running.url)
        with socket.create_connection((address.hostname, address.port)) as silent:
            silent.settimeout(server.SILENT_SECONDS - 10)
            token = cast.submitter.bearer["Authorization"]
            silent.sendall(
                f"POST /api/v1/items HTTP/1.1\r\nHost: localhost\r\nAuthorization: {token}\r\n"
                "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{".encode()
            )
            assert silent.recv(100).startswith(b"HTTP/1.1 400 BAD REQUEST")
    finally:
        running.stop_all()


def test_an_accepted_socket_has_the_limit_of_its_listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server._limit_silence(SimpleNamespace(LISTENERS=[SimpleNamespace(sock=listener)]))
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            kept = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.calcsize("ll"))
    assert struct.unpack("ll", kept)[0] == server.SILENT_SECONDS


SENT = "Content-Type: application/json\r\nAuthorization: "
NO_HTTP = {
    "noise": b"\x00\xff\xfe noise\r\n\r\n",
    "no version": b"GET /api/v1/items\r\n\r\n",
    "another version": b"GET /api/v1/items HTTP/3.0\r\n\r\n",
    "a header with a space": b"GET /api/v1/items HTTP/1.1\r\nBad Header: y\r\n\r\n",
    "a folded header": b"GET /api/v1/items HTTP/1.1\r\nX-A: b\r\n c\r\n\r\n",
    "a giant header": b"GET /api/v1/items HTTP/1.1\r\nX-A: " + b"a" * 70_000 + b"\r\n\r\n",
    "many headers": b"GET /api/v1/items HTTP/1.1\r\n" + b"X-A: b\r\n" * 200 + b"\r\n",
    "a giant address": b"GET /api/v1/items?" + b"a" * 9_000 + b" HTTP/1.1\r\n\r\n",
    "two lengths": b"POST /api/v1/items HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length and chunks": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"POST /api/v1/items HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "a length in hex": b"POST /api/v1/items HTTP/1.1\r\nContent-Length: 0x10\r\n\r\n",
    "an unknown coding": b"POST /api/v1/items HTTP/1.1\r\nTransfer-Encoding: nonsense\r\n\r\n",
    "an odd method": b"G\xffT /api/v1/items HTTP/1.1\r\n\r\n",
    "an odd expectation": b"POST /api/v1/items HTTP/1.1\r\nExpect: nonsense\r\nContent-Length: 0\r\n\r\n",
    "a schema of its own": b"GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n\r\n",
    "bytes for an address": b"GET /\xff\xfe?\xff=\xfe HTTP/1.1\r\n\r\n",
    "the beginning of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}
CHUNKS = {
    "no size": b"zz\r\nabc\r\n0\r\n\r\n",
    "a size below nothing": b"-3\r\nabc\r\n0\r\n\r\n",
    "a giant size": b"f" * 40 + b"\r\nabc",
    "no end": b"3\r\nabcXX\r\n0\r\n\r\n",
    "cut off": b"ff\r\nabc",
}


def exchange(url: str, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of what the server answers to these bytes."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=15) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while piece := connection.recv(65_536):
                answer += piece
        except ConnectionResetError:
            pass  # it did not read to the end what it had refused
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers, body


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_is_no_http_is_refused_in_problem_details(live, cast):
    refused = {name: exchange(live.url, sent) for name, sent in NO_HTTP.items()}
    head = f"POST /api/v1/items HTTP/1.1\r\nHost: x\r\n{SENT}{cast.submitter.bearer['Authorization']}\r\n"
    for name, chunks in CHUNKS.items():
        refused[name] = exchange(live.url, f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks)
    for name, (status, headers, body) in refused.items():
        assert 400 <= status < 500, (name, status, body)
        if body:
            assert headers["content-type"] == http.PROBLEM, name
            assert json.loads(body)["code"], name
            assert headers["content-security-policy"] == http.CONTENT_SECURITY_POLICY, name
    assert sum(bool(body) for _, _, body in refused.values()) > len(refused) - 4
    shuffled = random.Random(15)
    for _ in range(100):
        sent = bytearray(head.encode() + b"Content-Length: 2\r\n\r\n{}")
        for _ in range(shuffled.randint(1, 5)):
            sent[shuffled.randrange(len(sent))] = shuffled.randrange(256)
        try:
            status, _, body = exchange(live.url, bytes(sent))
        except IndexError:  # not one line of an answer: it waits for the rest, and we have closed
            continue
        assert status < 500, (bytes(sent), body)
    assert exchange(live.url, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")[0] == 200
