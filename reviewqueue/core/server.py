"""The web server: gunicorn with threads, inside our own process tree."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication

from reviewqueue.core import metrics
from reviewqueue.core.processes import die_with_parent

SILENT_SECONDS = 30


class WebServer(BaseApplication):  # type: ignore[misc]
    """gunicorn, configured by us; each worker makes its own application, so that no engine crosses a fork."""

    def __init__(self, make_app: Callable[[], Flask], *, bind: str, workers: int, threads: int) -> None:
        self._make_app = make_app
        self._options: dict[str, Any] = {
            "bind": bind, "workers": workers, "threads": threads, "worker_class": "gthread", "keepalive": 30,
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
        return self._make_app()


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
