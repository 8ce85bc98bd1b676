"""Counting requests: by the route's template, never by the address, which names items. A few microseconds a request.

The web server has several processes. Each counts into files of its own, in a directory that is made when the server
starts, and whoever is asked adds them all up. The files belong to a place in the server, not to a process: the one that
follows a dead one counts on where that ended, so that no count ever falls and no file is left behind.
"""

from __future__ import annotations

import atexit
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request
from prometheus_client import CollectorRegistry, Counter, Histogram, values
from prometheus_client.multiprocess import MultiProcessCollector

FILES = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)
"""Seconds; a long poll takes up to 60."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
NO_ROUTE = "none"
_place = 0


class Requests:
    """The counts of this process."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._count = Counter(
            "reviewqueue_http_requests", "Requests answered, by route template.", ["method", "route", "status"],
            registry=self._own,
        )  # fmt: skip
        self._seconds = Histogram(
            "reviewqueue_http_request_seconds", "Seconds from a request to its answer, without what streams after it.",
            ["method", "route"], buckets=BUCKETS, registry=self._own,
        )  # fmt: skip
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def note(self, method: str, route: str, status: int, seconds: float) -> None:
        key = method, route, status
        found = self._known.get(key)
        if found is None:
            found = self._count.labels(method, route, str(status)), self._seconds.labels(method, route)
            self._known[key] = found
        found[0].inc()
        found[1].observe(seconds)

    def registry(self) -> CollectorRegistry:
        """Of all processes of this server."""
        if FILES not in os.environ:
            return self._own
        every = CollectorRegistry()
        MultiProcessCollector(every)  # type: ignore[no-untyped-call]
        return every


def init_app(app: Flask) -> None:
    """Count every request of `app`. Called before anything else is to happen with a request."""
    requests = app.extensions["reviewqueue_requests"] = Requests()

    def begin() -> None:
        g.began = time.perf_counter()

    def end(response: Response) -> Response:
        method = request.method if request.method in METHODS else "other"
        route = request.url_rule.rule if request.url_rule is not None else NO_ROUTE
        requests.note(method, route, response.status_code, time.perf_counter() - g.began)
        return response

    app.before_request(begin)
    app.after_request(end)


# -- processes --------------------------------------------------------------------------------------------------------


def share(data_dir: Path, bind: str) -> None:
    """Have the processes that this one will start count together. Before any count is made."""
    name = re.sub(r"[^A-Za-z0-9.]+", "-", bind)
    directory = data_dir / "metrics" / name.strip("-")
    try:
        # What a server before this one, at this address, left when it was killed.
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    except OSError:
        directory = Path(tempfile.mkdtemp(prefix="reviewqueue-metrics-"))
    atexit.register(_remove, directory, os.getpid())
    os.environ[FILES] = str(directory)
    values.ValueClass = values.MultiProcessValue(lambda: _place)  # type: ignore[no-untyped-call]


def _remove(directory: Path, starter: int) -> None:
    if os.getpid() == starter:
        shutil.rmtree(directory, ignore_errors=True)


def free_place(taken: Iterable[int]) -> int:
    """The first that no living process has."""
    held = set(taken)
    return next(number for number in count(1) if number not in held)


def count_at(place: int) -> None:
    """From now on this process counts there."""
    global _place  # noqa: PLW0603 - what the operating system's number of the process is to others
    _place = place
