"""The web server: gunicorn with threads, inside our own process tree."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.http.errors import (
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)  # fmt: skip
from gunicorn.workers.gthread import ThreadWorker

from reviewqueue.core import http, metrics, strictjson
from reviewqueue.core.processes import die_with_parent, settle

SILENT_SECONDS = 30


class Worker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's, but for how it refuses what it cannot read: it would answer in HTML, and 501 to an odd header."""

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Tell the sender of what is no HTTP so, in problem details. Any other error is gunicorn's to answer."""
        if not isinstance(exc, ParseException) or isinstance(exc, InvalidResponseHeader | InvalidResponseHeaderName):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("Invalid request from %s: %s", addr[0] if addr else "", exc)
        long = isinstance(exc, LimitRequestLine | LimitRequestHeaders)
        answer = _REFUSED_AS_LONG if long else _REFUSED
        with suppress(OSError):
            client.sendall(answer)


def _refusal(message: str) -> bytes:
    body = strictjson.dumps(http.problem_json(http.BadRequest(message))).encode()
    head = (
        f"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: {http.PROBLEM}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Security-Policy: {http.CONTENT_SECURITY_POLICY}\r\n\r\n"
    )
    return head.encode() + body


_REFUSED = _refusal("This is no HTTP request that can be read.")
_REFUSED_AS_LONG = _refusal("The address or the headers are longer than this server reads.")


class WebServer(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured by us; each worker makes its own application, so that no engine crosses a fork."""

    def __init__(self, make_app: Callable[[], Flask], *, bind: str, workers: int, threads: int) -> None:
        self._make_app = make_app
        self._options: dict[str, Any] = {
            "bind": bind, "workers": workers, "threads": threads, "worker_class": Worker, "keepalive": 30,
            "timeout": 120, "graceful_timeout": 5, "accesslog": None, "loglevel": "warning",
            "pre_fork": _before_fork, "post_fork": _after_fork,
            "when_ready": _limit_silence,
            "worker_tmp_dir": "/dev/shm" if os.path.isdir("/dev/shm") else None,  # noqa: S108
        }  # fmt: skip
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        app = self._make_app()
        settle()
        return app


def _limit_silence(server: Any) -> None:
    """Let no connection hold a thread by saying, or taking, nothing. Accepted sockets have what their listener has."""
    seconds = struct.pack("ll", SILENT_SECONDS, 0)
    for listener in server.LISTENERS:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, seconds)


def _before_fork(server: Any, worker: Any) -> None:
    worker.place = metrics.free_place(each.place for each in server.WORKERS.values())


def _after_fork(_server: Any, worker: Any) -> None:
    metrics.count_at(worker.place)
    die_with_parent()
